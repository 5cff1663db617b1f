"""`mmclust leaderboard`: the numbers of all commits and experiments in one table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmclust.board.headlines import LAST, MOST

if TYPE_CHECKING:
    from mmclust.board.rows import Leaderboard, Row


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
            "Without: acc; rsum of retrieval; v_measure_score, "
            "prediction_correlation_over_10 and mas of words; f1 of grounding. "
            "all: every one."
        ),
    ] = None,
    encoder: Annotated[Names, typer.Option(help="Only this encoder.")] = None,
    view: Annotated[Names, typer.Option(help="Only this view.")] = None,
    method: Annotated[Names, typer.Option(help="Only this method.")] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Every number there ever was, and those of DVC experiments; without: "
            f"the last one of each method, here or in the last {LAST} commits.",
        ),
    ] = False,
    current: Annotated[
        bool, typer.Option("--current", help="Only numbers that stand here.")
    ] = False,
    branches: Annotated[
        bool, typer.Option("--branches", help="Of every local branch.")
    ] = False,
    experiments: Annotated[
        bool, typer.Option(help="In --history, the DVC experiments of this clone.")
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
        typer.Option(
            min=1,
            help=f"So many per benchmark and metric; without: {MOST} rows in all, "
            "unless it is a file or --history.",
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="How to write it.")
    ] = Format.table,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; else it is printed.")
    ] = None,
) -> None:
    """Show the scores that stand here, committed or not, and since when they do.

    Reads the records of scores of git's history and of the workspace, checks nothing
    out and needs no data and no network. A number that stays the same from commit to
    commit is one row, also where it went and came back. `mmclust reproduce ROW` makes
    it again and compares.
    """
    from mmclust.board.choice import Choice, choose
    from mmclust.board.rows import gather

    board = gather(
        Path(),
        branches=branches,
        with_experiments=experiments and every,
        max_commits=max_commits or (None if every else LAST),
    )
    brief = top is None and not every and format_ in (Format.table, Format.markdown)
    choice = Choice(
        benchmark or (), encoder or (), view or (), method or (), metric or (),
        every=every, current=current, sort=sort.value, top=top,
        most=MOST if brief and out is None else None,
    )  # fmt: skip
    rows = choose(board.rows, choice)
    _write(board, rows, format_, out)


def _write(
    board: Leaderboard, rows: list[Row], format_: Format, out: Path | None
) -> None:
    """Print or save the table; on the side, what a file cannot say."""
    from mmclust.board import tables
    from mmclust.cli._show import visible
    from mmclust.core.io import write_bytes

    if format_ is Format.table and out is None:
        _print(rows)
        typer.echo(
            f"{len(rows)} of {len(board.rows)} numbers; --metric all: of every metric; "
            "--history: also those of before; --top N: more of each"
        )
    else:
        text = {
            Format.table: lambda: tables.board_markdown(board, rows),
            Format.csv: lambda: tables.board_csv(rows),
            Format.markdown: lambda: tables.board_markdown(board, rows),
            Format.html: lambda: tables.board_html(board, rows),
            Format.json: lambda: tables.board_json(board, rows),
        }[format_]()
        if out is None:
            typer.echo(visible(text), nl=False)
        else:
            write_bytes(out, text.encode())
            typer.echo(f"wrote {out} ({len(rows)} rows)")
    for sentence in board.remarks:
        typer.echo(visible(sentence), err=True)


def _print(rows: list[Row]) -> None:
    """Print the table, each interval as ±, notes once each below."""
    from mmclust.board import tables
    from mmclust.cli._show import Notes, print_table

    notes = Notes()
    shown = []
    for row in rows:
        cells = dict(zip(tables.HEADS_OF_BOARD, tables.board_cells(row), strict=True))
        if row.score.half is not None:
            half = tables.number(row.score.half, row.score.mean)
            cells["mean"] = f"{cells['mean']} ± {half}"
        cells["notes"] = notes.mark(cells["notes"])
        shown.append(cells)
    heads = [
        head
        for head in tables.HEADS_OF_BOARD
        if head != tables.INTERVAL and any(cells[head] for cells in shown)
    ]
    wrapped = {"benchmark", "method", "metric", "before"}
    lines = [[cells[head] for head in heads] for cells in shown]
    print_table(heads, lines, tables.NUMBERS, wrapped)
    notes.print()
    typer.echo(f"{tables.BOARD_LEGEND.replace('`', '')} ±: half of the interval.")
