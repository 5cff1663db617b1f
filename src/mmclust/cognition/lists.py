"""What of the norms models may see or, as published, be selected by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition.typicality import read_categories
from mmclust.core.io import write_bytes
from mmclust.core.words import UNKNOWN
from mmclust.scoring.categorization import encode, scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Array = np.ndarray[Any, Any]


def write_word_list(categories: Path, out: Path) -> int:
    """Write the words of a typicality file, alphabetically, without their ratings.

    Parameters
    ----------
    categories
        See :func:`mmclust.cognition.typicality.read_categories`.
    out
        A text file, one word per line.

    Returns
    -------
    int
        How many words.
    """
    words = sorted(read_categories(categories).words)
    write_bytes(out, "".join(f"{word}\n" for word in words).encode())
    return len(words)


def judge_by(categories: Path) -> Callable[[Sequence[str], Array], float]:
    """Return the judge that selects epochs as published, by these very norms.

    Parameters
    ----------
    categories
        See :func:`mmclust.cognition.typicality.read_categories`.

    Returns
    -------
    callable
        Words and their clusters int (v,) to the F-score of all words of the
        categories, unknown ones included.
    """
    gold = read_categories(categories).words

    def judge(words: Sequence[str], clusters: Array) -> float:
        run = {
            word: str(cluster)
            for word, cluster in zip(words, clusters.tolist(), strict=True)
            if cluster != UNKNOWN
        }
        _, codes, rows = encode(gold, [run])
        assigned = np.where(rows[0] == UNKNOWN, rows.max(initial=0) + 1, rows[0])
        table = np.zeros((int(assigned.max()) + 1, int(codes.max()) + 1), np.int64)
        np.add.at(table, (assigned, codes), 1)
        return float(scores(table)["fscore"])

    return judge
