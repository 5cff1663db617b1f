"""Published numbers beside ours, as the page tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.scoring.published import compare, read_published

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.report.run import Run

FOLDER = "docs/published"
STATUS = {"F": "read in a figure or table", "M": "model card", "L": "third party"}
SAME = "the same set-up, as far as it is stated"


def published_rows(
    root: Path, run: Run, params: Params
) -> dict[str, list[dict[str, Any]]]:
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
        ``beside`` and ``alone``: rows of ``method``, ``metric``, ``theirs``,
        ``spread``, ``source``, ``setup``; those beside ours also have ``ours``,
        ``name`` (our method) and ``differs`` (how the set-up is not theirs).
    """
    if not (root / FOLDER).is_dir():
        return {"beside": [], "alone": []}
    everything = [
        row for row in read_published(root / FOLDER) if row.dataset == run.name
    ]
    compared = {
        id(row.published): row
        for row in compare(everything, run.name, run.metrics, params)
    }
    beside, alone = [], []
    for row in everything:
        told = {
            "method": row.method,
            "metric": row.metric,
            "theirs": row.value,
            "spread": row.spread,
            "source": f"{row.source}, table {row.table}",
            "status": STATUS.get(row.status, row.status),
            "setup": row.setup,
        }
        ours = compared.get(id(row))
        if ours is None:
            alone.append(told)
        else:
            differs = "; ".join(ours.differs) or SAME
            beside.append({**told, "ours": ours.ours, "name": ours.name,
                           "differs": differs})  # fmt: skip
    return {"beside": beside, "alone": alone}
