"""The `head` stage: a text-aided method on a benchmark, once per seed."""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import Clustering, write_clusters
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.fingerprint import fingerprint
from mmclust.core.manifest import Manifest, read_manifest, summary_path
from mmclust.core.numerics import threads
from mmclust.core.progress import track
from mmclust.core.seeds import derive
from mmclust.core.workers import in_order
from mmclust.heads._embeddings import weights_of
from mmclust.heads._inputs import encoder_facts, encoders_of, read_inputs
from mmclust.heads._rows import n_clusters, require_clusters
from mmclust.heads._saved import (
    assigned,
    is_trained,
    load_head,
    noun_names,
    save_head,
    write_curves,
)
from mmclust.heads._train import group_size, prepare, train
from mmclust.kernels.kmeans import require_k

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.params import Params
    from mmclust.core.types import HeadInputs, Trained

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
    devices = device.split(",")
    device = devices[0]
    read = read_inputs(root, manifest, params, module, options, device=device)
    k = n_clusters(params, root, benchmark)
    fit = read.kept(manifest.fit_rows)
    asked = manifest.evaluate_rows
    if getattr(options, "evaluate_on", "evaluate") == "fit":
        asked = manifest.fit_rows
    rows = read.kept(asked)
    seeds = [
        derive(params.seed, "head", benchmark, head, i)
        for i in range(params.model.n_seeds)
    ]
    given = read.inputs.take(rows)
    with method.telling():
        trained, labels, confidence = run_head(
            module,
            options,
            read.inputs.take(fit) if is_trained(module) else given,
            given,
            k,
            seeds,
            devices,
            workers,
            f"{benchmark} {head}",
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
    out = root / "data/heads" / benchmark / head
    folder = root / "data/features" / benchmark
    named = k
    if getattr(options, "k_grid", ()):  # each seed has found its own
        k, named = 0, int(labels.max()) + 1
    names = []
    if read.words is not None and read.images is not None:
        images = read.images[rows]
        names = [noun_names(images, row, named, *read.words) for row in labels]
    made = encoder_facts(read.features, folder / params.model.encoder, out)
    facts = {
        "k": k,
        "dim": made["dim"],
        "fitted_on": len(fit),
        "names": names,
        **made,
    }
    if read.encoders:
        facts["spaces"] = [
            encoder_facts(each, folder / name, out)
            for name, each in read.encoders.items()
        ]
    save_head(out, trained, meta | facts)
    write_curves(root / "plots/heads" / f"{benchmark}_{head}.csv", trained)
    clustering = Clustering(head, module.VIEW, k, labels, confidence)
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
    module, options = method.module, method.options
    read = read_inputs(root, manifest, params, module, options)
    for features in (read.features, *read.encoders.values()):
        features.require(rows, manifest)
    given = read.inputs.take(rows)
    if is_trained(module):
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
        return assigned(module, weights, given, options).labels
    seed = derive(params.seed, "head", name, head, run)
    k = n_clusters(params, root, name)
    labels: Rows = run_head(module, options, given, given, k, [seed])[1][0]
    return labels


def fingerprint_of_head(
    benchmark: str, head: str, params: Params, *, device: str = "cpu"
) -> Fingerprint:
    """Take the fingerprint of a run here; see :func:`head_of_benchmark`."""
    built, clusters = (
        Path("data", kind, benchmark) for kind in ("benchmarks", "clusters")
    )
    encoder, k = params.model.encoder, params.model.k
    method = params.instance("heads", head)
    module, options = method.module, method.options
    modules, inputs, more = [__name__, *method.modules], [], {}
    weights = None
    if "nouns" in module.READS:  # its words are embedded here
        inputs.append(Path(params.nouns.vocabulary))
        shared = params.instance("encoders", encoder, benchmark)
        modules += shared.modules
        weights = weights_of(shared)
        more = {"nouns": params.nouns, "encoder_options": shared.options}
    names = dict.fromkeys([encoder, *encoders_of(module, options, encoder)])
    return fingerprint(
        ("head", benchmark, head),
        [
            clusters / "heads" / f"{head}.parquet",
            Path("data/heads") / benchmark / head,
            Path("plots/heads") / f"{benchmark}_{head}.csv",
        ],
        modules=modules,
        inputs=[
            built / "manifest.parquet",
            summary_path(built),
            *(Path("data/features") / benchmark / name for name in names),
            Path("data/nouns") / benchmark,
            *([clusters / "k" / f"{encoder}.json"] if k == "auto" else []),
            *inputs,
        ],
        options={
            "seed": params.seed,
            "head": options,
            "k": k,
            "encoder": encoder,
            "n_seeds": params.model.n_seeds,
            "device": device.partition(":")[0],
            **more,
        },
        weights=weights,
    )


def run_head(
    module: ModuleType,
    options: Any,
    learnt: HeadInputs,
    given: HeadInputs,
    k: int,
    seeds: Sequence[int],
    devices: Sequence[str] = ("cpu",),
    workers: int = 1,
    label: str = "head",
) -> tuple[list[Trained], Rows, Rows | None]:
    """Fit a head on ``learnt``, if it is trained, and assign ``given``, by each seed.

    Labels are int32 (s, n); how sure they are, float32 (s, n), a trained head says.
    """
    device = devices[0]
    if is_trained(module):
        trained = train_seeds(module, options, learnt, k, seeds, devices, workers)
        found = [
            assigned(module, each.weights, given, options, device=device)
            for each in track(trained, label, len(seeds), "seeds")
        ]
        confidence = np.stack([each.confidence for each in found])
        return trained, np.stack([each.labels for each in found]), confidence
    require_k(k, len(given))
    ready = _prepared(module, given, options, device)
    runs = track(seeds, label, len(seeds), "seeds")
    labels = [module.cluster(ready, k, options, seed=s, device=device) for s in runs]
    return [], np.stack(labels), None


def train_seeds(
    module: ModuleType,
    options: Any,
    inputs: HeadInputs,
    k: int,
    seeds: Sequence[int],
    devices: Sequence[str] = ("cpu",),
    workers: int = 1,
) -> list[Trained]:
    """Train one head per seed: on a CPU in processes, a few side by side in each.

    Of several devices each has a process and a share of the seeds.
    """
    require_clusters(k, len(inputs))
    name, device = module.__name__.rpartition(".")[2], devices[0]
    given: Any
    fit: Any
    if hasattr(module, "recipe"):
        size = group_size(options, inputs.image.shape[1])
        given = prepare(inputs, options, device=device)
        fit = partial(train, module.recipe)
    else:
        size = getattr(module, "GROUP", 1)
        size = size(len(inputs), options) if callable(size) else size
        given, fit = _prepared(module, inputs, options, device), module.train
    tasks: list[tuple[str, Sequence[int]]] = []
    shares = np.array_split(np.array(seeds), min(len(devices), len(seeds)))
    for place, share in zip(devices, map(np.ndarray.tolist, shares), strict=False):
        step = size if place == "cpu" else len(share)
        tasks += [(place, share[i : i + step]) for i in range(0, len(share), step)]
    if tuple(devices) != ("cpu",):
        workers = len(devices)
    runs = in_order(
        partial(_group, partial(fit, given, k, options)),
        tasks,
        workers,
        describe=lambda task: f"{name}, seeds {some(map(str, task[1]))}",
    )
    groups = track(runs, name, len(tasks), "groups of seeds")
    found = [trained for group in groups for trained in group]
    for each in found:
        _require_finite(each, name)
    return found


def _require_finite(trained: Trained, head: str) -> None:
    """Refuse a head whose loss, or a term of it, became no number."""
    for number, row in enumerate(trained.curve, start=1):
        wrong = [f"{term} {x}" for term, x in row.items() if not math.isfinite(x)]
        if wrong:
            raise MmclustError(
                f"The training of {head} diverged",
                where=f"row {number} of {len(trained.curve)} of its curve",
                expected="a finite loss",
                found=", ".join(wrong),
                do="lower its learning rate (heads in params.yaml, or --set), or scale "
                "the features",
            )


@threads(1)
def _group(fit: Callable[..., list[Trained]], task: tuple[str, list[int]]) -> Any:
    device, seeds = task
    return fit(seeds=seeds, device=device)


@threads(1)
def _prepared(module: ModuleType, inputs: HeadInputs, params: Any, device: str) -> Any:
    """Return what a head makes of its inputs before any seed."""
    if not hasattr(module, "prepare"):
        return inputs
    return module.prepare(inputs, params, device=device)
