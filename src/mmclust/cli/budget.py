"""`mmclust budget`: what a run needs, against limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mmclust.report.budget import Budget

OUT = Path("metrics/budget.json")


def budget() -> None:
    """Say what the run needs, and fail if it is more than params.yaml allows.

    Parameters and bytes of weights, of each encoder (with the captioner whose
    captions it reads) and head; wall clock and peak memory of each stage that ran
    on this machine. Weights that several share count once. Limits: budget.hours,
    budget.gigabytes (of weights) and budget.parameters; null is none.

    Writes parameters and bytes to metrics/budget.json.
    """
    from mmclust.core.io import write_json
    from mmclust.core.params import read_params
    from mmclust.report.budget import (
        as_metrics,
        figure,
        read_budget,
        require_within,
    )

    params = read_params()
    found = read_budget(Path(), params)
    write_json(OUT, as_metrics(found))
    _show(found)
    for path in found.damaged:
        typer.echo(f"{path} is damaged and not counted; its stage writes it anew")
    require_within(found, params)
    limits = {
        name: limit
        for name in ("hours", "gigabytes", "parameters")
        if (limit := getattr(params.budget, name)) is not None
    }
    said = ", ".join(f"{figure(limit)} {name}" for name, limit in limits.items())
    partly = " (hours: of what was measured)" if found.unmeasured else ""
    typer.echo(f"within {said}{partly}" if limits else "no limits are set")
    typer.echo(f"wrote {OUT}")


def _show(found: Budget) -> None:
    from rich.console import Console
    from rich.table import Table

    from mmclust.core.errors import some

    models = Table(title="weights")
    for head in ("benchmark", "", "name", "model"):
        models.add_column(head)
    for head in ("parameters", "MB"):
        models.add_column(head, justify="right")
    for key, many in found.weights.items():
        for each in many:
            size = f"{each.bytes / 1e6:,.1f}"
            models.add_row(*key, each.model, f"{each.parameters:,}", size)
        if not many:
            models.add_row(*key, "none", "0", "0")
    totals = found.totals
    size = f"{1000 * totals['gigabytes']:,.1f}"
    models.add_row("", "", "all, each once", "", f"{totals['parameters']:,}", size)
    stages = Table(title="on this machine")
    stages.add_column("stage")
    for head in ("seconds", "peak MB", "peak MB of a worker"):
        stages.add_column(head, justify="right")
    for cost in found.costs:
        name = f"{cost.stage} {' '.join(cost.names)}"
        stages.add_row(
            name if cost.complete else f"{name} (not finished)",
            f"{cost.seconds:,.1f}",
            f"{cost.peak_bytes / 1e6:,.0f}",
            f"{cost.worker_peak_bytes / 1e6:,.0f}",
        )
    stages.add_row("all", f"{3600 * totals['hours']:,.1f}", "", "")
    for table in (models, stages):
        Console().print(table)
    if found.unmeasured:
        typer.echo(f"not measured here, so not in the sum: {some(found.unmeasured)}")
