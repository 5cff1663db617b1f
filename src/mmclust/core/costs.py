"""What a stage cost on this machine: a record that nothing depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What one stage took on this machine.

    Parameters
    ----------
    stage, names
        For instance ``encode`` and ``[food30, resnet50]``.
    seconds
        Wall clock, interrupted runs that it continued included.
    peak_bytes, worker_peak_bytes
        Resident memory of the process and of its largest worker (0: none).
    complete
        Whether it came to its end.
    machine
        Processor and cores.
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
