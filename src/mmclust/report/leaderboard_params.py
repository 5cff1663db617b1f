"""Params of any commit, flat; how they differ from HEAD's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.yaml_file import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COMMON = ("seed", "numerics", "data", "model", "score")


def flat_params(data: bytes | None) -> dict[str, Any]:
    """Return ``{"model.k": 43}`` of a params.yaml; empty where it cannot be read.

    Lists are values, and so are empty mappings.
    """
    try:
        value = parse_yaml(data or b"", "params.yaml")
    except MmclustError:
        return {}
    flat: dict[str, Any] = {}
    if isinstance(value, dict):
        _flatten(value, "", flat)
    return flat


def _flatten(value: Mapping[Any, Any], under: str, flat: dict[str, Any]) -> None:
    for name, inner in value.items():
        key = f"{under}.{name}" if under else str(name)
        if isinstance(inner, dict) and inner:
            _flatten(inner, key, flat)
        else:
            flat[key] = inner


def value_at(flat: Mapping[str, Any], key: str, default: str) -> str:
    """Return a text among flat params."""
    value = flat.get(key, default)
    return value if isinstance(value, str) else default


def differences(
    then: Mapping[str, Any], head: Mapping[str, Any], about: Sequence[str]
) -> tuple[str, ...]:
    """Say how params differ from HEAD's.

    Parameters
    ----------
    then, head
        Flat params.
    about
        Names of the row. Differences that name one of them, or concern every
        method, come first.

    Returns
    -------
    tuple of str
        ``key=value`` as it was then, ``key unset`` where only HEAD has the key.
    """
    names = {name for name in about if name}

    def far(key: str) -> tuple[bool, str]:
        parts = key.split(".")
        return not (parts[0] in _COMMON or names & set(parts)), key

    changed = {
        key
        for key in {*then, *head}
        if key not in then or key not in head or _text(then[key]) != _text(head[key])
    }
    # An empty block that HEAD fills, or the other way round, is told by its keys.
    changed -= {key for key in changed if any(k.startswith(f"{key}.") for k in changed)}
    return tuple(
        f"{key}={_text(then[key])}" if key in then else f"{key} unset"
        for key in sorted(changed, key=far)
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
