"""Label-free scores of heads, and the choice between settings of a method by them.

``model.select: generalisation`` takes, of all instances of one plugin that ran on the
same features (``turtle_fast: {is: turtle, steps: 600}``), the one with the best
generalisation score. Nothing here reads a label or is given one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.features import normalised
from mmclust.core.numerics import threads
from mmclust.core.seeds import derive, generator
from mmclust.scoring.label_free import (
    distances,
    internal_record,
    internal_scores,
    sample_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmclust.core.clusters import Clustering
    from mmclust.scoring.record import Key, Record, Score

Array = np.ndarray[Any, Any]

SELECTED = "selected"
"""``<plugin>.selected`` is the method that was chosen."""


def head_scores(
    encoder: str,
    heads: Sequence[tuple[Clustering, Sequence[Array]]],
    *,
    seed: int,
    workers: int = 1,
) -> list[Score]:
    """Score heads without labels, on the images of the encoders that they read.

    Parameters
    ----------
    encoder
        Named in the record: the first that they read.
    heads
        Each with its spaces: image features as encoders give them, float (n, d), rows
        as the clusters' are. Silhouette and the like are taken in all side by side,
        each at unit norm before.
    seed, workers
        The numbers are the same at any number of workers.
    """
    own = derive(seed, "cluster", encoder)

    def score(head: tuple[Clustering, Sequence[Array]]) -> dict[str, Any]:
        one, spaces = head
        rows = normalised(np.hstack([normalised(space) for space in spaces]))
        sample = sample_rows(len(rows), generator(own, "silhouette"))
        return internal_scores(
            rows, one.labels, sample=sample, apart=distances(rows[sample]),
            spaces=spaces, seed=own,
        )  # fmt: skip

    with threads(1), ThreadPoolExecutor(workers) as pool:
        scored = list(pool.map(score, heads))
    methods = [one for one, _ in heads]
    return internal_record(encoder, zip(methods, scored, strict=True))


def select(
    methods: Iterable[Key], plugins: Mapping[str, str], free: Record, by: str
) -> dict[Key, tuple[Key, str]]:
    """Choose among the settings of each plugin by a label-free score.

    Parameters
    ----------
    methods
        What ran: encoder, view and name.
    plugins
        The plugin of each name.
    free
        Label-free scores; the largest ``by`` wins, the first named of equals.

    Returns
    -------
    dict
        ``<plugin>.selected`` of each encoder and view on which two or more settings
        ran, to the one that was chosen, and why in words.
    """
    groups: dict[Key, list[tuple[float, Key]]] = {}
    for key in methods:
        score = free.mean(key, by)
        if score is not None and key[2] in plugins:
            name = f"{plugins[key[2]]}.{SELECTED}"
            groups.setdefault((*key[:2], name), []).append((score, key))
    return {
        name: (
            max(own, key=lambda pair: pair[0])[1],
            f"chosen by {by}: "
            + ", ".join(f"{key[2]} {score:.3f}" for score, key in
                        sorted(own, key=lambda pair: -pair[0])),
        )
        for name, own in groups.items()
        if len(own) > 1
    }  # fmt: skip
