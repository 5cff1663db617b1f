"""Scoring a user's own clusters: CSV, parquet or npy, joined by image id.

Also a submission, against the classes that were hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import NOISE, read_clusters
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import file_digest, read_table, require_file
from mmclust.core.labels import read_labels
from mmclust.core.seeds import generator
from mmclust.core.text import look_alikes, same_form
from mmclust.scoring.clustering import score_runs, summarise
from mmclust.scoring.columns import read_assignment, text_of
from mmclust.scoring.record import defined
from mmclust.scoring.submission import read_asked, read_submission

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mmclust.core.params import Params


@dataclass(frozen=True)
class Choice:
    """Which method of a file of ``data/clusters``; ``None``: the only one."""

    method: str | None = None
    view: str | None = None
    k: int | None = None

    def filled(self, other: Choice) -> Choice:
        """Return what this leaves open as another has it."""
        k = other.k if self.k is None else self.k
        return Choice(self.method or other.method, self.view or other.view, k)


def score_files(
    labels: Path,
    clusters: Sequence[Path],
    *,
    n_resamples: int,
    seed: int,
    choice: Choice | None = None,
    baseline: Sequence[Path] = (),
    baseline_choice: Choice | None = None,
    reveal: bool = False,
) -> dict[str, Any]:
    """Score clusters against labels, both read from files.

    Parameters
    ----------
    labels
        Columns ``image_id`` and ``label`` (any text or number; -1 means hidden:
        such images are left out and counted), or an ``.npy`` of labels.
    clusters
        One file per run of the method, columns ``image_id`` and ``cluster`` (-1 is
        noise), or ``.npy`` arrays in the order of an ``.npy`` of labels; or a file
        of ``data/clusters``, all seeds of one method, which ``choice`` names.
    baseline
        Files of another method's runs, to compare with; with ``baseline_choice``
        alone, ``clusters`` again. What that leaves open is as in ``choice``.
    reveal
        Read the labels that the benchmark's builder keeps aside; ``labels`` is then
        its ``labels.parquet``.
    """
    truth = _revealed(labels) if reveal else read_assignment(labels, "label")
    ids = _visible(truth, labels)
    classes = _codes([truth[i] for i in ids])
    choice, other = choice or Choice(), baseline_choice or Choice()
    if other != Choice():
        baseline = baseline or clusters
    sides = (
        (clusters, choice, "--"),
        (baseline, other.filled(choice), "--baseline-"),
    )
    scored = []
    for files, which, front in sides:
        joined = [
            _same_images(truth, run, labels, path)
            for path in files
            for run in _read_runs(path, which, front)
        ]
        if joined:
            predicted = np.stack([_clusters([run[i] for i in ids]) for run in joined])
            rng = generator(seed, "score", "files")
            scored.append(
                score_runs(classes, predicted, n_resamples=n_resamples, rng=rng)
            )
    return {
        "definition": defined("clustering-2"),
        "n_hidden": len(truth) - len(ids),
        **summarise(*scored),
    }


def _visible(truth: dict[str, str], labels: Path) -> list[str]:
    """Return the images whose class is not hidden, in order."""
    ids = sorted(i for i, value in truth.items() if value != "-1")
    if not ids:
        raise MmclustError(
            "There is no label to score against",
            where=labels,
            expected="at least one image with a label other than -1",
            found=f"{len(truth)} rows",
        )
    return ids


def _revealed(path: Path) -> dict[str, str]:
    if path.suffix != ".parquet":
        raise MmclustError(
            "Only a benchmark that was built here has labels to reveal",
            where=path,
            expected="the labels.parquet of a folder under data/benchmarks",
            found=path.name,
        )
    found = read_labels(path, reveal=True)
    return dict(zip(found.image_ids, map(text_of, found.labels.tolist()), strict=True))


def _read_runs(path: Path, choice: Choice, front: str) -> list[dict[str, str]]:
    """Read the runs of a method: one, or all seeds of a file of ``data/clusters``.

    ``front`` is how the options begin that choose it.
    """
    if path.suffix != ".parquet" or "methods" not in read_table(require_file(path))[1]:
        return [read_assignment(path, "cluster")]
    clusterings, ids, _ = read_clusters(path)
    fits = [
        one
        for one in clusterings
        if choice.method in (None, one.clusterer)
        and choice.view in (None, one.view)
        and choice.k in (None, one.k)
    ]
    if len(fits) != 1:
        held = [f"{c.clusterer} {c.view} k={c.k}" for c in fits or clusterings]
        raise MmclustError(
            f"{path.name} holds {'several methods' if fits else 'no such method'}",
            where=path,
            expected="one clusterer, view and k",
            found=some(held, 12),
            do=f"choose with {front}method, {front}view and {front}k",
        )
    return [
        dict(zip(ids, map(str, row.tolist()), strict=True)) for row in fits[0].labels
    ]


def _same_images(
    truth: dict[str, str], run: dict[str, str], labels: Path, clusters: Path
) -> dict[str, str]:
    """Return the run under the ids that the labels have."""
    if truth.keys() != run.keys():
        own = as_written(run, truth)
        run = {own[image_id]: value for image_id, value in run.items()}
    if truth.keys() != run.keys():
        alike = look_alikes({*truth, *run})
        no_cluster = sorted(truth.keys() - run.keys())
        no_label = sorted(run.keys() - truth.keys())
        raise MmclustError(
            "Labels and clusters are not of the same images",
            where=f"{labels} and {clusters}",
            expected="the same image_ids in both",
            found=f"{len(no_cluster)} without a cluster ({some(no_cluster) or '-'}), "
            f"{len(no_label)} without a label ({some(no_label) or '-'})"
            + (f"; some {alike}" if alike else ""),
            do=NUMBERED
            if _numbered(run) != _numbered(truth)
            else "give every image of one file a row in the other; hide a class "
            "with the label -1",
        )
    return run


def as_written(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return each name as other names have it: itself, or the one that looks the same.

    Files from macOS spell ``é`` as two characters, others as one. Names that look the
    same and are not alone in it stay as they are.
    """
    names, others = list(names), set(known)
    found = dict(zip(names, names, strict=True))
    alone = _alone(others)
    for form, name in _alone(names).items():
        if name not in others and alone.get(form, name) not in found:
            found[name] = alone.get(form, name)
    return found


