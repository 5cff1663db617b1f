"""Pictures on the page: some of each cluster, and a contact sheet of all."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.seeds import generator
from mmclust.report.thumbs import thumbnails

if TYPE_CHECKING:
    from mmclust.core.params import Params
    from mmclust.report.run import Run

SHEET = 80
"""Pictures on the contact sheet."""
MOST = 2400
"""Pictures in all galleries of a benchmark: about 5 MB of page."""
COMMONEST = 3
"""Classes named for each cluster."""
WORDS = 5
"""Keywords, and nouns, named for each cluster."""


def make_gallery(run: Run, params: Params) -> dict[str, Any]:
    """Return the clusters, largest first, and the contact sheet, with pictures.

    Parameters
    ----------
    run
        The benchmark.
    params
        ``seed`` and ``report.thumbnails``.

    Returns
    -------
    dict
        ``clusters``: id, size, matched class, purity (the share of its commonest
        class), commonest classes, keywords, nouns and pictures; ``sheet``:
        pictures. A picture
        has ``src``, ``id``, ``class``, ``captions`` and ``ok`` (its class is the
        one its cluster was matched with).

    Raises
    ------
    MmclustError
        When an image cannot be read.
    """
    found = np.unique(run.scored.clusters)
    each = max(1, min(params.report.thumbnails, MOST // len(found)))
    chosen = {
        int(cluster): _draw(
            np.flatnonzero(run.scored.clusters == cluster),
            each,
            generator(params.seed, "report", "gallery", run.name, int(cluster)),
        )
        for cluster in found
    }
    sheet = _draw(
        np.arange(len(run.manifest)),
        SHEET,
        generator(params.seed, "report", "sheet", run.name),
    )
    pictures = _pictures(run, np.concatenate([sheet, *chosen.values()]))
    clusters = [
        {**_facts(run, cluster), "pictures": [pictures[row] for row in rows.tolist()]}
        for cluster, rows in chosen.items()
    ]
    clusters.sort(key=lambda cluster: (-cluster["size"], cluster["id"]))
    return {
        "clusters": clusters,
        "each": each,
        "sheet": [pictures[row] for row in sheet.tolist()],
    }


def _draw(
    rows: np.ndarray[Any, Any], most: int, rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    drawn: np.ndarray[Any, Any] = rng.permutation(rows)[:most]
    return drawn


def _facts(run: Run, cluster: int) -> dict[str, Any]:
    rows = np.flatnonzero(run.scored.clusters == cluster)
    # Counter keeps first seen first, so ties are broken by the name.
    counts = Counter(sorted(run.scored.names[row] for row in rows))
    commonest = counts.most_common(COMMONEST)
    keywords, nouns = run.names.get(cluster, ([], []))
    return {
        "id": cluster,
        "size": len(rows),
        "matched": run.scored.matched[rows[0]],
        "purity": commonest[0][1] / len(rows),
        "commonest": commonest,
        "others": len(rows) - sum(count for _, count in commonest),
        "keywords": keywords[:WORDS],
        "nouns": [noun.replace("_", " ") for noun in nouns[:WORDS]],
    }


def _pictures(run: Run, rows: np.ndarray[Any, Any]) -> dict[int, dict[str, Any]]:
    ids, captions = run.manifest.image_ids, run.manifest.captions
    scored = run.scored
    return {
        row: {
            "src": src,
            "id": ids[row],
            "class": scored.names[row],
            "captions": captions[row],
            "ok": scored.names[row] == scored.matched[row],
        }
        for row, src in thumbnails(run.manifest, rows.tolist()).items()
    }
