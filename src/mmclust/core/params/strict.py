"""Plain values of YAML turned into frozen dataclasses, nothing unknown let in."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec

from mmclust.core.errors import MmclustError, nearest

T = TypeVar("T")

Positive = Annotated[int, msgspec.Meta(ge=1)]
"""A count or a size: at least 1."""
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
"""A rate or a temperature: above 0."""


def convert(value: Any, kind: type[T], where: str, given: str = "params.yaml") -> T:
    """Turn plain YAML values into a frozen dataclass, strictly."""
    _refuse_unknown(value, kind, where, given)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        tail = at.rstrip("`").replace("[...]", "").lstrip(".")
        key = ".".join(part for part in (where, tail) if part)
        expected = message.removeprefix("Expected ").partition(", got ")[0]
        if key == "model.k":  # msgspec names neither the words nor the types alone
            expected = "a number, null (as many as classes) or auto"
        raise MmclustError(
            f"A value in {given} has the wrong type or is out of range",
            where=key or "the whole file",
            expected=expected,
            found=repr(_lookup(value, tail)),
            do=f"correct {key or 'the file'} in {given}",
        ) from error


def _refuse_unknown(value: Any, kind: Any, where: str, given: str) -> None:
    if not dataclasses.is_dataclass(kind) or not isinstance(value, dict):
        return
    hints = get_type_hints(kind)
    known = {f.name: hints[f.name] for f in dataclasses.fields(kind)}
    for key, inner in value.items():
        dotted = f"{where}.{key}" if where else str(key)
        if key not in known:
            raise MmclustError(
                f"Unknown key {dotted!r} in {given}",
                where=where or "the top level",
                expected=nearest(str(key), known),
                found=key,
                do=f"correct or remove {dotted}",
            )
        _refuse_unknown(inner, known[key], dotted, given)


def _lookup(value: Any, dotted: str) -> Any:
    for part in dotted.split(".") if dotted else []:
        if not isinstance(value, dict) or part not in value:
            break
        value = value[part]
    return value