def _alone(names: Iterable[str]) -> dict[str, str]:
    """Return names by their Unicode form, but for those that share one."""
    forms: dict[str, str | None] = {}
    for name in names:
        form = same_form(name)
        forms[form] = None if form in forms else name
    return {form: name for form, name in forms.items() if name is not None}


NUMBERED = (
    "one of the two has numbers of rows for ids: give `mmclust fit` the image ids with "
    "--ids, one a line, in the order of the features"
)


def _numbered(ids: Mapping[str, str]) -> bool:
    """Tell whether ids are the numbers of rows."""
    return ids.keys() == {str(row) for row in range(len(ids))}


def _codes(values: list[str]) -> np.ndarray[Any, Any]:
    return np.unique(values, return_inverse=True)[1]


def _clusters(values: list[str]) -> np.ndarray[Any, Any]:
    """Give clusters numbers from 0, and noise -1."""
    noise = np.array([value == str(NOISE) for value in values])
    codes = np.full(len(values), NOISE)
    codes[~noise] = _codes([value for value in values if value != str(NOISE)])
    return codes


def score_submission(
    benchmark: str,
    path: Path,
    params: Params,
    root: Path,
    max_clusters: int | None = None,
) -> dict[str, Any]:
    """Score a submission; reads the labels that are kept aside.

    ``max_clusters`` may be in it; ``None``: as many as classes.
    """
    asked = read_asked(root, benchmark)
    found = read_submission(path, asked.ids, max_clusters or asked.n_classes)
    truth = _revealed(root / "data/benchmarks" / benchmark / "labels.parquet")
    scored = score_runs(
        _codes([truth[i] for i in asked.ids]),
        _clusters([str(found[i]) for i in asked.ids])[None],
        n_resamples=params.score.n_resamples,
        rng=generator(params.seed, "score", benchmark),
    )
    return {
        "benchmark": benchmark,
        "definition": defined("clustering-2"),
        "submission": file_digest(path),
        **summarise(scored),
    }
