"""Numbers on the page: scores against classes, and without; who is taken for whom."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

METRICS = ("acc", "nmi", "ari", "purity", "f1")
HEADS = "heads"
"""Stands where encoders do in the scores, for clusters that a trained head made."""
LABEL_FREE = ("silhouette", "davies_bouldin", "calinski_harabasz", "stability")

Rows = list[dict[str, str]]


def score_rows(metrics: Mapping[str, Any], encoder: str) -> list[dict[str, Any]]:
    """Return one row per encoder or head, view and clusterer, best scores marked.

    Parameters
    ----------
    metrics
        encoder (or :data:`HEADS`) → view → clusterer → figures, as in
        ``metrics/clustering``.
    encoder
        Whose space the heads were trained in.

    Returns
    -------
    list of dict
        ``encoder``, ``view``, ``clusterer``, ``head`` (bool), ``k`` (0 where the
        method finds it), ``n_clusters``, ``n_seeds``, ``n_samples``, ``other``
        (whether scored on other images than most rows), ``baseline`` (the method
        it is held against, or None) and ``cells``: for each of :data:`METRICS`
        the ``mean``, its 95 % interval (``low``, ``high``, and ``half`` of it), the
        difference to the baseline (``diff``, None without one) and
        ``best`` (of the rows that are of the same images); None where it was not
        computed.
    """
    rows = [
        {
            "encoder": encoder if origin == HEADS else origin,
            "view": view,
            "clusterer": clusterer,
            "head": origin == HEADS,
            **{key: figures.get(key) for key in _COUNTS},
            "cells": [_cell(figures, metric) for metric in METRICS],
        }
        for origin, views in metrics.items()
        for view, clusterers in views.items()
        for clusterer, figures in clusterers.items()
    ]
    sizes = Counter(row["n_samples"] for row in rows)
    for row in rows:
        row["other"] = row["n_samples"] != sizes.most_common(1)[0][0]
    alike = [row["cells"] for row in rows if not row["other"]]
    for column in zip(*alike, strict=True):
        cells = [cell for cell in column if cell is not None]
        top = max((cell["mean"] for cell in cells), default=None)
        for cell in cells:
            cell["best"] = cell["mean"] == top
    return rows


_COUNTS = ("k", "n_clusters", "n_seeds", "n_samples", "baseline")


def _cell(figures: Mapping[str, Any], metric: str) -> dict[str, Any] | None:
    if figures.get(metric) is None:
        return None
    low, high = (figures.get(f"{metric}_{end}") for end in ("low", "high"))
    return {
        "mean": figures[metric],
        "half": None if low is None or high is None else (high - low) / 2,
        "low": low,
        "high": high,
        "diff": _difference(figures, metric),
        "best": False,
    }


def _difference(figures: Mapping[str, Any], metric: str) -> dict[str, Any] | None:
    if figures.get(f"{metric}_diff") is None:
        return None
    return {
        "mean": figures[f"{metric}_diff"],
        **{
            end: figures.get(f"{metric}_diff_{end}")
            for end in ("low", "high", "p", "p_holm")
        },
    }


def baseline_name(rows: list[dict[str, Any]]) -> tuple[str, ...] | None:
    """Return encoder, view and clusterer that rows are held against, if any is."""
    named = {row["baseline"] for row in rows} - {None}
    return tuple(str(min(named)).split(" ")) if named else None


def label_free_rows(internal: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per encoder, view and clusterer of scores that need no labels.

    Parameters
    ----------
    internal
        encoder → what ``metrics/internal`` holds: view → clusterer → figures,
        beside facts about all.

    Returns
    -------
    list of dict
        ``encoder``, ``view``, ``clusterer``, ``k``, ``n_clusters``, ``noise`` and
        ``figures``, one for each of :data:`LABEL_FREE`, None where undefined.
    """
    facts = ("definition", "auto_k")
    return [
        {
            "encoder": encoder,
            "view": view,
            "clusterer": clusterer,
            **{key: figures.get(key) for key in ("k", "n_clusters", "noise")},
            "figures": [figures.get(name) for name in LABEL_FREE],
        }
        for encoder, record in internal.items()
        for view, clusterers in record.items()
        if view not in facts
        for clusterer, figures in clusterers.items()
    ]


MOST = 60
"""Clusters that the confusion matrix has columns for."""


def confusion(rows: Rows, most: int = MOST) -> dict[str, Any] | None:
    """Return the confusion matrix with matched clusters along the diagonal.

    Parameters
    ----------
    rows
        ``class``, ``cluster`` (``"<matched class> (c<k>)"``), ``count``.
    most
        The largest clusters that are shown.

    Returns
    -------
    dict or None
        ``classes`` (names, in order), ``clusters`` (``label`` and ``id``, in
        order), ``rows`` (for each class and cluster ``row``, ``count`` and
        ``share`` of the class, or None without images) and ``left_out``, how many
        clusters are not shown; None without rows.
    """
    if not rows:
        return None
    classes = sorted({row["class"] for row in rows})
    position = {name: i for i, name in enumerate(classes)}
    of_class: Counter[str] = Counter()
    of_cluster: Counter[str] = Counter()
    for row in rows:
        of_class[row["class"]] += int(row["count"])
        of_cluster[row["cluster"]] += int(row["count"])

    def order(cluster: str) -> tuple[int, int]:
        matched, _, number = cluster.rpartition(" (c")
        return position.get(matched, len(classes)), _number(number)

    largest = sorted(of_cluster, key=lambda name: (-of_cluster[name], order(name)))
    clusters = sorted(largest[:most], key=order)
    counts = {(row["class"], row["cluster"]): int(row["count"]) for row in rows}
    return {
        "classes": classes,
        "clusters": [
            {"label": name, "id": _number(name.rpartition(" (c")[2])}
            for name in clusters
        ],
        "rows": [
            [
                {"row": i, "count": count, "share": count / of_class[name]}
                if (count := counts.get((name, cluster), 0))
                else None
                for cluster in clusters
            ]
            for i, name in enumerate(classes)
        ],
        "left_out": len(of_cluster) - len(clusters),
    }


def _number(text: str) -> int:
    """Return the cluster's number; -1 stands for images in none."""
    digits = text.rstrip(")").removeprefix("c")
    return int(digits) if digits.lstrip("-").isdigit() else -1
