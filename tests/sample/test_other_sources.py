"""Pascal Sentences, Flickr30K, norms and nouns: as the published ones are read."""

from __future__ import annotations

import csv
import json
import tarfile
import zipfile
from collections import Counter

import cv2
import numpy as np
import pytest

from mmclust.benchmarks import pascal_sentences
from mmclust.cognition.norms import read_categories, read_ratings, read_strengths
from mmclust.sample.norms import (
    NOTICE,
    RATINGS,
    RELATIONS,
    STRENGTHS,
    TYPICALITY,
    write_norms,
)
from mmclust.sample.world import CATEGORIES, RGB, SYNONYMS, VOC
from mmclust.sources.fetch import listed_members


def stored(archive):
    """Return the names of the files in a zip, none of which is compressed."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    return [info.filename for info in infos]


def test_pascals_page_lists_twenty_classes_of_twelve(world):
    """Five captions each; the fetcher and the archive have the same members."""
    page = world / "pascal_sentences/index.html"
    pictures, encoding = pascal_sentences.parse_page(page.read_bytes(), "the page")
    assert encoding == "utf-8"
    counts = Counter(picture.name for picture in pictures)
    assert counts == dict.fromkeys(pascal_sentences.CLASSES, 12)
    assert list(counts) == list(VOC) == list(pascal_sentences.CLASSES)
    assert {len(picture.captions) for picture in pictures} == {5}
    listed = listed_members(page)
    assert listed == sorted(f"{picture.name}/{picture.file}" for picture in pictures)
    with zipfile.ZipFile(page.with_name("images.zip")) as archive:
        assert stored(archive) == listed
        for name in listed[::40]:
            image = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), 1)
            assert image.shape[2] == 3
    names = {category.name for category in CATEGORIES.values()}
    assert len(names & set(VOC.values())) == 20


@pytest.fixture(scope="module")
def rows(world):
    path = world / "flickr30k/flickr_annotations_30k.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_flickrs_table_is_the_hubs(rows):
    """The hub's columns; five captions each; ids count up; the splits."""
    assert list(rows[0]) == ["raw", "sentids", "split", "filename", "img_id"]
    splits = Counter(row["split"] for row in rows)
    assert splits == {"train": 300, "val": 40, "test": 60}
    assert [int(row["img_id"]) for row in rows] == list(range(400))
    sentids = [i for row in rows for i in json.loads(row["sentids"])]
    assert sentids == list(range(2000))
    assert {len(json.loads(row["raw"])) for row in rows} == {5}
    stems = [row["filename"].removesuffix(".jpg") for row in rows]
    assert all(stem.isdecimal() for stem in stems)
    assert stems == sorted(set(stems))


def test_flickrs_layouts_agree(world, rows):
    """The same pictures, byte for byte, and the same captions under `#0` to `#4`."""
    publisher = world / "flickr30k_publisher"
    with tarfile.open(publisher / "flickr30k.tar.gz") as archive:
        token = archive.extractfile("results_20130124.token").read().decode()
    assert dict(line.split("\t") for line in token.splitlines()) == {
        f"{row['filename']}#{n}": caption
        for row in rows
        for n, caption in enumerate(json.loads(row["raw"]))
    }
    with (
        zipfile.ZipFile(world / "flickr30k/flickr30k-images.zip") as hub,
        tarfile.open(publisher / "flickr30k-images.tar.gz") as archive,
    ):
        members = [m for m in archive.getmembers() if m.isfile()]
        names = [f"flickr30k-images/{row['filename']}" for row in rows]
        assert stored(hub) == [m.name for m in members] == names
        for member in members:
            assert archive.extractfile(member).read() == hub.read(member.name)


def test_most_pictures_of_flickr_show_people(streets):
    """As in Flickr30K, which is about people and what they do."""
    shown = [{g.category.name for g in p.scene.groups} for p in streets]
    assert 0.85 < sum("person" in names for names in shown) / len(shown) < 0.98
    assert sum(len(p.scene.groups) > 1 for p in streets) > 250
    assert len({p.scene.place for p in streets}) > 5


def test_norms_are_read_as_the_published_ones_and_never_called_human(world):
    """Twelve categories; bigrams and CRLF; both layouts have the same pairs."""
    folder = world / "norms"
    assert "not human" in NOTICE
    assert (folder / "README.txt").read_text().startswith(NOTICE)
    assert (folder / TYPICALITY).read_text().startswith(f"# {NOTICE}\n")
    categories = read_categories(folder / TYPICALITY)
    assert categories.n_categories == 12
    assert categories.words["puppy"] == "animal"
    assert len(categories.words) > 150
    ratings = read_ratings(folder / RATINGS)
    assert ratings.n_bigrams > 20
    assert (folder / RATINGS).read_bytes().count(b"\r\n") == len(ratings.words) + 1
    words = sorted(categories.words)
    forward = read_strengths(folder / RELATIONS, words, "forward_only")
    strengths = read_strengths(folder / STRENGTHS, words)
    assert forward.pairs.tolist() == strengths.pairs.tolist()
    assert forward.strengths.tolist() == strengths.strengths.tolist()
    assert strengths.facts["n_rows_missing"] > 0


def test_the_rules_of_norms_hold(world, tmp_path):
    """Things are concrete, words of grammar are not; a dog and a puppy go together."""
    folder = world / "norms"
    ratings = read_ratings(folder / RATINGS).words
    assert min(ratings[w] for w in ("dog", "dogs", "kite", "fire hydrant")) > 4.5
    assert max(ratings[w] for w in ("the", "a", "of")) < 2
    found = read_strengths(folder / STRENGTHS, ["dog", "puppy"])
    assert found.strengths.tolist() == [30 + 25]
    write_norms(tmp_path, 783)  # the ratings alone are drawn
    assert (tmp_path / RATINGS).read_bytes() != (folder / RATINGS).read_bytes()
    assert (tmp_path / RELATIONS).read_bytes() == (folder / RELATIONS).read_bytes()


def test_nouns_have_the_form_of_wordnets(world):
    """UTF-8, LF, minimal quoting; categories and their names, repeats, names."""
    text = (world / "wordnet/WordNetNouns.csv").read_bytes().decode()
    assert text.startswith("word,definition\nentity,")
    assert "\r" not in text
    rows = list(csv.reader(text.splitlines()))
    assert 600 < len(rows) < 800
    for line, (_, definition) in zip(text.splitlines(), rows, strict=True):
        assert definition
        assert line.endswith('"') == ("," in definition)
    counts = Counter(word for word, _ in rows[1:])
    assert not any(" " in word or not word for word in counts)
    names = [c.name for c in CATEGORIES.values()]
    said = [*names, *(s for name in names for s in SYNONYMS[name])]
    assert {each.replace(" ", "_") for each in said} | set(RGB) <= counts.keys()
    assert counts["line"] == 4
    assert sum(n > 1 for n in counts.values()) > 25
    assert sum(word[0].isupper() for word in counts) > 40
    assert sum("_" in word for word in counts) > 40
