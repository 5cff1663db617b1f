"""The `score` stage: the one place where clusters meet labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.features import read_features
from mmclust.core.fingerprint import fingerprint
from mmclust.core.io import file_digest
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest, summary_path
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.core.types import Fitted
from mmclust.core.workers import in_order
from mmclust.scoring.clustering import (
    COUNTED,
    METRICS,
    per_run,
    score_runs,
)
from mmclust.scoring.intervals import adjusted, beside, scores_of
from mmclust.scoring.outcomes import (
    confusion,
    match_clusters,
    name_scores,
    write_outcomes,
)
from mmclust.scoring.record import (
    HEADLINES,
    Key,
    Record,
    Score,
    is_floor,
    named,
    path_of,
    read,
    rounded,
    write,
    write_csv,
    write_means,
)
from mmclust.scoring.references import rank_correlations, reference_scores
from mmclust.scoring.resamples import write_resamples
from mmclust.scoring.runs import read_all
from mmclust.scoring.selection import head_scores, select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmclust.core.clusters import Clustering
    from mmclust.core.features import Features
    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params
    from mmclust.core.plugins import Instance
    from mmclust.scoring.clustering import Figures
    from mmclust.scoring.runs import Runs

Array = np.ndarray[Any, Any]

MEANS = HEADLINES["score"][:1]
"""What DVC lists of heads and of the primary method; the record has the rest."""
PAIRS = (("text", "image"), ("concat", "image"), ("concat", "text"))
"""Views of one encoder that are compared: each, and the one it is held against."""
WORTH_A_PROCESS = 50_000_000
"""Clusters of images, resampled: two seconds' work, as long as processes start."""
DEFINITION_OF = {
    **dict.fromkeys(METRICS, "clustering-2"),
    "ami": "ami-1",
    **dict.fromkeys(("n_clusters", "largest", "smallest", "noise"), "use-2"),
}


def score_benchmark(
    benchmark: str, params: Params, root: Path, *, workers: int = 1
) -> tuple[Record, list[Path]]:
    """Score every clustering of a benchmark and write what the pipeline wants.

    A benchmark without classes has no such scores (those without labels are in
    ``metrics/details/cluster``); the files are written all the same, for what comes
    after.

    Returns
    -------
    record
        Every number. A method is compared with the baseline, with the same method on
        other views (:data:`PAIRS`) and, by each of its headlines, with the best
        method.
    paths
        What was written: the record, its means, the curve over k, the confusion
        matrix, the outcome of each image, the scores of each seed, those of heads
        without labels, the references, and resamples.
    """
    every = read_all(benchmark, params, root, reveal=False)
    main = next(runs for runs in every if runs.encoder == params.model.encoder)
    method = _primary(main.clusterings, params)
    free = _label_free(benchmark, params, root, every, workers)
    why = _add_selected(params, every, free.all)
    figures = _figures(benchmark, params, every, workers)
    names = root / "data/clusters" / benchmark / "names" / f"{main.encoder}.parquet"
    record = Record(
        (
            *_rows(params, every, figures, why),
            *name_scores(names, main, method, _sentences(params, benchmark)),
        )
    )
    references = _references(benchmark, params, root, record, free)
    paths = _paths(benchmark, root)
    drawn = {key: (params.seed, r.image_ids) for r in every for key in r.main()}
    write_resamples(root, "score", benchmark, figures, drawn)
    write(paths[0], record)
    write_means(paths[1], _means(record, every, params.model.encoder, method))
    head = ["encoder", "view", "k", "metric", "score"]
    curves = [row for runs in every for row in _curve(runs, params.swept)]
    write_csv(paths[2], head, sorted(curves))
    # The report shows the summary; through this digest it is made anew with it.
    summary = summary_path(root / "data/benchmarks" / benchmark)
    meta = {"encoder": main.encoder, "summary": file_digest(summary)}
    matched = match_clusters(main, method)
    head = ["class", "cluster", "count"]
    write_csv(paths[3], head, confusion(main, method, matched))
    write_outcomes(paths[4], main, method, matched, meta)
    head = ["encoder", "view", "clusterer", "seed", "metric", "score"]
    write_csv(paths[5], head, _seeds(figures))
    write(paths[6], free.heads)
    write(paths[7], references)
    return record, paths


