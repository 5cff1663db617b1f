"""CIFAR's batches, read without running what a pickle may ask for.

A pickle is a program, which names functions and has them called. The published files
name three, which rebuild one numpy array. Here even those are stand-ins that hold
bytes; any other name is refused before anything runs.
"""

from __future__ import annotations

import io
import pickle
import struct
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Callable

PIXELS = 3 * 32 * 32  # bytes of a picture


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

    where: str

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise MmclustError(
                "A batch file asks for what no published one does; it was not run",
                where=self.where,
                expected="a dict of lists and one array of bytes",
                found=f"the name {module}.{name}",
                do="do not trust this file: fetch the source again",
            )
        return ADMITTED[module, name]


def read_batch(data: bytes, where: str) -> dict[str, Any]:
    """Read a batch file of CIFAR's Python version."""
    reader = _Reader(io.BytesIO(data), encoding="bytes")
    reader.where = where
    try:
        content = reader.load()
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
