"""Word learning as coordinates: what an SVG on the page is drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.report.words import number

if TYPE_CHECKING:
    from mmclust.report.learned import Rows

    Size = tuple[int, int]

DOTS = 1500
"""Words in a scatter, at most."""
PAIRS, NODES = 30, 18
"""Of a network, at most."""
STEPS = ((0.25, 1.2), (0.5, 2.5), (1.0, 5.0), (2.0, 10.0))
"""Steps between ticks, and the widest axis of each, both in powers of ten."""


def scatter(rows: Rows, size: Size) -> dict[str, Any] | None:
    """Return estimates of concreteness over ratings.

    Parameters
    ----------
    rows
        ``word``, ``count``, ``rating``, ``estimate``.
    size
        Of the panel.

    Returns
    -------
    dict or None
        ``dots`` (x, y, word, count, rating, estimate) of the most frequent words,
        ``n`` (all words), ticks; None without rows.
    """
    if not rows:
        return None
    width, height = size
    points = [
        (float(r["rating"]), float(r["estimate"]), r["word"], int(r["count"]))
        for r in rows
    ]
    xs, ys = _scale([p[0] for p in points]), _scale([p[1] for p in points])
    often = sorted(points, key=lambda p: (-p[3], p[2]))[:DOTS]
    return {
        "n": len(points),
        "dots": [
            (_at(x, xs, width), _up(y, ys, height), word, count, x, y)
            for x, y, word, count in often
        ],
        "x_ticks": [(_at(v, xs, width), text) for v, text in _ticks(xs)],
        "y_ticks": [(_up(v, ys, height), text) for v, text in _ticks(ys)],
    }


def network(pairs: list[dict[str, Any]], size: Size) -> dict[str, Any] | None:
    """Return the cluster of most associated pairs as a circle of words.

    Parameters
    ----------
    pairs
        ``first``, ``second``, ``strength``, ``cluster``.
    size
        Of the panel.

    Returns
    -------
    dict or None
        ``cluster``, ``pairs`` (how many the norms have in it), ``nodes`` (x, y, side
        of the label, word) and ``edges`` (two places, width, both words, strength),
        the strongest alone; None without pairs.
    """
    sizes: dict[int, int] = {}
    for pair in pairs:
        sizes[pair["cluster"]] = sizes.get(pair["cluster"], 0) + 1
    if not sizes:
        return None
    cluster = min(sizes, key=lambda c: (-sizes[c], c))
    ranked = sorted(
        (p for p in pairs if p["cluster"] == cluster),
        key=lambda p: (-p["strength"], p["first"], p["second"]),
    )
    words: list[str] = []
    kept: list[dict[str, Any]] = []
    for pair in ranked:
        new = [w for w in (pair["first"], pair["second"]) if w not in words]
        if len(kept) < PAIRS and len(words) + len(new) <= NODES:
            words += new
            kept.append(pair)
    places = {word: _round(i, len(words), size) for i, word in enumerate(sorted(words))}
    strongest = max(kept[0]["strength"], 1e-9)
    return {
        "cluster": cluster,
        "pairs": sizes[cluster],
        "nodes": [(*place, word) for word, place in places.items()],
        "edges": [
            (*places[p["first"]][:2], *places[p["second"]][:2],
             round(0.6 + 4 * p["strength"] / strongest, 2),
             p["first"], p["second"], p["strength"])
            for p in kept
        ],
    }  # fmt: skip


def _round(i: int, n: int, size: Size) -> tuple[float, float, str]:
    """Return a place on the circle, and where its label is anchored."""
    angle = 2 * math.pi * i / n
    across, down = math.sin(angle), -math.cos(angle)
    x = round(size[0] / 2 + across * size[0] * 0.3, 1)
    y = round(size[1] / 2 + down * size[1] * 0.42, 1)
    if abs(across) < 0.05:  # noqa: PLR2004 (top and bottom)
        return x, y, "middle"
    return x, y, "start" if across > 0 else "end"


def curves(rows: Rows, size: Size) -> list[dict[str, Any]]:
    """Return each figure over epochs, a line per seed.

    Parameters
    ----------
    rows
        ``epoch``, ``seed`` and figures.
    size
        Of a panel.

    Returns
    -------
    list of dict
        ``name``, ``lines`` (``seed`` and ``points``: x, y, epoch, value) and ticks;
        none without rows.
    """
    if not rows:
        return []
    width, height = size
    epochs = sorted({int(row["epoch"]) for row in rows})
    xs = Scale(epochs[0], max(epochs[-1], epochs[0] + 1), 1.0, 0)
    panels = []
    for name in (key for key in rows[0] if key not in ("epoch", "seed")):
        told = [row for row in rows if row[name] != ""]
        if not told:
            continue
        ys = _scale([float(row[name]) for row in told])
        lines: dict[str, list[tuple[float, float, int, float]]] = {}
        for row in sorted(told, key=lambda row: int(row["epoch"])):
            epoch, value = int(row["epoch"]), float(row[name])
            place = (_at(epoch, xs, width), _up(value, ys, height), epoch, value)
            lines.setdefault(row["seed"], []).append(place)
        step = math.ceil(len(epochs) / 6)
        panels.append(
            {
                "name": name.replace("_", " "),
                "lines": [{"seed": s, "points": lines[s]} for s in sorted(lines)],
                "x_ticks": [(_at(e, xs, width), str(e)) for e in epochs[::step]],
                "y_ticks": [(_up(v, ys, height), text) for v, text in _ticks(ys)],
            }
        )
    return panels


@dataclass(frozen=True)
class Scale:
    """An axis: its ends, the step between ticks, and the decimals of these."""

    low: float
    high: float
    step: float
    digits: int


def _scale(values: list[float]) -> Scale:
    """Return an axis around the values, with ticks at round numbers."""
    low, high = min(values), max(values)
    whole = all(value.is_integer() for value in values)
    wide = max(high - low, abs(high) / 100) or 1.0
    step = 10.0 ** math.floor(math.log10(max(wide, 1e-4)))
    share = wide / step  # from 1 up to 10
    step *= next(part for part, most in STEPS if share <= most)
    if whole:
        step = float(max(1, round(step)))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    digits = next(
        d for d in range(9) if math.isclose(step * 10**d % 1, 0, abs_tol=1e-6)
    )
    return Scale(first * step, last * step, step, digits)


def _ticks(scale: Scale) -> list[tuple[float, str]]:
    """Return values that are ticks, and their texts."""
    n = round((scale.high - scale.low) / scale.step)
    values = [scale.low + scale.step * i for i in range(n + 1)]
    return [(value, number(value, scale.digits)) for value in values]


def _at(value: float, scale: Scale, width: int) -> float:
    return round(width * (value - scale.low) / (scale.high - scale.low), 1)


def _up(value: float, scale: Scale, height: int) -> float:
    return round(height - _at(value, scale, height), 1)
