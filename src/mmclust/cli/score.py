"""`mmclust score`: of the pipeline's clusters, or of files of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._retrieval import retrieval

app = typer.Typer(
    no_args_is_help=True,
    help="Score clusters against classes: ACC, NMI, ARI and purity, with intervals.",
)


app.command()(retrieval)


@app.command()
def benchmark(
    name: Annotated[str, typer.Argument(help="A benchmark of params.yaml.")],
) -> None:
    """Score all clusters of a benchmark (the pipeline's stage).

    Reads data/clusters and the labels; no other stage reads labels. Writes
    metrics/clustering, plots/ and data/scores.
    """
    from mmclust.cli._show import clustering_table
    from mmclust.core.params import read_params
    from mmclust.scoring.stage import score_benchmark

    records, paths = score_benchmark(name, read_params(), Path())
    clustering_table(name, records)
    typer.echo(f"wrote {', '.join(str(path) for path in paths)}")


@app.command()
def clustering(
    labels: Annotated[
        Path, typer.Option(help="image_id,label as .csv or .parquet; or .npy.")
    ],
    clusters: Annotated[
        list[Path],
        typer.Option(help="image_id,cluster likewise; once for each run (seed)."),
    ],
    out: Annotated[Path, typer.Option(help="The JSON file to write.")],
    resamples: Annotated[
        int, typer.Option(min=100, help="Bootstrap resamples of the images.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 782,
) -> None:
    """Score your own clusters against labels, joined by image_id.

    Classes and clusters may be any text or numbers, and their numbers may differ.
    A label of -1 means hidden: the image is left out and counted.
    """
    from mmclust.core.io import write_json
    from mmclust.scoring.clustering import METRICS
    from mmclust.scoring.files import score_files

    record = score_files(labels, clusters, n_resamples=resamples, seed=seed)
    write_json(out, record)
    for name in METRICS:
        low, high = record[f"{name}_low"], record[f"{name}_high"]
        typer.echo(f"{name:<7}{record[name]:.4f}  [{low:.4f}, {high:.4f}]")
    typer.echo(f"95 % intervals over {record['n_samples']} images; wrote {out}")
