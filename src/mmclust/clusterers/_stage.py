"""The `cluster` stage: every clusterer, view and seed on one encoder's features.

Beside the clusters it writes names of those of the main method (keywords of captions,
and nouns) and label-free scores of all.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.clusterers._runs import (
    BOTH,
    assign,
    decide_k,
    finds_k,
    plan,
    require_several,
    rows_for,
    run_tasks,
    spool,
    takes_both,
)
from mmclust.core.clusters import Clustering, write_clusters
from mmclust.core.errors import MmclustError, nearest
from mmclust.core.features import read_features, require_nouns, views_of
from mmclust.core.fingerprint import fingerprint
from mmclust.core.io import (
    private,
    read_array,
    read_record,
    write_csv,
    write_json,
    write_table,
)
from mmclust.core.manifest import read_manifest, summary_path
from mmclust.core.numerics import threads
from mmclust.core.seeds import derive, generator
from mmclust.scoring.label_free import (
    CRITERIA,
    Choice,
    distances,
    internal_record,
    internal_scores,
    sample_rows,
)
from mmclust.scoring.names import (
    centres_of,
    disjoint_keywords,
    keywords,
    nearest_nouns,
    read_nouns,
)
from mmclust.scoring.record import Score, path_of, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmclust.core.features import Features
    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params

Array = np.ndarray[Any, Any]
Nouns = tuple[list[str], Array]
HEAD = ["encoder", "view", "k", "metric", "score", "chosen", "images"]


def cluster_benchmark(
    benchmark: str, encoder: str, params: Params, root: Path, *, workers: int = 1
) -> list[Clustering]:
    """Cluster one encoder's features of one benchmark; labels are not read."""
    built = root / "data/benchmarks" / benchmark
    manifest = read_manifest(built / "manifest.parquet")
    made = root / "data/features" / benchmark / encoder
    features = read_features(made, manifest)
    name = str(features.meta["encoder"])
    seed = derive(params.seed, "cluster", name)
    names = views_of(features)
    fitted = features.kept(manifest.fit_rows)
    k, choice = decide_k(params, features, fitted, built, seed)
    evaluated = manifest.evaluate_rows
    rows = features.kept(evaluated)
    require_several(k, len(rows))
    tasks = plan(params, names, k, len(rows))
    meta: dict[str, Any] = {
        "benchmark": manifest.benchmark,
        "encoder": name,
        "manifest": manifest.digest,
        "seed": params.seed,
        "k": k,
        "params": {
            t.method.name: asdict(t.method.options) | t.method.alias for t in tasks
        },
    }
    ids = manifest.image_ids
    if len(rows) < len(evaluated):
        meta["skipped"] = [ids[row] for row in sorted({*evaluated} - {*rows})]
    folder = root / "data/clusters" / benchmark
    with private(folder / encoder) as scratch:
        views = spool(tasks, features, rows, fitted, scratch)
        features = replace(features, views={})  # unmapped
        label = f"{manifest.benchmark} {name}"
        clusterings = run_tasks(tasks, scratch, seed, workers, label)
        write_clusters(
            folder / f"{encoder}.parquet", clusterings, [ids[row] for row in rows], meta
        )
        write_json(folder / "k" / f"{encoder}.json", {"k": k})
        write_names(
            folder / "names" / f"{encoder}.parquet",
            clusterings,
            manifest.table["captions"].take(rows).to_pylist(),
            views.get("image"),
            nouns_for(root / "data/nouns" / benchmark, features, manifest),
            meta,
        )
        raw = {v: read_array(made / f"{v}.npy") for v in names if v != "concat"}
        if len(rows) < len(manifest):
            raw = {view: array[rows] for view, array in raw.items()}
        write_internal(
            root, benchmark, encoder, clusterings, views, choice,
            raw=raw, seed=seed, swept=params.swept, workers=workers,
        )  # fmt: skip
    return clusterings


