"""What several commands print."""

from __future__ import annotations

import unicodedata
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """Return text with control characters spelt out: a terminal would obey them."""
    return "".join(
        char
        if char in "\n\t" or char in _JOINERS or unicodedata.category(char)[0] != "C"
        else char.encode("unicode_escape").decode()
        for char in text
    )


def clustering_table(benchmark: str, records: dict[str, Any]) -> None:
    """Print a benchmark's scores, one row per encoder, view and clusterer."""
    table = Table(
        title=Text(visible(benchmark)),
        caption="mean over seeds; [ ]: 95 % interval, of images and seeds",
    )
    for head in ("encoder", "view", "clusterer", "k"):
        table.add_column(head)
    for head in ("ACC", "NMI", "ARI"):
        table.add_column(head, justify="right")
    for encoder, views in records.items():
        for view, methods in views.items():
            for clusterer, record in methods.items():
                cells = [_cell(record, name) for name in ("acc", "nmi", "ari")]
                names = (encoder, view, clusterer, str(record["k"]))
                table.add_row(*(Text(visible(name)) for name in names), *cells)
    Console().print(table)


def _cell(record: dict[str, Any], name: str) -> str:
    low, high = record[f"{name}_low"], record[f"{name}_high"]
    return f"{record[name]:.3f} [{low:.3f}, {high:.3f}]"
