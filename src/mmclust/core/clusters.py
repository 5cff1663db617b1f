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

    n_seeds = max(len(c.labels) for c in clusterings)
    n_samples = len(image_ids)

    def column(
        arrays: Sequence[np.ndarray[Any, Any] | None], seed: int, kind: pa.DataType
    ) -> pa.Array:
        missing = pa.nulls(n_samples, kind)
        return pa.chunked_array(
            [
                missing if a is None or seed >= len(a) else pa.array(a[seed], kind)
                for a in arrays
            ]
        )

    def repeat(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(np.repeat(np.asarray(values), n_samples), kind)

    columns = {
        "clusterer": repeat([c.clusterer for c in clusterings], pa.string()),
        "view": repeat([c.view for c in clusterings], pa.string()),
        "k": repeat([c.k for c in clusterings], pa.int32()),
        "image_id": pa.array(list(image_ids) * len(clusterings), pa.string()),
    }
    labels, sure = [c.labels for c in clusterings], [c.confidence for c in clusterings]
    for seed in range(n_seeds):
        columns[f"seed_{seed}"] = column(labels, seed, pa.int32())
    if any(each is not None for each in sure):
        for seed in range(n_seeds):
            columns[f"confidence_{seed}"] = column(sure, seed, pa.float32())
    write_table(path, pa.table(columns), {**meta, "methods": len(clusterings)})


def read_clusters(path: Path) -> tuple[list[Clustering], list[str], dict[str, Any]]:
    """Read assignments back, of the same images in one order for each method."""
    table, meta = read_table(path)
    methods = meta["methods"]
    n_samples = table.num_rows // methods
    ids = table["image_id"].slice(0, n_samples).to_pylist()
    if len(set(ids)) != len(ids) or table["image_id"].to_pylist() != ids * methods:
        raise MmclustError(
            f"{path.name} is not laid out as it was written",
            where=path,
            expected=f"{methods} times the same {len(ids)} image ids, each once",
            found="rows in another order, or of other images",
            do="cluster again: mmclust cluster BENCHMARK ENCODER, or head",
        )
    seeds = [name for name in table.column_names if name.startswith("seed_")]
    sure = [name for name in table.column_names if name.startswith("confidence_")]
    clusterings = []
    for method in range(methods):
        part = table.slice(method * n_samples, n_samples)
        rows = [part[s].to_numpy() for s in seeds if part[s].null_count == 0]
        shares = [part[s].to_numpy() for s in sure if part[s].null_count == 0]
        clusterings.append(
            Clustering(
                part["clusterer"][0].as_py(),
                part["view"][0].as_py(),
                part["k"][0].as_py(),
                np.stack(rows).astype(np.int32),
                np.stack(shares) if shares else None,
            )
        )
    return clusterings, ids, meta


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
