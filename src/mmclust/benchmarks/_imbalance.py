"""Benchmarks that are made imbalanced, for trying methods that expect equal classes.

``benchmarks.NAME.imbalance: {ratio: 10, seed: 782}`` thins the classes before anything
is fitted. It reads labels, as all construction of data does; no method sees more of
them than of any benchmark.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmclust.core.params import Imbalance
    from mmclust.core.types import Built, Objects

RULE = (
    "classes in order of size, equal ones in a seeded order; in each split the class "
    "at place i of C keeps n · ratio^(-i/(C-1)) images, n those of the split's largest "
    "class, at least 1 and at most all; which ones is drawn with the seed"
)


def thin(built: Built, imbalance: Imbalance) -> Built:
    """Thin classes to an exponential profile from the largest to the smallest.

    The order of the classes is that of their sizes in all splits together. Of one
    class, what a larger ratio keeps is part of what a smaller one keeps. Images without
    a class stay; hidden classes are thinned like the others. The rule, and the ratio
    that comes out, go into the notes.
    """
    classes = built.labels | built.hidden
    totals = Counter(classes.values())
    drawn = generator(imbalance.seed, "imbalance", "classes").permutation(len(totals))
    first = dict(zip(sorted(totals), drawn.tolist(), strict=True))
    order = sorted(totals, key=lambda name: (-totals[name], first[name]))
    places: dict[tuple[str, str], list[str]] = {}
    for row in built.rows:
        if row.image_id in classes:
            at = row.split, classes[row.image_id]
            places.setdefault(at, []).append(row.image_id)
    dropped: set[str] = set()
    for (split, name), ids in places.items():
        largest = max(len(own) for (of, _), own in places.items() if of == split)
        share = imbalance.ratio ** (-order.index(name) / max(len(order) - 1, 1))
        asked = max(round(largest * share), 1)
        ids.sort()
        rng = generator(imbalance.seed, "imbalance", split, name)
        dropped |= {ids[i] for i in rng.permutation(len(ids))[asked:]}
    sizes = Counter(name for i, name in classes.items() if i not in dropped)
    note = {
        "ratio": imbalance.ratio,
        "seed": imbalance.seed,
        "rule": RULE,
        "images_before": len(built.rows),
        "ratio_found": round(max(sizes.values()) / min(sizes.values()), 4),
    }
    return _without(built, dropped, built.notes | {"imbalance": note})


def _without(built: Built, dropped: set[str], notes: dict[str, Any]) -> Built:
    """Take images out of everything that a build has of them."""

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {i: value for i, value in values.items() if i not in dropped}

    rows = [row for row in built.rows if row.image_id not in dropped]
    members = {row.member for row in rows}
    pictures = built.pictures
    if pictures is not None:
        pictures = (each for each in pictures if each[0] in members)
    return replace(
        built, rows=rows, labels=kept(built.labels), hidden=kept(built.hidden),
        folds=kept(built.folds), notes=notes, pictures=pictures,
        alternatives={kind: kept(each) for kind, each in built.alternatives.items()},
        objects=built.objects and _objects(built.objects, dropped),
    )  # fmt: skip


def _objects(objects: Objects, dropped: set[str]) -> Objects:
    at = [i for i, image_id in enumerate(objects.image_ids) if image_id not in dropped]
    lists: dict[str, Any] = {
        name: [getattr(objects, name)[i] for i in at]
        for name in ("image_ids", "names", "crowd", "masks")
        if len(getattr(objects, name))
    }
    boxes = np.asarray(objects.boxes)[at] if len(objects.boxes) else objects.boxes
    return replace(objects, boxes=boxes, **lists)
