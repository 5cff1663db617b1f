"""Files of ``torch.save``, read without running anything that lies in them."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAMED = re.compile(r"GLOBAL ([\w.]+)")


def load_torch(path: Path, stand_ins: Mapping[str, type] | None = None) -> Any:
    """Read a file of tensors, numbers, text, lists and dictionaries.

    Parameters
    ----------
    path
        What ``torch.save`` wrote.
    stand_ins
        Full names of foreign classes, and the inert class that takes the place of
        each: its instances get the saved attributes and nothing else happens.

    Returns
    -------
    object
        With tensors on the CPU.

    Raises
    ------
    MmclustError
        When the file asks for any other class or function, which is named, or is
        damaged. Nothing in it was called.
    """
    import pickle

    import torch

    allowed: list[Any] = [(kind, name) for name, kind in (stand_ins or {}).items()]
    require_file(path)
    try:
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd is an error, or is harmless
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = _NAMED.search(str(error))
        if named is None:
            raise _damaged(path, error) from error
        raise MmclustError(
            "A file asks for code that is not run",
            where=path,
            expected="tensors, numbers and text"
            + "".join(f", and {name}" for name in stand_ins or {}),
            found=named[1],
            do="take the file from its publisher; nothing in it was run",
        ) from error
    except (
        OSError, RuntimeError, ValueError, EOFError, KeyError, IndexError, TypeError,
        AttributeError, AssertionError, RecursionError,
    ) as error:  # fmt: skip
        raise _damaged(path, error) from error


def reason(error: Exception) -> str:
    """Return why torch did not load a file, without its advice to load it unsafely."""
    text = str(error)
    if "eights_only" in text or "Weights only" in text:
        named = _NAMED.search(text)
        more = f"it asks for {named[1]}" if named else "it is not of this kind"
        return f"tensors, numbers and text alone are loaded, and {more}"
    return text.strip().partition("\n")[0][:300] or type(error).__name__


def _damaged(path: Path, error: Exception) -> MmclustError:
    return MmclustError(
        f"{path.name} is not a readable file of torch.save",
        where=path,
        found=reason(error),
        do="copy or download it again",
    )
