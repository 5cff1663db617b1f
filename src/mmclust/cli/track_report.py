"""`mmclust track-report`: methods, experiments, observations, from the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def track_report(
    benchmark: Annotated[str, typer.Argument(help="One that has been scored.")],
    out: Annotated[Path, typer.Option(help="The Markdown file to write.")] = Path(
        "report.md"
    ),
    test: Annotated[
        Path | None,
        typer.Option(help="What `mmclust score submission --out` wrote, to be shown."),
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
