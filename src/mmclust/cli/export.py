"""``mmclust export``: write a built benchmark in another layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    benchmark: Annotated[str, typer.Argument(help="A benchmark that has been built.")],
    layout: Annotated[
        str, typer.Option("--as", help="raw: images/<class>/ and texts/<class>/.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    benchmark_dir: Annotated[
        Path | None,
        typer.Option(help="Where it was built; default data/benchmarks/<benchmark>."),
    ] = None,
) -> None:
    """Write a benchmark's images and captions in another layout.

    The images are copies of the publisher's files, or hard links to them where
    they lie unpacked on the same file system.
    """
    from mmclust.benchmarks._export import export_benchmark

    folder = benchmark_dir or Path("data/benchmarks") / benchmark
    done = export_benchmark(benchmark, folder, layout, out)
    state = "written to" if done.written else "already there, the same:"
    typer.echo(
        f"{benchmark}: {done.images:,} images and their captions {state} {done.target}"
    )
