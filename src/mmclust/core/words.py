"""What a word model learned: one row per word, one column of clusters per seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_table
from mmclust.core.text import decoded, look_alikes, same_form

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = -1
"""The cluster of a word that a model has none for."""


@dataclass(frozen=True)
class WordClusters:
    """The words of one model.

    Parameters
    ----------
    words
        Unique, as the model's vocabulary has them.
    counts
        int64 (v,): occurrences in the training captions.
    clusters
        int32 (n_seeds, v): each word's best cluster, :data:`UNKNOWN` for none.
    confidence
        float64 of the same shape, where the model has one: the probability of that
        cluster, 0 for unknown words.
    concreteness
        float64 of the same shape, where the model estimates it; 0 for unknown words.
    meta
        Model, number of clusters, manifest digest and what else was learned from.
    """

    words: tuple[str, ...]
    counts: np.ndarray[Any, Any]
    clusters: np.ndarray[Any, Any]
    confidence: np.ndarray[Any, Any] | None = None
    concreteness: np.ndarray[Any, Any] | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def write_words(path: Path, learned: WordClusters) -> None:
    """Write words as parquet.

    Columns: ``word``, ``count`` int64, int32 ``seed_0`` … ``seed_{s-1}``, and
    float64 ``confidence_0`` …, ``concreteness_0`` … where the model has them.
    """
    import pyarrow as pa

    if len(set(learned.words)) < len(learned.words):
        raise MmclustError("A word is repeated", where=path)
    columns = {
        "word": pa.array(learned.words, pa.string()),
        "count": pa.array(learned.counts, pa.int64()),
    }
    columns |= {f"seed_{s}": pa.array(c) for s, c in enumerate(learned.clusters)}
    for name in ("confidence", "concreteness"):
        values = getattr(learned, name)
        if values is None:
            continue
        if not np.isfinite(values).all():
            raise MmclustError(f"The {name} of a word is not a number", where=path)
        columns |= {f"{name}_{s}": pa.array(v) for s, v in enumerate(values)}
    write_table(path, pa.table(columns), learned.meta)


def read_words(path: Path) -> WordClusters:
    """Read words back."""
    table, meta = read_table(path)

    def rows(prefix: str) -> list[np.ndarray[Any, Any]]:
        names = [n for n in table.column_names if n.startswith(f"{prefix}_")]
        return [table[name].to_numpy() for name in names]

    def optional(prefix: str) -> np.ndarray[Any, Any] | None:
        found = rows(prefix)
        return np.stack(found).astype(np.float64) if found else None

    words = decoded(table["word"].to_pylist(), f"{path}, column word")
    forms = [same_form(word) for word in words]
    if len(set(forms)) < len(words):
        raise MmclustError(
            "Words are there twice",
            where=path,
            expected="each word once, in one Unicode form",
            found=look_alikes(words) or "the same word in several rows",
            do="learn again, or import the model again",
        )
    return WordClusters(
        tuple(forms),
        table["count"].to_numpy(),
        np.stack(rows("seed")).astype(np.int32),
        optional("confidence"),
        optional("concreteness"),
        meta,
    )
