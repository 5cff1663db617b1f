"""Temporary files that a later run can tell to be abandoned.

A killed download of a large archive leaves a large temporary file. Writers hold an
advisory lock on theirs, so whatever is not locked belongs to nobody and is removed.
The lock tidies up; nothing's correctness depends on it.
"""

from __future__ import annotations

import contextlib
import fcntl
from typing import TYPE_CHECKING, BinaryIO

from mmclust.core.io import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, before: Callable[[], object]) -> Iterator[Path]:
    """:func:`mmclust.core.io.writing` with a lock on the temporary file.

    Parameters
    ----------
    path
        The final name.
    before
        Called once the new file is complete and synced, just before the rename.

    Yields
    ------
    Path
        An empty file to write to.
    """
    with (
        contextlib.ExitStack() as held,
        writing(path, verify=lambda _: before()) as temporary,
    ):
        held.enter_context(holding(temporary.open("xb")))
        yield temporary


@contextlib.contextmanager
def holding(file: BinaryIO) -> Iterator[None]:
    """Lock an open file until the end of the block, where locks are supported."""
    with file:
        with contextlib.suppress(OSError):
            # Shared: a user's own file may be linked by two runs at once.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed writers of these files left behind.

    Parameters
    ----------
    folder
        Where they were written.
    names
        Final names.
    """
    for name in names:
        for path in folder.glob(f".{name}.*.tmp"):
            with contextlib.suppress(OSError), path.open("rb") as file:
                # An empty one may be about to be locked.
                if path.stat().st_size:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
