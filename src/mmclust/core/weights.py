"""How large weights are: the heads of safetensors files say it, nothing is loaded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

BUFFERS = ("running_mean", "running_var", "position_ids")
"""Last words of the names of numbers that are stored, and that no training sets."""


def parameters(shapes: Mapping[str, tuple[Sequence[int], bool]]) -> int:
    """Count parameters: floating-point numbers that are not :data:`BUFFERS`."""
    return sum(
        math.prod(shape)
        for name, (shape, floating) in shapes.items()
        if floating and name.rpartition(".")[2] not in BUFFERS
    )


def stored_size(paths: Iterable[Path]) -> dict[str, int]:
    """Return ``parameters`` and ``bytes`` of safetensors files."""
    from safetensors import SafetensorError, safe_open

    size = {"parameters": 0, "bytes": 0}
    for path in paths:
        try:
            with safe_open(str(require_file(path)), "numpy") as file:
                slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
                shapes = {
                    name: (part.get_shape(), "F" in part.get_dtype())
                    for name, part in slices.items()
                }
        except SafetensorError as error:
            raise MmclustError(
                f"{path.name} is not a readable safetensors file",
                where=path,
                found=error,
                do="download or train it again",
            ) from error
        size["parameters"] += parameters(shapes)
        size["bytes"] += path.stat().st_size
    return size
