"""The mirror's registry: every source as published, and fetched like any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from mmclust.core.errors import MmclustError
from mmclust.core.registry import read_registry
from mmclust.sample.world import MIN_IMAGES
from mmclust.sources.fetch import fetch_source
from mmclust.sources.wordnet import write_nouns

ROOT = Path(__file__).parents[2]
SOURCES = {
    "coco2017", "coco2017_unlabeled", "coco2014", "karpathy_splits", "pascal_sentences",
    "flickr30k", "flickr30k_publisher", "fine_grained", "wordnet",
    "norms",
}  # fmt: skip


def test_the_registry_describes_the_files(world):
    """It says what it is; all that is drawn is below 24 MB."""
    text = (world / "registry.yaml").read_text()
    assert text.startswith(
        "# The built-in mirror. Drawn by `mmclust sample`, seed 782; "
        "no photograph, no human caption."
    )
    registry = yaml.safe_load(text)
    assert registry.keys() == SOURCES
    assert registry["coco2017"]["protocol"] == {"coco_all.min_images": MIN_IMAGES}
    sizes = [f["size"] for s in registry.values() for f in s["files"].values()]
    assert sum(sizes) < 24e6
    assert {p.name for p in world.iterdir()} == SOURCES | {"registry.yaml"}


def test_files_are_called_what_the_publishers_call_them(world):
    """Each is a file of the same source upstream; nouns alone come ready made."""
    upstream = read_registry(ROOT / "data/sources.yaml")
    for name, source in read_registry(world / "registry.yaml").items():
        if name == "wordnet":
            assert list(source.files) == ["WordNetNouns.csv"]
            continue
        own = {"README.txt"} if name == "norms" else set()
        assert source.files.keys() - own <= upstream[name].files.keys()
        missing = set(upstream[name].files) - set(source.files)
        assert missing <= {
            "train2014.zip", "strength.SWOW-EN.R123.20180827.csv",
            "SWOW-EN.R100.20180827.csv",
        }  # fmt: skip


@pytest.fixture
def project(world, tmp_path):
    """Make a repository that has the sample."""
    (tmp_path / "data/sample").parent.mkdir()
    (tmp_path / "data/sample").symlink_to(world)
    shutil.copy(ROOT / "data/sources.yaml", tmp_path / "data")
    return tmp_path


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_source_is_fetched_from_the_sample(name, project):
    """Byte for byte, verified, with no terms to accept; source.json says the mirror."""
    out = project / "data/raw" / name
    facts = fetch_source(name, mirror="sample", out=out, root=project)
    assert (facts["mirror"], facts["absent"]) == ("sample", [])
    assert {file["verified"] for file in facts["files"].values()} == {"sha256"}
    for file in facts["files"]:
        made = project / "data/sample" / name / file
        assert (out / file).read_bytes() == made.read_bytes()


def test_the_samples_nouns_are_taken_as_they_are(project):
    """`vocabulary` copies the sample's list, and derives WordNet's from WordNet."""
    raw, out = project / "data/raw/wordnet", project / "nouns.csv"
    fetch_source("wordnet", mirror="sample", out=raw, root=project)
    made = (raw / "WordNetNouns.csv").read_bytes()
    assert write_nouns(raw, out) == made.count(b"\n") - 1
    assert out.read_bytes() == made
    (raw / "WordNetNouns.csv").write_bytes(made + b"one_more,a word\n")
    repair = r"not those of the built-in[\s\S]*mmclust fetch wordnet --repair"
    with pytest.raises(MmclustError, match=repair):
        write_nouns(raw, out)
    (raw / "source.json").write_text('{"mirror": "upstream", "files": {}}')
    with pytest.raises(MmclustError, match=r"WordNet-3\.0\.tar\.gz is missing"):
        write_nouns(raw, out)
    assert out.read_bytes() == made
