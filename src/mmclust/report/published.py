"""Published numbers beside ours, as the page tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.report.tables import METRICS
from mmclust.scoring.published import compare, read_published

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.report.run import Run
    from mmclust.scoring.published import Compared, Published

FOLDER = "docs/published"
STATUS = {"F": "read in a figure or table", "M": "model card", "L": "third party"}
SAME = "the same set-up, as far as it is stated"


def published_rows(root: Path, run: Run, params: Params) -> dict[str, Any]:
    """Return published numbers of a benchmark, with ours and without.

    Parameters
    ----------
    root
        The root of the repository; without ``docs/published`` there are none.
    run, params
        Our scores, and what made them.

    Returns
    -------
    dict
        ``same_data`` (bool: ours are not of the built-in sample), ``metrics`` (the
        columns) and ``beside`` and ``alone``: published methods with ``method``,
        ``source``, ``status``, ``setup`` and ``cells``, one for each metric, None or
        ``theirs``, ``spread`` and ``ours`` (None in ``alone``). Those beside ours
        also have ``name`` (our method) and ``differs`` (how the set-up is not
        theirs).
    """
    everything: list[Published] = []
    if (root / FOLDER).is_dir():
        rows = read_published(root / FOLDER)
        everything = [row for row in rows if row.dataset == run.name]
    compared = {
        id(row.published): row
        for row in compare(everything, run.name, run.metrics, params)
    }
    known = dict.fromkeys([*METRICS, *(row.metric for row in everything)])
    return {
        "same_data": params.data.mirror != "sample",
        "metrics": [m for m in known if any(row.metric == m for row in everything)],
        "beside": _groups([row for row in everything if id(row) in compared], compared),
        "alone": _groups([row for row in everything if id(row) not in compared], {}),
    }


def _groups(
    rows: list[Published], compared: dict[int, Compared]
) -> list[dict[str, Any]]:
    """Return one record per method, source and set-up, its metrics in ``cells``."""
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        ours = compared.get(id(row))
        name = _our_method(ours.name) if ours else ""
        differs = _told(ours) if ours else ""
        source = f"{row.source}, table {row.table}"
        key = (row.method, source, row.status, row.setup, name, differs)
        group = groups.setdefault(
            key,
            {
                "method": row.method,
                "source": source,
                "status": STATUS.get(row.status, row.status),
                "setup": row.setup,
                "name": name,
                "differs": differs or SAME,
                "cells": {},
            },
        )
        group["cells"][row.metric] = {
            "theirs": row.value,
            "spread": row.spread,
            "ours": ours.ours if ours else None,
        }
    return list(groups.values())


def _told(row: Compared) -> str:
    """Say how the set-up differs; our method has a place of its own."""
    return "; ".join(row.differs).replace(f": ours is {row.name}", "")


def _our_method(name: str) -> str:
    """Say as the page does which of our methods it is."""
    encoder, view, method = name.split(" ", 2)
    view = "image + text" if view == "concat" else view
    if encoder == "heads":
        return f"{method} (head), {view}"
    return f"{method} on the {encoder} features of {view}"
