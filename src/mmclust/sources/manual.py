"""Sources that must be got by hand: where from, where to put them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError, some
from mmclust.sources.folder import NotInFolder, find_files

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.registry import Source, SourceFile


def drop_folder(root: Path, name: str) -> Path:
    """Return where files of a source that were got by hand are dropped."""
    return root / "data" / "drop" / name


def require_dropped(source: Source, files: list[SourceFile], folder: Path) -> Path:
    """Return the folder if the files have been dropped there."""
    names = [file.name for file in files]
    try:
        find_files(source, folder, names)
    except (NotInFolder, FileNotFoundError) as error:
        there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        wanted = [" or ".join([file.name, *file.contains]) for file in files]
        raise MmclustError(
            f"{source.name} must be got by hand",
            where=folder,
            expected="; ".join(wanted),
            found=some(there) or "nothing",
            do=f"{source.manual.strip()} Put it into {folder}, then run the command "
            "again: what you dropped is verified and copied",
        ) from error
    return folder
