"""The same picture twice: exact and near duplicates, within and across splits.

Exact duplicates are files of equal bytes. Near duplicates are other pairs whose
64-bit perceptual hashes (:mod:`mmclust.benchmarks._fingerprints`) differ in at most
:data:`DISTANCE` bits; copies that were rescaled or compressed again are, mirrored and
cropped ones are not. Plain pictures with little in them can be near one another by
chance: look at the pairs before you remove any.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from mmclust.benchmarks._fingerprints import Fingerprints

DISTANCE = 4
"""Bits of 64 in which the hashes of near duplicates differ at most."""
LISTED = 1_000_000
"""Pairs of a kind that are listed; all are counted."""
FIRST = 5
"""Pairs that the summary spells out."""

Pairs = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


@dataclass
class _Tally:
    """Pairs of one kind, counted as they are found."""

    splits: np.ndarray[Any, Any]
    classes: np.ndarray[Any, Any]
    pairs: int = 0
    across_splits: int = 0
    across_classes: int = 0
    listed: int = 0
    involved: np.ndarray[Any, Any] = field(init=False)
    found: list[np.ndarray[Any, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.involved = np.zeros(len(self.splits), bool)

    def add(self, left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> None:
        """Count pairs of rows."""
        self.pairs += len(left)
        self.across_splits += int((self.splits[left] != self.splits[right]).sum())
        a, b = self.classes[left], self.classes[right]
        self.across_classes += int(((a != b) & (a >= 0) & (b >= 0)).sum())
        self.involved[left] = self.involved[right] = True
        room = max(LISTED - self.listed, 0)
        self.found.append(np.stack([left[:room], right[:room]], axis=1))
        self.listed += min(len(left), room)

    def rows(self) -> np.ndarray[Any, Any]:
        """Return the listed pairs, int64 (p, 2), sorted."""
        rows = np.concatenate([np.zeros((0, 2), np.int64), *self.found])
        return rows[np.lexsort((rows[:, 1], rows[:, 0]))]

    def summary(self, by: str, ids: Sequence[str]) -> dict[str, Any]:
        first = [[ids[a], ids[b]] for a, b in self.rows()[:FIRST].tolist()]
        return {
            "by": by,
            "pairs": self.pairs,
            "images": int(self.involved.sum()),
            "within_split": self.pairs - self.across_splits,
            "across_splits": self.across_splits,
            "across_classes": self.across_classes,
            "first": first,
        }


def find_duplicates(
    prints: Fingerprints,
    ids: Sequence[str],
    splits: np.ndarray[Any, Any],
    labels: Mapping[str, str],
) -> tuple[dict[str, Any], pa.Table]:
    """Count duplicates and list them.

    Parameters
    ----------
    prints
        Of n pictures.
    ids
        Their ids.
    splits
        Their splits, str (n,).
    labels
        Class names of those ids whose class is given out.

    Returns
    -------
    summary : dict
        ``exact`` and ``near`` (``pairs``, the ``images`` in them, pairs
        ``within_split`` and ``across_splits``, pairs ``across_classes`` where both
        classes are given out, the ``first`` few), and ``not_decoded``.
    table : pyarrow.Table
        ``kind``, ``image_id``, ``other_id``, ``split``, ``other_split``,
        ``distance`` in bits, at most :data:`LISTED` of a kind. No classes.
    """
    names = sorted(set(labels.values()))
    position = {name: at for at, name in enumerate(names)}
    classes = np.array([position.get(labels.get(i, ""), -1) for i in ids], np.int64)
    exact, near = _Tally(splits, classes), _Tally(splits, classes)
    _, same = np.unique(prints.digests, return_inverse=True)
    for left, right in equal_pairs(same):
        exact.add(left, right)
    rows = np.flatnonzero(prints.decoded)
    for left, right in near_pairs(prints.hashes[rows]):
        left, right = rows[left], rows[right]  # noqa: PLW2901
        other = same[left] != same[right]
        near.add(left[other], right[other])
    bad = np.flatnonzero(~prints.decoded)
    summary = {
        "exact": exact.summary("sha256 of the file", ids),
        "near": near.summary(
            f"64-bit DCT perceptual hash, at most {DISTANCE} bits apart", ids
        ),
        "not_decoded": {
            "images": len(bad),
            "first": [ids[row] for row in bad[:FIRST].tolist()],
        },
    }
    return summary, _table(exact.rows(), near.rows(), ids, splits, prints.hashes)


def equal_pairs(keys: np.ndarray[Any, Any]) -> Iterator[Pairs]:
    """Yield all pairs of equal keys as arrays of positions, the lower one left.

    Sorted, equal keys are neighbours: one array operation for each distance between
    neighbours, over those that still have one.
    """
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    active = np.arange(len(keys))
    step = 1
    while True:
        active = active[: np.searchsorted(active, len(keys) - step)]
        active = active[sorted_keys[active] == sorted_keys[active + step]]
        if not len(active):
            return
        yield order[active], order[active + step]
        step += 1


def near_pairs(hashes: np.ndarray[Any, Any]) -> Iterator[Pairs]:
    """Yield all pairs of uint64 hashes at most :data:`DISTANCE` bits apart, once each.

    Of five bands of bits, two such hashes have at least one in common (four different
    bits cannot be in five bands), so only hashes that share a band are compared. A
    pair counts in the first band it shares; equal hashes are compared as one.
    """
    values, group, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    yield from equal_pairs(group)
    members = np.argsort(group, kind="stable")
    starts = np.cumsum(sizes) - sizes
    bands = _bands()
    for at, band in enumerate(bands):
        for left, right in equal_pairs(values & band):
            other = values[left] ^ values[right]
            kept = np.bitwise_count(other) <= DISTANCE
            for earlier in bands[:at]:
                kept &= (other & earlier) != 0
            yield _members_of(left[kept], right[kept], members, starts, sizes)


def _members_of(
    left: np.ndarray[Any, Any],
    right: np.ndarray[Any, Any],
    members: np.ndarray[Any, Any],
    starts: np.ndarray[Any, Any],
    sizes: np.ndarray[Any, Any],
) -> Pairs:
    """Return all pairs of a member of one group and a member of the other."""
    products = sizes[left] * sizes[right]
    pair = np.repeat(np.arange(len(left)), products)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(products) - products, products)
    one, two = left[pair], right[pair]
    a = members[starts[one] + within // sizes[two]]
    b = members[starts[two] + within % sizes[two]]
    return np.minimum(a, b), np.maximum(a, b)


def _bands() -> list[np.uint64]:
    edges = np.linspace(0, 64, DISTANCE + 2).round().astype(int).tolist()
    return [np.uint64((1 << stop) - (1 << start)) for start, stop in pairwise(edges)]


def _table(
    exact: np.ndarray[Any, Any],
    near: np.ndarray[Any, Any],
    ids: Sequence[str],
    splits: np.ndarray[Any, Any],
    hashes: np.ndarray[Any, Any],
) -> pa.Table:
    import pyarrow as pa

    pairs = np.concatenate([exact, near])
    left, right = pairs[:, 0], pairs[:, 1]
    distance = np.bitwise_count(hashes[left] ^ hashes[right]).astype(np.int8)
    names = np.array(ids, dtype=object)
    columns = {
        "kind": pa.array(["exact"] * len(exact) + ["near"] * len(near), pa.string()),
        "image_id": pa.array(names[left], pa.string()),
        "other_id": pa.array(names[right], pa.string()),
        "split": pa.array(splits[left].tolist(), pa.string()),
        "other_split": pa.array(splits[right].tolist(), pa.string()),
        "distance": pa.array(distance, pa.int8()),
    }
    return pa.table(columns)
