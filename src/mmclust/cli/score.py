"""Scores of the pipeline's clusters, and of files of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._options import (
    Json,
    MaxClusters,
    NamesCommand,
    ResampleSeed,
    Workers,
    as_before,
)
from mmclust.cli._show import clustering_table, score_line
from mmclust.cli.cognition import association, categorization, concreteness
from mmclust.cli.retrieval import retrieval

app = typer.Typer(
    no_args_is_help=True,
    help="Score clusters against classes: ACC, NMI, ARI, purity and F1, with intervals "
    "and paired differences; retrieval; and words against people's norms.",
)


@app.command()
def clustering(
    labels: Annotated[
        Path, typer.Option(help="image_id,label as .csv or .parquet; or .npy.")
    ],
    clusters: Annotated[
        list[Path],
        typer.Option(
            help="image_id,cluster likewise, once for each run (seed); or a file of "
            "data/clusters. Cluster -1 is noise."
        ),
    ],
    out: Json,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(help="Another method's runs, to compare with, paired."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="Of a file of data/clusters: the clusterer; default: its only one."
        ),
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(
            help="Likewise, the view: image, text, concat, …; default: the only one."
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            min=0, help="Likewise, the clusters asked for; default: the only number."
        ),
    ] = None,
    baseline_method: Annotated[
        str | None,
        typer.Option(
            help="Of the baseline's file, or without one of the same; default --method."
        ),
    ] = None,
    baseline_view: Annotated[
        str | None, typer.Option(help="Likewise; default --view.")
    ] = None,
    baseline_k: Annotated[
        int | None, typer.Option(min=0, help="Likewise; default --k.")
    ] = None,
    reveal: Annotated[
        bool,
        typer.Option("--reveal", help="Read a benchmark's labels that are kept aside."),
    ] = False,
    resamples: Annotated[
        int, typer.Option(min=100, help="Bootstrap resamples of the images.")
    ] = 1000,
    seed: ResampleSeed = 782,
) -> None:
    """Score your own clusters against labels, joined by image_id.

    mmclust score clustering --labels labels.csv --clusters mine.csv --out m.json

    Classes and clusters may be any text or numbers, and their numbers may differ.
    A label of -1 means hidden: the image is left out and counted.
    """
    from mmclust.core.io import write_json
    from mmclust.scoring.clustering import METRICS
    from mmclust.scoring.own_files import Choice, score_files

    record = score_files(
        labels,
        clusters,
        n_resamples=resamples,
        seed=seed,
        choice=Choice(method, view, k),
        baseline=baseline or (),
        baseline_choice=Choice(baseline_method, baseline_view, baseline_k),
        reveal=reveal,
    )
    write_json(out, record)
    for name in METRICS:
        typer.echo(score_line(record, name, name, 7))
    what = f"{record['n_samples']} images"
    if record["n_seeds"] > 1:
        what += f" and {record['n_seeds']} runs"
    typer.echo(f"95 % intervals over {what}; wrote {out}")


for _command in (retrieval, categorization, concreteness, association):
    app.command()(_command)


@app.command(cls=NamesCommand)
def submission(
    benchmark: Annotated[str, typer.Argument(help="One that hides classes.")],
    file: Annotated[Path, typer.Argument(help="What `mmclust submit` wrote.")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Read the labels that are kept aside.")
    ] = False,
    max_clusters: MaxClusters = None,
    out: Annotated[
        Path | None, typer.Option(help="The JSON file to write; without: none.")
    ] = None,
) -> None:
    """Score a submission against the hidden classes: the final number, once.

    Each look at it makes the next choice less honest: choose on val.
    """
    from mmclust.core.io import write_json
    from mmclust.core.params import read_params
    from mmclust.scoring.own_files import score_submission

    if not reveal:
        raise typer.BadParameter("the labels are hidden: say --reveal to read them")
    record = score_submission(benchmark, file, read_params(), Path(), max_clusters)
    for name in ("ari", "nmi", "acc"):
        typer.echo(score_line(record, name, name.upper(), 5))
    typer.echo(f"95 % intervals over {record['n_samples']:,} images")
    if out is not None:
        write_json(out, record)
        typer.echo(f"wrote {out}")


@app.command(cls=NamesCommand)
def benchmark(
    name: Annotated[str, typer.Argument(help="A benchmark of params.yaml.")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Read labels that are kept aside, too.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="With --reveal: the CSV file to write.")
    ] = None,
    workers: Workers = 0,
) -> None:
    """Score all clusters of a benchmark (the pipeline's stage).

    Reads data/clusters and the labels; no other stage reads labels. Writes
    metrics/details/score, metrics/score, plots/ and data/scores; with --reveal it
    writes none of them, since what the pipeline tracks holds no revealed score.
    """
    from mmclust.core.params import read_params
    from mmclust.scoring.record import write
    from mmclust.scoring.stage import (
        fingerprint_of_scores,
        reveal_benchmark,
        score_benchmark,
    )

    if reveal is (out is None):
        raise typer.BadParameter("--reveal and --out go together")
    params = read_params()
    if out is not None:
        record = reveal_benchmark(name, params, Path(), workers=workers)
        paths = [out]
        write(out, record)
    else:
        made = fingerprint_of_scores(name, params)
        if as_before(made):
            return
        record, paths = score_benchmark(name, params, Path(), workers=workers)
        made.write()
    wrote = f"wrote {', '.join(map(str, paths))}"
    if not record:
        typer.echo(
            f"{name} has no classes: scores that need none are in "
            f"metrics/details/cluster/{name}; {wrote}"
        )
        return
    clustering_table(name, record)
    base = next((score.versus for score in record if score.versus), "no baseline")
    typer.echo(f"compared with {base}; {wrote}")
