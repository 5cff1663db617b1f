"""Text side of the joint model: a training step against a plain implementation.

    PYTHONPATH=src python perf/words.py

The rival is written from the paper's description: a dictionary of counts for each
cluster, all probabilities computed anew for every batch, a loop over tokens and
clusters. Both go through the same batches of 50 captions over 20,000 words and 100
clusters, from the same counts, and must say the same.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mmclust.words._counts import Counts

WORDS, CLUSTERS, BATCH, LENGTH = 20_000, 100, 50, 11
ACTIVE, NON_ZERO = 0.2, 0.2
STEPS, PLAIN_STEPS = 200, 3

Batch = tuple[list[list[int]], np.ndarray[Any, Any]]
Table = list[dict[int, int]]


def batches(rng: np.random.Generator, number: int) -> list[Batch]:
    """Captions with words by Zipf's law, and each picture's active clusters."""
    p = 1 / np.arange(1, WORDS + 1)
    made = []
    for _ in range(number):
        tokens = rng.choice(WORDS, (BATCH, LENGTH), p=p / p.sum())
        made.append((tokens.tolist(), rng.random((BATCH, CLUSTERS)) < ACTIVE))
    return made


def plain_step(counts: Table, batch: Batch) -> list[list[float]]:
    captions, active = batch
    given: dict[int, list[float]] = {}
    for c, words in enumerate(counts):  # p(w|c) of everything
        total = sum(words.values())
        for word, n in words.items():
            given.setdefault(word, [0.0] * CLUSTERS)[c] = n / total
    said = []
    for tokens in captions:
        t = [0.0] * CLUSTERS
        for word in tokens:
            if word in given:
                p = given[word]
                total = sum(p)
                p = [each / total for each in p]
                best = max(range(CLUSTERS), key=p.__getitem__)
                t[best] = max(t[best], p[best])
        said.append(t)
    for tokens, b in zip(captions, active, strict=True):
        for word in tokens:
            for c in range(CLUSTERS):
                if b[c]:
                    counts[c][word] = counts[c].get(word, 0) + 1
    return said


def our_step(counts: Counts, batch: Batch) -> np.ndarray[Any, Any]:
    captions, active = batch
    ids = np.concatenate(captions)
    places = np.repeat(np.arange(len(captions)), [len(c) for c in captions])
    said = counts.outputs(ids, places, len(captions))
    counts.add(ids, places, active)
    return said


def main() -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(1, 50, (WORDS, CLUSTERS)) * (
        rng.random((WORDS, CLUSTERS)) < NON_ZERO
    )
    plain = [
        {int(w): int(table[w, c]) for w in np.flatnonzero(table[:, c])}
        for c in range(CLUSTERS)
    ]
    ours = Counts(table.astype(np.int64))
    work = batches(rng, STEPS)
    start = time.perf_counter()
    expected = [plain_step(plain, batch) for batch in work[:PLAIN_STEPS]]
    theirs = (time.perf_counter() - start) / PLAIN_STEPS
    start = time.perf_counter()
    said = [our_step(ours, batch) for batch in work]
    mine = (time.perf_counter() - start) / STEPS
    np.testing.assert_allclose(said[:PLAIN_STEPS], expected, atol=1e-12)
    print(f"plain: {theirs * 1e3:8.2f} ms a step")
    print(f"ours:  {mine * 1e3:8.2f} ms a step")
    print(f"ratio: {theirs / mine:8.0f} (wanted: at least 50)")


if __name__ == "__main__":
    main()
