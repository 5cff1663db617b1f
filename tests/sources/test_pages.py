"""The sources of the project: all registered, each with its page; WordNet's nouns."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.registry import read_registry
from mmclust.sources.wordnet import MEMBER, N_ROWS, SHA256, noun_list, write_nouns

ROOT = Path(__file__).parents[2]
SOURCES = {
    "coco2017", "coco2017_unlabeled", "coco2014", "karpathy_splits", "pascal_sentences",
    "flickr30k", "flickr30k_publisher", "cifar10", "cifar100", "stl10", "imagenet1k",
    "food101", "fine_grained", "norms", "wordnet",
}  # fmt: skip


def test_every_source_of_the_project_is_registered():
    """With title, homepage, licence, citation and where its digests are from."""
    registry = read_registry(ROOT / "data/sources.yaml")
    assert registry.keys() == SOURCES
    for source in registry.values():
        for key in ("title", "homepage", "licence", "citation", "evidence"):
            assert getattr(source, key), (source.name, key)
    bound = {name for name, source in registry.items() if source.accept}
    assert bound == {
        "flickr30k", "flickr30k_publisher", "imagenet1k", "norms",
    }  # fmt: skip
    assert registry["flickr30k"].tokens == {"huggingface.co": "HF_TOKEN"}


def test_the_pages_say_what_the_registry_says(tmp_path):
    """docs/sources was written by `scripts/docs` after the last change."""
    command = [sys.executable, ROOT / "docs/site/source_pages.py", tmp_path]
    subprocess.run(command, check=True)
    registry = read_registry(ROOT / "data/sources.yaml")
    expected = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert len(expected) == len(registry) + 1
    folder = ROOT / "docs/sources"
    assert {p.name: p.read_text() for p in folder.iterdir()} == expected
    for source in registry.values():
        text = " ".join(expected[f"{source.name}.md"].split())
        for part in (source.citation, source.licence, source.terms, source.manual):
            assert " ".join(part.split()) in text


NOUN = (
    "  1 This software and database is being provided to you\n"
    "00001740 03 n 02 entity 0 First_Thing 1 003 ~ 00001930 n 0000 | that which is "
    'perceived; "it is an entity"; "so is it"  \n'
)


def test_a_noun_list():
    """Lemmas as stored, in synset order; examples and loose semicolons are gone."""
    assert noun_list(NOUN.encode()).decode() == (
        "word,definition\nentity,that which is perceived\n"
        "First_Thing,that which is perceived\n"
    )


def archive_of(data, path):
    info = tarfile.TarInfo(MEMBER)
    info.size = len(data)
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(info, io.BytesIO(data))


def test_other_nouns_are_refused(tmp_path):
    """The digest of the list is checked before it is written."""
    archive_of(NOUN.encode(), tmp_path / "wordnet.tar.gz")
    with pytest.raises(MmclustError, match="not those of WordNet") as caught:
        write_nouns(tmp_path / "wordnet.tar.gz", tmp_path / "nouns.csv")
    assert f"expected: 146,347 rows, sha256 {SHA256}" in str(caught.value)
    assert "found:    2 rows" in str(caught.value)
    assert not (tmp_path / "nouns.csv").exists()


def test_wordnet_gives_the_known_list(tmp_path):
    """The 146,347 rows whose digest the specification states."""
    # Where WordNet's own programs look for its data.
    path = Path(os.environ.get("WNSEARCHDIR", "/usr/share/wordnet")) / "data.noun"
    if not path.is_file():
        pytest.skip("WordNet is not on this machine; WNSEARCHDIR may name its folder")
    archive_of(path.read_bytes(), tmp_path / "wordnet.tar.gz")
    assert write_nouns(tmp_path / "wordnet.tar.gz", tmp_path / "nouns.csv") == N_ROWS
    data = (tmp_path / "nouns.csv").read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (12_294_872, SHA256)
