"""What is known about a benchmark before anything is clustered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmclust.report.run import Run

    Pairs = list[tuple[str, str]]

SHORT = 48
"""Characters that a fact may have to be listed rather than folded away."""
ELSEWHERE = {
    "benchmark", "per_class", "manifest", "sources", "digests", "notes", "expected",
}  # fmt: skip
"""Keys of the summary that the page shows in places of their own."""
PUBLISHED = "against the published counts"


def facts(run: Run) -> dict[str, list[tuple[str, str]]]:
    """Return what `build` wrote down about a benchmark, as names and values.

    Returns
    -------
    dict
        ``short``, which the page lists, and ``long``, which it folds away.
    """
    values = {k: v for k, v in run.summary.items() if k not in ELSEWHERE}
    notes = run.summary.get("notes")
    values |= notes if isinstance(notes, dict) else {}
    splits = run.summary.get("splits")
    for role in ("fit", "evaluate"):
        if isinstance(splits, dict) and splits.keys() <= set(values.get(role) or ()):
            values[role] = "all"
    pairs = [(_words(k), _plain(v)) for k, v in values.items() if v is not None]
    short, long = _as_published(run.summary.get("expected") or {})
    return {
        "short": [*(pair for pair in pairs if len(pair[1]) <= SHORT), *short],
        "long": [*long, *(pair for pair in pairs if len(pair[1]) > SHORT)],
    }


def _as_published(expected: Mapping[str, Any]) -> tuple[Pairs, Pairs]:
    """Say how the counts stand to the published ones, in short and at length.

    A published count is spelt out only where the two were compared and differ.
    """
    if "matches" not in expected:
        return [], []
    if expected["matches"] is None:
        return [
            (PUBLISHED, f"not compared: {expected.get('why') or 'not said why'}")
        ], []
    if expected["matches"]:
        return [(PUBLISHED, "as published")], []
    each = [
        f"{name or 'images'} {count['found']:,}, published {count['expected']:,}"
        for name, count in expected.get("different", {}).items()
    ]
    long = [("not as published", "; ".join(each))] if each else []
    return [(PUBLISHED, "not the published counts, allowed")], long


def class_counts(run: Run) -> list[tuple[str, int]]:
    """Return class names and numbers of images, largest first."""
    counts = run.summary.get("per_class")
    if not isinstance(counts, dict):
        counts = Counter(name for name in run.scored.names if name)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


NAMES = {
    "fit": "splits that are fitted on",
    "evaluate": "splits that are scored",
    "split": "split of the source",
    "annotations": "annotations in the source",
    "images_listed": "images in the source",
    "images_annotated": "of these with annotations",
    "images_single_category": "of these of one category",
    "min_images": "fewest images a class may have",
    "protocol": "version of the protocol",
}
"""Facts whose names in the summary do not say enough."""


def _words(key: object) -> str:
    if key in NAMES:
        return NAMES[str(key)]
    return str(key).removeprefix("n_").replace("_", " ")


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
