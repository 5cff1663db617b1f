"""Keywords and nouns: names of clusters, and how well they fit classes."""

import math

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.scoring.names import (
    centres_of,
    disjoint_cosine,
    disjoint_keywords,
    keywords,
    nearest_nouns,
    read_nouns,
    score_disjoint,
    score_names,
)


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
    found = score_names(names, matched)
    assert found["n_matched"] == 4
    assert found["exact"] == pytest.approx(1 / 4)
    assert found["exact_at_5"] == pytest.approx(3 / 4)
    assert score_names({}, {0: ""})["exact"] is None


def test_disjoint_keywords_of_the_specification():
    """A word that two clusters share leaves both, and the next commonest come."""
    one = ["a"] * 5 + ["b"] * 4 + ["c"] * 3
    two = ["a"] * 6 + ["d"] * 2 + ["e"]
    captions = [[", ".join(one)], [". ".join(two)]]
    found = disjoint_keywords(captions, np.array([0, 1]), n_words=2)
    assert found == {0: ["b", "c"], 1: ["d", "e"]}


def test_filling_up_loses_no_candidate_and_bans_what_was_shared():
    """By hand: x leaves all three; p, its successor in two, too; z comes to nobody.

    The third starts with x, r; x gone, its next is p, which the first two then hold.
    """
    captions = [["x, x, x, p, p, q"], ["x, x, x, p, p, s"], ["x, x, x, r, r, p, t"]]
    found = disjoint_keywords(captions, np.array([2, 5, 7]), n_words=2)
    assert found == {2: ["q"], 5: ["s"], 7: ["r", "t"]}
    words = disjoint_keywords([["A cat on the mat"]], np.array([0]), unit="word")
    assert words == {0: ["cat", "mat"]}


def test_disjoint_scores_of_the_specification():
    """Class dog, keywords "dog, puppy": subset 1, exact 0; alternatives count."""
    found = {0: ["dog", "puppy"], 1: ["Fire truck"], 2: ["x"]}
    assert score_disjoint(found, {0: "dog"}) == {
        "disjoint_subset": 1, "disjoint_exact": 0}  # fmt: skip
    matched = {1: "engine, fire_truck", 0: "cat", 2: ""}
    assert score_disjoint(found, matched) == {
        "disjoint_subset": 0.5, "disjoint_exact": 0.5}  # fmt: skip
    assert score_disjoint(found, {}) == {
        "disjoint_subset": None, "disjoint_exact": None}  # fmt: skip


def test_the_cosine_of_an_explanation_by_hand():
    """Angles of 0 and 60 degrees, whatever the lengths; no class, no cosine."""
    rows = {"dog, puppy": [2, 0], "dog": [3, 0], "": [1, 3**0.5], "fire truck": [1, 0]}

    def embed(texts):
        return np.array([rows[text] for text in texts], np.float32)

    matched = {0: "Dog", 1: "fire_truck", 2: ""}
    found = disjoint_cosine({0: ["Dog", "puppy"]}, matched, embed)
    assert found == pytest.approx((1 + 0.5) / 2, abs=1e-6)
    assert disjoint_cosine({}, {2: ""}, embed) is None
