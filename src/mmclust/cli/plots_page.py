"""`mmclust plots-page`: what `dvc plots` needs to work without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plots_page(
    out: Annotated[
        Path, typer.Option(help="Where DVC's plots.html_template points.")
    ] = Path(".dvc/plots_page.html"),
) -> None:
    """Write the offline page that `dvc plots show` fills; set-up runs it once."""
    from mmclust.report.curves import write_plots_page

    write_plots_page(out)
    typer.echo(f"wrote {out}")
