"""`mmclust leaderboard`: the numbers of all commits and experiments in one table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmclust.report.leaderboard import Leaderboard, Row


class Format(StrEnum):
    """How the table is written."""

    table = "table"
    csv = "csv"
    markdown = "markdown"
    html = "html"
    json = "json"


class Sort(StrEnum):
    """What comes first."""

    score = "score"
    date = "date"
    name = "name"


Names = list[str] | None


def leaderboard(
    benchmark: Annotated[
        Names, typer.Option(help="Only this benchmark; can be given again.")
    ] = None,
    metric: Annotated[
        Names,
        typer.Option(
            help="Only this metric, such as nmi or i2t_r1; can be given again. "
            "Without: acc of clusterings, rsum of retrieval. all: every one."
        ),
    ] = None,
    encoder: Annotated[Names, typer.Option(help="Only this encoder.")] = None,
    view: Annotated[Names, typer.Option(help="Only this view.")] = None,
    method: Annotated[Names, typer.Option(help="Only this method.")] = None,
    current: Annotated[
        bool, typer.Option("--current", help="Only numbers that HEAD has.")
    ] = False,
    branches: Annotated[
        bool, typer.Option("--branches", help="Of every local branch.")
    ] = False,
    experiments: Annotated[
        bool, typer.Option(help="With the DVC experiments of this clone.")
    ] = True,
    max_commits: Annotated[
        int | None,
        typer.Option(min=1, help="Only numbers of the last so many commits."),
    ] = None,
    sort: Annotated[
        Sort, typer.Option(help="Best first, latest first, or by name.")
    ] = Sort.score,
    top: Annotated[
        int | None,
        typer.Option(min=1, help="Only so many per benchmark and metric."),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="How to write it.")
    ] = Format.table,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; else it is printed.")
    ] = None,
) -> None:
    """Show the numbers of every commit that changed metrics, and of experiments.

    Reads git, checks nothing out and needs no data and no network. A number that
    stays the same from commit to commit is one row: the first commit that has it, and
    until which it held. `mmclust reproduce ROW` makes it again and compares.
    """
    from mmclust.report.leaderboard import gather
    from mmclust.report.leaderboard_tables import Choice, choose

    board = gather(
        Path(),
        branches=branches,
        with_experiments=experiments,
        max_commits=max_commits,
    )
    choice = Choice(
        benchmark or (), encoder or (), view or (), method or (), metric or (),
        current=current, sort=sort.value, top=top,
    )  # fmt: skip
    rows = choose(board.rows, choice)
    _write(board, rows, format_, out)


def _write(
    board: Leaderboard, rows: list[Row], format_: Format, out: Path | None
) -> None:
    """Print or save the table; on the side, what a file cannot say."""
    from mmclust.cli._show import visible
    from mmclust.core.io import write_bytes
    from mmclust.report import leaderboard_tables as tables

    if format_ is Format.table and out is None:
        _print(rows)
        typer.echo(f"{len(rows)} of {len(board.rows)} numbers; --metric all: every one")
    else:
        text = {
            Format.table: lambda: tables.to_markdown(board, rows),
            Format.csv: lambda: tables.to_csv(rows),
            Format.markdown: lambda: tables.to_markdown(board, rows),
            Format.html: lambda: tables.to_html(board, rows),
            Format.json: lambda: tables.to_json(board, rows),
        }[format_]()
        if out is None:
            typer.echo(visible(text), nl=False)
        else:
            write_bytes(out, text.encode())
            typer.echo(f"wrote {out} ({len(rows)} rows)")
    for sentence in tables.sentences(board):
        typer.echo(visible(sentence), err=True)


def _print(rows: list[Row]) -> None:
    """Print what the terminal has room for; a pipe gets all of every cell."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mmclust.cli._show import visible
    from mmclust.report.leaderboard_tables import HEADS_OF_TABLE, LEGEND, cells
    from mmclust.report.leaderboard_terminal import SENTENCES, fitted

    console = Console()
    if not console.is_terminal:
        console = Console(width=300)
    shown = [[visible(cell) for cell in cells(row)] for row in rows]
    fit = fitted(HEADS_OF_TABLE, shown, console.width)
    caption = LEGEND.replace("`", "")
    if fit.same:
        caption = f"In every row: {', '.join(fit.same)}. {caption}"
    if fit.left_out:
        caption += f" Too narrow for {', '.join(fit.left_out)}: --format csv has all."
    table = Table(caption=caption, caption_justify="left")
    for head in (HEADS_OF_TABLE[i] for i in fit.columns):
        table.add_column(
            head,
            justify="right" if head in ("k", "mean") else "left",
            overflow="fold",
            no_wrap=head in ("row", "mean", "interval", "commit", "date"),
            ratio=1 if head in SENTENCES else None,
        )
    for values in shown:
        table.add_row(*(Text(values[i]) for i in fit.columns))
    console.print(table)
