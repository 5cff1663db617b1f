"""``mmclust sample``: draw the built-in world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path(
        "data/sample"
    ),
    workers: Annotated[
        int,
        typer.Option(min=1, help="Processes; the result is the same at any number."),
    ] = 2,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Draw every source, whatever params.yaml says."),
    ] = False,
) -> None:
    """Draw the built-in world, in the publishers' own formats.

    Drawn are the sources that data.sources names, where data.mirror is sample; each
    is the same whatever else is drawn. In all, about 2,700 scenes with boxes, polygons
    and captions, packed as COCO 2017, and 1,750 more as Pascal Sentences, Flickr30K
    (both layouts), MSCOCO-FG and Flickr30K-FG with the pools of COCO 2014 and 2017 that
    they name; the Karpathy splits; a list of nouns. ``sample.seed`` in params.yaml
    chooses the world.
    """
    import time

    from mmclust.core.params import read_params
    from mmclust.sample.make import make_sample

    start = time.perf_counter()
    params = read_params()
    asked = params.data.sources if params.data.mirror == "sample" else ()
    n_images = make_sample(
        out, params.sample.seed, workers, sources=None if everything else asked
    )
    size = sum(file.stat().st_size for file in out.glob("*/*") if file.is_file())
    seconds = time.perf_counter() - start
    typer.echo(f"{out}: {n_images:,} images, {size / 1e6:.1f} MB, {seconds:.0f} s")
