"""The stage `fetch` from the sample and from files: what arrives, what is kept."""

from __future__ import annotations

import hashlib
import json

import pytest
import yaml

from mmclust.core.errors import MmclustError
from tests.sources.toy import (
    ARCHIVES,
    state,
)


def test_the_sample_is_fetched_by_relative_urls(fetch, root):
    """Files arrive as they are; source.json says all and no path or date."""
    facts = fetch()
    got = state(root / "out")
    assert json.loads(got.pop("source.json")) == facts
    assert got == ARCHIVES
    assert facts == {
        "source": "toy",
        "mirror": "sample",
        "files": {
            name: {
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "verified": "sha256",
                "from": "archive",
            }
            for name, data in ARCHIVES.items()
        },
        "absent": [],
        "protocol": {"coco_all.min_images": 20},
    }


@pytest.mark.parametrize("algorithm", ["sha1", "md5"])
def test_weaker_digests_are_enforced_where_no_stronger_is_known(algorithm, fetch, root):
    """The digest that was used is named, and a wrong one refused."""
    path = root / "data/sample/registry.yaml"
    registry = yaml.safe_load(path.read_text())
    for name, file in registry["toy"]["files"].items():
        del file["sha256"]
        file[algorithm] = hashlib.new(algorithm, ARCHIVES[name]).hexdigest()
    path.write_text(yaml.safe_dump(registry))
    facts = fetch()["files"]["val.zip"]
    assert facts["verified"] == algorithm
    assert facts["sha256"] == hashlib.sha256(ARCHIVES["val.zip"]).hexdigest()
    registry["toy"]["files"]["val.zip"][algorithm] = hashlib.new(algorithm).hexdigest()
    path.write_text(yaml.safe_dump(registry))
    with pytest.raises(MmclustError, match=f"expected: {algorithm} "):
        fetch()


def test_without_a_digest_an_archive_must_open(fetch, root):
    """No digest: verified is `none`, and a cut zip is still refused."""
    path = root / "data/sample/registry.yaml"
    path.write_text("toy: {files: {val.zip: {url: toy/val.zip}}}")
    assert fetch()["files"]["val.zip"]["verified"] == "none"
    (root / "out/val.zip").unlink()
    (root / "data/sample/toy/val.zip").write_bytes(ARCHIVES["val.zip"][:-30])
    with pytest.raises(MmclustError, match="not a readable zip archive"):
        fetch()
    assert not (root / "out/val.zip").exists()


def test_a_file_missing_from_the_mirror_is_named(fetch, root):
    """The path is in the message, and nothing has been put in place."""
    gone = root / "data/sample/toy/val.zip"
    gone.unlink()
    with pytest.raises(MmclustError, match=r"val\.zip cannot be read") as caught:
        fetch()
    assert str(gone) in str(caught.value)
    assert "No such file" in str(caught.value)
    assert not (root / "out").exists()


def test_unknown_mirrors_and_folders(fetch, root):
    """The message names the mirrors, and the folder that is not there."""
    with pytest.raises(MmclustError) as caught:
        fetch("smaple")
    assert "Unknown mirror 'smaple'" in str(caught.value)
    assert "one of: sample, upstream. Did you mean 'sample'?" in str(caught.value)
    assert f"no folder {root / 'smaple'}" in str(caught.value)
    with pytest.raises(MmclustError, match="There is no such folder") as caught:
        fetch(from_dir=root / "nowhere")
    assert "where:    --from" in str(caught.value)
    assert str(root / "nowhere") in str(caught.value)


def test_the_sample_must_be_made_first(fetch, root):
    """Without the sample's registry the message says which command makes it."""
    (root / "data/sample/registry.yaml").unlink()
    with pytest.raises(MmclustError, match="run `mmclust sample`"):
        fetch()
