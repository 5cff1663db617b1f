"""Words against norms, against plain Python: co-occurrence, and association strength.

Two ratios each, of one run: the text-only baseline's word vectors of 25,014 captions
(those of COCO's val2017 as ``captions.json.gz``, else drawn at random), against a dense
table filled pair by pair; and association scores of 10,000 words in 41 clusters over
480,000 strength rows, reading included, against a csv reader with dictionaries and a
loop over pairs. The plain versions are written from the published description.

    python perf/cognition.py [captions_val2017.json.gz]
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition.metrics import association
from mmclust.cognition.norms import read_strengths
from mmclust.core.tokens import token_counts, tokenize
from mmclust.kernels.cooccurrence import occurrences, vectors

if TYPE_CHECKING:
    from collections.abc import Callable

Tokens = list[list[str]]
N_CAPTIONS, N_LISTED = 25_014, 400
N_WORDS, N_CLUSTERS, N_ROWS = 10_000, 41, 480_000


def read_tokens(arguments: list[str]) -> list[list[str]]:
    if arguments:
        with gzip.open(arguments[0]) as file:
            notes = json.load(file)["annotations"]
        return tokenize([note["caption"] for note in notes])
    rng = np.random.default_rng(0)
    ranks = rng.zipf(1.3, (N_CAPTIONS, 12)) % 7_000
    return [[f"w{i}" for i in row] for row in ranks]


def dense(tokens: Tokens, listed: list[str]) -> Any:
    place: dict[str, int] = {}
    for caption in tokens:
        for word in caption:
            place.setdefault(word, len(place))
    table = np.zeros((len(place), len(place)))
    for caption in tokens:
        ids = [place[word] for word in caption]
        for i, a in enumerate(ids):
            table[a, a] += 1
            for b in ids[i + 1 :]:
                table[a, b] += 1
                table[b, a] += 1
    norms = np.linalg.norm(table, axis=0)
    return (table / norms)[:, [place[word] for word in listed]].T


def sparse(tokens: Tokens, listed: list[str]) -> Any:
    distinct = dict.fromkeys(itertools.chain.from_iterable(tokens))
    place = {word: i for i, word in enumerate(distinct)}
    lengths = [len(each) for each in tokens]
    ids = np.fromiter(
        map(place.__getitem__, itertools.chain.from_iterable(tokens)),
        np.int32, sum(lengths),
    )  # fmt: skip
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    return vectors(occurrences(ids, bounds, len(place)), [place[w] for w in listed])


def measured(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float, int]:
    """Return the result, seconds of the best of some runs, and the peak of memory."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        result = function(*arguments)
        seconds.append(time.perf_counter() - start)
        if sum(seconds) > 20:
            break
    tracemalloc.start()
    function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, min(seconds), peak


def compare_cooccurrence(arguments: list[str]) -> None:
    tokens = read_tokens(arguments)
    listed = list(token_counts(tokens))[:N_LISTED]
    slow, slow_time, slow_peak = measured(dense, tokens, listed)
    fast, fast_time, fast_peak = measured(sparse, tokens, listed)
    np.testing.assert_allclose(fast.toarray(), slow, atol=1e-9)
    print(f"co-occurrence, {len(tokens):,} captions: {slow_time:.2f} s and "
          f"{slow_peak / 1e6:.0f} MB dense, {fast_time:.3f} s and "
          f"{fast_peak / 1e6:.0f} MB sparse: {slow_time / fast_time:.1f} times as "
          f"fast, 1/{slow_peak / fast_peak:.1f} of the memory")  # fmt: skip


def write_strengths(path: Path) -> None:
    rng = np.random.default_rng(0)
    cues = np.sort(rng.integers(N_WORDS * 2, size=N_ROWS))
    responses = rng.integers(N_WORDS * 2, size=N_ROWS)
    counts = rng.integers(1, 60, size=N_ROWS)
    lines = ["cue\tresponse\tR1\tN\tR1.Strength"]
    lines += [
        f"word{a}\tword{b}\t{n}\t100\t{n / 100}"
        for a, b, n in zip(cues, responses, counts, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")


def plain(path: Path, cluster: dict[str, int]) -> tuple[float, int, int]:
    table: dict[tuple[str, str], int] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        for cue, response, count, *_ in rows:
            if cue in cluster and response in cluster and cue != response:
                key = (cue, response) if cue < response else (response, cue)
                table[key] = table.get(key, 0) + int(count)
    groups: dict[int, list[str]] = {}
    for word, number in cluster.items():
        groups.setdefault(number, []).append(word)
    total = found = missing = 0
    for words in groups.values():
        for pair in itertools.combinations(sorted(words), 2):
            if pair in table:
                total, found = total + table[pair], found + 1
            else:
                missing += 1
    return total / found, found, missing


def arrays(path: Path, words: list[str], clusters: Any) -> tuple[float, int, int]:
    table = read_strengths(path, words)
    rng = np.random.default_rng(0)
    record = association(clusters, table.pairs, table.strengths, n_resamples=0, rng=rng)
    return float(record["mas"].runs.mean()), record["found"], record["not_found"]


def compare_association() -> None:
    words = [f"word{i}" for i in range(N_WORDS)]
    numbers = np.random.default_rng(1).integers(N_CLUSTERS, size=N_WORDS)
    cluster = dict(zip(words, numbers.tolist(), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "strengths.csv"
        write_strengths(path)
        arrays(path, words, numbers[None])  # loads pyarrow
        slow, slow_time, _ = measured(plain, path, cluster)
        fast, fast_time, _ = measured(arrays, path, words, numbers[None])
    np.testing.assert_allclose(fast, slow)
    print(f"association, {N_WORDS:,} words, {N_ROWS:,} rows: {slow_time:.2f} s with "
          f"dictionaries, {fast_time:.3f} s with arrays: "
          f"{slow_time / fast_time:.1f} times as fast")  # fmt: skip


if __name__ == "__main__":
    compare_cooccurrence(sys.argv[1:])
    compare_association()
