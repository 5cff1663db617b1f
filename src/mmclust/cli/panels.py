"""`mmclust panels`: what a trained head makes of images, as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def panels(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="BENCHMARK HEAD, for instance coco_cross dxmc.",
            metavar="BENCHMARK HEAD",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The figure to write: .png or .svg.")
    ] = Path("panels.png"),
    head: Annotated[
        Path | None,
        typer.Option(help="What `mmclust head … --save` wrote, with --image-features."),
    ] = None,
    image_features: Annotated[
        Path | None, typer.Option(help="An .npy array, one row per image.")
    ] = None,
    text_features: Annotated[
        Path | None, typer.Option(help="An .npy array: each image's counterpart.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which of the trained heads.")] = 0,
    points: Annotated[int, typer.Option(min=3, help="Images shown, at most.")] = 3000,
    perplexity: Annotated[
        float, typer.Option(min=1, help="Of t-SNE; DXMC's figure: 20.")
    ] = 20,
    size: Annotated[
        float, typer.Option(min=0.1, help="Diameter of a marker in points.")
    ] = 1,
) -> None:
    """Draw t-SNE panels of a trained head, as DXMC's figure has them.

    mmclust panels coco_cross dxmc --out panels.png --size 4

    mmclust panels --head trained --image-features x.npy --text-features u.npy

    Image features, their concatenation with the text counterparts, the image instance
    head (dxmc) and the image cluster head before its softmax, all coloured by the
    cluster that the image head predicts. No label is read.
    """
    from mmclust.heads._panels import draw_panels, panels_of_benchmark
    from mmclust.heads._rows import read_rows

    options: dict[str, Any] = {
        "seed": seed,
        "points": points,
        "perplexity": perplexity,
        "size": size,
    }
    if head is not None and image_features is not None and not names:
        image = read_rows(image_features)
        text = None if text_features is None else read_rows(text_features, len(image))
        shown = draw_panels(head, image, text, out, **options)
    elif names and len(names) == 2 and not (head or image_features or text_features):  # noqa: PLR2004
        from mmclust.core.plugins import require

        require("benchmarks", names[0])
        require("heads", names[1])
        shown = panels_of_benchmark(Path(), names[0], names[1], out, **options)
    else:
        raise typer.BadParameter("give BENCHMARK HEAD, or --head and --image-features")
    typer.echo(f"{shown} images; wrote {out}")
