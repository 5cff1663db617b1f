"""Supervised concreteness: features in their published order, and two ways to score."""

import numpy as np
import pytest

from mmclust.cognition.supervised import (
    Features,
    parts_of_speech,
    score_supervised,
    suffixes,
)
from mmclust.core.errors import MmclustError

INDEX = {
    "noun": "  1 licence\ndog n 7 5 @ ~ #m #p %p 7 1 0 1\nice_cream n 1 2 @ ~ 1 0 2\n",
    "verb": "dog v 1 2 @ + 1 0 3\n",
    "adj": "able a 4 5 ! & ^ = + 4 2 4\n",
    "adv": "",
}


@pytest.fixture
def wordnet(tmp_path):
    for name, text in INDEX.items():
        (tmp_path / f"index.{name}").write_text(text)
    return tmp_path


@pytest.fixture
def norms(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["Word\tBigram\tConc.M"]
    for i in range(60):
        stem = "".join(rng.choice(list("abcdefgh"), 5))
        ending, rating = (("ness", 1.5), ("dog", 4.8))[i % 2]
        lines.append(
            f"{stem}{i % 10}x{ending}\t0\t{rating + rng.uniform(-0.2, 0.2):.2f}"
        )
    path = tmp_path / "norms.txt"
    path.write_text("\n".join(dict.fromkeys(lines)))
    return path


def test_shares_of_parts_of_speech(wordnet):
    """Synsets per part, as shares; blanks are underscores; unknown words are zeros."""
    found = parts_of_speech(["dog", "ice cream", "able", "xyz"], wordnet)
    expected = [[7 / 8, 1 / 8, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(found, expected)


def test_suffixes_are_the_most_frequent_endings():
    """A short word counts whole, once for every length it lacks."""
    assert suffixes(["at"], 2) == ["at", "t"]
    assert suffixes(["running", "king", "a"], 4) == ["a", "g", "ng", "ing"]


def test_seen_words_are_predicted_better_than_unseen_ones(norms, wordnet):
    """Both figures, named for what they are; equal from run to run."""
    features = Features(wordnet, 6)
    record = score_supervised(norms, features)
    assert record["trained_on_test_mae"] <= record["cross_validated_mae"]
    assert record["cross_validated_pearson"] > 0.9
    assert record["n_features"] == 10
    assert record == score_supervised(norms, features)


def test_vectors_are_features_and_absent_ones_zeros(norms, tmp_path):
    (tmp_path / "v.vec").write_text("1 3\nxyz 1 2 3\n")
    record = score_supervised(norms, Features(None, 6, tmp_path / "v.vec"))
    assert record["n_features"] == 9


def test_no_feature_and_no_words(norms):
    with pytest.raises(MmclustError, match="nothing to predict"):
        score_supervised(norms, Features(suffixes=0))
    with pytest.raises(MmclustError, match="fewer rated words than folds"):
        score_supervised(norms, Features(), folds=1000)
