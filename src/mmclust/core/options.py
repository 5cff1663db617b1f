"""Options of a method on the command line: ``--set key=value``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.yaml_file import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Turn ``key=value`` texts into a mapping; values are read as in params.yaml."""
    block: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        key = key.strip()
        if not equals or not key or key in block:
            raise MmclustError(
                "An option of the method cannot be read",
                where="--set",
                expected="key=value, for instance n_init=20; each key once",
                found=option,
            )
        block[key] = parse_yaml(value, f"--set {option}")
    return block


def refuse_options(block: Mapping[str, Any], idle: Collection[str], why: str) -> None:
    """Refuse options that would have no effect."""
    for key in block:
        if key in idle:
            raise MmclustError(
                f"The option {key} has no effect here: {why}",
                where="--set",
                found=key,
                do="leave it out",
            )
