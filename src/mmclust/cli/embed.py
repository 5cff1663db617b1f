"""`mmclust embed`: a retrieval benchmark's pool and captions, one row each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._options import Device  # noqa: TC001 (typer reads it)


def embed(
    benchmark: Annotated[str, typer.Argument(help="For instance mscoco_fg.")],
    encoder: Annotated[
        str, typer.Argument(help="An encoder of images and captions, such as clip.")
    ],
    device: Device = "cpu",
    workers: Annotated[
        int, typer.Option(min=0, help="Processes; 0: one per core.")
    ] = 0,
) -> None:
    """Embed a benchmark's images, and each of its captions by itself.

    An encoder that learns is not fitted on what it will be asked: it is taken as it
    was fitted on the benchmark that retrieval.fitted_on names.
    """
    from mmclust.cli._options import (
        as_before,
        n_workers,
        require_plugins,
        tell_left_out,
    )
    from mmclust.core.params import read_params
    from mmclust.encode.embed import embed as embed_run
    from mmclust.encode.embed import fingerprint_of_embeddings, plan_embedding
    from mmclust.encode.engine import Options

    params = read_params()
    require_plugins(benchmark, encoder)
    out = Path("data/embeddings") / benchmark / encoder
    fitted = Path("data/features") / params.retrieval.fitted_on / encoder
    run = plan_embedding(
        Path("data/benchmarks") / benchmark,
        encoder,
        out,
        fitted=fitted,
        block=params.encoder_options(encoder, benchmark),
        seed=params.seed,
        policy=params.encode,
        options=Options(devices=(device,), workers=n_workers(workers)),
    )
    made = fingerprint_of_embeddings(run, fitted)
    if as_before(made):
        return
    found = embed_run(run)
    made.write()
    rows = ", ".join(f"{name} {count:,}" for name, count in found.items())
    typer.echo(f"{benchmark} {encoder}: {rows}; wrote {out}")
    tell_left_out(out, "embeddings.json")