def fingerprint_of_clusters(
    benchmark: str, encoder: str, params: Params
) -> Fingerprint:
    """Take the fingerprint of a run here; see :func:`cluster_benchmark`."""
    built, made, model = Path("data/benchmarks") / benchmark, Path("data"), params.model
    # k: auto runs k-means, whoever else clusters.
    also = ["kmeans"] if model.k == "auto" else []
    methods = [
        params.instance("clusterers", name)
        for name in dict.fromkeys([*model.clusterers, *also])
    ]
    clusters = made / "clusters" / benchmark
    return fingerprint(
        ("cluster", benchmark, encoder),
        [
            clusters / f"{encoder}.parquet",
            clusters / "k" / f"{encoder}.json",
            clusters / "names" / f"{encoder}.parquet",
            path_of(Path(), "cluster", benchmark, encoder),
            Path("plots/auto_k") / f"{benchmark}_{encoder}.csv",
        ],
        modules=[__name__, *(name for each in methods for name in each.modules)],
        inputs=[
            built / "manifest.parquet",
            summary_path(built),
            made / "features" / benchmark / encoder,
            made / "nouns" / benchmark,
        ],
        options={
            "seed": params.seed,
            "clusterers": methods,
            "named": model.clusterers,
            "k": [model.k, model.k_by, model.k_grid, model.k_sweep],
            "n_seeds": model.n_seeds,
        },
    )


def cluster_rows(
    manifest: Manifest,
    rows: Array,
    params: Params,
    root: Path,
    *,
    encoder: str,
    view: str | None,
    clusterer: str,
    run: int = 0,
) -> tuple[str, Array]:
    """Cluster some rows of a benchmark, int64 (m,), that are not evaluated.

    The clusters are those that the stage would write were these rows the ones to
    evaluate: same k, options and seed. Labels are not read. Without a view both are
    joined where the encoder has both; ``run`` is the number of the seed. Returned are
    the view and int32 (m,).
    """
    params.instance("encoders", encoder)
    method = params.instance("clusterers", clusterer)
    features = read_features(
        root / "data/features" / manifest.benchmark / encoder, manifest
    )
    features.require(rows, manifest)
    seed = derive(params.seed, "cluster", encoder)
    views = views_of(features)
    built = root / "data/benchmarks" / manifest.benchmark
    fitted = features.kept(manifest.fit_rows)
    k, _ = decide_k(params, features, fitted, built, seed)
    require_several(k, len(rows))
    known = [BOTH] if takes_both(method) else views
    chosen = view or known[-1]
    if chosen not in known:
        raise MmclustError(
            f"{clusterer} cannot cluster that view of {encoder}",
            where="--view",
            expected=nearest(chosen, known),
            found=chosen,
        )
    if chosen == BOTH and "concat" not in views:
        raise MmclustError(
            f"{clusterer} needs image and text features",
            where="--clusterer",
            found=f"{encoder}, which has {' and '.join(views)}",
            do="choose an encoder that has both, or another clusterer",
        )
    number = 0 if finds_k(method) else k
    asked, fit = rows_for(features, chosen, method.options, rows, fitted)
    own = derive(seed, clusterer, chosen, number, run)
    return chosen, assign(method, asked, number, own, fit)[0]


def nouns_for(folder: Path, features: Features, manifest: Manifest) -> Nouns | None:
    """Return the nouns in the space of some features; None where there are none."""
    if not (folder / "nouns.json").is_file():
        return None
    record = read_record(folder / "nouns.json", {"manifest": str, "encoder": str})
    if record["encoder"] != features.meta["encoder"]:
        return None
    require_nouns(folder, features, manifest)
    return read_nouns(folder)


