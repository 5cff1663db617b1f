"""Data sets that are arrays of pixels: CIFAR's files, and pictures made of rows.

CIFAR comes as the Python version's batches or the binary version's records. The former
are read without running what a pickle may ask for: a pickle is a program, which names
functions and has them called. The published files name three, which rebuild one numpy
array. Here even those are stand-ins that hold bytes; any other name is refused before
anything runs.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mmclust.benchmarks._source_files import Layout, read_layout
from mmclust.core.errors import MmclustError, some
from mmclust.core.manifest import Row
from mmclust.core.text import shown
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mmclust.benchmarks._splits import Roles


@dataclass(frozen=True)
class Pixels:
    """One split: uint8 (n, h, w, 3) in file order, and positions among the classes."""

    rgb: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]


def pixels_built(
    parts: Mapping[str, Pixels],
    classes: Sequence[str],
    roles: Roles,
    sources: dict[str, str],
    notes: dict[str, Any],
    *,
    images: bool,
) -> Built:
    """Turn arrays into a benchmark; ids are ``<split>_<position>``, five digits."""
    rows: list[Row] = []
    labels: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    for split, part in parts.items():
        of = Counter(part.labels.tolist())
        counts[split] = {name: of[i] for i, name in enumerate(classes)}
        _, height, width, _ = part.rgb.shape
        for i, label in enumerate(part.labels.tolist()):
            name = f"{split}_{i:05d}"
            labels[name] = classes[label]
            rows.append(
                Row(name, None, f"{name}.png", None, None, width, height, (), split)
            )
    return Built(
        rows,
        labels,
        roles.protocol,
        sources,
        notes | {"classes_per_split": counts},
        fit=roles.fit,
        evaluate=roles.evaluate,
        pictures=_pngs(parts) if images else None,
    )


def _pngs(parts: Mapping[str, Pixels]) -> Iterator[tuple[str, bytes]]:
    import cv2

    # Level 1 is as small as level 6 on 32 × 32 pixels.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    for split, part in parts.items():
        for i, rgb in enumerate(part.rgb):
            bgr = np.ascontiguousarray(rgb[:, :, ::-1])
            yield (
                f"{split}_{i:05d}.png",
                cv2.imencode(".png", bgr, options)[1].tobytes(),
            )


SIDE = 32
PIXELS = 3 * SIDE * SIDE


@dataclass(frozen=True)
class Version:
    """Where a data set's splits and labels lie in one of the two versions."""

    archive: str
    folder: str
    files: Mapping[str, tuple[str, ...]]  # of each split, in order
    labels: tuple[str, ...]
    """Kinds of labels of a record, in the order of the binary version's bytes; in the
    Python version, the keys."""

    @property
    def binary(self) -> bool:
        """Whether files are records of bytes, not Python batches."""
        return self.folder.endswith(("-bin", "-binary"))


@dataclass(frozen=True)
class Split:
    """One split as read: pictures (n, 32, 32, 3), labels of each kind (n,)."""

    rgb: np.ndarray[Any, Any]
    labels: dict[str, np.ndarray[Any, Any]]
    where: str

    def pixels(self, labels: np.ndarray[Any, Any]) -> Pixels:
        """Return the pictures under these labels."""
        return Pixels(self.rgb, labels)


def read_splits(
    raw: Path, versions: Sequence[Version], parts: Sequence[str]
) -> tuple[dict[str, Split], dict[str, str]]:
    """Read splits from the first version that is there."""
    of = {
        Layout(v.archive, v.folder, tuple(n for p in parts for n in v.files[p])): v
        for v in versions
    }
    layout, files, where = read_layout(raw, list(of))
    version = of[layout]
    splits = {
        part: _join([_read(files[n], version, f"{where}, {n}") for n in names])
        for part in parts
        for names in (version.files[part],)
    }
    sources = {
        f"{version.folder}/{name}": hashlib.sha256(data).hexdigest()
        for name, data in files.items()
    }
    return splits, sources


def check_range(labels: np.ndarray[Any, Any], n: int, where: str) -> None:
    """Refuse labels outside 0 … n − 1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= n))
    if len(wrong):
        raise MmclustError(
            "Labels are out of range",
            where=where,
            expected=f"0 to {n - 1}",
            found=f"{len(wrong):,} others, first {labels[wrong[0]]} "
            f"in record {wrong[0]:,}",
            do="fetch the source again",
        )


def check_records(size: int, record: int, where: str) -> int:
    """Return how many records of ``record`` bytes a file of ``size`` bytes holds."""
    count, rest = divmod(size, record)
    if rest or not count:
        raise MmclustError(
            "A binary file does not hold whole records",
            where=where,
            expected=f"a multiple of {record:,} bytes",
            found=f"{size:,} bytes: {count:,} records and {rest:,} bytes more",
            do="fetch the source again; see that it is the version of this data set",
        )
    return count


def _read(data: bytes, version: Version, where: str) -> Split:
    if version.binary:
        n_labels = len(version.labels)
        count = check_records(len(data), n_labels + PIXELS, where)
        records = np.frombuffer(data, np.uint8).reshape(count, n_labels + PIXELS)
        columns = records[:, :n_labels].astype(np.int64).T
        labels = dict(zip(version.labels, columns, strict=True))
        return Split(_rgb(records[:, n_labels:]), labels, where)
    batch = read_batch(data, where)
    labels = {
        kind: _label_list(batch, kind, len(batch["data"]), where)
        for kind in version.labels
    }
    return Split(_rgb(batch["data"]), labels, where)


def _rgb(planes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Turn (n, 3072), the red plane first, into (n, 32, 32, 3)."""
    return planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _label_list(
    batch: Mapping[str, Any], kind: str, n: int, where: str
) -> np.ndarray[Any, Any]:
    values = batch.get(kind)
    values = values if isinstance(values, list) else []
    odd = [shown(v) for v in values if type(v) is not int]
    if odd or len(values) != n:
        raise MmclustError(
            "A batch file's labels do not fit its pictures",
            where=f"{where}, {kind}",
            expected=f"a list of {n:,} whole numbers",
            found=some(odd, 3) if odd else f"{len(values):,}",
            do="fetch the source again",
        )
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return np.full(n, -1)


