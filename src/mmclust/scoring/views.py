"""Image against text against both: the views of one encoder, compared in pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.scoring.clustering import METRICS
from mmclust.scoring.intervals import difference
from mmclust.scoring.summary import adjust, rounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmclust.scoring.runs import Key
    from mmclust.scoring.summary import Scored

PAIRS = (("text", "image"), ("concat", "image"), ("concat", "text"))
"""Each view, and the one it is held against."""

Compared = dict[str, dict[str, dict[str, dict[str, Any]]]]


def compare_views(scored: Mapping[Key, Scored]) -> Compared:
    """Compare the views of each encoder, clusterer by clusterer.

    Parameters
    ----------
    scored
        By encoder, view and clusterer; all resampled with equal generators, and the
        views of one encoder scored on the same images.

    Returns
    -------
    dict
        Encoder → clusterer → ``"<view> - <other>"`` → ``<metric>_diff`` and what else
        :func:`mmclust.scoring.intervals.difference` gives: the first view's score
        less the other's. Encoders with one view are left out.
    """
    compared: Compared = {}
    for encoder, view, clusterer in scored:
        for mine, other in PAIRS:
            base = scored.get((encoder, other, clusterer))
            if view != mine or base is None:
                continue
            own = scored[encoder, view, clusterer]
            record = {
                f"{name}_{key}": rounded(value)
                for name in METRICS
                for key, value in difference(
                    (own.runs[name], base.runs[name]),
                    (own.resampled[name], base.resampled[name]),
                    own.counts["n_samples"],
                ).items()
            }
            pairs = compared.setdefault(encoder, {}).setdefault(clusterer, {})
            pairs[f"{mine} - {other}"] = record
    adjust(
        [
            record
            for clusterers in compared.values()
            for pairs in clusterers.values()
            for record in pairs.values()
        ]
    )
    return compared
