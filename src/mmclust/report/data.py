"""What the page's scripts read about a benchmark, in the order of the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.report.order import order_of
from mmclust.report.sheets import COLUMNS, EACH, NAMED, make_sheets
from mmclust.report.thumbs import SIDE

if TYPE_CHECKING:
    from mmclust.core.params import Params
    from mmclust.report.bundle import Bundle
    from mmclust.report.order import Order
    from mmclust.report.run import Run
    from mmclust.report.sheets import Sheets

DIGITS = 3
"""Of a confidence, which is enough to colour a point and to print."""


def pack(
    run: Run,
    drawn: dict[str, Any] | None,
    params: Params,
    bundle: Bundle,
    workers: int,
) -> tuple[Order, dict[str, Any]]:
    """Write a benchmark's files; return the order of its images, and their facts.

    Parameters
    ----------
    run
        The benchmark.
    drawn
        Its maps, see :func:`mmclust.report.maps.make_maps`.
    params
        ``report.thumbnails``.
    bundle
        Where to.
    workers
        Processes that read pictures.

    Returns
    -------
    order : Order
        Of its images.
    facts : dict
        ``data`` (the address of what the scripts read), ``pictures`` (how many
        sheets), ``unread`` (how many images could not be read) and ``named`` (the
        first of them).
    """
    order = order_of(run)
    sheets = make_sheets(run, order.rows, bundle, workers)
    return order, {
        "data": bundle.add_data(_data(run, order, drawn, params, sheets)),
        "pictures": len(sheets.pictures),
        "unread": len(sheets.unread),
        "named": sheets.unread[:NAMED],
    }


def _data(
    run: Run,
    order: Order,
    drawn: dict[str, Any] | None,
    params: Params,
    sheets: Sheets,
) -> dict[str, Any]:
    scored, rows = run.scored, order.rows.tolist()
    classes = sorted({name for name in scored.names if name})
    number = {name: i for i, name in enumerate(classes)} | {"": -1}
    firsts = order.rows[order.starts[:-1]].tolist()
    return {
        "sheets": sheets.pictures,
        "words": sheets.words,
        "each": EACH,
        "columns": COLUMNS,
        "side": SIDE,
        "first": params.report.thumbnails,
        "classes": classes,
        "label": [number[scored.names[row]] for row in rows],
        "clusters": order.clusters,
        "starts": order.starts.tolist(),
        # A cluster may stand for a class of which no label is seen.
        "matched": [number.get(scored.matched[row], -1) for row in firsts],
        "sure": None if order.sure is None else np.round(order.sure, DIGITS).tolist(),
        "sureOf": order.sure_of,
        "maps": None if drawn is None else _maps(drawn, order),
    }


def _maps(drawn: dict[str, Any], order: Order) -> dict[str, Any]:
    """Return the maps, with points as positions in the order of the gallery."""
    return {
        "points": order.position[drawn["rows"]].tolist(),
        "views": drawn["views"],
    }
