"""Retrieval curves as coordinates: what an SVG on the page is drawn from.

Every chart is a dict of positions inside a panel of the given width and height, in
SVG units, with ``x_ticks`` and ``y_ticks`` (position and text).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mmclust.report.charts import apart
from mmclust.report.retrieval import SIDES, setting_names

if TYPE_CHECKING:
    from mmclust.report.retrieval import Rows

    Size = tuple[int, int]

MARKED = (1, 2, 5, 10, 20, 50, 100)
"""The k that are ticks, and points on the curves."""
LINE = 13.0
"""Height of a line of text, in SVG units."""


def recall_curves(rows: Rows, size: Size) -> dict[str, Any] | None:
    """Return recall over k, k on a logarithmic axis.

    Parameters
    ----------
    rows
        ``captions``, ``direction``, ``k``, ``recall``.
    size
        Of the panel.

    Returns
    -------
    dict or None
        ``lines``: ``side``, ``original`` (whether of the original captions),
        ``points`` (x, y) and ``marks`` (x, y, k, recall at some k); None without
        rows.
    """
    if not rows:
        return None
    width, height = size
    deepest = max(int(row["k"]) for row in rows)

    def across(k: int) -> float:
        return round(width * math.log(k) / max(math.log(deepest), 1e-9), 1)

    lines: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in rows:
        key = row["captions"], row["direction"]
        lines.setdefault(key, []).append((int(row["k"]), float(row["recall"])))
    return {
        "lines": [
            {
                "side": side,
                "original": captions != "main",
                "points": [(across(k), _down(v, 1, height)) for k, v in points],
                "marks": [
                    (across(k), _down(v, 1, height), k, v)
                    for k, v in points
                    if k in MARKED
                ],
            }
            for (captions, side), points in lines.items()
        ],
        "x_ticks": [(across(k), str(k)) for k in MARKED if k <= deepest],
        "y_ticks": [(_down(v / 100, 1, height), str(v)) for v in range(0, 101, 20)],
    }


def rank_bars(rows: Rows, size: Size) -> list[dict[str, Any]]:
    """Return histograms of queries by rank, one for each direction.

    Parameters
    ----------
    rows
        ``direction``, ``rank`` (``low-high`` or one rank), ``queries``.
    size
        Of the panel.

    Returns
    -------
    list of dict
        ``side`` and ``bars``: x, y, width, height, ranks in words, count.
    """
    charts = []
    width, height = size
    for side in SIDES:
        mine = [(r["rank"], int(r["queries"])) for r in rows if r["direction"] == side]
        if not mine:
            continue
        step = width / len(mine)
        top = max(count for _, count in mine)
        bars = []
        for i, (ranks, count) in enumerate(mine):
            y = _down(count, top, height)
            box = (round(i * step + 1, 1), y, round(step - 2, 1), round(height - y, 1))
            bars.append((*box, ranks.replace("-", " to "), count))
        ticks = [
            (round((i + 0.5) * step, 1), ranks.partition("-")[0])
            for i, (ranks, _) in enumerate(mine)
        ]
        charts.append(
            {
                "side": side,
                "bars": bars,
                "x_ticks": apart(ticks),
                "y_ticks": [(height, "0"), (0, f"{top:,}")],
            }
        )
    return charts


def slope(rows: Rows, size: Size) -> dict[str, Any] | None:
    """Return R@1 on the oldest test set and on the finest, with intervals.

    Parameters
    ----------
    rows
        ``setting``, ``direction``, ``recall_at_1``, ``low``, ``high``.
    size
        Of the panel.

    Returns
    -------
    dict or None
        ``lines``: ``side`` and two ``ends`` (``x``; ``y``: of the mean, of high and
        of low; ``label``: y of its text; ``mean``, ``low``, ``high``);
        ``x_ticks``: the settings in words. None where there is but one setting.
    """
    names = setting_names({row["setting"]: row for row in rows})
    if len(names) < 2:  # noqa: PLR2004 (two ends)
        return None
    width, height = size
    ends = (next(iter(names)), "main")
    at = {(row["setting"], row["direction"]): row for row in rows}
    chosen = {key: row for key, row in at.items() if key[0] in ends}
    highest = max(float(row["high"]) for row in chosen.values())
    top = max(0.1, math.ceil(highest * 10 - 1e-9) / 10)
    lines: list[dict[str, Any]] = []
    for side in SIDES:
        both: list[dict[str, Any]] = []
        for place, setting in zip((0.25, 0.75), ends, strict=True):
            row = chosen[setting, side]
            mean, low, high = (float(row[k]) for k in ("recall_at_1", "low", "high"))
            ys = [_down(value, top, height) for value in (mean, high, low)]
            # Bars of both directions would hide each other.
            x = round(width * place + (2 if side == "t2i" else -2), 1)
            both.append({"x": x, "y": ys, "mean": mean, "low": low, "high": high})
        lines.append({"side": side, "ends": both})
    for place in (0, 1):
        _set_labels([line["ends"][place] for line in lines])
    step = 10 if top <= 0.5 else 20  # noqa: PLR2004 (five lines or so)
    marks = range(0, round(100 * top) + 1, step)
    return {
        "lines": lines,
        "x_ticks": [
            (round(width * place, 1), names[setting].split(", "))
            for place, setting in zip((0.25, 0.75), ends, strict=True)
        ],
        "y_ticks": [(_down(v / 100, top, height), str(v)) for v in marks],
    }


def _set_labels(ends: list[dict[str, Any]]) -> None:
    """Put the texts of one side beside their points, no two on top of each other."""
    below = -math.inf
    for end in sorted(ends, key=lambda end: float(end["y"][0])):
        below = max(end["y"][0] + 4, below + LINE)
        end["label"] = round(below, 1)


def _down(value: float, top: float, height: int) -> float:
    return round(height * (1 - value / max(top, 1e-9)), 1)
