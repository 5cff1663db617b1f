"""Clusters on disk, one column per seed: of images, and of a word model's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_table
from mmclust.core.text import decoded, look_alikes, same_form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

NOISE = -1
"""The cluster of an image that a method puts in none."""
UNKNOWN = -1
"""The cluster of a word that a model has none for."""


@dataclass(frozen=True)
class Clustering:
    """One method at one k, for instance ``kmeans`` on ``concat``.

    ``k`` is 0 for a method that finds the number itself. ``labels`` are int32
    (n_seeds, n) in manifest order, one row for deterministic methods; ``confidence`` is
    float32 of the same shape, where the method has one.
    """

    clusterer: str
    view: str
    k: int
    labels: np.ndarray[Any, Any]
    confidence: np.ndarray[Any, Any] | None = None


def write_clusters(
    path: Path,
    clusterings: Sequence[Clustering],
    image_ids: Sequence[str],
    meta: Mapping[str, Any],
) -> None:
    """Write assignments as parquet.

    Columns: ``clusterer``, ``view``, ``k`` int32, ``image_id`` and int32
    ``seed_0`` … ``seed_{s-1}``, null where a deterministic method needs one run;
    float32 ``confidence_0`` … if any method has a confidence.
    """
    import pyarrow as pa

    n = len(image_ids)
    columns = {
        "clusterer": pa.array(np.repeat([c.clusterer for c in clusterings], n)),
        "view": pa.array(np.repeat([c.view for c in clusterings], n)),
        "k": pa.array(np.repeat([c.k for c in clusterings], n), pa.int32()),
        "image_id": pa.array(list(image_ids) * len(clusterings), pa.string()),
    }
    n_seeds = max(len(c.labels) for c in clusterings)
    for name, kind, arrays in (
        ("seed", pa.int32(), [c.labels for c in clusterings]),
        ("confidence", pa.float32(), [c.confidence for c in clusterings]),
    ):
        for seed in range(n_seeds) if any(a is not None for a in arrays) else ():
            columns[f"{name}_{seed}"] = pa.chunked_array(
                pa.nulls(n, kind)
                if a is None or seed >= len(a)
                else pa.array(a[seed], kind)
                for a in arrays
            )
    write_table(path, pa.table(columns), {**meta, "methods": len(clusterings)})


def read_clusters(path: Path) -> tuple[list[Clustering], list[str], dict[str, Any]]:
    """Read assignments back, of the same images in one order for each method."""
    again = "cluster again: mmclust cluster BENCHMARK ENCODER, or head"
    must = ("clusterer", "view", "k", "image_id", "seed_0")
    table, meta = read_table(path, must=must, do=again)
    methods = meta["methods"]
    n_samples = table.num_rows // methods
    ids = table["image_id"].slice(0, n_samples).to_pylist()
    if len(set(ids)) != len(ids) or table["image_id"].to_pylist() != ids * methods:
        raise MmclustError(
            f"{path.name} is not laid out as it was written",
            where=path,
            expected=f"{methods} times the same {len(ids)} image ids, each once",
            found="rows in another order, or of other images",
            do=again,
        )
    parts = [table.slice(i * n_samples, n_samples) for i in range(methods)]
    clusterings = [
        Clustering(
            part["clusterer"][0].as_py(),
            part["view"][0].as_py(),
            part["k"][0].as_py(),
            _per_seed(part, "seed", np.int32),
            _per_seed(part, "confidence", np.float32),
        )
        for part in parts
    ]
    return clusterings, ids, meta


def _per_seed(table: pa.Table, name: str, dtype: type) -> Any:
    """Return the columns ``name_0`` … that have no null, if there are any."""
    prefix, known = f"{name}_", table.column_names
    columns = [table[each] for each in known if each.startswith(prefix)]
    rows = [column.to_numpy() for column in columns if not column.null_count]
    return np.stack(rows).astype(dtype) if rows else None


@dataclass(frozen=True)
class WordClusters:
    """The v words of one model, unique as its vocabulary has them.

    ``counts``, int64 (v,), are occurrences in the training captions; ``clusters``,
    int32 (n_seeds, v), each word's best. ``confidence``, its probability, and
    ``concreteness`` are float64 of that shape, where the model has them; 0 for unknown
    words.
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
    again = "learn again, or import the model again"
    table, meta = read_table(path, must=("word", "count", "seed_0"), do=again)
    words = decoded(table["word"].to_pylist(), f"{path}, column word")
    forms = [same_form(word) for word in words]
    if len(set(forms)) < len(words):
        raise MmclustError(
            "Words are there twice",
            where=path,
            expected="each word once, in one Unicode form",
            found=look_alikes(words) or "the same word in several rows",
            do=again,
        )
    return WordClusters(
        tuple(forms),
        table["count"].to_numpy(),
        _per_seed(table, "seed", np.int32),
        _per_seed(table, "confidence", np.float64),
        _per_seed(table, "concreteness", np.float64),
        meta,
    )
