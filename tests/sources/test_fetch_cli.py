"""`mmclust fetch` and `mmclust sources`, as a user runs them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.faults.files import serving_files
from tests.sources.toy import register

ROOT = Path(__file__).parents[2]
TEXT = b"a word"
REGISTRY = f"""
toy:
  title: A toy
  homepage: https://example.org/
  licence: CC0
  citation: Nobody, 2026.
  files:
    toy.txt:
      url: raw/toy.txt
      size: 6
      sha256: {hashlib.sha256(TEXT).hexdigest()}
      contains: {{"words/*.txt": 1200}}
"""


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/toy.txt").write_bytes(TEXT)
    (tmp_path / "data/sources.yaml").write_text(REGISTRY)
    (tmp_path / "params.yaml").write_text("data: {mirror: upstream, sources: [toy]}\n")
    return tmp_path


def test_fetch_reads_the_mirror_from_params(repository, run_mmclust):
    """Without options: data.mirror, data/raw/<source>; a line for each file."""
    done = run_mmclust("fetch", "toy", cwd=repository)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "data/raw/toy/toy.txt: 6 bytes, sha256 verified\n"
    assert (repository / "data/raw/toy/toy.txt").read_bytes() == TEXT


def test_fetch_takes_a_folder_and_another_place(repository, run_mmclust):
    """`--from` packs what is unpacked, `--out` says where; params are not needed."""
    (repository / "params.yaml").unlink()
    (repository / "mine/words").mkdir(parents=True)
    (repository / "mine/words/a.txt").write_bytes(TEXT)
    done = run_mmclust("fetch", "toy", "--from", "mine", "--out", "o", cwd=repository)
    assert done.returncode == 0
    assert done.stdout.endswith("bytes, packed here, 1 of 1200: a part\n")
    assert (repository / "o/source.json").is_file()


def test_sources_list(repository, run_mmclust):
    """Size, digests, licence, and whether it is on disk, before and after."""
    before = run_mmclust("sources", "list", cwd=repository)
    assert (before.returncode, before.stderr) == (0, "")
    for part in ("toy  0.0 MB", "digests  sha256", "on disk  no", "licence  CC0"):
        assert part in before.stdout
    run_mmclust("fetch", "toy", cwd=repository)
    after = run_mmclust("sources", "list", cwd=repository).stdout
    assert "on disk  toy.txt in data/raw/toy, from upstream" in after
    (repository / "data/raw/toy/source.json").unlink()
    again = run_mmclust("sources", "list", cwd=repository).stdout
    assert "not complete: run `mmclust fetch`" in again


def test_sources_show(repository, run_mmclust):
    """One source: all the registry says."""
    shown = run_mmclust("sources", "show", "toy", cwd=repository).stdout
    for part in (
        "A toy", "https://example.org/", "CC0", "Nobody, 2026.", "toy.txt: 6 bytes",
        hashlib.sha256(TEXT).hexdigest(), "words/*.txt: 1,200", "raw/toy.txt",
    ):  # fmt: skip
        assert part in shown
    unknown = run_mmclust("sources", "show", "toi", cwd=repository)
    assert unknown.returncode == 1
    assert "Did you mean 'toy'?" in unknown.stderr


def test_a_source_that_the_sample_lacks(run_mmclust, tmp_path):
    """A registered source outside the sample is told apart from an unknown one."""
    (tmp_path / "data/sample").mkdir(parents=True)
    (tmp_path / "data/sources.yaml").write_bytes(
        (ROOT / "data/sources.yaml").read_bytes()
    )
    (tmp_path / "data/sample/registry.yaml").write_text(
        "coco2017:\n  files:\n    a.zip:\n      size: 1\n"
        f"      sha256: {'a' * 64}\n      url: a.zip\n"
    )
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    done = run_mmclust("fetch", "cifar10", cwd=tmp_path)
    assert done.returncode == 1
    assert "cifar10 is not in the built-in sample" in done.stderr
    assert "--mirror upstream" in done.stderr
    done = run_mmclust("fetch", "cifar11", cwd=tmp_path)
    assert "Did you mean 'cifar10'?" in done.stderr
    done = run_mmclust(
        "fetch", "coco2017", "--from", ".", "--images", "all", cwd=tmp_path
    )
    assert done.returncode == 2


@pytest.mark.parametrize("text", ["", "[]", "{", '{"mirror": "upstream", "files": 3}'])
def test_a_damaged_note_only_costs_looking_again(repository, run_mmclust, text):
    """`source.json` beside whole files: they are verified, and it is written anew."""
    assert run_mmclust("fetch", "toy", cwd=repository).returncode == 0
    note = repository / "data/raw/toy/source.json"
    whole = note.read_bytes()
    for options in ((), ("--repair",)):
        note.write_text(text)
        done = run_mmclust("fetch", "toy", *options, cwd=repository)
        assert done.returncode == 0, done.stderr
        assert note.read_bytes() == whole


def test_what_comes_in_the_clear_without_a_digest_is_told(
    repository, run_mmclust, monkeypatch
):
    """Once, of files without any digest; not again, nor of those with one."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = repository / "site"
    (site / "words").mkdir(parents=True)
    (site / "a.txt").write_bytes(TEXT)
    (site / "words/b.jpg").write_bytes(b"\xff\xd8 b \xff\xd9")
    (site / "index.html").write_bytes(b'<img src="words/b.jpg">')
    with serving_files(site) as (_, url):
        digest = hashlib.sha256(TEXT).hexdigest()
        files = {
            "a.txt": {"url": f"{url}/a.txt"},
            "b.txt": {"url": f"{url}/a.txt", "sha256": digest},
            "index.html": {"url": f"{url}/index.html"},
            "images.zip": {"listed_in": "index.html", "contains": {"*/*.jpg": 1},
                           "member_url": f"{url}/{{member}}"},
        }  # fmt: skip
        register(repository, toy={"files": files})
        first = run_mmclust("fetch", "toy", cwd=repository).stdout.splitlines()
        note = (repository / "data/raw/toy/source.json").read_text()
        again = run_mmclust("fetch", "toy", cwd=repository).stdout
    told = [line.partition(":")[0] for line in first if "came over http" in line]
    assert told == [f"data/raw/toy/{n}" for n in ("a.txt", "index.html", "images.zip")]
    assert "came over http" not in again
    assert "http" not in note
