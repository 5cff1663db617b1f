"""Results that another version of mmclust wrote are refused, never shown in part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def refuse(path: Path, expected: str, found: str) -> NoReturn:
    """Say that a file is laid out as this version does not write it.

    Raises
    ------
    MmclustError
        Always.
    """
    raise MmclustError(
        f"{path.name} was written by another version of mmclust",
        where=path,
        expected=expected,
        found=found,
        do="run `dvc repro`, which scores anew with this version",
    )


def records(value: Any, path: Path, needed: Collection[str]) -> dict[str, Any]:
    """Return a mapping of records, each of which has all the keys needed.

    Raises
    ------
    MmclustError
        When it is no such mapping.
    """
    expected = f"records with {', '.join(needed)}"
    if not isinstance(value, dict) or not value:
        refuse(path, expected, type(value).__name__ if value else "nothing")
    for name, record in value.items():
        if not isinstance(record, dict):
            refuse(path, expected, f"{name}: {type(record).__name__}")
        if lacking := sorted(set(needed) - record.keys()):
            refuse(path, expected, f"{name} without {', '.join(lacking)}")
    return value


def flat(value: Any, path: Path, known: Collection[str]) -> dict[str, Any]:
    """Return one level of figures, some of which are known.

    Raises
    ------
    MmclustError
        When there are levels below, or nothing in it is known.
    """
    expected = "one level of figures, such as " + ", ".join(list(known)[:3])
    if not isinstance(value, dict):
        refuse(path, expected, type(value).__name__)
    deeper = [str(key) for key, one in value.items() if isinstance(one, dict)]
    if deeper:
        refuse(path, expected, f"levels below {', '.join(deeper[:3])}")
    stems = {str(key).removesuffix("_why") for key in value}
    if stems.isdisjoint(known):
        refuse(path, expected, ", ".join(list(map(str, value))[:5]) or "nothing")
    return value
