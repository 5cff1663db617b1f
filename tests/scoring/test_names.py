"""Keywords, nouns and WordNet: names of clusters, and how well they fit classes."""

import io
import math
import tarfile

import numpy as np
import pytest
from mmclust.scoring.wordnet import parse_nouns, read_wordnet

from mmclust.core.errors import MmclustError
from mmclust.scoring.keywords import centres_of, keywords, nearest_nouns, read_nouns
from mmclust.scoring.names import embedding_similarity, score_names

# animal ── dog ── puppy;  animal ── cat;  "dog" has a second sense, below tool.
WORDNET = b"""  1 This is the licence, which every line of begins with two blanks.
00000100 03 n 01 animal 0 000 | a living thing
00000200 05 n 02 dog 0 domestic_dog 0 002 @ 00000100 n 0000 ~ 00000300 n 0000 | it
00000300 05 n 01 puppy 0 001 @ 00000200 n 0000 | young; "a puppy barked"
00000400 05 n 01 Cat 0 001 @i 00000100 n 0000 | mews
00000500 06 n 01 tool 0 000 | of use
00000600 06 n 01 dog 1 001 @ 00000500 n 0000 | andiron
"""


def test_keywords_by_hand():
    """tf · log(1 + A / f), computed on paper for two clusters of two images."""
    captions = [["A cat, a cat!"], ["the cat and grass"], ["a dog"], ["dog on grass"]]
    one, two = keywords(captions, np.array([0, 0, 3, 3]), n_words=2)
    mean = (4 + 3) / 2  # cat cat cat grass; dog dog grass
    assert (one.cluster, one.size, one.words) == (0, 2, ["cat", "grass"])
    assert one.weights == pytest.approx(
        [3 / 4 * math.log(1 + mean / 3), 1 / 4 * math.log(1 + mean / 2)], abs=1e-6
    )
    assert (two.cluster, two.words) == (3, ["dog", "grass"])
    assert two.weights[0] == pytest.approx(2 / 3 * math.log(1 + mean / 2), abs=1e-6)


def test_no_captions_no_keywords():
    """An image without words is no error."""
    (one,) = keywords([[], ["of the"]], np.array([0, 0]))
    assert (one.size, one.words) == (2, [])


def test_nouns_nearest_to_centres():
    """By cosine, whatever the norm; a repeated word is given once; noise has none."""
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    clusters, centres = centres_of(rows, np.array([4, 4, 7, -1]))
    assert clusters.tolist() == [4, 7]
    nouns = np.array([[0, 9, 0], [5, 0, 0], [1, 1, 0], [5, 0, 0]], np.float64)
    found = nearest_nouns(centres, nouns, ["b", "a", "both", "a"], n=2)
    assert [[word for word, _ in each] for each in found] == [
        ["a", "both"],
        ["b", "both"],
    ]
    assert found[0][1][1] == pytest.approx(math.sqrt(0.5), abs=1e-6)
    with pytest.raises(MmclustError, match="do not fit together"):
        nearest_nouns(centres, nouns[:, :2], ["b", "a", "both", "a"])


def test_no_nouns(tmp_path):
    """A benchmark without nouns has none to give."""
    assert read_nouns(tmp_path) is None


def test_path_similarity_by_hand():
    """1 / (1 + edges), the nearest senses, plurals and blanks."""
    wordnet = parse_nouns(WORDNET)
    assert wordnet.path_similarity("dog", "domestic dog") == 1
    assert wordnet.path_similarity("dogs", "Cat") == pytest.approx(1 / 3)
    assert wordnet.path_similarity("puppy", "cat") == pytest.approx(1 / 4)
    assert wordnet.path_similarity("dog", "tool") == pytest.approx(1 / 2)
    assert wordnet.path_similarity("puppy", "tool") is None
    assert wordnet.path_similarity("dog", "zebra") is None
    assert wordnet.knows("animal")
    assert not wordnet.knows("zebra")


def test_wordnet_from_its_archive(tmp_path):
    """The file itself, or the publisher's archive; anything else is one error."""
    (tmp_path / "data.noun").write_bytes(WORDNET)
    with tarfile.open(tmp_path / "w.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("WordNet-3.0/dict/data.noun")
        info.size = len(WORDNET)
        archive.addfile(info, io.BytesIO(WORDNET))
    assert read_wordnet(tmp_path / "w.tar.gz") == read_wordnet(tmp_path / "data.noun")
    (tmp_path / "x").write_text("dog\n")
    with pytest.raises(MmclustError, match="not WordNet's file of nouns") as caught:
        read_wordnet(tmp_path / "x")
    assert "line 1" in str(caught.value)
    with pytest.raises(MmclustError, match="missing"):
        read_wordnet(tmp_path / "nothing")


def test_names_are_held_against_classes():
    """Exact at the first, among five, in several words; unmatched ones are left out."""
    names = {
        0: ["dogs", "leash"],
        1: ["mews", "cat"],
        2: ["stop", "red", "sign"],
        3: ["sky"],
        4: [],
    }
    matched = {0: "dog", 1: "cat", 2: "stop sign", 3: "", 4: "puppy"}
    found = score_names(names, matched, parse_nouns(WORDNET))
    assert (found["n_clusters"], found["n_matched"]) == (5, 4)
    assert found["exact"] == pytest.approx(1 / 4)
    assert found["exact_at_5"] == pytest.approx(3 / 4)
    assert (found["path_similarity"], found["path_known"]) == (1, 0.25)
    without = score_names(names, matched, None)
    assert without["path_similarity"] is without["path_known"] is None
    assert score_names({}, {0: ""}, None)["exact"] is None


def test_embedding_similarity():
    """Cosines, row by row."""
    one = np.array([[2.0, 0], [1, 1], [0, 0]])
    other = np.array([[5.0, 0], [0, 3], [1, 0]])
    expected = [1, math.sqrt(0.5), 0]
    assert embedding_similarity(one, other) == pytest.approx(expected)
