"""The same picture twice: exact and near duplicates, within and across splits.

Exact duplicates are files of equal bytes. Near duplicates are other pairs whose
perceptual hashes differ in at most :data:`DISTANCE` bits; copies that were rescaled or
compressed again are, mirrored and cropped ones are not. Plain pictures with little in
them can be near one another by chance: look at the pairs before you remove any.

The hash is the 64-bit DCT hash (pHash): grey, 32 × 32 pixels, type-II discrete cosine
transform, the 8 × 8 lowest frequencies, one bit each for being above their median.
JPEGs are decoded at a reduced scale (1/2, 1/4, 1/8: the smallest that leaves 128
pixels a side), which changes a few bits against hashes of the full size at most, and
is several times as fast.
"""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import decode
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from mmclust.core.images import Images


DISTANCE = 4  # bits of 64 in which the hashes of near duplicates differ at most
LISTED = 1_000_000  # pairs of a kind that are listed; all are counted
PAIRS = 1 << 16  # pairs that are made at once to be listed
FIRST = 5  # pairs that the summary spells out
SIDE = 32  # pixels a side of the grey picture that is transformed
LOW = 8  # frequencies a side that are kept
DRAFT = 128  # pixels that each side of a JPEG decoded at a reduced scale has at least
BLOCK = 4096  # pictures that are transformed at once
_JPEG = b"\xff\xd8\xff"

Array = np.ndarray[Any, Any]
Pairs = tuple[Array, Array]


@dataclass(frozen=True)
class Fingerprints:
    """Of n pictures, in manifest order."""

    digests: Array  # sha256 of each file's bytes, (n,) of `S32`
    hashes: Array
    """uint64 (n,): the perceptual hash; 0 where the picture does not decode."""
    decoded: Array


def find_duplicates(
    prints: Fingerprints, ids: Sequence[str], splits: Array, labels: Mapping[str, str]
) -> tuple[dict[str, Any], pa.Table]:
    """Count duplicates and list them."""
    names = sorted(set(labels.values()))
    position = {name: at for at, name in enumerate(names)}
    classes = np.array([position.get(labels.get(i, ""), -1) for i in ids], np.int64)
    _, split_of = np.unique(splits, return_inverse=True)
    _, same = np.unique(prints.digests, return_inverse=True)
    counts = _within(_groups(same, split_of, classes))
    involved = np.bincount(same)[same] > 1
    exact = _first_rows(equal_pairs(same))
    by = "sha256 of the file"
    summary = {"exact": _summary(by, counts, involved, exact, ids)}
    counts, involved, near = _near(prints, same, split_of, classes)
    by = f"64-bit DCT perceptual hash, at most {DISTANCE} bits apart"
    summary["near"] = _summary(by, counts, involved, near, ids)
    bad = np.flatnonzero(~prints.decoded)
    first = [ids[row] for row in bad[:FIRST].tolist()]
    summary["not_decoded"] = {"images": len(bad), "first": first}
    return summary, _table(exact, near, ids, splits, prints.hashes)


def _near(
    prints: Fingerprints, same: Array, splits: Array, classes: Array
) -> tuple[Array, Array, Array]:
    """Count and list the pairs of different files whose hashes are near.

    ``same`` groups equal files. Their hashes are equal, too, so that within a group of
    equal hashes the pairs of equal files are taken off.
    """
    rows = np.flatnonzero(prints.decoded)
    values, group = np.unique(prints.hashes[rows], return_inverse=True)
    _, first, file = np.unique(same[rows], return_index=True, return_inverse=True)
    alike = _groups(group, splits[rows], classes[rows])
    counts = _within(alike) - _within(_groups(file, splits[rows], classes[rows]))
    touched = np.zeros(len(values), bool)
    chosen: list[Pairs] = []
    room = LISTED
    for left, right in near_values(values):
        counts += _between(alike, left, right)
        touched[left] = touched[right] = True
        chosen.append((left[:room], right[:room]))
        room -= min(len(left), room)
    involved = np.zeros(len(same), bool)
    other_files = np.bincount(group)[group] > np.bincount(file)[file]
    involved[rows] = other_files | touched[group]
    pairs = chain(_products(file, equal_pairs(group[first])), _products(group, chosen))
    return counts, involved, _first_rows((rows[a], rows[b]) for a, b in pairs)


def _groups(keys: Array, splits: Array, classes: Array) -> list[Any]:
    """Return how many images each group has: in all, by split, of a class, by class.

    Groups are numbered from 0 without gaps; a class of -1 is not known. Pairs are
    counted by products of such numbers: two groups of 10,000 make a hundred million
    pairs, of which none is written down.
    """
    from scipy.sparse import csr_matrix

    one, known = np.zeros_like(keys), classes >= 0
    n_groups = int(keys.max(initial=-1)) + 1
    tables = []
    for kinds, counted in ((one, ...), (splits, ...), (one, known), (classes, known)):
        at = keys[counted], kinds[counted]
        shape = (n_groups, int(at[1].max(initial=0)) + 1)
        tables.append(csr_matrix((np.ones(len(at[0]), np.int64), at), shape=shape))
    return tables


