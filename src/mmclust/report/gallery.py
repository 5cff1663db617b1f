"""The clusters as the page tells of them, and a contact sheet of all images."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmclust.core.seeds import generator
from mmclust.report.sheets import draw_sheet

if TYPE_CHECKING:
    import numpy as np

    from mmclust.core.params import Params
    from mmclust.report.bundle import Bundle
    from mmclust.report.order import Order
    from mmclust.report.run import Run

SHEET = 80
"""Pictures on the contact sheet."""
SHEET_COLUMNS = 10
COMMONEST = 3
"""Classes named for each cluster."""
WORDS = 5
"""Keywords, and nouns, named for each cluster."""
OPEN = 60
"""More clusters than this are folded at first."""


def make_gallery(run: Run, order: Order) -> dict[str, Any]:
    """Return facts about the clusters, largest first.

    Parameters
    ----------
    run, order
        The benchmark, and the order of its images.

    Returns
    -------
    dict
        ``clusters``: ``id``, ``name`` (its first keyword or noun), ``size``,
        ``matched`` (a class), ``purity`` (the share of its commonest class among
        its images with a known class; None without any), ``commonest`` classes,
        ``others``, ``keywords``, ``nouns`` and ``nearest`` (id, name, cosine);
        ``sure_of``; ``labelled``: whether any class is known; ``open``: whether to
        show all at first.
    """
    clusters = [
        _facts(run, order.rows[start:stop])
        for start, stop in zip(order.starts[:-1], order.starts[1:], strict=True)
    ]
    names = {cluster["id"]: cluster["name"] for cluster in clusters}
    for cluster in clusters:
        cluster["nearest"] = [
            (other, names[other], cosine)
            for other, cosine in order.nearest.get(cluster["id"], [])
        ]
    return {
        "clusters": clusters,
        "sure_of": order.sure_of if order.sure is not None else None,
        "labelled": any(run.scored.names),
        "open": len(clusters) <= OPEN,
    }


def _facts(run: Run, rows: np.ndarray[Any, Any]) -> dict[str, Any]:
    cluster = int(run.scored.clusters[rows[0]])
    # Counter keeps first seen first, so ties are broken by the name.
    known = sorted(name for row in rows if (name := run.scored.names[row]))
    commonest = Counter(known).most_common(COMMONEST)
    keywords, nouns = run.names.get(cluster, ([], []))
    nouns = [noun.replace("_", " ") for noun in nouns[:WORDS]]
    return {
        "id": cluster,
        "name": next(iter([*keywords, *nouns]), ""),
        "size": len(rows),
        "matched": run.scored.matched[rows[0]],
        "purity": commonest[0][1] / len(known) if known else None,
        "commonest": commonest,
        "others": len(known) - sum(count for _, count in commonest),
        "hidden": len(rows) - len(known),
        "keywords": keywords[:WORDS],
        "nouns": nouns,
    }


def contact_sheet(run: Run, params: Params, bundle: Bundle) -> dict[str, Any]:
    """Write a picture of some images, drawn at random.

    Returns
    -------
    dict
        ``src``, ``images``, and ``width`` and ``height`` in images.
    """
    rng = generator(params.seed, "report", "sheet", run.name)
    rows = rng.permutation(len(run.manifest))[:SHEET]
    part = replace(run.manifest, table=run.manifest.table.take(rows))
    data, _ = draw_sheet(part, SHEET_COLUMNS)
    return {
        "src": bundle.add(data, ".jpg"),
        "images": len(rows),
        "width": SHEET_COLUMNS,
        "height": -(-len(rows) // SHEET_COLUMNS),
    }
