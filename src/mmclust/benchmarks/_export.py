"""Writing a built benchmark in the layouts that other programs read."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mmclust.benchmarks._raw import DAMAGED
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import writing
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable

LAYOUTS = ("raw",)

# Where a file system refuses a hard link, the bytes are copied.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}


@dataclass(frozen=True)
class Exported:
    """What an export did: the folder, and whether it had to be written."""

    target: Path
    images: int
    written: bool


@dataclass(frozen=True)
class _Item:
    """One image on its way out."""

    container: Path
    member: str
    image: str
    """Path in the export."""
    text: str
    """Path in the export."""
    lines: bytes


def export_benchmark(benchmark: str, folder: Path, layout: str, out: Path) -> Exported:
    """Write a built benchmark in another layout.

    Parameters
    ----------
    benchmark
        Its name.
    folder
        Where it was built.
    layout
        ``raw``: ``raw/images/<class>/<id>.jpg``, the original bytes, and
        ``raw/texts/<class>/<id>.txt``, one caption a line, as the COCO-cross and
        COCO-all builders lay them out.
    out
        Where ``raw`` goes; it appears there complete or not at all.

    Returns
    -------
    Exported
        ``written`` is false when the same export was there already.

    Raises
    ------
    MmclustError
        When the layout is unknown, the benchmark is of another name or was
        built without images, a class name is no folder name, an image cannot
        be read, or something else is in the way.
    """
    if layout not in LAYOUTS:
        raise MmclustError(
            f"Unknown layout {layout!r}",
            where="--as",
            expected=nearest(layout, LAYOUTS),
            found=layout,
            do="export as raw",
        )
    items = _plan(benchmark, folder)
    target = out / "raw"
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        _refuse_other(target, items)
        return Exported(target, len(items), written=False)
    with writing(target) as temporary:
        _write(temporary, items)
    return Exported(target, len(items), written=True)


def _plan(benchmark: str, folder: Path) -> list[_Item]:
    """Return what the export consists of, touching nothing."""
    manifest = read_manifest(folder / "manifest.parquet")
    labels = read_labels(folder / "labels.parquet")
    if manifest.benchmark != benchmark:
        raise MmclustError(
            "The folder holds another benchmark",
            where=folder,
            expected=benchmark,
            found=manifest.benchmark,
            do="correct the name or --benchmark-dir",
        )
    if labels.image_ids != manifest.image_ids:
        raise MmclustError(
            "Labels and manifest do not list the same images",
            where=folder,
            expected=f"{len(manifest):,} ids",
            found=f"{len(labels.image_ids):,} ids",
            do=f"build it again: mmclust build {benchmark}",
        )
    if manifest.table["container"].null_count:
        raise MmclustError(
            f"{benchmark} was built without images",
            where=folder,
            do="build it again without --annotations-only",
        )
    _refuse_unsafe([*set(labels.names), *manifest.image_ids], folder)
    table = manifest.table.select(["image_id", "container", "member", "captions"])
    return [
        _item(manifest.folder, row, name)
        for row, name in zip(table.to_pylist(), labels.names, strict=True)
    ]


def _item(folder: Path, row: dict[str, object], name: str) -> _Item:
    member, image_id = str(row["member"]), str(row["image_id"])
    captions = row["captions"]
    assert isinstance(captions, list)
    return _Item(
        folder / str(row["container"]),
        member,
        f"images/{name}/{image_id}{Path(member).suffix}",
        f"texts/{name}/{image_id}.txt",
        "".join(f"{caption.strip()}\n" for caption in captions).encode(),
    )


def _refuse_unsafe(names: Iterable[str], folder: Path) -> None:
    bad = [
        name
        for name in names
        if not name.strip(".") or ".." in name or any(c in name for c in "/\\\0")
    ]
    if bad:
        raise MmclustError(
            "A class name or image id cannot be the name of a folder or file",
            where=folder,
            expected="a name without '/', '\\' and '..'",
            found=some(repr(name) for name in sorted(bad)),
            do="rename it in the source's annotations and build again",
        )


def _write(target: Path, items: list[_Item]) -> None:
    parents = {(target / path).parent for i in items for path in (i.image, i.text)}
    for parent in sorted(parents):
        parent.mkdir(parents=True)
    with _Archives() as archives:
        for item in track(items, "export", unit="images"):
            (target / item.text).write_bytes(item.lines)
            if item.container.is_dir():
                _link(item, target / item.image)
            else:
                (target / item.image).write_bytes(archives.read(item))


def _link(item: _Item, image: Path) -> None:
    """Link an image's file, or copy it where that cannot be."""
    source = (item.container / item.member).resolve()
    if not source.is_file():
        raise _unreadable(item, "no such file")
    try:
        os.link(source, image)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, image)


class _Archives:
    """Archives, each opened once and closed at the end."""

    def __init__(self) -> None:
        self._open: dict[Path, zipfile.ZipFile] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for archive in self._open.values():
            archive.close()

    def read(self, item: _Item) -> bytes:
        """Return an image's bytes, checked against the archive's checksum."""
        try:
            if item.container not in self._open:
                self._open[item.container] = zipfile.ZipFile(item.container)
            return self._open[item.container].read(item.member)
        except (*DAMAGED, KeyError) as error:
            raise _unreadable(item, error) from error


def _unreadable(item: _Item, found: object) -> MmclustError:
    return MmclustError(
        "An image cannot be read",
        where=f"{item.container}, {item.member}",
        found=found,
        do="fetch the source again, then build again",
    )


def _refuse_other(target: Path, items: list[_Item]) -> None:
    """Raise unless the folder already holds exactly this export."""
    wanted = {path for item in items for path in (item.image, item.text)}
    there = {
        path.relative_to(target).as_posix()
        for path in target.rglob("*")
        if not path.is_dir()
    }
    other = sorted(wanted ^ there)
    with _Archives() as archives:
        for item in [] if other else items:
            if (target / item.text).read_bytes() != item.lines:
                other.append(item.text)
            if (target / item.image).read_bytes() != _bytes(item, archives):
                other.append(item.image)
    if other:
        raise MmclustError(
            "The folder to export to is not empty",
            where=target,
            expected="nothing, or the same export",
            found=f"{len(there):,} files; {len(other):,} differ: {some(other, 3)}",
            do="remove the folder or choose another with --out",
        )


def _bytes(item: _Item, archives: _Archives) -> bytes:
    if not item.container.is_dir():
        return archives.read(item)
    try:
        return (item.container / item.member).read_bytes()
    except OSError as error:
        raise _unreadable(item, error) from error
