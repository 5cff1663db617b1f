"""What several commands print."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mmclust.scoring.record import Record, Score

_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """Return text with control characters spelt out: a terminal would obey them."""
    return "".join(
        char
        if char in "\n\t" or char in _JOINERS or unicodedata.category(char)[0] != "C"
        else char.encode("unicode_escape").decode()
        for char in text
    )


def clustering_table(benchmark: str, record: Record) -> None:
    """Print a benchmark's scores, one row per encoder, view and method."""
    table = Table(
        title=Text(visible(benchmark)),
        caption="mean over seeds ± half of the 95 % interval, of images and seeds",
    )
    for head in ("encoder", "view", "method", "k"):
        table.add_column(head)
    for head in ("ACC", "NMI", "ARI"):
        table.add_column(head, justify="right")
    for key in record.methods():
        scores = record.of(key)
        if "acc" in scores:
            names = (*key, str(scores["acc"].k))
            cells = [_cell(scores[name]) for name in ("acc", "nmi", "ari")]
            table.add_row(*(Text(visible(name)) for name in names), *cells)
    Console().print(table)


def print_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Collection[str] = (),
    *,
    title: str | None = None,
) -> None:
    """Print a table; a pipe gets all of every cell.

    Parameters
    ----------
    heads, rows
        Texts.
    numbers
        Heads of columns that are set to the right.
    title
        Above it.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=300)
    table = Table(title=Text(visible(title)) if title else None, title_justify="left")
    for head in heads:
        table.add_column(
            head, justify="right" if head in numbers else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console.print(table)


def _cell(score: Score) -> str:
    return f"{score.mean:.3f} ± {score.half or 0:.3f}"
