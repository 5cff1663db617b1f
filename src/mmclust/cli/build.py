"""``mmclust build``: choose a benchmark's images, captions and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def build(
    benchmark: Annotated[str, typer.Argument(help="For instance coco_cross.")],
    raw: Annotated[
        Path | None,
        typer.Option(help="The source's files; default data/raw/<source>."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; default data/benchmarks/<benchmark>."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="A part as its publisher names it, such as train2017 or "
            "train2017+val2017; default: the protocol's."
        ),
    ] = None,
    min_images: Annotated[
        int | None, typer.Option(help="Images a class needs, where that is a rule.")
    ] = None,
    annotations_only: Annotated[
        bool, typer.Option("--annotations-only", help="Do not look for image files.")
    ] = False,
) -> None:
    """Build a benchmark: manifest, labels and summary.

    Options come from params.yaml, unless --raw or --out is given: then the
    protocol's own values hold and params.yaml is not read.
    """
    from mmclust.benchmarks._stage import build_benchmark
    from mmclust.core.params import read_params
    from mmclust.core.plugins import load

    by_hand = raw is not None or out is not None
    block = {} if by_hand else read_params().benchmarks.get(benchmark) or {}
    plugin = load("benchmarks", benchmark)
    source = getattr(plugin, "SOURCE", "")  # of several: the folder that holds them
    out = out or Path("data/benchmarks") / benchmark
    summary = build_benchmark(
        benchmark,
        raw or Path("data/raw") / source,
        out,
        _override(block, benchmark, min_images),
        split=split,
        images=not annotations_only,
    )
    _tell(summary, out)


def _override(
    block: dict[str, Any], benchmark: str, min_images: int | None
) -> dict[str, Any]:
    """Return the options with ``--min-images``, where the benchmark has it."""
    if min_images is None:
        return block
    from dataclasses import fields

    from mmclust.core.errors import MmclustError
    from mmclust.core.plugins import load

    known = [f.name for f in fields(load("benchmarks", benchmark).Params)]
    if "min_images" not in known:
        raise MmclustError(
            f"{benchmark} has no threshold",
            where="--min-images",
            expected=f"an option of {benchmark}: {', '.join(known) or 'it has none'}",
            found=f"--min-images {min_images}",
            do="leave --min-images out",
        )
    return {**block, "min_images": min_images}


def _tell(summary: dict[str, Any], out: Path) -> None:
    typer.echo(
        f"{summary['benchmark']}: {summary['images']:,} images, "
        f"{summary['n_classes']} classes, {summary['captions']:,} captions"
    )
    shown = list(summary["per_class"].items())[:10]
    rest = summary["n_classes"] - len(shown)
    histogram = ", ".join(f"{name} {count:,}" for name, count in shown)
    typer.echo(f"  {histogram}" + (f" and {rest} more" if rest else ""))
    notes = summary["notes"]
    verdict = {True: "as published", False: "NOT as published"}
    if notes.get("matches_published") is not None:
        published = notes["published"]
        typer.echo(
            f"  {verdict[notes['matches_published']]} "
            f"({published['images']:,} images, {published['classes']} classes)"
        )
    typer.echo(f"  written to {out}")
