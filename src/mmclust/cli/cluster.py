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
    k: Annotated[
        str | None,
        typer.Option(help="Number of clusters; auto: largest mean silhouette."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value: an option of the method; repeatable."),
    ] = None,
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

    METHOD is kmeans, minibatch_kmeans, gaussian_mixture, agglomerative (Ward),
    average_linkage, spectral, dbscan, hdbscan (these two find k themselves; -1 is
    noise), random, and with both kinds of features also concat_kmeans (as in TAC) and
    coregularized_spectral. The others scale each kind to unit norm and join them.
    docs/clusterers.md has their options, for --set.
    """
    if image_features is None and text_features is None:
        if k is not None or ids is not None or out is not None or seed or settings:
            raise typer.BadParameter(
                "--k, --ids, --set, --seed and --out go with features of your own; "
                "the pipeline takes k and seed from params.yaml"
            )
        _stage(names, workers)
    else:
        views = (image_features, text_features)
        _own(names, views, k, settings or [], ids, seed, out)


def _stage(names: list[str], workers: int) -> None:
    from mmclust.cli._options import n_workers, require_plugins, tell_zero_rows
    from mmclust.clusterers._stage import cluster_benchmark
    from mmclust.core.params import read_params

    if len(names) != 2:  # noqa: PLR2004
        raise typer.BadParameter("give BENCHMARK ENCODER, or METHOD with features")
    benchmark, encoder = names
    require_plugins(benchmark, encoder)
    params = read_params()
    clusterings = cluster_benchmark(
        benchmark, encoder, params, Path(), workers=n_workers(workers)
    )
    runs = sum(len(c.labels) for c in clusterings)
    k = next((c.k for c in clusterings if c.k), 0)
    chosen = " (chosen without labels)" if params.model.k == "auto" else ""
    typer.echo(f"{benchmark} {encoder}: {runs} runs, k = {k}{chosen}")
    typer.echo(f"wrote data/clusters/{benchmark}/{encoder}.parquet")
    tell_zero_rows(Path("data/features") / benchmark / encoder)


def _own(
    names: list[str],
    views: tuple[Path | None, Path | None],
    k: str | None,
    settings: list[str],
    ids: Path | None,
    seed: int,
    out: Path | None,
) -> None:
    from mmclust.clusterers._files import cluster_files

    if len(names) != 1 or out is None:
        raise typer.BadParameter("with features, give one METHOD, --k and --out")
    if k not in (None, "auto") and not k.isdecimal():
        raise typer.BadParameter(f"--k is a number or auto, not {k!r}")
    number = int(k) if k is not None and k != "auto" else k
    done = cluster_files(
        names[0], *views, k=number, ids=ids, seed=seed, out=out, options=settings
    )
    if done.choice is not None:
        for tried, score in done.choice.curve:
            mark = "  <- chosen" if tried == done.choice.k else ""
            typer.echo(f"k = {tried:<4} silhouette {score:.4f}{mark}")
        if done.choice.at_edge:
            typer.echo("k is the first or the last that was tried: doubt it")
    sizes = done.sizes or [0]
    noise = f", {done.noise} in none (-1)" if done.noise else ""
    typer.echo(f"{sum(sizes)} rows in {len(done.sizes)} clusters of {min(sizes)} to "
               f"{max(sizes)}{noise}; wrote {out}")  # fmt: skip
