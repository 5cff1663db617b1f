"""What several commands print."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Literal

import typer
from rich.box import SIMPLE_HEAD
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
    wrapped: Collection[str] = (),
) -> None:
    """Print a table; a pipe gets all of every cell.

    Parameters
    ----------
    heads, rows
        Texts.
    numbers
        Heads of columns that are set to the right.
    wrapped
        Heads of columns that a narrow terminal may break into lines; the others hold
        what is copied, or reads badly in two halves.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=300)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for head in heads:
        justify: Literal["right", "left"] = "right" if head in numbers else "left"
        table.add_column(
            Text(visible(head)), justify=justify, overflow="fold",
            no_wrap=head not in wrapped,
        )  # fmt: skip
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console.print(table)


class Notes:
    """Texts that stand once below a table, by number."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def mark(self, text: str) -> str:
        """Return the number of a text, in brackets; nothing for none."""
        if not text:
            return ""
        return f"[{self.texts.setdefault(text, len(self.texts) + 1)}]"

    def print(self) -> None:
        """Print them all."""
        for text, number in self.texts.items():
            typer.echo(visible(f"  [{number}] {text}"))


def _cell(score: Score) -> str:
    return f"{score.mean:.3f} ± {score.half or 0:.3f}"
