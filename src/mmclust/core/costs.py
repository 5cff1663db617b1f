"""What a run costs: time and memory of its stages, numbers and bytes of its weights.

A record of a stage is of this machine, and nothing depends on it. Weights are weighed
by the heads of safetensors files, which are not loaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

BUFFERS = ("running_mean", "running_var", "position_ids")
"""Last words of the names of numbers that are stored, and that no training sets."""


@dataclass(frozen=True)
class Cost:
    """What one stage took on this machine.

    ``seconds`` of wall clock include interrupted runs that it continued; the peaks are
    resident memory of the process and of its largest worker (0: none).
    """

    stage: str
    names: list[str]
    seconds: float
    peak_bytes: int
    worker_peak_bytes: int
    complete: bool
    machine: str


def read_cost(path: Path) -> Cost:
    """Read one record."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cost)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MmclustError(
            "A record of what a stage cost cannot be read",
            where=path,
            found=getattr(error, "strerror", None) or error,
            do="nothing: the next run of the stage writes it anew",
        ) from error


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
