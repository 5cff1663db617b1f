"""The `retrieve` stage: figures, lists of the best, and curves, from embeddings."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import check_features, require_sealed
from mmclust.core.io import read_array, read_json, write_table
from mmclust.core.manifest import read_manifest
from mmclust.retrieval.metrics import DEFINITION
from mmclust.retrieval.task import MAIN, Scorer, evaluate, read_task
from mmclust.scoring.intervals import compared_rows
from mmclust.scoring.record import (
    Record,
    path_of,
    rounded,
    write,
    write_csv,
    write_means,
)
from mmclust.scoring.resamples import write_resamples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.retrieval.task import Result, Task

Array = np.ndarray[Any, Any]

DEEPEST = 100
"""The curves of recall end here."""
MEANS = ("t2i_r1", "rsum")
"""What DVC lists."""


def retrieve_benchmark(
    root: Path,
    benchmark: str,
    encoders: Sequence[str],
    *,
    n_resamples: int,
    seed: int,
    top_k: int,
    device: str = "cpu",
) -> Record:
    """Score the embeddings of one retrieval benchmark, and compare the encoders."""
    if not encoders:
        raise MmclustError(
            "There is no encoder to retrieve with",
            where="retrieval.encoders",
            expected="one or more of the encoders that embed captions",
            found="none",
        )
    every: dict[str, dict[str, dict[str, Any]]] = {}
    lists = root / "data/retrieval" / benchmark
    plots = root / "plots/retrieval" / benchmark
    _remove_others(lists, plots, encoders)
    for encoder in encoders:
        folder = root / "data/embeddings" / benchmark / encoder
        task, images, texts = read_embeddings(folder, root, benchmark)
        results = {}
        for kind in task.captions:
            scorer = Scorer(images, texts[kind], device=device, top_k=top_k)
            results[kind] = evaluate(
                task, kind, scorer, n_resamples=n_resamples, seed=seed
            )
            _write_lists(lists / encoder, task, kind, results[kind])
        found = {k: v for result in results.values() for k, v in result.figures.items()}
        skipped = {"n_skipped": task.n_skipped} if task.n_skipped else {}
        every[encoder] = {name: each | skipped for name, each in found.items()}
        write_csv(plots / "recall" / f"{encoder}.csv", *_recall(results))
        write_csv(plots / "ranks" / f"{encoder}.csv", *_histogram(results[MAIN]))
        write_csv(plots / "settings" / f"{encoder}.csv", *_settings(every[encoder]))
    parts = {
        encoder: {(name, ""): each[name]
                  for name in sorted(each, key=lambda name: name != MAIN)}
        for encoder, each in every.items()
    }  # fmt: skip
    views = {setting: DEFINITION for each in parts.values() for setting, _ in each}
    seeds = dict.fromkeys(encoders, 1)
    record = Record(tuple(compared_rows(parts, encoders[0], seeds, views)))
    write(path_of(root, "retrieve", benchmark), record)
    figures = {
        (encoder, *at): f for encoder, of in parts.items() for at, f in of.items()
    }
    write_resamples(root, "retrieve", benchmark, figures, seed)
    write_means(
        root / "metrics/retrieve" / benchmark,
        {
            encoder: {name: record.mean((encoder, MAIN, ""), name) for name in MEANS}
            for encoder in encoders
        },
    )
    return record


def _remove_others(lists: Path, plots: Path, encoders: Sequence[str]) -> None:
    """Remove what encoders left that are no longer asked for."""
    for each in lists.glob("*"):
        if each.is_dir() and each.name not in encoders:
            shutil.rmtree(each)
    for each in plots.glob("*/*.csv"):
        if each.stem not in encoders:
            each.unlink()


def read_embeddings(
    folder: Path, root: Path, benchmark: str
) -> tuple[Task, Array, dict[str, Array]]:
    """Read what the `embed` stage wrote, and the task of the images it has.

    Skipped images are not in the task. Images are float32 (pool, d) in the task's
    order, texts (m, d) of each kind of captions.
    """
    built = root / "data/benchmarks" / benchmark
    manifest = read_manifest(built / "manifest.parquet")
    meta = read_json(folder / "embeddings.json")
    again = f"embed again: mmclust embed {benchmark} {meta.get('encoder')}"
    if meta["manifest"] != manifest.digest:
        raise MmclustError(
            "These embeddings were made from another manifest",
            where=folder,
            expected=f"manifest {manifest.digest[:16]}…",
            found=f"manifest {meta['manifest'][:16]}…",
            do=again,
        )
    task = read_task(built, meta.get("skipped", {}).get("image", {}))
    names = ["image.npy", *(f"text_{kind}.npy" for kind in task.captions)]
    require_sealed(folder, "embeddings.json", meta, names, again)
    at = np.searchsorted(np.sort(task.rows), task.rows)  # stored in manifest order
    images = read_array(folder / "image.npy")
    check_features(images, folder / "image.npy", len(at))
    texts = {}
    for kind, captions in task.captions.items():
        path = folder / f"text_{kind}.npy"
        texts[kind] = read_array(path)
        check_features(texts[kind], path, len(captions.texts))
    return task, np.asarray(images[at]), texts


def _write_lists(folder: Path, task: Task, kind: str, result: Result) -> None:
    """Write each query's rank and its best candidates, for people and re-rankers."""
    import pyarrow as pa

    captions = task.captions[kind]
    number = np.arange(len(captions.image)) - captions.of_image[captions.image, 0]
    names = np.array(
        [f"{task.pool[i]}#{n}" for i, n in zip(captions.image, number, strict=True)]
    )
    pool = np.array(task.pool)
    sides = {
        "i2t": (pool[: task.n_queries], names, result.i2t, result.i2t_ranks),
        "t2i": (names, pool, result.t2i, result.t2i_ranks),
    }
    for side, (queries, candidates, ranks, found) in sides.items():
        table = pa.table(
            {
                "query": pa.array(queries.tolist(), pa.string()),
                "rank": pa.array(1 + ranks.best, pa.int32()),
                "tied": pa.array(ranks.tied, pa.int32()),
                "candidates": pa.array(candidates[found.top].tolist()),
                "scores": pa.array(list(found.top_scores), pa.list_(pa.float32())),
            }
        )
        meta = {"benchmark": task.benchmark, "manifest": task.manifest, "kind": kind}
        write_table(folder / f"{side}_{kind}.parquet", table, meta)
    shared = pa.table(
        {
            "caption": pa.array([s["caption"] for s in result.shared], pa.string()),
            "images": pa.array(
                [[task.pool[i] for i in s["images"]] for s in result.shared],
                pa.list_(pa.string()),
            ),
            **{
                key: pa.array([s[key] for s in result.shared], pa.int32())
                for key in ("queries", "found_at_1", "found_at_1_any_image")
            },
        }
    )
    write_table(folder / f"shared_{kind}.parquet", shared, {})


