"""A few pictures with what the first run's clusters see in them, for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.images import Images
from mmclust.core.io import write_json, writing
from mmclust.grounding._network import Network
from mmclust.grounding._show import seen_in

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.manifest import Manifest
    from mmclust.grounding._gold import Gold
    from mmclust.grounding._look import Seen
    from mmclust.grounding._model import Model

    Array = np.ndarray[Any, Any]

MOST = 2
"""Clusters drawn of each picture: with the boxes, one row of panels."""


def write_gallery(
    folder: Path,
    model: Model,
    manifest: Manifest,
    gold: Gold,
    seen: Seen,
    *,
    rows: Array,
    count: int,
    rng: np.random.Generator,
) -> None:
    """Draw pictures chosen by chance among those with an active cluster.

    Writes ``gallery/<n>.jpg`` and ``gallery.json``: for each its ``file``,
    ``image_id`` and the ``clusters`` drawn, with ``cluster``, ``words`` and
    ``output``.

    Parameters
    ----------
    folder
        Of the tables.
    model, manifest, gold
        What was evaluated.
    seen
        What the first run saw in ``rows``.
    rows
        Manifest rows, int64 (n,).
    count
        Pictures, at most.
    rng
        Draws them.
    """
    lit = rows[np.stack(seen.active).any(axis=1)]
    chosen = np.sort(rng.permutation(lit)[:count])
    network, images = Network(model, 0), Images(manifest)
    listed = []
    for at, row in enumerate(chosen.tolist()):
        rgb = images.read(row)
        boxes = gold.boxes(row, rgb.shape[1], rgb.shape[0], model.size)
        page, drawn = seen_in(network, model, 0, rgb, boxes, most=MOST)
        name = f"gallery/{at}.jpg"
        with writing(folder / name) as temporary:
            page.save(temporary, "JPEG", quality=80)
        clusters = [
            {"cluster": cluster, "words": words, "output": round(output, 4)}
            for cluster, words, output in drawn
        ]
        listed.append(
            {"file": name, "image_id": manifest.image_ids[row], "clusters": clusters}
        )
    write_json(folder / "gallery.json", listed)
