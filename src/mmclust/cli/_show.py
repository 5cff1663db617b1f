"""What is printed, on a stream that spells out what a terminal would obey."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TextIO

import typer

from mmclust.core.errors import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from rich.table import Table
    from rich.text import Text

    from mmclust.scoring.record import Record

_COLOUR = re.compile("(\x1b\\[[0-9;]*m)")


class ShownOutput:
    """A stream that spells out what a terminal would obey; tables keep their colours.

    Class names, file names and captions come from data of others, in every command:
    so they are treated here, and not wherever one is printed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, made visible; return its length, as streams do."""
        parts = _COLOUR.split(text)
        parts[::2] = map(visible, parts[::2])
        self._stream.write("".join(parts))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines; see :meth:`write`."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def titled_table(
    title: str | Text,
    heads: Sequence[str],
    numbers: Sequence[str],
    caption: str | None = None,
) -> Table:
    """Return a table without rows; columns of numbers come last, set to the right."""
    from rich.table import Table

    table = Table(title=title, caption=caption)
    for head in heads:
        table.add_column(head)
    for head in numbers:
        table.add_column(head, justify="right")
    return table


def clustering_table(benchmark: str, record: Record) -> None:
    """Print a benchmark's scores, one row per encoder, view and method.

    A single encoder goes into the title: the table then fits on 80 columns.
    """
    from rich.console import Console
    from rich.text import Text

    encoders = list(dict.fromkeys(key[0] for key in record.methods()))
    first = 1 if len(encoders) == 1 else 0
    table = titled_table(
        Text(visible(": ".join([benchmark, *encoders[:first]]))),
        ("encoder", "view", "method", "k")[first:],
        ("ACC", "NMI", "ARI"),
        "mean over seeds ± half of the 95 % interval, of images and seeds",
    )
    for key in record.methods():
        scores = record.of(key)
        if "acc" in scores:
            names = (*key[first:], str(scores["acc"].k))
            own = [scores[name] for name in ("acc", "nmi", "ari")]
            cells = [f"{score.mean:.3f} ± {score.half or 0:.3f}" for score in own]
            table.add_row(*(Text(visible(name)) for name in names), *cells)
    Console().print(table)


def print_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Collection[str] = (),
    wrapped: Collection[str] = (),
) -> None:
    """Print a table; a pipe gets all of every cell.

    Columns of ``numbers`` are set to the right. A narrow terminal may break those of
    ``wrapped`` into lines; the others hold what is copied, or reads badly in halves.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=300)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for head in heads:
        table.add_column(
            Text(visible(head)),
            justify="right" if head in numbers else "left",
            overflow="fold",
            no_wrap=head not in wrapped,
        )
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


def score_line(record: dict[str, Any], key: str, name: str, width: int = 16) -> str:
    """Return one score with its interval, or the reason that there is none."""
    if record[key] is None:
        return f"{name:<{width}}-       ({record[f'{key}_why']})"
    text = f"{name:<{width}}{record[key]:.4f}"
    if record[f"{key}_low"] is not None:
        text += f"  [{record[f'{key}_low']:.4f}, {record[f'{key}_high']:.4f}]"
    return text + difference(record, key)


def difference(record: dict[str, Any], key: str) -> str:
    """Return a score's difference from the baseline, or why there is none."""
    from mmclust.scoring.record import show_p

    if f"{key}_diff" not in record:
        return ""
    diff, low, high, p = (
        record[f"{key}_diff{part}"] for part in ("", "_low", "_high", "_p")
    )
    why = record.get(f"{key}_diff_why", "")
    if diff is None:
        return f"  ({why})"
    shown = show_p(p) if p is not None else f"none: {why}"
    return f"  difference {diff:+.4f} [{low:+.4f}, {high:+.4f}] p = {shown}"


def tell_sizes(sizes: Sequence[int], out: Path, noise: int = 0) -> None:
    """Say how many clusters were written, how large, and how many rows are in none."""
    none = f", {noise} in none (-1)" if noise else ""
    typer.echo(
        f"{sum(sizes)} rows in {len(sizes)} clusters of {min(sizes, default=0)} to "
        f"{max(sizes, default=0)}{none}; wrote {out}"
    )


def tell_left_out(folder: Path, record: str = "features.json") -> None:
    """Say what of its input an encoder did not use: skipped images, cut captions."""
    from mmclust.core.io import read_record

    facts = read_record(
        folder / record, {"benchmark": str, "encoder": str}, skipped=dict
    )
    name = f"{facts['benchmark']} {facts['encoder']}"
    for view, skipped in (facts.get("skipped") or {}).items():
        reasons = ", ".join(sorted({why.partition(":")[0] for why in skipped.values()}))
        typer.echo(f"{name}: {len(skipped):,} images have no {view} features and are "
                   f"left out ({reasons})", err=True)  # fmt: skip
    if facts.get("captions_cut"):
        typer.echo(f"{name}: {facts['captions_cut']:,} captions are longer than the "
                   "model reads, and were cut", err=True)  # fmt: skip


def tell_zero_rows(features: Path) -> None:
    """Say which of an encoder's features are zeros, which clusterers cannot place."""
    from mmclust.core.features import read_meta

    facts = read_meta(features)
    for view, count in facts.get("zero_rows", {}).items():
        typer.echo(
            f"{facts['benchmark']} {facts['encoder']}: {count} of {facts['images']} "
            f"images have {view} features of zeros",
            err=True,
        )
