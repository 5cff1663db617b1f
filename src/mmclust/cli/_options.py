"""What several commands make of their options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def n_workers(workers: int) -> int:
    """Return the number of processes; 0 stands for the cores this one may use."""
    if workers:
        return workers
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def require_plugins(benchmark: str, encoder: str) -> None:
    """Refuse names that do not exist, with the nearest that do."""
    from mmclust.core.plugins import require

    require("benchmarks", benchmark)
    require("encoders", encoder)


def require_words(model: str, precision: str) -> None:
    """Refuse a word model or a precision that does not exist."""
    import typer

    from mmclust.core.plugins import require

    require("words", model)
    if precision not in ("float32", "bf16", "fp16"):
        raise typer.BadParameter("--precision is float32, bf16 or fp16")


def tell_zero_rows(features: Path) -> None:
    """Say which of an encoder's features are zeros, which clusterers cannot place."""
    import typer

    from mmclust.core.io import read_json

    facts = read_json(features / "features.json")
    for view, count in facts.get("zero_rows", {}).items():
        typer.echo(
            f"{facts['benchmark']} {facts['encoder']}: {count} of {facts['images']} "
            f"images have {view} features of zeros",
            err=True,
        )
