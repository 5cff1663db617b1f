"""Scores over k as coordinates: what an SVG on the page is drawn from."""

from __future__ import annotations

import math
from typing import Any

from mmclust.report.tables import METRICS
from mmclust.report.words import number

PANEL = (230, 130)
"""Inside of one chart, in SVG units."""
DIGIT = 8.0
"""Width of a digit of a tick's label, in SVG units, at its largest on the page."""
GAP = 3.0

Rows = list[dict[str, str]]


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
    shown = apart([(across(k), str(k)) for k in ks])
    step = 0.1 if top - bottom <= 0.5 else 0.2  # noqa: PLR2004 (five lines or so)
    first, last = math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9)
    steps = [i * step for i in range(first, last + 1)]
    return [
        {
            "metric": metric,
            "lines": [{"view": v, "points": p} for v, p in lines[metric].items()],
            "x_ticks": shown,
            "y_ticks": [(down(score), number(score, 1)) for score in steps],
        }
        for metric in sorted(lines, key=_metric_order)
    ]


def _metric_order(metric: str) -> tuple[int, str]:
    known = METRICS.index(metric) if metric in METRICS else len(METRICS)
    return known, metric


def apart(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return those ticks whose labels have room: both ends, then from the right.

    Parameters
    ----------
    ticks
        Positions, ascending, and labels.
    """
    if len(ticks) <= 2:  # noqa: PLR2004 (both ends)
        return ticks
    first, *inner, last = ticks
    shown = [last]
    for tick in reversed(inner):
        if _room(tick, shown[-1]) and _room(first, tick):
            shown.append(tick)
    return [first, *reversed(shown)]


def _room(left: tuple[float, str], right: tuple[float, str]) -> bool:
    width = (len(left[1]) + len(right[1])) / 2 * DIGIT
    return right[0] - left[0] >= width + GAP
