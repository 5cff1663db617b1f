"""`mmclust published`: numbers of papers, and ours beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._names import NamesCommand

app = typer.Typer(no_args_is_help=True, help="Published numbers, and ours beside them.")
_FOLDER = Path("docs/published")
_STATUS = {"F": "read in a figure or table", "M": "model card", "L": "third party"}


@app.command("list")
def list_published(
    dataset: Annotated[
        str | None, typer.Argument(help="A data set, such as cifar10; all without.")
    ] = None,
) -> None:
    """List published numbers: value, spread, who says so and under which set-up.

    Shares are in [0, 1]. Numbers quoted from memory are left out.
    """
    from mmclust.cli._show import visible
    from mmclust.scoring.published import read_published, select

    for row in select(read_published(_FOLDER), dataset):
        spread = f" ± {row.spread:g}" if row.spread is not None else ""
        typer.echo(
            visible(
                f"{row.dataset}  {row.method}  {row.metric} {row.value:g}{spread}\n"
                f"    {row.source} ({_STATUS.get(row.status, row.status)}), "
                f"table {row.table}; {row.setup}"
            )
        )


@app.command(cls=NamesCommand)
def compare(
    benchmark: Annotated[
        str | None, typer.Argument(help="A benchmark of params.yaml; all without.")
    ] = None,
) -> None:
    """Print ours, theirs and the difference, and where the set-up is not the same.

    Reads metrics/clustering, params.yaml and the benchmark's summary.json. Where its
    data are not the published ones, no difference is given.
    """
    from mmclust.core.io import read_json, read_record
    from mmclust.core.params import read_params
    from mmclust.scoring.published import compare as put_beside
    from mmclust.scoring.published import read_published

    params = read_params()
    published = read_published(_FOLDER)
    for name in params.clustered if benchmark is None else (benchmark,):
        records = read_json(Path("metrics/clustering") / f"{name}.json")
        folder = Path("data/benchmarks") / name
        summary = read_record(folder / "summary.json", {}, n_classes=int, notes=dict)
        rows = put_beside(published, name, records, params, summary)
        typer.echo(f"{name}: {len(rows)} published numbers have one of ours beside")
        for row in rows:
            theirs = row.published
            difference = "no difference: other data"
            if row.difference is not None:
                difference = f"difference {row.difference:+.3f}"
            typer.echo(
                f"  {theirs.method} {theirs.metric}: ours {row.ours:.3f} "
                f"({row.name}), theirs {theirs.value:.3f}, {difference}"
            )
            same = "the same set-up, as far as it is stated"
            typer.echo(f"    {'; '.join(row.differs) or same}")
