"""One driver at a time for each work folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process.

    The system holds the lock and drops it with the process, however that ends: a
    lock file left by a dead process holds nobody up.
    """
    descriptor = _acquire(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def clear(folder: Path) -> None:
    """Remove a folder that this process holds, the lock last."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
        (folder / NAME).unlink()
        folder.rmdir()


def _acquire(folder: Path) -> int:
    import fcntl

    path = folder / NAME
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _no_lock(path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 200).decode(errors="replace")
            os.close(descriptor)
            raise MmclustError(
                "Another run is at work on the same features",
                where=folder,
                found=holder or "a process that has just begun",
                do="wait for it, or end that process; then run the command again",
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise _no_lock(path, error) from error
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                break
        os.close(descriptor)  # its last holder finished and removed the file
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return descriptor


def _no_lock(path: Path, error: OSError) -> MmclustError:
    return MmclustError(
        "The work folder cannot be locked",
        where=path,
        found=error.strerror or error,
        do="choose a folder you may write to, on a file system that knows locks",
    )
