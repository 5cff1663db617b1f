"""What several commands make of their options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.fingerprint import Fingerprint


def usable(device: str) -> str:
    """Return a device's name if it can be computed on; refuse it at once if not."""
    if device == "cpu":
        return device
    from mmclust.models.compute import require_device

    return require_device(device)


Device = Annotated[
    str,
    typer.Option(help="Where torch runs: cpu, cuda, cuda:1, mps.", callback=usable),
]
"""The option of every command that computes on one device."""


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
    from mmclust.core.plugins import require

    require("words", model)
    if precision not in ("float32", "bf16", "fp16"):
        raise typer.BadParameter("--precision is float32, bf16 or fp16")


def as_before(made: Fingerprint) -> bool:
    """Tell whether a run would give what is there, and say so; or why it runs again."""
    if made.holds():
        typer.echo(f"{made.what}: as before: nothing to do", err=True)
        return True
    if why := made.why():
        typer.echo(f"{made.what}: {why}", err=True)
    return False


def tell_left_out(folder: Path, record: str = "features.json") -> None:
    """Say what of its input an encoder did not use: skipped images, cut captions."""
    from mmclust.core.io import read_record

    facts = read_record(
        folder / record, {"benchmark": str, "encoder": str}, skipped=dict
    )
    name = f"{facts['benchmark']} {facts['encoder']}"
    for view, skipped in (facts.get("skipped") or {}).items():
        reasons = ", ".join(sorted({why.partition(":")[0] for why in skipped.values()}))
        typer.echo(f"{name}: {len(skipped):,} images have no {view} features and are "
                   f"left out ({reasons})", err=True)  # fmt: skip
    if facts.get("captions_cut"):
        typer.echo(f"{name}: {facts['captions_cut']:,} captions are longer than the "
                   "model reads, and were cut", err=True)  # fmt: skip


def tell_zero_rows(features: Path) -> None:
    """Say which of an encoder's features are zeros, which clusterers cannot place."""
    from mmclust.core.features import read_meta

    facts = read_meta(features)
    for view, count in facts.get("zero_rows", {}).items():
        typer.echo(
            f"{facts['benchmark']} {facts['encoder']}: {count} of {facts['images']} "
            f"images have {view} features of zeros",
            err=True,
        )
