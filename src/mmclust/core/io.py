"""Reading and writing: every file is written through :func:`writing`.

A reader of this project never meets a half-written file. A writer fills a
private temporary file beside its target, syncs it, looks at it once more, and
only then gives it its name, so that a kill or a full disk at any moment leaves
the previous file as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import secrets
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

CHUNK = 1 << 20


@contextlib.contextmanager
def writing(
    path: Path, verify: Callable[[Path], object] | None = None
) -> Iterator[Path]:
    """Give a temporary path to fill, then put it in place of ``path``.

    Parameters
    ----------
    path
        The final name. Missing parent folders are made.
    verify
        Called with the temporary path before the rename; whatever it raises
        stops the write.

    Yields
    ------
    Path
        A private name in the same folder. If the block raises, it is removed
        and ``path`` stays as it was.

    Raises
    ------
    MmclustError
        When the disk is full or the target cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        _sync(temporary)
        if verify is not None:
            verify(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            if temporary.is_dir():
                shutil.rmtree(temporary)
            else:
                temporary.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path, error: OSError) -> MmclustError:
    return MmclustError(
        f"Cannot write {path.name}",
        where=path,
        found=error.strerror or error,
        do="free some space or choose a folder you may write to; "
        "what was there before is untouched",
    )


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes atomically; see :func:`writing`."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: two-space indent, keys as given, final newline.

    Raises
    ------
    MmclustError
        When the value holds NaN or infinity, which JSON cannot say.
    """
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise MmclustError(
            "A value is not a number", where=path, found=error
        ) from error
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    MmclustError
        When the file is missing, is not UTF-8 or is not JSON.
    """
    try:
        return json.loads(require_file(path).read_bytes())
    except ValueError as error:
        raise MmclustError(
            f"{path.name} is not valid JSON",
            where=path,
            found=error,
            do="restore the file, or delete it and run the stage that makes it",
        ) from error


def write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write a ``.npy`` file atomically, and check that it reads back."""
    if array.dtype == object:
        raise MmclustError("Arrays of objects are never written", where=path)
    buffer = io.BytesIO()
    header = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": array.shape,
    }
    np.lib.format.write_array_header_1_0(buffer, header)
    with (
        writing(path, verify=read_array) as temporary,
        temporary.open("wb") as file,
    ):
        file.write(buffer.getvalue())
        file.write(np.ascontiguousarray(array).data)


def read_array(path: Path) -> np.ndarray[Any, Any]:
    """Map a ``.npy`` file read-only; nothing is unpickled.

    Raises
    ------
    MmclustError
        When the file is missing, truncated or holds Python objects.
    """
    try:
        array: Any = np.load(require_file(path), mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise MmclustError(
            f"{path.name} is not a readable .npy array",
            where=path,
            expected="a complete array of numbers, saved by numpy.save",
            found=error,
        ) from error
    if not isinstance(array, np.ndarray):
        raise MmclustError(
            f"{path.name} holds several arrays",
            where=path,
            expected="one array, saved by numpy.save",
            found="an archive, saved by numpy.savez",
        )
    return array


def write_table(path: Path, table: pa.Table, metadata: Mapping[str, Any]) -> None:
    """Write a parquet file atomically with JSON metadata under ``mmclust``.

    Equal tables and metadata give equal bytes.
    """
    import pyarrow.parquet as pq

    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False)
    table = table.replace_schema_metadata({"mmclust": text})
    with writing(path, verify=pq.read_metadata) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Read a parquet file and its ``mmclust`` metadata (empty when absent).

    Raises
    ------
    MmclustError
        When the file is missing or is not parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(require_file(path)) as file:  # read_table loads pandas
            table = file.read()
    except pa.ArrowException as error:
        raise MmclustError(
            f"{path.name} is not a readable parquet file", where=path, found=error
        ) from error
    text = (table.schema.metadata or {}).get(b"mmclust", b"{}")
    return table, json.loads(text)


def require_file(path: Path, do: str | None = None) -> Path:
    """Return ``path`` if it is a file.

    Raises
    ------
    MmclustError
        When it is not, with ``do`` as the advice.
    """
    if not path.is_file():
        raise MmclustError(
            f"{path.name} is missing",
            where=path,
            expected="a file",
            found="a folder" if path.is_dir() else "nothing",
            do=do or "run `dvc repro`, which makes it",
        )
    return path


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of a file, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def digest_of(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON (sorted keys, no blanks)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