def write_names(
    path: Path,
    clusterings: Sequence[Clustering],
    captions: Sequence[Sequence[str]],
    image: Array | None,
    nouns: Nouns | None,
    meta: Mapping[str, Any],
) -> None:
    """Describe the first run of the first clusterer on the widest view, at every k."""
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    first = [one for one in clusterings if one.clusterer == clusterings[0].clusterer]
    views = [one.view for one in first]
    widest = "concat" if "concat" in views else views[0]
    for method in (one for one in first if one.view == widest):
        labels = method.labels[0]
        near: dict[int, list[tuple[str, float]]] = {}
        if nouns is not None and image is not None:
            clusters, centres = centres_of(image, labels)
            found = nearest_nouns(centres, nouns[1], nouns[0])
            near = dict(zip(clusters.tolist(), found, strict=True))
        apart = disjoint_keywords(captions, labels, unit="word")
        for named in keywords(captions, labels):
            best = near.get(named.cluster, [])
            rows.append(
                {
                    "clusterer": method.clusterer,
                    "view": method.view,
                    "k": method.k,
                    "cluster": named.cluster,
                    "size": named.size,
                    "keywords": named.words,
                    "weights": named.weights,
                    "disjoint": apart[named.cluster],
                    "nouns": [word for word, _ in best],
                    "cosines": [cosine for _, cosine in best],
                }
            )
    schema = pa.schema(
        {
            "clusterer": pa.string(),
            "view": pa.string(),
            "k": pa.int32(),
            "cluster": pa.int32(),
            "size": pa.int32(),
            "keywords": pa.list_(pa.string()),
            "weights": pa.list_(pa.float64()),
            "disjoint": pa.list_(pa.string()),
            "nouns": pa.list_(pa.string()),
            "cosines": pa.list_(pa.float64()),
        }
    )
    write_table(path, pa.Table.from_pylist(rows, schema=schema), meta)


def write_internal(
    root: Path,
    benchmark: str,
    encoder: str,
    clusterings: Sequence[Clustering],
    views: Mapping[str, Array],
    choice: Choice | None,
    *,
    raw: Mapping[str, Array],
    seed: int,
    swept: str = "",
    workers: int = 1,
) -> None:
    """Score every clustering without labels and write the scores.

    ``raw`` are the features as the encoder gives them, image and text; ``swept`` is
    the method that ran at several k, empty for the first.
    """
    names = [(one.view, one.clusterer) for one in clusterings]
    # Those of the sweep are of the same name, and come later.
    main = [name not in names[:i] for i, name in enumerate(names)]
    scored = _scores(clusterings, main, views, raw, seed, workers)
    both = list(zip(clusterings, scored, strict=True))
    record = internal_record(encoder, compress(both, main))
    view = "concat" if "concat" in views else next(iter(views))
    if choice is None:
        swept = swept or names[0][1]
        rows = sorted(
            [encoder, one.view, one.k, "silhouette", round(value, 6), 0, "evaluated"]
            for one, score in both
            if one.clusterer == swept and (value := score["silhouette"]) is not None
        )
    else:
        found = {"chosen_k": choice.k, "chosen_k_at_edge": choice.at_edge}
        found |= {f"chosen_k_by_{by}": k for by, k in choice.chosen.items()}
        record += [
            Score(encoder, "", "", metric, float(value), note=CRITERIA[
                metric.removeprefix("chosen_k_by_") if "_by_" in metric else choice.by])
            for metric, value in found.items()
        ]  # fmt: skip
        rows = [
            [encoder, view, k, by, round(score, 6), int(k == choice.chosen[by]), "fit"]
            for by, curve in choice.curves.items()
            for k, score in curve
        ]
    write(path_of(root, "cluster", benchmark, encoder), record)
    write_csv(root / "plots/auto_k" / f"{benchmark}_{encoder}.csv", [HEAD, *rows])


def _scores(
    clusterings: Sequence[Clustering],
    main: Sequence[bool],
    views: Mapping[str, Array],
    raw: Mapping[str, Array],
    seed: int,
    workers: int,
) -> list[dict[str, Any]]:
    n_samples = clusterings[0].labels.shape[1]
    sample = sample_rows(n_samples, generator(seed, "silhouette"))
    # Two views taken separately are judged side by side.
    judged = ["concat" if one.view == BOTH else one.view for one in clusterings]
    apart = {view: distances(views[view][sample]) for view in dict.fromkeys(judged)}

    def score(one: Clustering, view: str, main: bool) -> dict[str, Any]:
        spaces = list(raw.values()) if view == "concat" else [raw[view]]
        return internal_scores(
            views[view], one.labels, sample=sample, apart=apart[view],
            spaces=spaces if main else (), seed=seed,
        )  # fmt: skip

    # Products take most of it, and let other threads go on; each is one thread's.
    with threads(1), ThreadPoolExecutor(workers) as pool:
        return list(pool.map(score, clusterings, judged, main))
