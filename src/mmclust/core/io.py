"""Reading and writing: every file is written through :func:`writing`.

A reader of this project never meets a half-written file. A writer fills a
private temporary file beside its target, syncs it, looks at it once more, and
only then gives it its name, so that a kill or a full disk at any moment leaves
the previous file as it was.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import hashlib
import io
import json
import mmap
import os
import re
import secrets
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.text import json_value, utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

csv.field_size_limit(2**31 - 1)  # captions may be long; Python stops at 128 KiB

CHUNK = 1 << 20
_JSON_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
_MADE = {"data", "metrics", "plots", "report"}
"""Folders of a repository whose files the pipeline makes."""
_RESTORE = "restore the file, or delete it and run the stage that makes it"
_PROBE = 1 << 16
_LINE_END = re.compile(r"\r\n|\n|\r")
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
_SWEPT: set[Path] = set()
"""Folders that this process has looked through for what killed ones left."""


@contextlib.contextmanager
def writing(
    path: Path, verify: Callable[[Path], object] | None = None
) -> Iterator[Path]:
    """Give a temporary path to fill, a file or a folder, then put it at ``path``.

    ``verify`` gets it before. Whatever it raises, or the block, stops the write: the
    temporary path is removed and ``path`` stays as it was. A full disk is one error,
    whatever a library makes of it.
    """
    with private(path) as folder:
        temporary = folder / "new"
        try:
            yield temporary
            _sync(temporary)
            if verify is not None:
                verify(temporary)
            temporary.replace(path)
            _sync(path.parent)
        except MmclustError:
            raise
        except Exception as error:
            reason = _reason(error, folder)
            if reason is None:
                raise
            raise _cannot_write(path, reason) from error


@contextlib.contextmanager
def private(path: Path) -> Iterator[Path]:
    """Give an empty folder beside ``path``, and remove it at the end.

    Its name is one that git and DVC ignore (``.NAME.….tmp``). It is locked, so that
    a later run can tell the folder of a killed run, which it sweeps.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.absolute() not in _SWEPT:
            sweep(path.parent)
            _SWEPT.add(path.parent.absolute())
        folder, lock = _reserve(path)
    except OSError as error:
        raise _cannot_write(path, error.strerror or error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder; a living one's is locked."""
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        names = os.listdir(folder)  # noqa: PTH208 - at once, before it may be removed
    for path in (folder / name for name in names if TEMPORARY.fullmatch(name)):
        with contextlib.suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(lock)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other runs that ask for the same out of a folder, once they are out of it.

    What is read, changed and written again in the block is then not lost. On a file
    system without locks nobody waits.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _cannot_write(folder, error.strerror or error) from error
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _reserve(path: Path) -> tuple[Path, int]:
    """Make a private folder; return it and the descriptor that holds its lock."""
    while True:
        folder = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        folder.mkdir(0o700)
        with contextlib.suppress(FileNotFoundError):  # swept before it was locked
            lock = os.open(folder, os.O_RDONLY)
            taken = False
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:  # by who sweeps it
                taken = True
            except OSError:  # no locks here: then nobody sweeps, either
                pass
            if not taken and folder.exists():
                return folder, lock
            os.close(lock)


def _reason(error: Exception, folder: Path) -> object:
    """Return why a write failed; None for an error that is none of the disk's.

    Some libraries keep the system's error to themselves: then a small write shows it.
    """
    if isinstance(error, OSError) and error.errno:
        reason, name = os.strerror(error.errno), str(error.filename or folder)
        return reason if name.startswith(str(folder)) else f"{reason}: {name}"
    if found := re.search(r"\(os error (\d+)\)", str(error)):  # written in Rust
        return os.strerror(int(found[1]))
    try:
        with (folder / "probe").open("wb") as file:
            file.write(bytes(_PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as full:
        return full.strerror
    return error if isinstance(error, OSError) else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path, reason: object) -> MmclustError:
    return MmclustError(
        f"Cannot write {path.name}",
        where=path,
        found=reason,
        do="free some space or choose a folder you may write to; "
        "what was there before is untouched",
    )


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes atomically; see :func:`writing`."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def write_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write rows, the header first, as CSV; see :func:`writing`."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_bytes(path, text.getvalue().encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; NaN and infinity, which JSON cannot say, are refused."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise MmclustError(
            "A value is not a number", where=path, found=error
        ) from error
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path, do: str | None = None) -> Any:
    """Read a JSON file, whatever it holds; ``do`` is the advice where it is broken."""
    data = require_file(path, do).read_bytes()
    try:
        return json_value(data)
    except ValueError as error:
        raise MmclustError(
            f"{path.name} is not valid JSON",
            where=path,
            found=error,
            do=do or _RESTORE,
        ) from error


def read_record(
    path: Path, keys: Mapping[str, type], *, do: str | None = None, **may: type
) -> dict[str, Any]:
    """Read a JSON object that holds ``keys`` of some types.

    ``float`` takes whole numbers too; true and false are no numbers. What ``may`` be
    there, and is not null, is of its type. ``do`` is the advice where that is wrong.
    """
    do = do or _RESTORE
    record = read_json(path, do)
    if not isinstance(record, dict):
        raise MmclustError(
            f"{path.name} is not a record",
            where=path,
            expected="a JSON object" + (f" with {', '.join(keys)}" if keys else ""),
            found=_JSON_KINDS[type(record)],
            do=do,
        )
    return held(path, record, keys, do, **may)


def held(
    path: Path, record: dict[str, Any], keys: Mapping[str, type], do: str, **may: type
) -> dict[str, Any]:
    """Return an object of a record, if its keys are as :func:`read_record` has it."""
    given = {key: kind for key, kind in may.items() if record.get(key) is not None}
    for key, kind in {**keys, **given}.items():
        value = record.get(key)
        right = (int, float) if kind is float else (kind,)
        if type(value) not in right:
            raise MmclustError(
                f"{path.name} does not say {key} as it must",
                where=path,
                expected=f"{key}: {_JSON_KINDS[kind]}",
                found=_JSON_KINDS[type(value)] if key in record else f"no {key}",
                do=do,
            )
    return record


def read_note(path: Path) -> dict[str, Any]:
    """Read a JSON object that only saves work; one that is damaged is as if missing."""
    try:
        note = read_json(path)
    except (MmclustError, OSError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


def write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write a ``.npy`` file atomically, and check that it reads back."""
    write_blocks(path, array.dtype, array.shape, [array])


def write_blocks(
    path: Path,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    blocks: Iterable[np.ndarray[Any, Any]],
) -> None:
    """Write an array that comes in blocks of rows; see :func:`write_array`.

    Nothing is mapped: a full disk is an error of a write, not a SIGBUS.
    """
    if dtype.hasobject:
        raise MmclustError("Arrays of objects are never written", where=path)
    descr = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    with (
        writing(path, verify=read_array) as temporary,
        temporary.open("wb") as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype).data)


def read_array(path: Path) -> np.ndarray[Any, Any]:
    """Map a ``.npy`` file read-only; nothing is unpickled."""
    require_file(path)
    found, cause = f"a file of another kind, named {path.suffix}", None
    try:
        with path.open("rb") as file:
            start = file.read(6)
        if start == np.lib.format.MAGIC_PREFIX:
            return np.lib.format.open_memmap(path, mode="r")
        if start.startswith(b"PK"):
            found = "an archive that holds several arrays, saved by numpy.savez"
    except Exception as error:  # noqa: BLE001 - numpy parses the header as Python
        _refuse_low_memory(path, error)
        cause, found = error, str(error).partition("\n")[0][:200]
        # numpy's own words advise to load them all the same.
        if re.search("pickle|Python objects|max_header_size|not be safe", str(error)):
            found = "Python objects or an oversized header"
    raise MmclustError(
        f"{path.name} is not a readable .npy array",
        where=path,
        expected="a complete array of numbers, saved by numpy.save",
        found=found or type(cause).__name__,
        do="save the rows as one array of numbers, by numpy.save",
    ) from cause


def release(array: np.ndarray[Any, Any]) -> None:
    """Let go of the memory that holds what was read of a mapped file."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def in_blocks(
    array: np.ndarray[Any, Any], numbers: int = 1 << 22
) -> Iterator[np.ndarray[Any, Any]]:
    """Yield some rows at a time; of a mapped file, what was read is let go."""
    step = max(numbers // max(array[:1].size, 1), 1)
    for start in range(0, len(array), step):
        yield array[start : start + step]
        release(array)


def write_table(path: Path, table: pa.Table, metadata: Mapping[str, Any]) -> None:
    """Write a parquet file atomically with JSON metadata under ``mmclust``.

    Equal tables and metadata give equal bytes.
    """
    import pyarrow.parquet as pq

    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False)
    table = table.replace_schema_metadata({"mmclust": text})
    with writing(path, verify=pq.read_metadata) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(
    path: Path,
    columns: Sequence[str] = (),
    *,
    must: Sequence[str] = (),
    do: str | None = None,
) -> tuple[pa.Table, dict[str, Any]]:
    """Read a parquet file and its ``mmclust`` metadata (empty when absent).

    Of ``columns``, where any are named, those that it has. Those that it ``must`` have
    are there, or ``do`` is the advice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    require_file(path)
    try:
        with pq.ParquetFile(path) as file:  # read_table loads pandas
            known = file.schema_arrow.names
            table = file.read([c for c in columns if c in known] or None)
        metadata = json_value((table.schema.metadata or {}).get(b"mmclust", b"{}"))
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        _refuse_low_memory(path, error)
        raise MmclustError(
            f"{path.name} is not a readable parquet file",
            where=path,
            found=str(error).partition("\n")[0][:200],
        ) from error
    if not set(must) <= set(table.column_names):
        raise MmclustError(
            f"{path.name} lacks a column",
            where=path,
            expected=", ".join(sorted(must)),
            found=", ".join(table.column_names),
            do=do,
        )
    return table, metadata


def _refuse_low_memory(path: Path, error: Exception) -> None:
    """Say of a file that is larger than the memory what is wrong: not the file."""
    if isinstance(error, MemoryError) or getattr(error, "errno", 0) == errno.ENOMEM:
        raise MmclustError(
            f"There is not enough memory to read {path.name}",
            where=path,
            found=f"a file of {path.stat().st_size:,} bytes",
            do="close other programs, or use a machine with more memory",
        ) from error


def require_file(path: Path, do: str | None = None) -> Path:
    """Return ``path`` if it is a file that can be read; else ``do`` is the advice."""
    found, what = "one that you may not read", "cannot be read"
    with contextlib.suppress(PermissionError):  # to look into its folder
        if not path.exists():
            found, what = "nothing", "is missing"
        elif not path.is_file():
            kinds = "a pipe, a socket or a device"
            found, what = "a folder" if path.is_dir() else kinds, "is missing"
        elif os.access(path, os.R_OK):
            return path
    made = "run `dvc repro`, which makes it"
    if what == "cannot be read":
        do = "change its permissions, or those of its folder"
    raise MmclustError(
        f"{path.name} {what}",
        where=path,
        expected="a file",
        found=found,
        do=do or (made if _MADE & {*path.parts[:-1]} else "correct the path"),
    )


def read_lines(path: Path, do: str) -> list[str]:
    """Read a text file, UTF-8: its lines without the blanks around them."""
    text = utf8(require_file(path, do).read_bytes(), path, path.name)
    lines = [line.strip() for line in _LINE_END.split(text)]
    return lines if lines[-1] else lines[:-1]


def read_ids(path: Path | None, n_rows: int) -> list[str]:
    """Return one id per row, numbered from 0 without a file."""
    if path is None:
        return [str(i) for i in range(n_rows)]
    ids = read_lines(path, "give one image_id per line")
    if len(ids) != n_rows or len(set(ids)) != len(ids) or not all(ids):
        raise MmclustError(
            "The ids do not fit the features",
            where=path,
            expected=f"{n_rows} different ids, one per line",
            found=f"{len(ids)} lines, {len(set(ids) - {''})} different ids",
        )
    return ids


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of a file, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def canonical(value: Any) -> str:
    """Return a value's JSON with sorted keys and no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
