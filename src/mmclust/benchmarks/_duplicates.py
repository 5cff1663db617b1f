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
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mmclust.core.decoding import decode
from mmclust.core.errors import MmclustError
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    import pyarrow as pa

    from mmclust.core.images import Images


DISTANCE = 4  # bits of 64 in which the hashes of near duplicates differ at most
LISTED = 1_000_000  # pairs of a kind that are listed; all are counted
PAIRS = 1 << 16  # pairs that are made at once to be listed
FIRST = 5  # pairs that the summary spells out

Pairs = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]
_Members = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


@dataclass
class _Tally:
    """Pairs of one kind: counted as products of groups, listed up to a limit."""

    n_images: int
    pairs: int = 0
    across_splits: int = 0
    across_classes: int = 0
    involved: np.ndarray[Any, Any] = field(init=False)
    found: list[np.ndarray[Any, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.involved = np.zeros(self.n_images, bool)

    def count(self, pairs: int, same_split: int, classed: int, same_class: int) -> None:
        """Add so many pairs: those of one split, of two classes known, of one class."""
        self.pairs += pairs
        self.across_splits += pairs - same_split
        self.across_classes += classed - same_class

    def list_first(self, pairs: Iterator[Pairs]) -> None:
        """List pairs of rows until there are :data:`LISTED` of them."""
        room = LISTED
        for left, right in pairs:
            self.found.append(np.stack([left[:room], right[:room]], axis=1))
            room -= min(len(left), room)
            if not room:
                return

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


class _Groups:
    """Images in groups of equal keys, and how many of each split and class are in each.

    Pairs are counted by products of such numbers: two groups of 10,000 make a hundred
    million pairs, of which none is written down. Groups are numbered from 0 without
    gaps; a class of -1 is not known.
    """

    def __init__(
        self,
        keys: np.ndarray[Any, Any],
        splits: np.ndarray[Any, Any],
        classes: np.ndarray[Any, Any],
    ) -> None:
        n_groups = int(keys.max(initial=-1)) + 1
        known = classes >= 0
        self.sizes = np.bincount(keys, minlength=n_groups)
        self.known = np.bincount(keys[known], minlength=n_groups)
        self.by_split = _table_of(keys, splits, n_groups)
        self.by_class = _table_of(keys[known], classes[known], n_groups)

    def count_within(self, tally: _Tally, sign: int = 1) -> None:
        """Count (or with -1 take off) all pairs of two images of one group."""
        tables = (self.sizes, self.by_split.data, self.known, self.by_class.data)
        counts = [int((each * (each - 1) // 2).sum()) for each in tables]
        tally.count(*(sign * count for count in counts))

    def count_between(
        self, tally: _Tally, left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]
    ) -> None:
        """Count all pairs of an image of one group and an image of the other."""
        tally.count(
            int((self.sizes[left] * self.sizes[right]).sum()),
            int(self.by_split[left].multiply(self.by_split[right]).sum()),
            int((self.known[left] * self.known[right]).sum()),
            int(self.by_class[left].multiply(self.by_class[right]).sum()),
        )


def _table_of(
    rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any], n_rows: int
) -> Any:
    """Return how often each pair of numbers occurs: a sparse int64 table."""
    from scipy.sparse import csr_matrix

    shape = (n_rows, int(columns.max(initial=0)) + 1)
    ones = np.ones(len(rows), np.int64)
    return csr_matrix((ones, (rows, columns)), shape=shape)


def find_duplicates(
    prints: Fingerprints,
    ids: Sequence[str],
    splits: np.ndarray[Any, Any],
    labels: Mapping[str, str],
) -> tuple[dict[str, Any], pa.Table]:
    """Count duplicates and list them."""
    names = sorted(set(labels.values()))
    position = {name: at for at, name in enumerate(names)}
    classes = np.array([position.get(labels.get(i, ""), -1) for i in ids], np.int64)
    _, split_of = np.unique(splits, return_inverse=True)
    exact, near = _Tally(len(ids)), _Tally(len(ids))
    _, same = np.unique(prints.digests, return_inverse=True)
    files = _Groups(same, split_of, classes)
    files.count_within(exact)
    exact.involved = files.sizes[same] > 1
    exact.list_first(equal_pairs(same))
    _find_near(near, prints, same, split_of, classes)
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


def _find_near(
    near: _Tally,
    prints: Fingerprints,
    same: np.ndarray[Any, Any],
    splits: np.ndarray[Any, Any],
    classes: np.ndarray[Any, Any],
) -> None:
    """Count and list the pairs of different files whose hashes are near.

    ``same`` groups equal files. Their hashes are equal, too, so that within a group of
    equal hashes the pairs of equal files are taken off.
    """
    rows = np.flatnonzero(prints.decoded)
    values, group = np.unique(prints.hashes[rows], return_inverse=True)
    _, first, file = np.unique(same[rows], return_index=True, return_inverse=True)
    alike = _Groups(group, splits[rows], classes[rows])
    equal = _Groups(file, splits[rows], classes[rows])
    alike.count_within(near)
    equal.count_within(near, -1)
    involved = alike.sizes[group] > equal.sizes[file]
    chosen: list[Pairs] = []
    room = LISTED
    touched = np.zeros(len(values), bool)
    for left, right in near_values(values):
        alike.count_between(near, left, right)
        touched[left] = touched[right] = True
        chosen.append((left[:room], right[:room]))
        room -= min(len(left), room)
    near.involved[rows] = involved | touched[group]

    def listed() -> Iterator[Pairs]:
        same_files, same_hashes = _members_of(file), _members_of(group)
        for left, right in equal_pairs(group[first]):
            yield from _products(same_files, left, right)
        for left, right in chosen:
            yield from _products(same_hashes, left, right)

    near.list_first((rows[left], rows[right]) for left, right in listed())


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


def near_values(values: np.ndarray[Any, Any]) -> Iterator[Pairs]:
    """Yield all pairs of different uint64 at most :data:`DISTANCE` bits apart, once.

    Of five bands of bits, two such hashes have at least one in common (four different
    bits cannot be in five bands), so only hashes that share a band are compared. A
    pair counts in the first band it shares.
    """
    bands = _bands()
    for at, band in enumerate(bands):
        for left, right in equal_pairs(values & band):
            other = values[left] ^ values[right]
            kept = np.bitwise_count(other) <= DISTANCE
            for earlier in bands[:at]:
                kept &= (other & earlier) != 0
            if kept.any():
                yield left[kept], right[kept]


def _members_of(keys: np.ndarray[Any, Any]) -> _Members:
    """Return the members of all groups, group by group, where each starts, its size."""
    sizes = np.bincount(keys)
    return np.argsort(keys, kind="stable"), np.cumsum(sizes) - sizes, sizes


def _products(
    groups: _Members, left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]
) -> Iterator[Pairs]:
    """Yield the pairs of a member of one group and a member of the other, in blocks."""
    members, starts, sizes = groups
    ends = np.cumsum(sizes[left] * sizes[right])
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, min(total, LISTED), PAIRS):
        number = np.arange(start, min(start + PAIRS, total))
        pair = np.searchsorted(ends, number, side="right")
        one, two = left[pair], right[pair]
        within = number - (ends[pair] - sizes[one] * sizes[two])
        a = members[starts[one] + within // sizes[two]]
        b = members[starts[two] + within % sizes[two]]
        yield np.minimum(a, b), np.maximum(a, b)


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


Item = TypeVar("Item")
Result = TypeVar("Result")

SIDE = 32  # pixels a side of the grey picture that is transformed
LOW = 8  # frequencies a side that are kept
DRAFT = 128  # pixels that each side of a JPEG decoded at a reduced scale has at least
BLOCK = 4096  # pictures that are transformed at once
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Fingerprints:
    """Of n pictures, in manifest order."""

    digests: np.ndarray[Any, Any]  # sha256 of each file's bytes, (n,) of `S32`
    hashes: np.ndarray[Any, Any]
    """uint64 (n,): the perceptual hash; 0 where the picture does not decode."""
    decoded: np.ndarray[Any, Any]


def fingerprints(images: Images, n: int, *, workers: int = 1) -> Fingerprints:
    """Take the fingerprints of the first n pictures; each file is read once."""
    from PIL import Image

    Image.init()  # before threads do it at once
    digests = np.zeros(n, "S32")
    hashes = np.zeros(n, np.uint64)
    decoded = np.zeros(n, bool)
    data = (images.file(row)[0] for row in range(n))
    files = track(data, "fingerprints", n, unit="images")
    with ThreadPoolExecutor(workers) as pool:
        results = _in_order(pool, _take, files, ahead=4 * workers)
        pictures: list[np.ndarray[Any, Any]] = []
        rows: list[int] = []
        for row, (digest, picture) in enumerate(results):
            digests[row] = digest
            if picture is not None:
                decoded[row] = True
                pictures.append(picture)
                rows.append(row)
            if len(pictures) == BLOCK:
                hashes[rows] = perceptual_hashes(np.stack(pictures))
                pictures, rows = [], []
    if pictures:
        hashes[rows] = perceptual_hashes(np.stack(pictures))
    return Fingerprints(digests, hashes, decoded)


def perceptual_hashes(pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return uint64 (n,) of uint8 grey pictures (n, 32, 32); see the module."""
    from scipy.fft import dctn

    frequencies = dctn(pictures.astype(np.float64), axes=(1, 2))[:, :LOW, :LOW]
    low = frequencies.reshape(len(pictures), LOW * LOW)
    bits = low > np.median(low, axis=1, keepdims=True)
    packed: np.ndarray[Any, Any] = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return packed.astype(np.uint64)


def _take(data: bytes) -> tuple[bytes, np.ndarray[Any, Any] | None]:
    """Return a file's digest and its small grey picture, if it is one."""
    return hashlib.sha256(data).digest(), small_picture(data)


def small_picture(data: bytes) -> np.ndarray[Any, Any] | None:
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


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
) -> Iterator[Result]:
    """Yield results in the order of the items, few of which wait in memory."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
