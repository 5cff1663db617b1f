"""What several commands print."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def clustering_table(benchmark: str, records: dict[str, Any]) -> None:
    """Print a benchmark's scores, one row per encoder, view and clusterer."""
    table = Table(
        title=benchmark,
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
                table.add_row(encoder, view, clusterer, str(record["k"]), *cells)
    Console().print(table)


def _cell(record: dict[str, Any], name: str) -> str:
    low, high = record[f"{name}_low"], record[f"{name}_high"]
    return f"{record[name]:.3f} [{low:.3f}, {high:.3f}]"