def _paths(benchmark: str, root: Path) -> list[Path]:
    """Return what the stage writes, in this order."""
    return [
        path_of(root, "score", benchmark),
        root / "metrics/score" / benchmark,
        root / "plots/k" / f"{benchmark}.csv",
        root / "plots/confusion" / f"{benchmark}.csv",
        root / "data/scores" / f"{benchmark}.parquet",
        root / "plots/seeds" / f"{benchmark}.csv",
        path_of(root, "cluster", benchmark),
        path_of(root, "reference", benchmark),
        path_of(root, "resamples/score", benchmark),
    ]


def fingerprint_of_scores(benchmark: str, params: Params) -> Fingerprint:
    """Take the fingerprint of a run here; see :func:`score_benchmark`.

    References embed the names of classes with the encoder whose features they score;
    explanations are compared with them by a sentence encoder.
    """
    root, encoder = Path("data"), params.model.encoder
    built = root / "benchmarks" / benchmark
    texts = [
        params.instance("encoders", encoder, benchmark),
        *_sentence_encoders(params, benchmark)[:1],
    ]
    kinds = {"clusterers": params.model.clusterers, "heads": params.model.heads}
    methods = [
        params.instance(kind, each) for kind, own in kinds.items() for each in own
    ]
    return fingerprint(
        ("score", benchmark),
        _paths(benchmark, Path()),
        modules=[__name__, *(module for each in texts for module in each.modules)],
        inputs=[
            *(built / f"{name}.parquet" for name in ("labels", "manifest")),
            summary_path(built),
            root / "clusters" / benchmark,
            root / "features" / benchmark,
            path_of(Path(), "cluster", benchmark).with_suffix(""),
        ],
        options={
            "seed": params.seed,
            "score": params.score,
            "model": params.model,
            "templates": params.nouns.templates,
            "encoders": [*params.encoders],
            "texts": texts,
            "methods": methods,
        },
        weights=[
            getattr(each.module, "identity", lambda _: None)(each.options)
            for each in texts
        ],
    )


def reveal_benchmark(
    benchmark: str, params: Params, root: Path, *, workers: int = 1
) -> Record:
    """Score likewise, on all images: labels that are kept aside are read, too.

    Writes nothing: what the pipeline tracks never holds such scores.
    """
    every = read_all(benchmark, params, root, reveal=True)
    free = _label_free(benchmark, params, root, every, workers)
    why = _add_selected(params, every, free.all)
    figures = _figures(benchmark, params, every, workers)
    return Record(tuple(_rows(params, every, figures, why)))


@dataclass(frozen=True)
class Free:
    """Label-free scores: of heads, which this stage makes, and of everything."""

    heads: list[Score]
    all: Record


def _label_free(
    benchmark: str, params: Params, root: Path, every: list[Runs], workers: int
) -> Free:
    """Score heads without labels; read what the cluster stage wrote of the rest."""
    heads: list[tuple[Clustering, list[Array]]] = []
    known = partial(cache(_features), benchmark, root=root)
    for runs in (runs for runs in every if runs.head):
        for one in runs.main().values():
            options = params.instance("heads", one.clusterer).options
            read_by = getattr(options, "encoders", ()) or (params.model.encoder,)
            found = [each for name in read_by if (each := known(name)) is not None]
            if len(found) == len(read_by):
                row = {i: n for n, i in enumerate(found[0][0].image_ids)}
                rows = [row[i] for i in runs.labels.image_ids]
                heads.append((one, [f.views["image"][rows] for _, f in found]))
    scored = head_scores(params.model.encoder, heads, seed=params.seed, workers=workers)
    paths = [path_of(root, "cluster", benchmark, each) for each in params.encoders]
    rest = [score for path in paths if path.is_file() for score in read(path)]
    return Free(scored, Record((*rest, *scored)))


