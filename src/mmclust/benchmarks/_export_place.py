"""An export appears complete or not at all, and never over something else."""

from __future__ import annotations

import filecmp
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError, some
from mmclust.core.io import private, writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def place(target: Path, fill: Callable[[Path], object]) -> bool:
    """Write a file or a folder, unless it is there already.

    Parameters
    ----------
    target
        Its name. An empty folder of that name is in nobody's way.
    fill
        Makes it at the path it is given; equal input gives equal bytes.

    Returns
    -------
    bool
        False when the same was there; then nothing is written.

    Raises
    ------
    MmclustError
        When something else is there, which stays as it is, or the disk is full.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        with writing(target) as temporary:
            fill(temporary)
        return True
    try:
        with private(target) as aside:
            fresh = aside / target.name
            fill(fresh)
            there, wanted = _files(target), _files(fresh)
            other = sorted(there ^ wanted)
            for name in there & wanted:
                if not filecmp.cmp(target / name, fresh / name, shallow=False):
                    other.append(name)
    except OSError as error:
        raise MmclustError(
            f"Cannot compare with what is there as {target.name}",
            where=target,
            found=error.strerror or error,
            do="free some space, or choose another folder with --out",
        ) from error
    if other:
        raise MmclustError(
            "The place to export to is taken",
            where=target,
            expected="nothing, or the same export",
            found=f"{len(there):,} files; {len(other):,} differ: {some(other, 3)}",
            do="remove it or choose another with --out",
        )
    return False


def _files(target: Path) -> set[str]:
    """Return the paths of a folder's files; of a file, the empty one."""
    if not target.is_dir():
        return {""}
    return {
        path.relative_to(target).as_posix()
        for path in target.rglob("*")
        if not path.is_dir()
    }
