"""Concreteness learned from the ratings themselves (after Charbonnier & Wartena 2019).

The features of Berger et al. (NAACL 2022), in their order, each by choice: the share of
a word's WordNet synsets that are nouns, verbs, adjectives and adverbs; whether it ends
in each of the most frequent suffixes; its fastText vector. Support vector regression
with scikit-learn's defaults. As published it is trained on all rated words and scored
on the same ones; the cross-validated figures are of words it was not trained on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition.metrics import pearson, spearman
from mmclust.cognition.norms import read_ratings
from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file
from mmclust.core.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Array = np.ndarray[Any, Any]

DEFINITION = "supervised-1"
"""See :data:`mmclust.scoring.record.DEFINITIONS`."""
POS = ("noun", "verb", "adj", "adv")
LONGEST = 4
"""Letters of a suffix, at most."""


@dataclass(frozen=True)
class Features:
    """What a word is described by: WordNet's folder, suffixes, a file of vectors."""

    wordnet: Path | None = None
    suffixes: int = 200
    """How many of the most frequent; as published."""
    vectors: Path | None = None


def score_supervised(
    norms: Path, features: Features, *, folds: int = 5, seed: int = 782
) -> dict[str, Any]:
    """Fit and score the regression, in both ways."""
    from sklearn.model_selection import KFold

    ratings = read_ratings(norms).words
    words, gold = list(ratings), np.array(list(ratings.values()))
    if len(words) < folds:
        raise MmclustError(
            "There are fewer rated words than folds", expected=folds, found=len(words)
        )
    fixed = _fixed(words, features)
    everything = _all(words, words, fixed, features.suffixes)
    if not everything.shape[1]:
        raise MmclustError(
            "There is nothing to predict concreteness from",
            expected="WordNet, suffixes or vectors",
            found="none of them",
        )
    record = {
        "definition": DEFINITION,
        "n_words": len(words),
        "n_features": everything.shape[1],
        "n_folds": folds,
    }
    same = _fitted(everything, gold).predict(everything)
    record |= _scores("trained_on_test", gold, same)
    held = np.zeros(len(words))
    split = KFold(folds, shuffle=True, random_state=derive(seed, "supervised") % 2**32)
    for train, test in split.split(words):
        seen = [words[i] for i in train]
        rows = _all(words, seen, fixed, features.suffixes)
        held[test] = _fitted(rows[train], gold[train]).predict(rows[test])
    return record | _scores("cross_validated", gold, held)


def _fitted(rows: Array, gold: Array) -> Any:
    from sklearn.svm import SVR

    return SVR().fit(rows, gold)


def _scores(name: str, gold: Array, predicted: Array) -> dict[str, Any]:
    values = {
        "mae": float(np.abs(gold - predicted).mean()),
        "pearson": pearson(gold, predicted),
        "spearman": spearman(gold, predicted),
    }
    record: dict[str, Any] = {}
    for key, value in values.items():
        record[f"{name}_{key}"] = None if np.isnan(value) else value
        if np.isnan(value):
            record[f"{name}_{key}_why"] = "all predictions, or all ratings, are equal"
    return record


def _all(
    words: Sequence[str], seen: Sequence[str], fixed: tuple[Array, Array], n: int
) -> Array:
    """Return features in the published order: POS, suffixes, vector."""
    ends = suffixes(seen, n)
    ending = np.array([[word.endswith(end) for end in ends] for word in words], float)
    return np.hstack([fixed[0], ending.reshape(len(words), len(ends)), fixed[1]])


def suffixes(words: Sequence[str], n: int) -> list[str]:
    """Return the n most frequent endings of 1 to 4 letters; the first seen of equals.

    A word that is shorter counts whole, and once for every length it lacks.
    """
    counts = Counter(word[-k:] for word in words for k in range(1, LONGEST + 1))
    return [end for end, _ in counts.most_common(n)]


def _fixed(words: Sequence[str], features: Features) -> tuple[Array, Array]:
    """Return POS shares and vectors, without columns where they are left out."""
    shares = vectors = np.zeros((len(words), 0))
    if features.wordnet is not None:
        shares = parts_of_speech(words, features.wordnet)
    if features.vectors is not None:
        from mmclust.models.vector_file import indexed

        file = indexed(features.vectors)
        file.read({word for word in words if word in file.starts})
        zeros = np.zeros(file.dim)
        vectors = np.array([file.known.get(word, zeros) for word in words])
    return shares, vectors


def parts_of_speech(words: Sequence[str], folder: Path) -> Array:
    """Return the share of each word's synsets that are of each part of speech.

    Words are looked up in lower case, blanks as underscores; inflected forms are not
    traced back. The result is float64 (n, 4): noun, verb, adjective, adverb; zeros for
    an unknown word.
    """
    counts = np.zeros((len(words), len(POS)))
    place = {word.lower().replace(" ", "_"): i for i, word in enumerate(words)}
    for column, name in enumerate(POS):
        path = require_file(folder / f"index.{name}", "give WordNet's dict folder")
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):  # the licence
                continue
            lemma, _, number, *_ = line.split(" ")
            if lemma in place:
                counts[place[lemma], column] = int(number)
    totals = counts.sum(1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1))
