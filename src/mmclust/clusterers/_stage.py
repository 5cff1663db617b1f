"""The `cluster` stage: every clusterer, view and seed on one encoder's features."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.clusterers._internal import write_internal
from mmclust.clusterers._k import decide_k, require_several
from mmclust.clusterers._names import nouns_for, write_names
from mmclust.clusterers._runs import BOTH, Rows, plan, run_tasks
from mmclust.core.clusters import Clustering, write_clusters
from mmclust.core.features import normalised, read_features, view_of, views_of
from mmclust.core.io import write_json
from mmclust.core.manifest import read_manifest
from mmclust.core.seeds import derive

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.features import Features
    from mmclust.core.params import Params


def cluster_benchmark(
    benchmark: str, encoder: str, params: Params, root: Path, *, workers: int = 1
) -> list[Clustering]:
    """Cluster one encoder's features of one benchmark; labels are not read."""
    built = root / "data/benchmarks" / benchmark
    manifest = read_manifest(built / "manifest.parquet")
    features = read_features(root / "data/features" / benchmark / encoder, manifest)
    name = str(features.meta["encoder"])
    seed = derive(params.seed, "cluster", name)
    widest = view_of(features, views_of(features)[-1])
    fitted = features.kept(manifest.fit_rows)
    k, choice = decide_k(params, widest[fitted], built, seed)
    evaluated = manifest.evaluate_rows
    rows = features.kept(evaluated)
    require_several(k, len(rows))
    tasks = plan(params, views_of(features), k, len(rows))
    views = _views(features, rows)
    label = f"{manifest.benchmark} {name}"
    clusterings = run_tasks(tasks, views, seed, workers, label)
    meta: dict[str, Any] = {
        "benchmark": manifest.benchmark,
        "encoder": name,
        "manifest": manifest.digest,
        "seed": params.seed,
        "k": k,
        "params": {t.clusterer: asdict(t.params) for t in tasks},
    }
    ids, captions = manifest.image_ids, manifest.captions
    if len(rows) < len(evaluated):
        meta["skipped"] = [ids[row] for row in sorted({*evaluated} - {*rows})]
    folder = root / "data/clusters" / benchmark
    write_clusters(
        folder / f"{encoder}.parquet", clusterings, [ids[row] for row in rows], meta
    )
    write_json(folder / "k" / f"{encoder}.json", {"k": k})
    image = views.get("image")
    write_names(
        folder / "names" / f"{encoder}.parquet",
        clusterings,
        [captions[row] for row in rows],
        image if isinstance(image, np.ndarray) else None,
        nouns_for(root / "data/nouns" / benchmark, features, manifest),
        meta,
    )
    write_internal(root, benchmark, encoder, clusterings, views, choice, seed=seed)
    return clusterings


def _views(features: Features, rows: np.ndarray[Any, Any]) -> dict[str, Rows]:
    views: dict[str, Rows] = {v: view_of(features, v)[rows] for v in views_of(features)}
    if "concat" in views:
        pair = [normalised(features.views[v])[rows] for v in ("image", "text")]
        views[BOTH] = (pair[0], pair[1])
    return views
