"""`mmclust cluster`: the pipeline's stage, or one's own features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def cluster(
    names: Annotated[
        list[str],
        typer.Argument(
            help="BENCHMARK ENCODER (the pipeline's stage), or METHOD with "
            "--image-features or --text-features.",
            metavar="BENCHMARK ENCODER | METHOD",
        ),
    ],
    image_features: Annotated[
        Path | None, typer.Option(help="An .npy array, one row per image.")
    ] = None,
    text_features: Annotated[
        Path | None, typer.Option(help="An .npy array, rows in the same order.")
    ] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Number of clusters.")] = None,
    ids: Annotated[
        Path | None,
        typer.Option(help="One image_id per line; without: rows from 0."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the run.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="The CSV to write: image_id,cluster.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes; 0: one per core.")
    ] = 0,
) -> None:
    """Cluster a benchmark's features, or your own.

    mmclust cluster coco_cross hog

    mmclust cluster kmeans --image-features x.npy --k 10 --out clusters.csv

    With both kinds of features, each is scaled to unit norm and they are joined.
    """
    if image_features is None and text_features is None:
        if k is not None or ids is not None or out is not None or seed:
            raise typer.BadParameter(
                "--k, --ids, --seed and --out go with features of your own; "
                "the pipeline takes k and seed from params.yaml"
            )
        _stage(names, workers)
    else:
        _own(names, image_features, text_features, k, ids, seed, out)


def _stage(names: list[str], workers: int) -> None:
    from mmclust.cli._options import n_workers, require_plugins
    from mmclust.clusterers._stage import cluster_benchmark
    from mmclust.core.params import read_params

    if len(names) != 2:  # noqa: PLR2004
        raise typer.BadParameter("give BENCHMARK ENCODER, or METHOD with features")
    benchmark, encoder = names
    require_plugins(benchmark, encoder)
    out = Path("data/clusters") / benchmark / f"{encoder}.parquet"
    clusterings = cluster_benchmark(
        Path("data/benchmarks") / benchmark,
        Path("data/features") / benchmark / encoder,
        out,
        read_params(),
        workers=n_workers(workers),
    )
    runs = sum(len(c.labels) for c in clusterings)
    typer.echo(f"{benchmark} {encoder}: {runs} runs, k = {clusterings[0].k}")
    typer.echo(f"wrote {out}")


def _own(
    names: list[str],
    image_features: Path | None,
    text_features: Path | None,
    k: int | None,
    ids: Path | None,
    seed: int,
    out: Path | None,
) -> None:
    from mmclust.clusterers._files import cluster_files

    if len(names) != 1 or k is None or out is None:
        raise typer.BadParameter("with features, give one METHOD, --k and --out")
    sizes = cluster_files(
        names[0], image_features, text_features, k=k, ids=ids, seed=seed, out=out
    )
    typer.echo(f"{sum(sizes)} rows in {len(sizes)} clusters of {min(sizes)} to "
               f"{max(sizes)}; wrote {out}")  # fmt: skip
