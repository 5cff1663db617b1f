"""`mmclust report`: one page that shows the whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path(
        "report/index.html"
    ),
    workers: Annotated[
        int,
        typer.Option(min=0, help="Processes, for pictures and maps; 0: one per core."),
    ] = 0,
) -> None:
    """Write one page: scores, maps, clusters, provenance.

    Pictures, captions and maps go into the folder files/ beside it; keep the two
    together.

    Run it in the root of the repository, after `score`. The page opens without a
    network; its bytes are the same at any number of workers.
    """
    from mmclust.cli._options import n_workers
    from mmclust.core.params import read_params
    from mmclust.report.page import make_report

    make_report(Path(), read_params(), out, workers=n_workers(workers))
    typer.echo(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")
