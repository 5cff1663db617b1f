"""`mmclust encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def encode(
    benchmark: Annotated[str, typer.Argument(help="A built benchmark.")],
    encoder: Annotated[str, typer.Argument(help="An encoder, such as hog.")],
    device: Annotated[
        str, typer.Option(help="Where torch models run: cpu, cuda, cuda:1, mps.")
    ] = "cpu",
    workers: Annotated[
        int,
        typer.Option(min=0, help="Processes that read pictures; 0: one per core."),
    ] = 0,
) -> None:
    """Turn a benchmark's images and captions into features.

    Labels are not read. A run that was stopped continues where it was: run the
    same command again. The bytes are the same at any number of workers.
    """
    from mmclust.cli._options import n_workers, require_plugins
    from mmclust.core.params import read_params
    from mmclust.encoders._stage import encode_benchmark

    params = read_params()
    require_plugins(benchmark, encoder)
    out = Path("data/features") / benchmark / encoder
    dims = encode_benchmark(
        Path("data/benchmarks") / benchmark / "manifest.parquet",
        encoder,
        out,
        block=params.encoders.get(encoder),
        seed=params.seed,
        device=device,
        workers=n_workers(workers),
    )
    views = ", ".join(f"{view} {dim}-d" for view, dim in dims.items())
    typer.echo(f"{benchmark} {encoder}: {views}; wrote {out}")
