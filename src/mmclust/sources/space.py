"""Free space: checked before it is needed, and told when it runs out anyway."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}


def free_space(folder: Path) -> int:
    """Return the bytes free where a folder is, or is going to be."""
    existing = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    return shutil.disk_usage(existing).free


def require_space(folder: Path, size: int, what: str) -> None:
    """Check the free space before anything is written."""
    free = free_space(folder)
    if free < size:
        raise MmclustError(
            f"Not enough space for {what}",
            where=folder,
            expected=f"{size:,} bytes free",
            found=f"{free:,} bytes free, {size - free:,} too few",
            do="free some space, or choose another folder with --out",
        )


def cannot_write(path: Path, error: OSError, missing: int | None) -> MmclustError:
    """Return what a failed write means."""
    found, do = error.strerror or str(error), "choose a folder you may write to"
    if error.errno in _FULL:
        do = "free some space, then run the same command: it continues where it stopped"
        if missing is not None:
            short = max(0, missing - free_space(path.parent))
            found += f": {missing:,} bytes still to be written, {short:,} too few free"
    return MmclustError(
        f"Cannot write {path.name}",
        where=path,
        found=found,
        do=f"{do}; what was there before is untouched",
    )
