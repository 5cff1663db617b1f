"""How well the names of clusters fit the classes they are matched to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WITHIN = 5


def score_names(
    names: Mapping[int, Sequence[str]], matched: Mapping[int, str]
) -> dict[str, Any]:
    """Compare each cluster's names with its class.

    Parameters
    ----------
    names
        Cluster to its names, best first.
    matched
        Cluster to its class; empty for none. Such clusters are counted and left
        out.

    Returns
    -------
    dict
        ``n_matched``, ``exact``, ``exact_at_5``; None where nothing is matched.
    """
    pairs = [
        (list(names.get(cluster, ())), name)
        for cluster, name in matched.items()
        if name
    ]
    first = [each[:1] for each, _ in pairs]
    exact = [_named(each, name) for each, (_, name) in zip(first, pairs, strict=True)]
    within = [_named(each[:WITHIN], name) for each, name in pairs]
    return {
        "n_matched": float(len(pairs)),
        "exact": _mean(exact),
        "exact_at_5": _mean(within),
    }


def _named(names: Sequence[str], name: str) -> bool:
    given = {_plain(each) for each in names}
    return _plain(name) in given or all(
        _plain(word) in given for word in name.replace("_", " ").split()
    )


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split()).removesuffix("s")


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
