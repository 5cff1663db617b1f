"""Queries to look at: captions that find their image, and captions that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.report.thumbs import thumbnails

if TYPE_CHECKING:
    from mmclust.report.retrieval import Pool, Searched

EACH = 6
"""Best queries, and worst ones, that are shown."""
FIRST = 5
"""Candidates of each that are shown."""


def shown_queries(
    queries: dict[str, list[Any]],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return rows of the best and of the worst queries, each image at most once.

    Parameters
    ----------
    queries
        See :class:`mmclust.report.retrieval.Searched`; a query is named
        ``<image id>#<caption>``.

    Returns
    -------
    best, worst : numpy.ndarray
        int64. Best: the lowest rank, without ties, and then the widest lead of the
        first candidate. Worst: the highest rank, never one of the best.
    """
    names = np.array(queries["query"])
    rank, tied = np.array(queries["rank"]), np.array(queries["tied"])
    scores = np.array([row[:2] for row in queries["scores"]])
    lead = scores[:, 0] - scores[:, -1]
    images = np.unique([name.rpartition("#")[0] for name in names], return_inverse=True)
    owner = images[1]
    best = _one_each(np.lexsort((names, -lead, tied, rank)), owner)
    worst = np.lexsort((names, -tied, -rank))
    return best, _one_each(worst[~np.isin(owner[worst], owner[best])], owner)


def _one_each(
    rows: np.ndarray[Any, Any], owner: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    _, first = np.unique(owner[rows], return_index=True)
    kept: np.ndarray[Any, Any] = rows[np.sort(first)][:EACH]
    return kept


def example_queries(pool: Pool, searched: Searched) -> dict[str, list[dict[str, Any]]]:
    """Return the best and worst text-to-image queries with pictures.

    Parameters
    ----------
    pool, searched
        The benchmark, and the encoder's lists.

    Returns
    -------
    dict
        ``worst`` and ``best``: each with ``caption``, ``rank``, ``tied``, the
        ``right`` picture and the first ``candidates``; a picture has ``id``,
        ``src``, ``score`` and ``ok``.

    Raises
    ------
    MmclustError
        When an image cannot be read.
    """
    row_of = {name: row for row, name in enumerate(pool.manifest.image_ids)}
    captions, queries = pool.manifest.captions, searched.queries
    best, worst = shown_queries(queries)
    owners, wanted = {}, set()
    for line in (*best.tolist(), *worst.tolist()):
        image, _, number = queries["query"][line].rpartition("#")
        owners[line] = image, captions[row_of[image]][int(number)]
        wanted |= {row_of[each] for each in queries["candidates"][line][:FIRST]}
        wanted.add(row_of[image])
    pictures = thumbnails(pool.manifest, wanted)

    def told(line: int) -> dict[str, Any]:
        image, caption = owners[line]
        found = zip(
            queries["candidates"][line][:FIRST], queries["scores"][line], strict=False
        )
        return {
            "caption": caption,
            "rank": queries["rank"][line],
            "tied": queries["tied"][line],
            "right": {"id": image, "src": pictures[row_of[image]]},
            "candidates": [
                {"id": each, "src": pictures[row_of[each]], "score": score,
                 "ok": each == image}
                for each, score in found
            ],
        }  # fmt: skip

    return {
        "worst": [told(line) for line in worst.tolist()],
        "best": [told(line) for line in best.tolist()],
    }
