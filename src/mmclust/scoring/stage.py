"""The `score` stage: the one place where clusters meet labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.io import file_digest, read_table, write_json
from mmclust.core.labels import read_labels
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.scoring.names import DEFINITION as NAMES_DEFINITION
from mmclust.scoring.names import score_names
from mmclust.scoring.outcomes import match_clusters, write_csv, write_outcomes
from mmclust.scoring.runs import Key, Runs, baseline_of, read_all
from mmclust.scoring.summary import (
    adjust,
    per_run,
    rounded,
    score_runs,
    summarise,
)
from mmclust.scoring.views import compare_views
from mmclust.scoring.wordnet import read_wordnet

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.clusters import Clustering
    from mmclust.core.params import Params
    from mmclust.scoring.summary import Scored

    Scores = dict[str, dict[str, dict[str, dict[str, Any]]]]


def score_benchmark(
    benchmark: str, params: Params, root: Path
) -> tuple[Scores, list[Path]]:
    """Score every clustering of a benchmark and write what the pipeline wants.

    A benchmark without classes has no such scores (those without labels are in
    ``metrics/internal``); the files are written all the same, for what comes after.

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
    scores
        Encoder → view → clusterer → record, and ``heads`` → view → head; see
        :func:`mmclust.scoring.summary.summarise`.
    paths
        What was written: metrics, those of names, the curve over k, the confusion
        matrix, the outcome of each image, the scores of each seed, and the views
        compared.

    Raises
    ------
    MmclustError
        When clusters and labels are of different images or all labels are
        hidden.
    """
    every = _read(benchmark, params, root, reveal=False)
    scored = _scored(benchmark, params, every)
    records = _records(params, every, scored)
    main = next(runs for runs in every if runs.origin == params.model.encoder)
    method = _primary(main.clusterings, params)
    paths = [
        root / "metrics/clustering" / f"{benchmark}.json",
        root / "metrics/names" / f"{benchmark}.json",
        root / "plots/k" / f"{benchmark}.csv",
        root / "plots/confusion" / f"{benchmark}.csv",
        root / "data/scores" / f"{benchmark}.parquet",
        root / "plots/seeds" / f"{benchmark}.csv",
        root / "metrics/views" / f"{benchmark}.json",
    ]
    write_json(paths[0], records)
    names = root / "data/clusters" / benchmark / "names" / f"{main.origin}.parquet"
    write_json(paths[1], _names(names, main, method, params, root))
    head = ["encoder", "view", "k", "metric", "score"]
    write_csv(paths[2], head, sorted(row for runs in every for row in _curve(runs)))
    # The report shows the summary; through this digest it is made anew with it.
    summary = root / "data/benchmarks" / benchmark / "summary.json"
    meta = {"encoder": main.origin, "summary": file_digest(summary)}
    write_outcomes(paths[3], paths[4], main, method, meta)
    head = ["encoder", "view", "clusterer", "seed", "metric", "score"]
    write_csv(paths[5], head, sorted(row for runs in every for row in _seeds(runs)))
    write_json(paths[6], compare_views(scored))
    return records, paths


def reveal_benchmark(benchmark: str, params: Params, root: Path) -> Scores:
    """Score likewise, on all images: labels that are kept aside are read, too.

    Writes nothing: what the pipeline tracks never holds such scores.
    """
    every = _read(benchmark, params, root, reveal=True)
    return _records(params, every, _scored(benchmark, params, every))


def _read(benchmark: str, params: Params, root: Path, *, reveal: bool) -> list[Runs]:
    labels = root / "data/benchmarks" / benchmark / "labels.parquet"
    folder = root / "data/clusters" / benchmark
    return read_all(benchmark, params, folder, read_labels(labels, reveal=reveal))


def _methods(every: list[Runs]) -> dict[Key, tuple[Runs, Clustering]]:
    """Return what is scored: of all methods that ran on images with a class."""
    return {
        key: (runs, one)
        for runs in every
        if len(runs.seen)
        for key, one in runs.main().items()
    }


def _scored(benchmark: str, params: Params, every: list[Runs]) -> dict[Key, Scored]:
    """Score all methods at their main k."""
    methods = _methods(every)
    todo = track(methods.items(), f"{benchmark} score", len(methods), "methods")
    return {
        key: score_runs(
            runs.truth,
            method.labels[:, runs.seen],
            n_resamples=params.score.n_resamples,
            # Equal generators draw equal images for all, which pairs them.
            rng=generator(params.seed, "score", benchmark),
        )
        for key, (runs, method) in todo
    }


def _records(params: Params, every: list[Runs], scored: dict[Key, Scored]) -> Scores:
    """Return the record of each method, held against the baseline."""
    methods = _methods(every)
    if not methods:
        return {}
    base = baseline_of(methods, params)
    records: Scores = {}
    for key, (runs, method) in methods.items():
        record: dict[str, Any] = {"k": method.k}
        if base in (None, key) or methods[base][0].image_ids != runs.image_ids:
            record |= summarise(scored[key])
        else:
            record |= summarise(scored[key], scored[base])
            record["baseline"] = " ".join(base)
        records.setdefault(key[0], {}).setdefault(key[1], {})[key[2]] = record
    adjust(
        [
            record
            for views in records.values()
            for methods_of_view in views.values()
            for record in methods_of_view.values()
        ]
    )
    return records


def _curve(runs: Runs) -> list[list[Any]]:
    """Return the scores of k-means at every k."""
    rows: list[list[Any]] = []
    if not len(runs.seen):
        return rows
    for method in runs.clusterings:
        if method.clusterer == "kmeans":
            scores = per_run(runs.truth, method.labels[:, runs.seen])
            rows += [
                [runs.origin, method.view, method.k, name, rounded(float(v.mean()))]
                for name, v in scores.items()
            ]
    return rows


def _seeds(runs: Runs) -> list[list[Any]]:
    """Return the scores of every method at its main k, seed by seed."""
    if not len(runs.truth):
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


def _names(
    path: Path, runs: Runs, method: Clustering, params: Params, root: Path
) -> dict[str, Any]:
    """Score the keywords, and the nouns where there are any, of the main method."""
    if not len(runs.seen):
        reason = "the benchmark has no classes that names could be held against"
        return {"definition": NAMES_DEFINITION, "reason": reason}
    table, _ = read_table(path)
    of: Key = (method.clusterer, method.view, str(method.k))
    rows = [
        row
        for row in table.to_pylist()
        if (row["clusterer"], row["view"], str(row["k"])) == of
    ]
    matched = match_clusters(runs, method)
    given = params.score.wordnet
    wordnet = read_wordnet(root / given) if given else None
    record: dict[str, Any] = {"definition": NAMES_DEFINITION}
    for kind in ("keywords", "nouns"):
        names = {row["cluster"]: row[kind] for row in rows}
        if any(names.values()):
            scored = score_names(names, matched, wordnet)
            record[kind] = {name: rounded(value) for name, value in scored.items()}
    if wordnet is None:
        record["path_similarity_reason"] = (
            "no WordNet was given: set score.wordnet to data.noun or its archive"
        )
    return record
