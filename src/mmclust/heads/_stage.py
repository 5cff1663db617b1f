"""The `head` stage: a text-aided method on a benchmark, once per seed."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import Clustering, write_clusters
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.features import read_features, require_nouns
from mmclust.core.fingerprint import fingerprint
from mmclust.core.instances import IS
from mmclust.core.io import read_table
from mmclust.core.manifest import Manifest, read_manifest, summary_path
from mmclust.core.plugins import load
from mmclust.core.progress import track
from mmclust.core.seeds import derive
from mmclust.core.workers import in_order
from mmclust.heads._embeddings import FITTED
from mmclust.heads._rows import (
    n_clusters,
    read_rows,
    require_batch,
    require_clusters,
    unit_rows,
)
from mmclust.heads._saved import (
    load_head,
    noun_names,
    predict,
    save_head,
    write_curves,
)
from mmclust.heads._train import GROUP, Trained, neighbors, side_by_side, train
from mmclust.kernels.kmeans import require_k

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from mmclust.core.features import Features
    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.instances import Instance
    from mmclust.core.params import Params

    Rows = np.ndarray[Any, Any]


def head_of_benchmark(
    root: Path,
    benchmark: str,
    head: str,
    params: Params,
    *,
    device: str = "cpu",
    workers: int = 1,
) -> Clustering:
    """Fit a head on ``fit_rows`` and assign ``evaluate_rows``; labels are not read."""
    manifest = read_manifest(root / "data/benchmarks" / benchmark / "manifest.parquet")
    method = params.instance("heads", head)
    module, options = method.module, method.options
    features, image, text = views_of_benchmark(root, manifest, params.model.encoder)
    k = _k_of(root, benchmark, params)
    fit = features.kept(manifest.fit_rows)
    asked = manifest.fit_rows
    if options.evaluate_on == "evaluate":
        asked = manifest.evaluate_rows
    rows = features.kept(asked)
    seeds = [
        derive(params.seed, "head", benchmark, head, i)
        for i in range(params.model.n_seeds)
    ]
    if hasattr(module, "recipe"):
        trained = train_seeds(
            module, options, image[fit], text[fit], k, seeds, device, workers
        )
        found = [predict(t.weights, image[rows], device=device) for t in trained]
        labels = np.stack([each.labels for each in found])
        confidence = np.stack([each.confidence for each in found])
    else:
        require_k(k, len(rows))
        trained, confidence = [], None
        runs = track(seeds, f"{benchmark} {head}", len(seeds), "seeds")
        views = image[rows], text[rows]
        labels = np.stack(
            [module.cluster(*views, k, options, seed=s, device=device) for s in runs]
        )
    meta = {
        "benchmark": benchmark,
        "head": head,
        **method.alias,
        "encoder": params.model.encoder,
        "manifest": manifest.digest,
        "seed": params.seed,
        "params": asdict(options),
    }
    ids = manifest.image_ids
    if len(rows) < len(asked):
        meta["skipped"] = [ids[row] for row in np.setdiff1d(asked, rows)]
    names = _names(root / "data/nouns" / benchmark, image[rows], labels, k)
    facts = {"k": k, "dim": int(image.shape[1]), "fitted_on": len(fit), "names": names}
    out = root / "data/heads" / benchmark / head
    folder = root / "data/features" / benchmark / params.model.encoder
    save_head(out, trained, meta | facts | _encoder(features, folder, out))
    write_curves(root / "plots/heads" / f"{benchmark}_{head}.csv", trained)
    clustering = Clustering(head, view_of(method), k, labels, confidence)
    write_clusters(
        root / "data/clusters" / benchmark / "heads" / f"{head}.parquet",
        [clustering],
        [ids[row] for row in rows],
        meta,
    )
    return clustering


def assign_rows(
    manifest: Manifest,
    rows: Rows,
    params: Params,
    root: Path,
    *,
    head: str,
    run: int = 0,
) -> Rows:
    """Assign some rows of a benchmark, int64 (m,), that are not evaluated: int32 (m,).

    A trained head (fitted on ``fit_rows``) predicts them, as the stage does with the
    rows to evaluate; one without training clusters them by themselves. ``run`` is the
    number of the seed; labels are not read.
    """
    if head not in params.model.heads:
        raise MmclustError(
            f"The head {head!r} does not run",
            where="model.heads in params.yaml",
            expected=nearest(head, params.model.heads),
            found=head,
            do="correct --head, or add it to model.heads and run `dvc repro`",
        )
    name, method = manifest.benchmark, params.instance("heads", head)
    features, image, text = views_of_benchmark(root, manifest, params.model.encoder)
    features.require(rows, manifest)
    if hasattr(method.module, "recipe"):
        folder = root / "data/heads" / name / head
        weights, facts = load_head(folder, run)
        if facts["manifest"] != manifest.digest:
            raise MmclustError(
                "The head was trained on another manifest",
                where=folder,
                expected=f"manifest {manifest.digest[:16]}…",
                found=f"manifest {facts['manifest'][:16]}…",
                do=f"train it again: mmclust head {name} {head}",
            )
        return predict(weights, image[rows]).labels
    k = _k_of(root, name, params)
    seed = derive(params.seed, "head", name, head, run)
    views = image[rows], text[rows]
    labels: Rows = method.module.cluster(*views, k, method.options, seed=seed)
    return labels


def view_of(method: Instance) -> str:
    """Return the view that a head clusters; some have it among their options."""
    view = getattr(method.module, "view", None)
    return str(view(method.options) if view else method.module.VIEW)


def fingerprint_of_head(
    benchmark: str, head: str, params: Params, *, device: str = "cpu"
) -> Fingerprint:
    """Take the fingerprint of a run here; see :func:`head_of_benchmark`."""
    built, clusters = (
        Path("data", kind, benchmark) for kind in ("benchmarks", "clusters")
    )
    encoder, k = params.model.encoder, params.model.k
    method = params.instance("heads", head)
    return fingerprint(
        ("head", benchmark, head),
        [
            clusters / "heads" / f"{head}.parquet",
            Path("data/heads") / benchmark / head,
            Path("plots/heads") / f"{benchmark}_{head}.csv",
        ],
        modules=[__name__, *method.modules],
        inputs=[
            built / "manifest.parquet",
            summary_path(built),
            Path("data/features") / benchmark / encoder,
            Path("data/nouns") / benchmark,
            *([clusters / "k" / f"{encoder}.json"] if k == "auto" else []),
        ],
        options={
            "seed": params.seed,
            "head": method.options,
            "k": k,
            "encoder": encoder,
            "n_seeds": params.model.n_seeds,
            "device": device.partition(":")[0],
        },
    )


def _k_of(root: Path, benchmark: str, params: Params) -> int:
    built = root / "data/benchmarks" / benchmark
    chosen = root / "data/clusters" / benchmark / "k" / f"{params.model.encoder}.json"
    return n_clusters(params, built, chosen)


def _encoder(features: Features, folder: Path, out: Path) -> dict[str, Any]:
    """Return what `mmclust assign` needs to encode new pictures alike."""
    files = features.meta["sha256"]
    return {
        "encoder_params": features.meta["params"],
        **({"encoder_is": features.meta[IS]} if IS in features.meta else {}),
        "model": features.meta.get("model"),
        "features": os.path.relpath(folder, out),
        "fitted": {name: files[name] for name in FITTED if name in files},
    }


def train_seeds(
    module: ModuleType,
    options: Any,
    image: Rows,
    text: Rows,
    k: int,
    seeds: Sequence[int],
    device: str = "cpu",
    workers: int = 1,
) -> list[Trained]:
    """Train one head per seed: on a CPU in processes, a few side by side in each."""
    require_clusters(k, len(image))
    recipe = module.recipe(image.shape[1], k, options)
    if device != "cpu":
        return train(image, text, recipe, seeds, device=device)
    require_batch(options.batch, len(image))
    size = GROUP if side_by_side(recipe, image.shape[1]) else 1
    groups = [seeds[i : i + size] for i in range(0, len(seeds), size)]
    name = module.__name__.rpartition(".")[2]
    near = neighbors(image, text, options.n_neighbors)
    run = partial(_group, name, options, image, text, near, k)
    runs = in_order(
        run, groups, workers, describe=lambda g: f"{name}, seeds {some(map(str, g))}"
    )
    found = track(runs, name, len(groups), "groups of seeds")
    return [trained for group in found for trained in group]


def _group(
    head: str,
    options: Any,
    image: Rows,
    text: Rows,
    near: tuple[Rows, Rows],
    k: int,
    seeds: Sequence[int],
) -> list[Trained]:
    recipe = load("heads", head).recipe(image.shape[1], k, options)
    return train(image, text, recipe, seeds, near=near)


def views_of_benchmark(
    root: Path, manifest: Manifest, encoder: str
) -> tuple[Features, Rows, Rows]:
    """Return the features, and images and counterparts of all rows at unit norm.

    Rows of images that were skipped are NaN; ``features.kept`` leaves them out.
    """
    folder = root / "data/features" / manifest.benchmark / encoder
    nouns = root / "data/nouns" / manifest.benchmark
    features = read_features(folder, manifest)
    require_nouns(nouns, features, manifest)
    n, skipped = len(manifest), features.skipped
    image = unit_rows(features.views["image"], folder / "image.npy", n, skipped)
    return features, image, read_rows(nouns / "counterparts.npy", n, skipped)


def _names(folder: Path, images: Rows, labels: Rows, k: int) -> list[list[list[str]]]:
    """Return the nouns of each seed's clusters."""
    nouns = read_rows(folder / "nouns.npy")
    words = read_table(folder / "nouns.parquet")[0]["word"].to_pylist()
    return [noun_names(images, row, k, nouns, words) for row in labels]
