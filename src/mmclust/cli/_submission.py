"""`mmclust score submission`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def submission(
    benchmark: Annotated[str, typer.Argument(help="One that hides classes.")],
    file: Annotated[Path, typer.Argument(help="What `mmclust submit` wrote.")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Read the labels that are kept aside.")
    ] = False,
    max_clusters: Annotated[
        int | None,
        typer.Option(min=1, help="As many may be in it; default: as many as classes."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The JSON file to write; without: none.")
    ] = None,
) -> None:
    """Score a submission against the hidden classes: the final number, once.

    Each look at it makes the next choice less honest: choose on val.
    """
    from mmclust.core.io import write_json
    from mmclust.core.params import read_params
    from mmclust.scoring.own_files import score_submission

    if not reveal:
        raise typer.BadParameter("the labels are hidden: say --reveal to read them")
    record = score_submission(benchmark, file, read_params(), Path(), max_clusters)
    for name in ("ari", "nmi", "acc"):
        low, high = record[f"{name}_low"], record[f"{name}_high"]
        typer.echo(f"{name.upper()}  {record[name]:.4f}  [{low:.4f}, {high:.4f}]")
    typer.echo(f"95 % intervals over {record['n_samples']:,} images")
    if out is not None:
        write_json(out, record)
        typer.echo(f"wrote {out}")