def _recall(results: dict[str, Result]) -> tuple[list[str], list[list[Any]]]:
    rows: list[list[Any]] = []
    for kind, result in results.items():
        for side, ranks in (("i2t", result.i2t), ("t2i", result.t2i)):
            for k in range(1, DEEPEST + 1):
                share = float(np.mean(ranks.best < k))
                rows.append([kind, side, k, round(share, 6)])
    return ["captions", "direction", "k", "recall"], rows


def _histogram(result: Result) -> tuple[list[str], list[list[Any]]]:
    """Count queries by rank, in bins that double."""
    rows: list[list[Any]] = []
    for side, ranks in (("i2t", result.i2t), ("t2i", result.t2i)):
        doubled = np.floor(np.log2(1 + ranks.best)).astype(int)
        for exponent, count in enumerate(np.bincount(doubled)):
            low, high = 2**exponent, 2 ** (exponent + 1) - 1
            name = str(low) if low == high else f"{low}-{high}"
            rows.append([side, name, int(count)])
    return ["direction", "rank", "queries"], rows


def _settings(
    figures: Mapping[str, dict[str, Any]],
) -> tuple[list[str], list[list[Any]]]:
    """List R@1 of each setting: the slope from the old test set to the finer one."""
    rows = [
        [name, side, *map(rounded, (score.mean, *score.range()))]
        for name, each in figures.items()
        for side in ("i2t", "t2i")
        for score in [each[f"{side}_r1"]]
    ]
    return ["setting", "direction", "recall_at_1", "low", "high"], rows
