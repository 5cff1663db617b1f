"""Numbers on the page: scores, scores over k, and who is taken for whom."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mmclust.report.run import Run

METRICS = ("acc", "nmi", "ari", "purity")

SHORT = 48
"""Characters that a fact may have to be listed rather than folded away."""

Rows = list[dict[str, str]]


def score_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per encoder, view and clusterer, best scores marked.

    Parameters
    ----------
    metrics
        encoder → view → clusterer → figures, as in ``metrics/clustering``.

    Returns
    -------
    list of dict
        ``encoder``, ``view``, ``clusterer``, ``k``, ``n_seeds``, and ``cells``:
        for each of :data:`METRICS` the ``mean``, the half-width of its interval
        over seeds (``seeds``, None for one run), its bootstrap interval over
        images (``low``, ``high``) and ``best``; None where it was not computed.
    """
    rows = [
        {
            "encoder": encoder,
            "view": view,
            "clusterer": clusterer,
            "k": figures.get("k"),
            "n_seeds": figures.get("n_seeds"),
            "cells": [_cell(figures, metric) for metric in METRICS],
        }
        for encoder, views in metrics.items()
        for view, clusterers in views.items()
        for clusterer, figures in clusterers.items()
    ]
    for column in zip(*(row["cells"] for row in rows), strict=True):
        cells = [cell for cell in column if cell is not None]
        top = max((cell["mean"] for cell in cells), default=None)
        for cell in cells:
            cell["best"] = cell["mean"] == top
    return rows


def _cell(figures: Mapping[str, Any], metric: str) -> dict[str, Any] | None:
    if figures.get(metric) is None:
        return None
    low, high = (figures.get(f"{metric}_seeds_{end}") for end in ("low", "high"))
    return {
        "mean": figures[metric],
        "seeds": None if low is None or high is None else (high - low) / 2,
        "low": figures.get(f"{metric}_low"),
        "high": figures.get(f"{metric}_high"),
    }


def curves(rows: Rows, encoder: str, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Return scores over k of one encoder as coordinates, a panel per metric.

    Parameters
    ----------
    rows
        ``k``, ``view``, ``metric``, ``score``, ``encoder``.
    encoder
        Whose rows to take.
    size
        Width and height of a panel's inside, in SVG units.

    Returns
    -------
    list of dict
        ``metric``, ``lines`` (``view`` and ``points``: x, y, k, score),
        ``x_ticks`` and ``y_ticks`` (position and text). All panels share their
        axes.
    """
    mine = [row for row in rows if row["encoder"] == encoder]
    if not mine:
        return []
    width, height = size
    ks = sorted({int(row["k"]) for row in mine})
    scores = [float(row["score"]) for row in mine]
    top = max(0.1, math.ceil(max(scores) * 10 - 1e-9) / 10)
    bottom = min(0.0, math.floor(min(scores) * 10 + 1e-9) / 10)

    def across(k: float) -> float:
        return round(width * (k - ks[0]) / max(ks[-1] - ks[0], 1), 1)

    def down(score: float) -> float:
        return round(height * (top - score) / (top - bottom), 1)

    lines: dict[str, dict[str, list[tuple[float, float, int, float]]]] = {}
    for row in sorted(mine, key=lambda row: int(row["k"])):
        k, score = int(row["k"]), float(row["score"])
        views = lines.setdefault(row["metric"], {})
        views.setdefault(row["view"], []).append((across(k), down(score), k, score))
    shown = _apart(ks, across, 16)
    step = 0.1 if top - bottom <= 0.5 else 0.2  # noqa: PLR2004 (five lines or so)
    first, last = math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9)
    steps = [i * step for i in range(first, last + 1)]
    return [
        {
            "metric": metric,
            "lines": [{"view": v, "points": p} for v, p in lines[metric].items()],
            "x_ticks": [(across(k), str(k)) for k in shown],
            "y_ticks": [(down(score), f"{score:.1f}") for score in steps],
        }
        for metric in sorted(lines, key=_metric_order)
    ]


def _metric_order(metric: str) -> tuple[int, str]:
    known = METRICS.index(metric) if metric in METRICS else len(METRICS)
    return known, metric


def _apart(ks: Iterable[int], across: Any, least: float) -> list[int]:
    """Return those k whose labels have room, from the right."""
    shown: list[int] = []
    for k in sorted(ks, reverse=True):
        if not shown or across(shown[-1]) - across(k) >= least:
            shown.append(k)
    return shown


def confusion(rows: Rows) -> dict[str, Any] | None:
    """Return the confusion matrix with matched clusters along the diagonal.

    Parameters
    ----------
    rows
        ``class``, ``cluster`` (``"<matched class> (c<k>)"``), ``count``.

    Returns
    -------
    dict or None
        ``classes`` and ``clusters`` (names, in order), ``cells`` (row, column,
        count, share of the class), all counts above 0; None without rows.
    """
    if not rows:
        return None
    classes = sorted({row["class"] for row in rows})
    position = {name: i for i, name in enumerate(classes)}

    def order(cluster: str) -> tuple[int, str]:
        return position.get(cluster.rpartition(" (c")[0], len(classes)), cluster

    clusters = sorted({row["cluster"] for row in rows}, key=order)
    column = {name: i for i, name in enumerate(clusters)}
    totals: Counter[str] = Counter()
    for row in rows:
        totals[row["class"]] += int(row["count"])
    cells = [
        {
            "row": position[row["class"]],
            "column": column[row["cluster"]],
            "count": int(row["count"]),
            "share": int(row["count"]) / totals[row["class"]],
        }
        for row in rows
        if int(row["count"]) > 0
    ]
    return {"classes": classes, "clusters": clusters, "cells": cells}


def facts(run: Run) -> dict[str, list[tuple[str, str]]]:
    """Return what `build` wrote down about a benchmark, as names and values.

    Returns
    -------
    dict
        ``short``, which the page lists, and ``long``, which it folds away.
    """
    shown = {"benchmark", "per_class", "manifest", "sources", "digests", "notes"}
    values = {k: v for k, v in run.summary.items() if k not in shown}
    notes = run.summary.get("notes")
    values |= notes if isinstance(notes, dict) else {}
    pairs = [(_words(k), _plain(v)) for k, v in values.items() if v is not None]
    return {
        "short": [pair for pair in pairs if len(pair[1]) <= SHORT],
        "long": [pair for pair in pairs if len(pair[1]) > SHORT],
    }


def class_counts(run: Run) -> list[tuple[str, int]]:
    """Return class names and numbers of images, largest first."""
    counts = run.summary.get("per_class")
    if not isinstance(counts, dict):
        counts = Counter(name for name in run.scored.names if name)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _words(key: object) -> str:
    return str(key).replace("_", " ")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_words(k)}: {_plain(v)}" for k, v in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value) or "–"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