def _features(
    benchmark: str, encoder: str, root: Path
) -> tuple[Manifest, Features] | None:
    """Return features of all rows; None where there are clusters alone."""
    folder = root / "data/features" / benchmark / encoder
    if not (folder / "features.json").is_file():
        return None
    built = root / "data/benchmarks" / benchmark / "manifest.parquet"
    manifest = read_manifest(built)
    return manifest, read_features(folder, manifest)


def _add_selected(params: Params, every: list[Runs], free: Record) -> dict[Key, str]:
    """Add to the runs what ``model.select`` chooses; return why, in words.

    The choice is made of label-free scores, before a label is compared with anything.
    """
    by = params.model.select
    if by is None:
        return {}
    kinds = (("clusterers", params.model.clusterers), ("heads", params.model.heads))
    plugins = {
        name: params.instance(kind, name).plugin for kind, names in kinds
        for name in names
    }  # fmt: skip
    known = {key: (runs, one) for runs in every for key, one in runs.main().items()}
    why = {}
    for name, (key, words) in select(known, plugins, free, by).items():
        runs, one = known[key]
        every.append(replace(runs, clusterings=[replace(one, clusterer=name[2])]))
        why[name] = words
    return why


def _references(
    benchmark: str, params: Params, root: Path, record: Record, free: Free
) -> list[Score]:
    """Score what uses labels or names, and how label-free scores rank methods."""
    found = _features(benchmark, params.model.encoder, root)
    if found is None or not record:
        return []
    folder = root / "data/features" / benchmark / params.model.encoder
    labels = read_labels(root / "data/benchmarks" / benchmark / "labels.parquet")
    manifest, features = found
    floors = {key for key in record.methods() if is_floor(params, key)}
    return [
        *reference_scores(params, features, folder, manifest, labels),
        *rank_correlations(record, [free.all], params.model.encoder, floors),
    ]


def _figures(
    benchmark: str, params: Params, every: list[Runs], workers: int
) -> dict[Key, Figures]:
    """Score all methods at their main k, each by itself."""
    tasks = [
        (key, runs.truth, method.labels[:, runs.seen])
        for runs in every
        if len(runs.seen)
        for key, method in runs.main().items()
    ]
    n_resamples = params.score.n_resamples
    if n_resamples * sum(labels.size for *_, labels in tasks) < WORTH_A_PROCESS:
        workers = 1
    run = partial(_score, benchmark, params.seed, n_resamples)
    found = in_order(run, tasks, workers, describe=lambda task: named(task[0]))
    scored = track(found, f"{benchmark} score", len(tasks), "methods")
    return {key: each for (key, *_), each in zip(tasks, scored, strict=True)}


def _score(
    benchmark: str, seed: int, n_resamples: int, task: tuple[Key, Array, Array]
) -> Figures:
    _, truth, labels = task
    # Equal generators draw equal images for all, which pairs them.
    rng = generator(seed, "score", benchmark)
    return score_runs(truth, labels, n_resamples=n_resamples, rng=rng)


def _rows(
    params: Params,
    every: list[Runs],
    figures: Mapping[Key, Figures],
    why: Mapping[Key, str],
) -> list[Score]:
    """Return the rows of all methods, and what they are compared with.

    ``why`` says which setting stands behind a method that was chosen.
    """
    methods = {key: one for runs in every for key, one in runs.main().items()}
    images = {key: runs.image_ids for runs in every for key in runs.main()}
    base = _baseline(figures, params) if figures else None
    first: list[Score] = []
    for key, each in figures.items():
        other = None
        if base is not None and base != key and images[base] == images[key]:
            other = base, figures[base]
        ordered = {name: each[name] for name in (*METRICS, "ami", *COUNTED)}
        n_seeds = len(each["ami"].runs)
        first += [
            replace(s, k=methods[key].k, definition=DEFINITION_OF.get(s.metric, ""))
            for s in scores_of(ordered, key, n_seeds=n_seeds, baseline=other)
        ]
    first = [
        replace(s, note=why[s.key]) if s.metric == MEANS[0] and s.key in why else s
        for s in adjusted(first)
    ]
    views = adjusted(
        [
            _against(score, other, figures)
            for score in first
            if score.metric in METRICS
            for other in _other_views(score.key)
            if other in figures
        ]
    )
    return [*first, *views, *_against_best(first, figures, images)]


