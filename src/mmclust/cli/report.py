"""The page, the report on a track, the budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmclust.cli._options import Workers
from mmclust.cli._show import titled_table

if TYPE_CHECKING:
    from mmclust.report.budget import Budget

BUDGET = Path("metrics/budget.json")


def report(
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path(
        "report/index.html"
    ),
    workers: Workers = 0,
) -> None:
    """Write one page: scores, maps, clusters, provenance.

    Pictures, captions and maps go into the folder files/ beside it; keep the two
    together.

    Run it in the root of the repository, after `score`. The page opens without a
    network; its bytes are the same at any number of workers.
    """
    from mmclust.core.params import read_params
    from mmclust.report.page import make_report

    make_report(Path(), read_params(), out, workers=workers)
    typer.echo(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")


def track_report(
    benchmark: Annotated[str, typer.Argument(help="One that has been scored.")],
    out: Annotated[Path, typer.Option(help="The Markdown file to write.")] = Path(
        "report.md"
    ),
    test: Annotated[
        Path | None,
        typer.Option(
            help="What `mmclust score submission --out` wrote; without, no test "
            "score is shown."
        ),
    ] = None,
) -> None:
    """Write a report on image, text and fused clustering, filled from the metrics.

    Tables with intervals, ARI first; the views of each encoder against each other,
    paired; published numbers beside ours, with their status; the budget; and
    observations, each a sentence about one of these numbers. No label is read.
    """
    from mmclust.core.params import read_params
    from mmclust.report.track import write_track

    write_track(Path(), benchmark, read_params(), out, test)
    typer.echo(f"wrote {out}")


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
    from mmclust.report.budget import as_metrics, figure, read_budget, require_within

    params = read_params()
    found = read_budget(Path(), params)
    write_json(BUDGET, as_metrics(found))
    _tables(found)
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
    typer.echo(f"wrote {BUDGET}")


def _tables(found: Budget) -> None:
    from rich.console import Console

    from mmclust.core.errors import some

    models = titled_table(
        "weights", ("benchmark", "", "name", "model"), ("parameters", "MB")
    )
    for key, many in found.weights.items():
        for each in many:
            size = f"{each.bytes / 1e6:,.1f}"
            models.add_row(*key, each.model, f"{each.parameters:,}", size)
        if not many:
            models.add_row(*key, "none", "0", "0")
    totals = found.totals
    size = f"{1000 * totals['gigabytes']:,.1f}"
    models.add_row("", "", "all, each once", "", f"{totals['parameters']:,}", size)
    stages = titled_table(
        "on this machine", ["stage"], ("seconds", "peak MB", "peak MB of a worker")
    )
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


def plots_page(
    out: Annotated[
        Path, typer.Option(help="Where DVC's plots.html_template points.")
    ] = Path(".dvc/plots_page.html"),
) -> None:
    """Write the offline page that `dvc plots show` fills; set-up runs it once."""
    from mmclust.report.curves import write_plots_page

    write_plots_page(out)
    typer.echo(f"wrote {out}")
