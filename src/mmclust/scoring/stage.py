"""The `score` stage: the one place where clusters meet labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmclust.core.io import file_digest, read_table
from mmclust.core.labels import read_labels
from mmclust.core.manifest import summary_path
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.scoring.names import score_names
from mmclust.scoring.outcomes import match_clusters, write_csv, write_outcomes
from mmclust.scoring.record import (
    Record,
    Score,
    adjusted,
    path_of,
    write,
    write_means,
)
from mmclust.scoring.runs import Runs, baseline_of, read_all
from mmclust.scoring.summary import compared, per_run, rounded, score_runs, scores_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.core.clusters import Clustering
    from mmclust.core.params import Params
    from mmclust.scoring.record import Key
    from mmclust.scoring.summary import Scored

HEADLINES = ("acc", "nmi", "ari")
"""The metrics that DVC lists, and by which the best method is found."""
PAIRS = (("text", "image"), ("concat", "image"), ("concat", "text"))
"""Views of one encoder that are compared: each, and the one it is held against."""


def score_benchmark(
    benchmark: str, params: Params, root: Path
) -> tuple[Record, list[Path]]:
    """Score every clustering of a benchmark and write what the pipeline wants.

    A benchmark without classes has no such scores (those without labels are in
    ``metrics/details/cluster``); the files are written all the same, for what comes
    after.

    Parameters
    ----------
    benchmark
        Its name.
    params
        ``encoders`` and ``model.heads`` say whose clusters are read; ``model`` which
        method the confusion matrix is of; ``score`` and ``seed`` decide the
        resamples and the baseline.
    root
        The repository; labels and clusters are read under ``data/``.

    Returns
    -------
    record
        Every number; see :class:`mmclust.scoring.record.Score`. A method is compared
        with the baseline, with the same method on other views (:data:`PAIRS`) and,
        by each of :data:`HEADLINES`, with the best method.
    paths
        What was written: the record, its means, the curve over k, the confusion
        matrix, the outcome of each image, and the scores of each seed.

    Raises
    ------
    MmclustError
        When clusters and labels are of different images or all labels are
        hidden.
    """
    every = _read(benchmark, params, root, reveal=False)
    main = next(runs for runs in every if runs.encoder == params.model.encoder)
    method = _primary(main.clusterings, params)
    record = _record(benchmark, params, every)
    names = root / "data/clusters" / benchmark / "names" / f"{main.encoder}.parquet"
    record = Record((*record, *_names(names, main, method)))
    paths = [
        path_of(root, "score", benchmark),
        root / "metrics/score" / benchmark,
        root / "plots/k" / f"{benchmark}.csv",
        root / "plots/confusion" / f"{benchmark}.csv",
        root / "data/scores" / f"{benchmark}.parquet",
        root / "plots/seeds" / f"{benchmark}.csv",
    ]
    write(paths[0], record)
    write_means(paths[1], _means(record, every, params.model.encoder, method))
    head = ["encoder", "view", "k", "metric", "score"]
    write_csv(paths[2], head, sorted(row for runs in every for row in _curve(runs)))
    # The report shows the summary; through this digest it is made anew with it.
    summary = summary_path(root / "data/benchmarks" / benchmark)
    meta = {"encoder": main.encoder, "summary": file_digest(summary)}
    write_outcomes(paths[3], paths[4], main, method, meta)
    head = ["encoder", "view", "clusterer", "seed", "metric", "score"]
    write_csv(paths[5], head, sorted(row for runs in every for row in _seeds(runs)))
    return record, paths


def reveal_benchmark(benchmark: str, params: Params, root: Path) -> Record:
    """Score likewise, on all images: labels that are kept aside are read, too.

    Writes nothing: what the pipeline tracks never holds such scores.
    """
    return _record(benchmark, params, _read(benchmark, params, root, reveal=True))


def _read(benchmark: str, params: Params, root: Path, *, reveal: bool) -> list[Runs]:
    labels = root / "data/benchmarks" / benchmark / "labels.parquet"
    folder = root / "data/clusters" / benchmark
    return read_all(benchmark, params, folder, read_labels(labels, reveal=reveal))


def _record(benchmark: str, params: Params, every: list[Runs]) -> Record:
    """Score all methods at their main k, and compare them."""
    methods = {
        key: (runs, one)
        for runs in every
        if len(runs.seen)
        for key, one in runs.main().items()
    }
    scored = {
        key: score_runs(
            runs.truth,
            method.labels[:, runs.seen],
            n_resamples=params.score.n_resamples,
            # Equal generators draw equal images for all, which pairs them.
            rng=generator(params.seed, "score", benchmark),
        )
        for key, (runs, method) in track(
            methods.items(), f"{benchmark} score", len(methods), "methods"
        )
    }
    images = {key: runs.image_ids for key, (runs, _) in methods.items()}
    base = baseline_of(methods, params) if methods else None
    against_base, alone = [], []
    for key, (_, method) in methods.items():
        for score in scores_of(scored[key], key, method.k):
            if base in (None, key) or images[base] != images[key]:
                alone.append(score)
            else:
                against_base.append(compared(score, scored[key], scored[base], base))
    order = {key: place for place, key in enumerate(methods)}
    first = sorted([*alone, *adjusted(against_base)], key=lambda s: order[s.key])
    views = adjusted(
        [
            compared(score, scored[score.key], scored[other], other)
            for score in first
            if score.metric in scored[score.key].resampled
            for other in _other_views(score.key, scored)
        ]
    )
    return Record((*first, *views, *_against_best(first, scored, images)))


def _other_views(key: Key, scored: Mapping[Key, Scored]) -> list[Key]:
    encoder, view, method = key
    others = [(encoder, other, method) for own, other in PAIRS if own == view]
    return [other for other in others if other in scored]


def _against_best(
    first: list[Score], scored: Mapping[Key, Scored], images: Mapping[Key, list[str]]
) -> list[Score]:
    """Compare every method with the best of those on the same images, by each metric.

    The best is chosen by these very scores, so that its lead is a little flattered.
    """
    found: list[Score] = []
    for metric in HEADLINES:
        rows = [score for score in first if score.metric == metric]
        if not rows:
            continue
        best = max(rows, key=lambda score: score.mean or 0.0).key
        found += adjusted(
            [
                compared(replace(s, versus=""), scored[s.key], scored[best], best)
                for s in rows
                if s.key != best and images[s.key] == images[best]
            ]
        )
    # Where the best is the baseline, the comparison is there already.
    known = {(s.key, s.metric, s.versus) for s in first}
    return [s for s in found if (s.key, s.metric, s.versus) not in known]


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
            metric: record.mean(key, metric) for metric in HEADLINES
        }
        for key in shown
    }


def _curve(runs: Runs) -> list[list[Any]]:
    """Return the scores of k-means at every k."""
    rows: list[list[Any]] = []
    if not len(runs.seen):
        return rows
    for method in runs.clusterings:
        if method.clusterer == "kmeans":
            scores = per_run(runs.truth, method.labels[:, runs.seen])
            rows += [
                [runs.encoder, method.view, method.k, name, rounded(float(v.mean()))]
                for name, v in scores.items()
            ]
    return rows


def _seeds(runs: Runs) -> list[list[Any]]:
    """Return the scores of every method at its main k, seed by seed."""
    if not len(runs.seen):
        return []
    return [
        [*key, seed, name, rounded(score)]
        for key, method in runs.main().items()
        for name, values in per_run(runs.truth, method.labels[:, runs.seen]).items()
        for seed, score in enumerate(values.tolist())
    ]


def _primary(runs: list[Clustering], params: Params) -> Clustering:
    """Return the first clusterer on the widest view: chosen by params, not by score."""
    first = [c for c in runs if c.clusterer == params.model.clusterers[0]] or runs
    return next((c for c in first if c.view == "concat"), first[0])


def _names(path: Path, runs: Runs, method: Clustering) -> list[Score]:
    """Score the keywords, and the nouns where there are any, of the main method."""
    if not len(runs.seen):
        return []
    of = (method.clusterer, method.view, str(method.k))
    rows = [
        row
        for row in read_table(path)[0].to_pylist()
        if (row["clusterer"], row["view"], str(row["k"])) == of
    ]
    matched = match_clusters(runs, method)
    found = []
    for kind in ("keywords", "nouns"):
        names = {row["cluster"]: row[kind] for row in rows}
        if any(names.values()):
            found += [
                Score(
                    runs.encoder, method.view, method.clusterer, f"{kind}_{metric}",
                    value, k=method.k, n_seeds=1, definition="names-2",
                )
                for metric, value in score_names(names, matched).items()
            ]  # fmt: skip
    return found