def _against(score: Score, other: Key, figures: Mapping[Key, Figures]) -> Score:
    """Compare a score with another method than the baseline."""
    own, theirs = (figures[key][score.metric] for key in (score.key, other))
    return beside(replace(score, note=""), own, theirs, other)


def _other_views(key: Key) -> list[Key]:
    encoder, view, method = key
    return [(encoder, other, method) for own, other in PAIRS if own == view]


def _against_best(
    first: list[Score], figures: Mapping[Key, Figures], images: Mapping[Key, list[str]]
) -> list[Score]:
    """Compare every method with the best of those on the same images, by each metric.

    The best is chosen by these very scores, so that its lead is a little flattered.
    """
    found: list[Score] = []
    for metric in HEADLINES["score"] if first else ():
        rows = [score for score in first if score.metric == metric]
        best = max(rows, key=lambda score: score.mean or 0.0).key
        found += adjusted(
            [
                _against(score, best, figures)
                for score in rows
                if score.key != best and images[score.key] == images[best]
            ]
        )
    # Where the best is the baseline, the comparison is there already.
    known = {(s.key, s.metric, s.versus) for s in first}
    return [s for s in found if (s.key, s.metric, s.versus) not in known]


def _baseline(methods: Mapping[Key, Any], params: Params) -> Key | None:
    """Return the method that others are compared with; None where it did not run."""
    asked = params.score.baseline
    key = (asked.encoder or params.model.encoder, asked.view, asked.clusterer)
    if key in methods:
        return key
    if asked.encoder is not None:
        raise MmclustError(
            "The baseline is not among the methods that ran",
            where="score.baseline in params.yaml",
            expected=nearest(named(key), map(named, methods)),
            found=named(key),
            do="name a method that runs: encoder, view and clusterer",
        )
    return None


def _means(
    record: Record, every: list[Runs], encoder: str, primary: Clustering
) -> dict[str, dict[str, float | None]]:
    """Return what DVC lists: heads, and the primary method."""
    heads = {key for runs in every if runs.head for key in runs.main()}
    shown = [
        key
        for key in record.methods()
        if key in heads or key == (encoder, primary.view, primary.clusterer)
    ]
    names = [key[2] for key in shown]
    return {
        key[2] if names.count(key[2]) == 1 else f"{key[1]}.{key[2]}": {
            metric: record.mean(key, metric) for metric in MEANS
        }
        for key in shown
    }


def _curve(runs: Runs, swept: str) -> list[list[Any]]:
    """Return the scores of the k-means that ran at every k."""
    return [
        [runs.encoder, method.view, method.k, name, rounded(float(values.mean()))]
        for method in runs.clusterings
        if method.clusterer == swept and len(runs.seen)
        for name, values in per_run(runs.truth, method.labels[:, runs.seen]).items()
    ]


def _seeds(figures: Mapping[Key, Figures]) -> list[list[Any]]:
    """Return the scores of every method at its main k, seed by seed."""
    return sorted(
        [*key, seed, name, rounded(score)]
        for key, each in figures.items()
        for name in METRICS
        for seed, score in enumerate(each[name].runs.tolist())
    )


def _primary(runs: list[Clustering], params: Params) -> Clustering:
    """Return the first clusterer on the widest view: chosen by params, not by score."""
    first = [c for c in runs if c.clusterer == params.model.clusterers[0]] or runs
    return next((c for c in first if c.view == "concat"), first[0])


def _sentences(params: Params, benchmark: str) -> Callable[[list[str]], Any] | None:
    """Return what the first sentence encoder of the run makes of texts, if any is."""
    for made in _sentence_encoders(params, benchmark):
        encode = made.module.encode_captions
        return partial(encode, params=made.options, fitted=Fitted(), device="cpu")
    return None


def _sentence_encoders(params: Params, benchmark: str) -> list[Instance]:
    made = (params.instance("encoders", name, benchmark) for name in params.encoders)
    return [each for each in made if each.plugin == "sbert"]
