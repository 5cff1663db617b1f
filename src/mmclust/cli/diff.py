"""`mmclust diff`: what moved between two commits, or since the last one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmclust.board.diff import Diff


class Format(StrEnum):
    """How the changes are written."""

    table = "table"
    md = "md"
    csv = "csv"
    json = "json"


def diff(
    base: Annotated[
        str, typer.Argument(help="Before: a revision of git, or an experiment of DVC.")
    ] = "HEAD",
    head: Annotated[
        str | None,
        typer.Argument(help="After; without: the workspace, committed or not."),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Rows within their noise and equal ones, too."),
    ] = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this metric; can be given again; all: every one. Without: acc, "
            "nmi, ari; rsum, t2i_r1, i2t_r1; of words v_measure_score, "
            "prediction_correlation_over_10, mas; f1 of grounding."
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="How to write it.")
    ] = Format.table,
) -> None:
    """Show which scores moved by more than their noise, before and after a change.

    Compares the records of scores (metrics/details) of two commits, branches, tags or
    DVC experiments, or of one with the workspace. A row that moved less than its
    noise is counted, not listed. Nothing is checked out and nothing runs.

    Each side is a run of its own; they are not paired over images. The 95 % interval
    of a difference takes both sides as independent: it adds the squares of the
    half-widths that both records have (images and seeds). Where both ran on the same
    images this is wider than need be: what is listed is surer than its p says, and a
    small gain may count as noise. `mmclust score clustering --baseline` pairs two
    methods.
    """
    from mmclust.board import tables
    from mmclust.board.diff import compare
    from mmclust.cli._show import visible

    found = compare(Path(), base, head, metric or ())
    if format_ is Format.table:
        _print(found, every=every)
        return
    write = {
        Format.md: tables.diff_markdown,
        Format.csv: tables.diff_csv,
        Format.json: tables.diff_json,
    }[format_]
    typer.echo(visible(write(found, every=every)), nl=False)


def _print(found: Diff, *, every: bool) -> None:
    from mmclust.board import tables
    from mmclust.cli._show import print_table, visible

    rows = [tables.diff_cells(each) for each in tables.listed(found, every=every)]
    if rows:
        print_table(tables.HEADS_OF_DIFF, rows, tables.NUMBERS, {"benchmark", "method"})
    typer.echo(visible(tables.verdict(found)))
    for sentence in tables.diff_sentences(found):
        typer.echo(visible(f"- {sentence}"))
    typer.echo(visible(tables.diff_legend(found)))
