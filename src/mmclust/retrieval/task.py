"""What is asked of whom: query images, the pool, captions; and rows joined by name."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.io import read_lines, read_table, write_bytes
from mmclust.core.manifest import read_manifest
from mmclust.core.text import same_form

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest

Array = np.ndarray[Any, Any]

MAIN = "main"
"""The captions of the manifest itself."""


@dataclass(frozen=True)
class Captions:
    """One set of captions.

    Parameters
    ----------
    texts
        m captions, by image, then in the publisher's order.
    image
        int64 (m,): the position of each one's image among the queries.
    """

    texts: list[str]
    image: Array

    @property
    def of_image(self) -> Array:
        """Positions of each query image's captions: int64 (n, p), -1 fills up."""
        sizes = np.bincount(self.image)
        rows = np.full((len(sizes), sizes.max()), -1, dtype=np.int64)
        column = np.arange(len(self.image)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows[self.image, column] = np.arange(len(self.image))
        return rows


@dataclass(frozen=True)
class Task:
    """A retrieval benchmark.

    Parameters
    ----------
    benchmark, manifest
        Its name, and the digest of what it was made from.
    pool
        Image ids: the query images first, sorted, then those without captions.
    n_queries
        How many of the pool are queries.
    captions
        ``main``, and ``original`` where the benchmark has other ones.
    rows
        int64: the pool's rows in the manifest.
    folds
        int64 (n_queries,): the fold of each query image; -1 where it is in none.
    n_skipped
        Images of the benchmark that are left out: they have no embedding.
    """

    benchmark: str
    manifest: str
    pool: list[str]
    n_queries: int
    captions: dict[str, Captions]
    rows: Array
    folds: Array
    n_skipped: int = 0


def read_task(folder: Path, skipped: Container[str] = ()) -> Task:
    """Read a built benchmark as a retrieval task."""
    manifest = read_manifest(folder / "manifest.parquet")
    ids, texts = manifest.image_ids, manifest.captions
    rows = [row for row in manifest.evaluate_rows if ids[row] not in skipped]
    queries = [int(row) for row in rows if texts[row]]
    others = [int(row) for row in rows if not texts[row]]
    if not queries:
        raise MmclustError(
            f"{manifest.benchmark} has no captions to retrieve with",
            where=folder,
            expected="images with captions among those it evaluates",
            found=f"{len(others)} images without",
            do="name a benchmark of captioned images",
        )
    captions = {MAIN: _joined([texts[row] for row in queries])}
    for path in sorted(folder.glob("captions_*.parquet")):
        if not read_table(path)[0].num_rows:  # the benchmark has no others
            continue
        kind = path.stem.removeprefix("captions_")
        captions[kind] = _others(path, [ids[row] for row in queries], manifest)
    order = np.array(queries + others, dtype=np.int64)
    pool = [ids[row] for row in order]
    folds = _folds(folder / "folds.parquet", pool[: len(queries)], set(ids))
    n_skipped = len(manifest.evaluate_rows) - len(rows)
    return Task(
        manifest.benchmark, manifest.digest, pool, len(queries), captions, order, folds,
        n_skipped,
    )  # fmt: skip


def _folds(path: Path, queries: Sequence[str], known: set[str]) -> Array:
    """Return the fold of each query image; -1: none."""
    table = read_table(path)[0] if path.exists() else None
    if table is None or not table.num_rows:  # the benchmark has none
        return np.full(len(queries), -1, dtype=np.int64)
    ids = table["image_id"].to_pylist()
    if strange := sorted(set(ids) - known):
        raise MmclustError(
            "Folds name images that the benchmark does not have",
            where=path,
            expected="ids of its manifest",
            found=f"{len(strange)} others: {some(strange)}",
            do="build it again",
        )
    fold_of = dict(zip(ids, table["fold"].to_pylist(), strict=True))
    return np.array([fold_of.get(i, -1) for i in queries], dtype=np.int64)


def _joined(texts: Sequence[Sequence[str]]) -> Captions:
    owner = np.repeat(np.arange(len(texts)), [len(each) for each in texts])
    return Captions([text for each in texts for text in each], owner)


def _others(path: Path, queries: Sequence[str], manifest: Manifest) -> Captions:
    table, _ = read_table(path)
    known = dict(
        zip(table["image_id"].to_pylist(), table["captions"].to_pylist(), strict=True)
    )
    bare = [i for i in queries if not known.get(i)]
    if bare:
        raise MmclustError(
            "Query images lack a caption",
            where=path,
            expected=f"captions of all {len(queries)} query images",
            found=f"none for {len(bare)}: {some(bare)}",
            do=f"build it again: mmclust build {manifest.benchmark}",
        )
    return _joined([known[i] for i in queries])


def shared_texts(captions: Captions) -> dict[str, list[int]]:
    """Return the captions that several images share, and the images' positions."""
    images: defaultdict[str, set[int]] = defaultdict(set)
    for text, image in zip(captions.texts, captions.image.tolist(), strict=True):
        images[text].add(image)
    return {t: sorted(each) for t, each in sorted(images.items()) if len(each) > 1}


def position(names: Sequence[str]) -> Mapping[str, int]:
    """Return the position of each name."""
    return {name: i for i, name in enumerate(names)}


NUMBERED = re.compile(r"^(?P<image>.+)[#:_\- ](?P<number>\d+)$")
ENDING = re.compile(r"^\.[A-Za-z]\w{1,4}$")


def names(path: Path, n_rows: int) -> list[str]:
    """Read one name per line."""
    lines = read_lines(path, "give a text file with one name per line")
    if len(lines) != n_rows or not all(lines):
        raise MmclustError(
            "Names and embeddings do not go together",
            where=path,
            expected=f"{n_rows} lines, one name for each row",
            found=f"{len(lines)} lines, {lines.count('')} of them empty",
        )
    return lines


def _image_of(name: str, known: dict[str, int]) -> int:
    """Find an image by its id or its file name; -1: there is none.

    Folders and an ending such as ``.jpg`` may be there or not; ``a.jpg#3`` has no
    ending and names no image, but a caption.
    """
    last = PurePosixPath(name)
    names = [name, last.name]
    if ENDING.match(last.suffix):
        names += [str(last.with_suffix("")), last.stem]
    names += [same_form(each) for each in names]
    return next((known[each] for each in names if each in known), -1)


def _known(pool: Sequence[str]) -> dict[str, int]:
    """Return positions by name, and by its composed form where that is one name's."""
    known = dict(position(pool))
    forms = Counter(map(same_form, pool))
    alone = {same_form(n): i for n, i in known.items() if forms[same_form(n)] == 1}
    return alone | known


def image_order(lines: list[str], task: Task, ids: Path, missing: Path) -> Array:
    """Return the row of each image of the pool.

    Parameters
    ----------
    lines
        Image ids or file names, in the order of the rows.
    task
        The benchmark.
    ids, missing
        The file of names, and where those that it lacks are listed.

    Returns
    -------
    numpy.ndarray
        int64 (pool,).

    Raises
    ------
    MmclustError
        When a name matches nothing or occurs twice, or images are missing.
    """
    known = _known(task.pool)
    found = [_image_of(name, known) for name in lines]
    _refuse_unknown(lines, found, ids, "images of the pool")
    _refuse_twice(lines, found, ids)
    absent = sorted(set(task.pool) - {task.pool[i] for i in found})
    _refuse_missing(absent, len(task.pool), "images of the pool", ids, missing)
    order = np.empty(len(found), dtype=np.int64)
    order[found] = np.arange(len(found))
    return order


def caption_order(
    lines: list[str], captions: Captions, task: Task, ids: Path, missing: Path
) -> Array:
    """Return the row of each caption.

    Parameters
    ----------
    lines
        ``<image>#<n>``, or the image alone for its next caption.
    captions
        In whose order.
    task, ids, missing
        See :func:`image_order`.

    Returns
    -------
    numpy.ndarray
        int64 (m,).

    Raises
    ------
    MmclustError
        See :func:`image_order`.
    """
    known = _known(task.pool[: task.n_queries])
    place = captions.of_image
    seen: Counter[int] = Counter()
    found = []
    for name in lines:
        image, number = _image_of(name, known), -1
        if image >= 0:
            number = seen[image]
            seen[image] += 1
        elif match := NUMBERED.match(name):
            image = _image_of(match["image"], known)
            number = int(match["number"])
        inside = image >= 0 and 0 <= number < place.shape[1]
        found.append(int(place[image, number]) if inside else -1)
    _refuse_unknown(lines, found, ids, "captions, such as <image>#0")
    _refuse_twice(lines, found, ids)
    absent = sorted(set(range(len(captions.texts))) - set(found))
    labels = [
        f"{task.pool[i]}#{np.flatnonzero(place[i] == c)[0]}"
        for c in absent
        for i in [int(captions.image[c])]
    ]
    _refuse_missing(labels, len(captions.texts), "captions", ids, missing)
    order = np.empty(len(found), dtype=np.int64)
    order[found] = np.arange(len(found))
    return order


def _refuse_unknown(lines: list[str], found: list[int], ids: Path, of: str) -> None:
    unknown = [n for n, i in zip(lines, found, strict=True) if i < 0]
    if unknown:
        raise MmclustError(
            "Names match nothing in the benchmark",
            where=ids,
            expected=f"names of {of}",
            found=f"{len(unknown):,} of {len(lines):,} unknown: {some(unknown)}",
            do="give the names that the benchmark's manifest has",
        )


def _refuse_twice(lines: list[str], found: list[int], ids: Path) -> None:
    count = Counter(found)
    twice = [n for n, i in zip(lines, found, strict=True) if count[i] > 1]
    if twice:
        raise MmclustError(
            "Names occur twice",
            where=ids,
            expected="each image and each caption once",
            found=some(twice),
        )


def _refuse_missing(
    absent: list[str], n: int, what: str, ids: Path, missing: Path
) -> None:
    if absent:
        write_bytes(missing, "".join(f"{name}\n" for name in absent).encode())
        raise MmclustError(
            f"Embeddings of some {what} are missing",
            where=ids,
            expected=f"all {n:,} {what}",
            found=f"{len(absent):,} missing: {some(absent)}",
            do=f"embed those that {missing} lists",
        )