def _within(groups: list[Any]) -> Array:
    """Count the pairs of two images of one group: all, and those alike in each way."""
    return np.array([(t.data * (t.data - 1) // 2).sum() for t in groups], np.int64)


def _between(groups: list[Any], left: Array, right: Array) -> Array:
    """Count the pairs of an image of one group and an image of the other."""
    return np.array([t[left].multiply(t[right]).sum() for t in groups], np.int64)


def _summary(
    by: str, counts: Array, involved: Array, rows: Array, ids: Sequence[str]
) -> dict[str, Any]:
    pairs, same_split, classed, same_class = counts.tolist()
    return {
        "by": by,
        "pairs": pairs,
        "images": int(involved.sum()),
        "within_split": same_split,
        "across_splits": pairs - same_split,
        "across_classes": classed - same_class,
        "first": [[ids[a], ids[b]] for a, b in rows[:FIRST].tolist()],
    }


def _first_rows(pairs: Iterable[Pairs]) -> Array:
    """Return the first :data:`LISTED` pairs of rows, int64 (p, 2), sorted."""
    found, room = [np.zeros((0, 2), np.int64)], LISTED
    for left, right in pairs:
        found.append(np.stack([left[:room], right[:room]], axis=1))
        room -= len(found[-1])
        if not room:
            break
    rows = np.concatenate(found)
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


def equal_pairs(keys: Array) -> Iterator[Pairs]:
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


def near_values(values: Array) -> Iterator[Pairs]:
    """Yield all pairs of different uint64 at most :data:`DISTANCE` bits apart, once.

    Of five bands of bits, two such hashes have at least one in common (four different
    bits cannot be in five bands), so only hashes that share a band are compared. A
    pair counts in the first band it shares.
    """
    edges = np.linspace(0, 64, DISTANCE + 2).round().astype(int).tolist()
    bands = [np.uint64((1 << stop) - (1 << start)) for start, stop in pairwise(edges)]
    for at, band in enumerate(bands):
        for left, right in equal_pairs(values & band):
            other = values[left] ^ values[right]
            kept = np.bitwise_count(other) <= DISTANCE
            for earlier in bands[:at]:
                kept &= (other & earlier) != 0
            if kept.any():
                yield left[kept], right[kept]


def _products(keys: Array, groups: Iterable[Pairs]) -> Iterator[Pairs]:
    """Yield the pairs of a member of one group and a member of the other, in blocks."""
    sizes = np.bincount(keys)
    members, starts = np.argsort(keys, kind="stable"), np.cumsum(sizes) - sizes
    for left, right in groups:
        ends = np.cumsum(sizes[left] * sizes[right])
        total = min(int(ends.max(initial=0)), LISTED)
        for start in range(0, total, PAIRS):
            number = np.arange(start, min(start + PAIRS, total))
            pair = np.searchsorted(ends, number, side="right")
            one, two = left[pair], right[pair]
            within = number - (ends[pair] - sizes[one] * sizes[two])
            a = members[starts[one] + within // sizes[two]]
            b = members[starts[two] + within % sizes[two]]
            yield np.minimum(a, b), np.maximum(a, b)


def _table(
    exact: Array,
    near: Array,
    ids: Sequence[str],
    splits: Array,
    hashes: Array,
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


def fingerprints(images: Images, n: int, *, workers: int = 1) -> Fingerprints:
    """Take the fingerprints of the first n pictures; each file is read once."""
    from PIL import Image

    Image.init()  # before threads do it at once
    digests = np.zeros(n, "S32")
    hashes = np.zeros(n, np.uint64)
    decoded = np.zeros(n, bool)
    data = (images.file(row)[0] for row in range(n))
    files = track(data, "fingerprints", n, unit="images")
    waiting: dict[int, Array] = {}
    with ThreadPoolExecutor(workers) as pool:
        # A few at a time, as all of them would not fit into memory.
        few = iter(lambda: list(islice(files, 8 * workers)), [])
        results = chain.from_iterable(pool.map(_take, each) for each in few)
        for row, (digest, picture) in enumerate(results):
            digests[row] = digest
            if picture is not None:
                waiting[row] = picture
            if waiting and (len(waiting) == BLOCK or row == n - 1):
                rows = [*waiting]
                hashes[rows] = perceptual_hashes(np.stack([*waiting.values()]))
                decoded[rows] = True
                waiting.clear()
    return Fingerprints(digests, hashes, decoded)


def perceptual_hashes(pictures: Array) -> Array:
    """Return uint64 (n,) of uint8 grey pictures (n, 32, 32); see the module."""
    from scipy.fft import dctn

    frequencies = dctn(pictures.astype(np.float64), axes=(1, 2))[:, :LOW, :LOW]
    low = frequencies.reshape(len(pictures), LOW * LOW)
    bits = low > np.median(low, axis=1, keepdims=True)
    packed: Array = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return packed.astype(np.uint64)


def _take(data: bytes) -> tuple[bytes, Array | None]:
    """Return a file's digest and its small grey picture, if it is one."""
    return hashlib.sha256(data).digest(), small_picture(data)


def small_picture(data: bytes) -> Array | None:
    """Return uint8 grey (32, 32) of an image file; ``None`` if it does not decode."""
    from PIL import Image

    try:
        if data.startswith(_JPEG):
            with Image.open(io.BytesIO(data)) as image:
                image.draft("L", (DRAFT, DRAFT))
                grey = image.convert("L")
        else:
            grey = Image.fromarray(decode(data, "")).convert("L")
    except (
        OSError,
        ValueError,
        SyntaxError,
        MmclustError,
        Image.DecompressionBombError,
    ):
        return None
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
