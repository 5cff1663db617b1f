"""``mmclust export``: write a built benchmark in another layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    benchmark: Annotated[
        str,
        typer.Argument(help="A benchmark that has been built, or the folder of one."),
    ],
    layout: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="raw|csv|mat|hf",
            help="raw: images/<class>/ and texts/<class>/. csv: ids, labels and "
            "captions; with --features, a file for each view and split. mat: X1, X2, "
            "Y and label_mapping (MATLAB v5). hf: a folder that Hugging Face "
            "datasets reads, as images or as parquet.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    features: Annotated[
        list[str] | None,
        typer.Option(
            help="An encoder that has run, or the folder of its features; for mat, "
            "give it twice to take images from one and texts from another; default "
            "for mat: a file for each encoder of both that has run."
        ),
    ] = None,
    benchmark_dir: Annotated[
        Path | None,
        typer.Option(help="Where it was built; default data/benchmarks/<benchmark>."),
    ] = None,
) -> None:
    """Write a benchmark's images, captions or features in another layout.

    Images are copies of the publisher's files, or hard links to them where they lie
    unpacked on the same file system. Classes that are not given out stay so. Nothing
    that is there already is overwritten.
    """
    from mmclust.export.stage import export_benchmark, name_of, of_both_views

    if benchmark_dir is None and (Path(benchmark) / "manifest.parquet").is_file():
        benchmark_dir = Path(benchmark)
        benchmark = name_of(benchmark_dir)
    folder = benchmark_dir or Path("data/benchmarks") / benchmark
    encoded = Path("data/features") / benchmark
    named = {
        Path(name).name: Path(name) if "/" in name else encoded / name
        for name in features or []
    }
    each = [named]
    if layout == "mat" and not named:
        each = [{path.name: path} for path in of_both_views(encoded)] or each
    for chosen in each:
        for done in export_benchmark(benchmark, folder, layout, out, chosen):
            state = "written to" if done.written else "already there, the same:"
            typer.echo(f"{benchmark}: {done.images:,} images {state} {done.target}")
            for line in done.told:
                typer.echo(f"  {line}")