def _join(parts: Sequence[Split]) -> Split:
    if len(parts) == 1:
        return parts[0]
    return Split(
        np.concatenate([part.rgb for part in parts]),
        {k: np.concatenate([p.labels[k] for p in parts]) for k in parts[0].labels},
        some(part.where for part in parts),
    )


# What a stream of bytes that is no pickle, or not this one, raises.
BROKEN = (
    pickle.UnpicklingError, struct.error, EOFError, AssertionError, AttributeError,
    ImportError, IndexError, KeyError, OverflowError, RecursionError, TypeError,
    UnicodeError, ValueError,
)  # fmt: skip


class _Dtype:
    """Stands for ``numpy.dtype``: remembers its code, such as ``u1``."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else code

    def __setstate__(self, state: Any) -> None:
        """Byte order and fields mean nothing for single bytes."""


class _Array:
    """Stands for ``numpy.ndarray``: takes the state of a plain array of bytes."""

    value: np.ndarray[Any, Any]

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _bytes_array(data, dtype, shape, "F" if fortran else "C")


def _bytes_array(data: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> Any:
    if not isinstance(dtype, _Dtype) or dtype.code != "u1":
        raise pickle.UnpicklingError("an array that is not of bytes (uint8)")
    if not isinstance(data, (bytes, bytearray)):
        raise pickle.UnpicklingError("an array without bytes")
    return np.frombuffer(data, np.uint8).reshape(shape, order=order)


def _reconstruct(kind: Any, *_: Any) -> _Array:
    if kind is not _Array:
        raise pickle.UnpicklingError("an array of another kind")
    return _Array()


def _encode(text: str, encoding: str) -> bytes:
    """Bytes, as Python 3 writes them in Python 2's protocols."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text encoded as {encoding}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    # The same array as newer versions of numpy and Python write it.
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.numeric", "_frombuffer"): _bytes_array,
    ("numpy.core.numeric", "_frombuffer"): _bytes_array,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
}


_OPCODES: dict[int, Any] = dict(pickle._Unpickler.dispatch)  # noqa: SLF001


def _with_text_keys(opcode: bytes, keys: slice) -> Callable[[Any], None]:
    """Return how an opcode fills a dict whose keys, on the stack, are text."""
    load = _OPCODES[opcode[0]]

    def checked(reader: Any) -> None:
        if not all(isinstance(key, str | bytes) for key in reader.stack[keys]):
            raise pickle.UnpicklingError("a dict whose keys are no text")
        load(reader)

    return checked


def _refuse_set(_: Any) -> None:
    raise pickle.UnpicklingError("a set")


class _Reader(pickle._Unpickler):  # noqa: SLF001
    """Refuses every name but the admitted, and keys that are no text.

    The version in Python: in C's, a number in the file is the size of a table. Keys
    are hashed, and hashing nested tuples ends the interpreter.
    """

    dispatch: ClassVar[Any] = _OPCODES | {
        pickle.SETITEM[0]: _with_text_keys(pickle.SETITEM, slice(-2, -1)),
        pickle.SETITEMS[0]: _with_text_keys(pickle.SETITEMS, slice(None, None, 2)),
        pickle.DICT[0]: _with_text_keys(pickle.DICT, slice(None, None, 2)),
        pickle.ADDITEMS[0]: _refuse_set,
        pickle.FROZENSET[0]: _refuse_set,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise _RefusedError(f"{module}.{name}")
        return ADMITTED[module, name]


class _RefusedError(Exception):
    """A name that no published file has."""


def read_batch(data: bytes, where: str) -> dict[str, Any]:
    """Read a batch file of CIFAR's Python version."""
    try:
        content = _Reader(io.BytesIO(data), encoding="bytes").load()
    except _RefusedError as error:
        raise MmclustError(
            "A batch file asks for what no published one does; it was not run",
            where=where,
            expected="a dict of lists and one array of bytes",
            found=f"the name {error}",
            do="do not trust this file: fetch the source again",
        ) from error
    except MemoryError as error:
        raise MmclustError(
            "There is too little memory to read a batch file",
            where=where,
            found=f"{len(data):,} bytes",
            do="end other programs, and try again",
        ) from error
    except BROKEN as error:
        found = f"{len(data):,} bytes: {str(error) or type(error).__name__}"
        raise _malformed(where, found) from error
    if not isinstance(content, dict):
        raise _malformed(where, type(content).__name__)
    batch = {
        key.decode("latin1") if isinstance(key, bytes) else key: value
        for key, value in content.items()
    }
    pixels = batch.get("data")
    pixels = getattr(pixels, "value", pixels)
    if not isinstance(pixels, np.ndarray):
        raise _malformed(where, f"keys {', '.join(map(str, batch))}, no array")
    if pixels.ndim != 2 or pixels.shape[1] != PIXELS:  # noqa: PLR2004
        raise _malformed(where, f"data of shape {pixels.shape}")
    return {**batch, "data": pixels}


def _malformed(where: str, found: str) -> MmclustError:
    return MmclustError(
        "A batch file is not CIFAR's",
        where=where,
        expected=f"a dict with data, (n, {PIXELS}) bytes, and labels",
        found=found,
        do="fetch the source again",
    )
