"""The text-guided track: what was run, how it scored, what the scores show.

Everything comes from files that the stages wrote; nothing is computed from images or
labels here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.io import read_json
from mmclust.core.manifest import read_manifest
from mmclust.report.budget import models_of

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params

SHOWN = ("ari", "nmi", "acc")
"""Metrics, the one that decides first."""
LEVEL = 0.05
"""A difference is called one where p is below this; its interval then leaves out 0."""


@dataclass(frozen=True)
class Track:
    """One benchmark's run.

    Parameters
    ----------
    name, params
        The benchmark, and what was asked for.
    summary
        What `build` wrote down.
    images
        Number of images in each role: ``fit``, ``evaluate`` and ``hidden``.
    metrics, views
        ``metrics/clustering`` and ``metrics/views`` of it.
    features
        ``features.json`` of each encoder.
    """

    name: str
    params: Params
    summary: dict[str, Any]
    images: dict[str, int]
    metrics: dict[str, Any]
    views: dict[str, Any]
    features: dict[str, dict[str, Any]]


def read_track(root: Path, name: str, params: Params) -> Track:
    """Read one benchmark's run.

    Parameters
    ----------
    root
        The repository.
    name
        The benchmark.
    params
        Its encoders are those that are read.

    Raises
    ------
    MmclustError
        When a stage has not run.
    """
    data = root / "data"
    manifest = read_manifest(data / "benchmarks" / name / "manifest.parquet")
    summary = read_json(data / "benchmarks" / name / "summary.json")
    metrics = root / "metrics/clustering" / f"{name}.json"
    hidden = (manifest.splits == hidden_split(summary)).sum()
    return Track(
        name,
        params,
        summary,
        {
            "fit": len(manifest.fit_rows),
            "evaluate": len(manifest.evaluate_rows),
            "hidden": int(hidden),
        },
        read_json(metrics),
        read_json(root / "metrics/views" / f"{name}.json"),
        {
            encoder: read_json(data / "features" / name / encoder / "features.json")
            for encoder in params.encoders
        },
    )


def hidden_split(summary: dict[str, Any]) -> str:
    """Return the split whose classes are kept aside; empty for none."""
    return str((summary.get("notes") or {}).get("hidden_split", ""))


def result_rows(track: Track) -> list[dict[str, Any]]:
    """Return one row per method, the highest ARI first.

    Returns
    -------
    list of dict
        ``name`` (encoder, view, clusterer), ``k`` (0: found by the method),
        ``n_clusters``, ``n_seeds``, ``noise``, and for each of :data:`SHOWN` its
        mean, ``<metric>_low``, ``_high`` and, with several seeds, ``_std``.
    """
    rows = [
        {"name": (encoder, view, clusterer), **record}
        for encoder, views in track.metrics.items()
        for view, clusterers in views.items()
        for clusterer, record in clusterers.items()
    ]
    return sorted(rows, key=lambda row: -row[SHOWN[0]])


def view_rows(track: Track) -> list[dict[str, Any]]:
    """Return the differences between views.

    Beside ``encoder`` and ``clusterer``: ``pair``, the view and the one it is held
    against; and of ARI ``diff``, ``low``, ``high``, ``p`` and ``p_holm`` (None where
    nothing varies).
    """
    return [
        {
            "encoder": encoder,
            "clusterer": clusterer,
            "pair": tuple(pair.split(" - ")),
            **_difference(record),
        }
        for encoder, clusterers in track.views.items()
        for clusterer, pairs in clusterers.items()
        for pair, record in pairs.items()
    ]


def baseline_rows(track: Track) -> list[dict[str, Any]]:
    """Return each method's ARI against the baseline, in the order of the results."""
    return [
        {"name": row["name"], "baseline": row["baseline"], **_difference(row)}
        for row in result_rows(track)
        if f"{SHOWN[0]}_diff" in row
    ]


def _difference(record: dict[str, Any]) -> dict[str, Any]:
    name = SHOWN[0]
    return {
        "diff": record[f"{name}_diff"],
        "low": record[f"{name}_diff_low"],
        "high": record[f"{name}_diff_high"],
        "p": record[f"{name}_diff_p"],
        "p_holm": record.get(f"{name}_diff_p_holm"),
    }


def shows(row: dict[str, Any]) -> int:
    """Return 1 where a difference is above 0, -1 below, 0 where neither is shown."""
    if row["p"] is None or row["p"] >= LEVEL:
        return 0
    return 1 if row["diff"] > 0 else -1


def feature_rows(track: Track) -> list[dict[str, str]]:
    """Return what each encoder is: ``encoder``, ``views`` with dims, ``models``."""
    return [
        {
            "encoder": encoder,
            "views": ", ".join(f"{v} {d}-d" for v, d in facts["dims"].items()),
            "models": "; ".join(_models(facts)) or "none",
        }
        for encoder, facts in track.features.items()
    ]


def _models(facts: dict[str, Any]) -> list[str]:
    found = models_of(facts.get("model") or {})
    names = [f"{each['model']} ({each['revision']})" for each in found]
    captions = facts.get("captions") or {}
    if "model" in captions:
        who = f"{captions['model']} ({captions['revision']})"
        names.append(f"captions by {who}")
    return names
