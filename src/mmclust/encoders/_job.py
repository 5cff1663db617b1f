"""What workers are told and what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003
from typing import TYPE_CHECKING, Any

from mmclust.core.types import Batch, Fitted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Plan:
    """An encoder with its options and what it learned.

    Parameters
    ----------
    encoder, params, fitted
        See :class:`mmclust.core.types.Encoder`.
    captions
        The file of the captions it reads; ``None`` for those of the manifest.
    zeros
        Whether an image without captions has features of zeros, not none at all.
    """

    encoder: str
    params: Any
    fitted: Fitted = field(default_factory=Fitted)
    captions: Path | None = None
    zeros: bool = False


@dataclass(frozen=True)
class Job:
    """What all shards have in common.

    Parameters
    ----------
    manifest
        ``manifest.parquet``.
    plans
        The encoders.
    corrupt
        ``fail`` or ``skip``.
    batch
        Rows that an encoder gets at once, always: the last batch is filled up.
    device, precision, compiled
        See :mod:`mmclust.encoders._compute`.
    """

    manifest: Path
    plans: tuple[Plan, ...]
    corrupt: str
    batch: int
    device: str = "cpu"
    precision: str = "float32"
    compiled: bool = False


@dataclass(frozen=True)
class Task:
    """One shard: its rows, and the arrays wanted of each encoder.

    ``wanted`` pairs an encoder with ``prepared``, ``image`` or ``text``.
    """

    start: int
    stop: int
    wanted: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Prepared:
    """A shard's pictures, prepared: arrays or their files by encoder."""

    task: Task
    arrays: Mapping[str, Array | Path]
    skipped: Mapping[str, str]


@dataclass(frozen=True)
class Done:
    """A shard's arrays, and the images that were skipped with the reason."""

    arrays: Mapping[tuple[str, str], Array]
    skipped: Mapping[str, str]


def rows_of(batch: Batch, rows: Sequence[int] | Array) -> Batch:
    """Return some rows of a batch."""
    return Batch(
        [batch.image_ids[i] for i in rows],
        [batch.captions[i] for i in rows],
        None if batch.images is None else batch.images[rows],
    )
