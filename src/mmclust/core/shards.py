"""Long work, shard by shard: resumable, and the same bytes wherever it ran.

A shard is a fixed range of rows. Each becomes a file of its own, written atomically
in a work folder, and then a sidecar that says what the file is and makes it count.
A killed run leaves whole shards, which the next run keeps. What the shards are, no
one can tell from the merged array: their rows depend on the number of rows alone.
One driver at a time has a work folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import (
    file_digest,
    read_array,
    read_json,
    read_note,
    write_array,
    write_blocks,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np

    Span = tuple[int, int]

ROWS = 256
"""Rows per shard, at most."""
LOCK = "lock"


def ranges(n_rows: int, batch: int = 1) -> list[Span]:
    """Return the row ranges ``[start, stop)`` of all shards."""
    size = max(ROWS // batch, 1) * batch
    return [(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


@dataclass(frozen=True)
class Sharded:
    """One array in the making.

    Shards and sidecars lie beside the merged ``.npy`` until it is there. What has
    another ``origin`` (digests of what the rows come from) does not count.
    """

    path: Path
    n_rows: int
    batch: int
    origin: Mapping[str, str]

    @property
    def merged(self) -> bool:
        """Whether nothing is left to do."""
        return (
            self.path.exists() and self._record(self.path, (0, self.n_rows)) is not None
        )

    def unfinished(self) -> list[Span]:
        """Return the shards to compute; a damaged one is among them."""
        if self.merged:
            return []
        spans = ranges(self.n_rows, self.batch)
        return [span for span in spans if self._sidecar(span) is None]

    def write(
        self, span: Span, rows: np.ndarray[Any, Any], skipped: Mapping[str, str]
    ) -> None:
        """Write one shard, then its sidecar, which makes it count."""
        part = self._part(span)
        write_array(part, rows)
        self._write_record(
            part,
            span,
            shape=list(rows.shape),
            dtype=rows.dtype.str,
            sha256=file_digest(part),
            skipped=dict(skipped),
        )

    def merge(self) -> None:
        """Put the shards into one array, each held to its sidecar."""
        if self.merged:
            return
        spans = ranges(self.n_rows, self.batch)
        kinds, skipped = [], dict[str, str]()
        for span in spans:
            side = self._sidecar(span)
            if side is None:
                raise self._refuse(
                    span,
                    "is not what its sidecar says",
                    "the rows, the origin and the sha256 of the sidecar",
                    "others",
                )
            kinds.append(f"rows of shape {side['shape'][1:]}, {side['dtype']}")
            if kinds[-1] != kinds[0]:
                raise self._refuse(span, "does not fit the first", kinds[0], kinds[-1])
            skipped |= side["skipped"]
        self.path.with_suffix(".json").unlink(missing_ok=True)  # of another origin
        first = read_array(self._part(spans[0]))
        blocks = (read_array(self._part(span)) for span in spans)
        write_blocks(self.path, first.dtype, (self.n_rows, *first.shape[1:]), blocks)
        self._write_record(self.path, (0, self.n_rows), skipped=skipped)
        for span in spans:
            self._remove(span)

    def read(self) -> tuple[np.ndarray[Any, Any], dict[str, str]]:
        """Return the merged array, memory-mapped, and the skipped images."""
        skipped = read_json(self.path.with_suffix(".json"))["skipped"]
        return read_array(self.path), skipped

    def _part(self, span: Span) -> Path:
        return self.path.with_name(f"{self.path.stem}.{span[0]:08d}.npy")

    def _remove(self, span: Span) -> None:
        part = self._part(span)
        part.with_suffix(".json").unlink(missing_ok=True)
        part.unlink(missing_ok=True)

    def _write_record(self, array: Path, span: Span, **facts: Any) -> None:
        record = {**self.origin, "rows": list(span), **facts}
        write_json(array.with_suffix(".json"), record)

    def _record(self, array: Path, span: Span) -> dict[str, Any] | None:
        """Return what is said beside an array, if it is of these rows and origin."""
        record = read_note(array.with_suffix(".json"))
        said = {"rows": list(span), **self.origin}
        return record if said.items() <= record.items() else None

    def _sidecar(self, span: Span) -> dict[str, Any] | None:
        """Return what is said of a shard, if it is whole and of this origin."""
        part = self._part(span)
        side = self._record(part, span)
        whole = side and part.is_file() and file_digest(part) == side.get("sha256")
        return side if whole else None

    def _refuse(self, span: Span, what: str, expected: str, found: str) -> MmclustError:
        self._remove(span)
        return MmclustError(
            f"The shard of rows {span[0]} to {span[1] - 1} {what}",
            where=self._part(span),
            expected=expected,
            found=found,
            do="run the same command again: the shard was removed, and it alone is "
            "computed anew",
        )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process.

    The system holds the lock and drops it with the process, however that ends: a
    lock file left by a dead process holds nobody up.
    """
    path = folder / LOCK
    with contextlib.ExitStack() as held:
        try:
            while True:
                folder.mkdir(parents=True, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
                descriptor = os.open(path, flags, 0o644)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_ino == os.fstat(descriptor).st_ino:
                        break  # else its last holder finished and removed the file
        except BlockingIOError as error:
            holder = os.read(descriptor, 200).decode(errors="replace")
            raise MmclustError(
                "Another run is at work on the same features",
                where=folder,
                found=holder or "a process that has just begun",
                do="wait for it, or end that process; then run the command again",
            ) from error
        except OSError as error:
            raise MmclustError(
                "The work folder cannot be locked",
                where=path,
                found=error.strerror or error,
                do="choose a folder you may write to, on a file system that knows "
                "locks",
            ) from error
        os.ftruncate(descriptor, 0)
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        os.write(descriptor, holder.encode())
        yield


def clear(folder: Path) -> None:
    """Remove a folder that this process holds, the lock last."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
        (folder / LOCK).unlink()
        folder.rmdir()
