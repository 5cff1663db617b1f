"""A publisher's few large files, in a folder or in a compressed tar archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks._raw import check_folder
from mmclust.benchmarks._tar import read_members
from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Files that a publisher packs together.

    Parameters
    ----------
    archive
        For instance ``cifar-10-python.tar.gz``.
    folder
        The folder inside it, which unpacking makes.
    names
        The files needed.
    optional
        Files to read where they are there.
    """

    archive: str
    folder: str
    names: tuple[str, ...]
    optional: tuple[str, ...] = ()


def read_layout(
    raw: Path, layouts: Sequence[Layout]
) -> tuple[Layout, dict[str, bytes], str]:
    """Read the first layout that is there: unpacked, or else in its archive.

    Parameters
    ----------
    raw
        Folder of the source: it holds the layout's folder, its files or its archive.
    layouts
        In order of preference.

    Returns
    -------
    layout : Layout
        The one found.
    files : dict of str to bytes
        By name.
    where : str
        The folder or archive, for messages.

    Raises
    ------
    MmclustError
        When none is complete, naming what is missing, or the archive is damaged.
    """
    check_folder(raw)
    for layout in layouts:
        for folder in (raw / layout.folder, raw):
            if all((folder / name).is_file() for name in layout.names):
                there = [n for n in layout.optional if (folder / n).is_file()]
                names = [*layout.names, *there]
                files = {name: (folder / name).read_bytes() for name in names}
                return layout, files, str(folder)
    for layout in layouts:
        if (raw / layout.archive).is_file():
            return layout, _unpack(raw / layout.archive, layout), layout.archive
    raise MmclustError(
        f"The files of {layouts[0].folder} are missing",
        where=raw,
        expected="; or ".join(
            f"{n.archive}, or unpacked {n.folder}/ with {', '.join(n.names)}"
            for n in layouts
        ),
        found=_what_is_there(raw, layouts),
        do="fetch the source again, or give its folder with --raw",
    )


def _what_is_there(raw: Path, layouts: Sequence[Layout]) -> str:
    for layout in layouts:
        lacking = [n for n in layout.names if not (raw / layout.folder / n).is_file()]
        if (raw / layout.folder).is_dir():
            return f"{layout.folder}/ without {some(lacking)}"
    return some(sorted(p.name for p in raw.iterdir())) or "an empty folder"


def _unpack(path: Path, layout: Layout) -> dict[str, bytes]:
    wanted = {f"{layout.folder}/{n}": n for n in (*layout.names, *layout.optional)}
    files = {wanted[name]: data for name, data in read_members(path, wanted)}
    missing = [name for name in layout.names if name not in files]
    if missing:
        raise MmclustError(
            f"{path.name} lacks files",
            where=path,
            expected=f"{layout.folder}/ with {', '.join(layout.names)}",
            found=f"missing: {some(missing)}",
            do="fetch the source again",
        )
    return files
