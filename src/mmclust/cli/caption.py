"""`mmclust caption`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._options import Device  # noqa: TC001 (typer reads it)


def caption(
    benchmark: Annotated[str, typer.Argument(help="A built benchmark.")],
    name: Annotated[
        str,
        typer.Argument(help="Of captioners in params.yaml, or blip: its defaults."),
    ],
    device: Device = "cpu",
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            help="Processes; beside a GPU they decode, else each needs the model in "
            "memory. 0: one per core.",
        ),
    ] = 0,
) -> list[str] | None:
    """Let a model caption a benchmark's images, for text encoders to read.

    Neither labels nor the publisher's captions are read. Encoders read what is
    written where their option captions has the same NAME: caption_sbert by default
    reads blip. A run that was stopped continues where it was: run the same command
    again. The bytes are the same at any number of workers.
    """
    from mmclust.cli._options import as_before, n_workers
    from mmclust.core.errors import MmclustError, nearest
    from mmclust.core.io import read_table
    from mmclust.core.params import read_params
    from mmclust.core.plugins import require
    from mmclust.encode.captioning import caption as caption_run
    from mmclust.encode.captioning import fingerprint_of_captions, plan_captions

    require("benchmarks", benchmark)
    params = read_params()
    known = {"blip": None} | params.captioners
    if name not in known:
        raise MmclustError(
            f"Unknown captioner {name!r}",
            where="captioners in params.yaml",
            expected=nearest(name, known),
            found=name,
            do="correct the name, or add it under captioners",
        )
    out = Path("data/captions") / benchmark / f"{name}.parquet"
    manifest = Path("data/benchmarks") / benchmark / "manifest.parquet"
    run = plan_captions(
        manifest,
        name,
        out,
        block=known[name],
        seed=params.seed,
        corrupt=params.encode.corrupt,
        device=device,
    )
    made = fingerprint_of_captions(run)
    if as_before(made):
        return []
    n_captions = caption_run(run, n_workers(workers))
    made.write()
    typer.echo(f"{benchmark} {name}: {n_captions} captions an image; wrote {out}")
    meta = read_table(out)[1]
    for what, count in (
        ("captions end at max_length, unfinished", meta["captions_cut"]),
        ("damaged pictures have none", len(meta.get("skipped", {}))),
    ):
        if count:
            typer.echo(f"{benchmark} {name}: {count:,} {what}", err=True)
    return None
