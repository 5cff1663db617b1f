"""`mmclust assign`: a trained head on new pictures."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads it)
from typing import Annotated

import typer

from mmclust.cli._options import Device  # noqa: TC001 (typer reads it)


def assign(
    head: Annotated[
        Path,
        typer.Option(
            help="A trained head: data/heads/BENCHMARK/HEAD, or what --save wrote."
        ),
    ],
    images: Annotated[
        list[Path] | None, typer.Argument(help="Image files.", metavar="IMAGES…")
    ] = None,
    image_features: Annotated[
        Path | None,
        typer.Option(help="An .npy array in place of pictures, one row per image."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which of the trained heads.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="A CSV to write; without, it is printed.")
    ] = None,
    device: Device = "cpu",
) -> None:
    """Say which cluster new pictures belong to, how surely, and what it shows.

    mmclust assign holiday/*.jpg --head data/heads/coco_cross/tac

    The head brings the encoder that it was trained with.
    """
    from mmclust.heads._files import assign_images, write_assignments

    if bool(images) == (image_features is not None):
        raise typer.BadParameter("give either IMAGES or --image-features")
    found, names = assign_images(
        images or [], head, seed=seed, features=image_features, device=device
    )
    ids = [str(path) for path in images or range(len(found.labels))]
    if out is not None:
        write_assignments(out, ids, found.labels, found.confidence, names)
        typer.echo(f"{len(ids)} images; wrote {out}")
        return
    for image_id, label, share in zip(
        ids, found.labels.tolist(), found.confidence.tolist(), strict=True
    ):
        words = f"  {', '.join(names[label])}" if names else ""
        typer.echo(f"{image_id}  {label}  {share:.3f}{words}")
