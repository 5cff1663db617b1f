"""A build appears as a whole: its files are made beside their folder, then moved."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTS = (
    "manifest.parquet",
    "labels.parquet",
    "hidden.parquet",
    "captions_*.parquet",
    "folds.parquet",
    "objects.parquet",
    "duplicates.parquet",
    "images.zip",
    "thumbnails.jpg",
    "README.md",
    "summary.json",
)
"""What a build writes; an earlier build's of these names goes when the next is done."""


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Give a folder to fill, then move its files to ``out``.

    It lies beside ``out``, so that relative paths in its files hold for both.

    Parameters
    ----------
    out
        The final folder; files in it that no build writes stay as they are.

    Yields
    ------
    Path
        A private folder. If the block raises, it is removed and ``out`` stays as it
        was.

    Raises
    ------
    MmclustError
        When a file cannot be written or moved.
    """
    out = out.resolve()
    with private(out) as folder:
        try:
            yield folder
            out.mkdir(exist_ok=True)
            made = {path.name for path in folder.iterdir()}
            for path in [path for part in PARTS for path in out.glob(part)]:
                if path.name not in made:
                    path.unlink()
            for name in sorted(made, key="summary.json".__eq__):  # the summary last
                (folder / name).replace(out / name)
        except MmclustError as error:
            # To the reader it is the folder that was asked for.
            error.replace(str(folder), str(out))
            raise
        except OSError as error:
            raise MmclustError(
                "Cannot write the benchmark",
                where=out,
                found=error.strerror or error,
                do="free some space or choose a folder you may write to with --out",
            ) from error
