"""Cluster features, and images whose classes are hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._options import ImageFeatures, MaxClusters, Workers, require_plugins
from mmclust.cli._show import tell_sizes, tell_zero_rows


def cluster(
    names: Annotated[
        list[str],
        typer.Argument(
            help="BENCHMARK ENCODER (the pipeline's stage), or METHOD with "
            "--image-features or --text-features.",
            metavar="BENCHMARK ENCODER | METHOD",
        ),
    ],
    image_features: ImageFeatures = None,
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
    workers: Workers = 0,
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
    from mmclust.clusterers._stage import cluster_benchmark
    from mmclust.core.params import read_params

    if len(names) != 2:  # noqa: PLR2004
        raise typer.BadParameter("give BENCHMARK ENCODER, or METHOD with features")
    benchmark, encoder = names
    params = read_params()
    require_plugins(params, benchmark, encoder)
    clusterings = cluster_benchmark(benchmark, encoder, params, Path(), workers=workers)
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
    tell_sizes(done.sizes, out, done.noise)


def submit(
    benchmark: Annotated[
        str, typer.Argument(help="One that hides classes: food30 or imagenet30.")
    ],
    encoder: Annotated[
        str | None, typer.Option(help="Whose features; default: model.encoder.")
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(help="image, text or concat; default: the widest it has."),
    ] = None,
    clusterer: Annotated[
        str | None, typer.Option(help="Default: the first of model.clusterers.")
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="In place of a clusterer: one of model.heads.")
    ] = None,
    run: Annotated[int, typer.Option(min=0, help="Which of the runs (seeds).")] = 0,
    out: Annotated[Path, typer.Option(help="The CSV file to write.")] = Path(
        "submission.csv"
    ),
    max_clusters: MaxClusters = None,
    check: Annotated[
        Path | None,
        typer.Option(help="Write nothing: say what is wrong with this file."),
    ] = None,
) -> None:
    """Write id,cluster for the hidden test images, or check such a file.

    mmclust submit food30 --encoder resnet50_caption_sbert --clusterer kmeans

    mmclust submit food30 --check submission.csv

    No label is read. A clusterer clusters the hidden images by themselves, without
    train and val, as the stage clusters those that it evaluates: the file's score is
    what `evaluate: [test]` would give. A trained head, fitted on train, predicts them.
    To score a file: mmclust score submission BENCHMARK FILE --reveal.
    """
    from mmclust.core.params import read_params
    from mmclust.scoring.submission import read_asked, read_submission, write_submission

    if head is not None and (encoder, view, clusterer) != (None, None, None):
        raise typer.BadParameter("give --head, or --encoder, --view and --clusterer")
    asked = read_asked(Path(), benchmark)
    ids, most = asked.ids, max_clusters or asked.n_classes
    if check is not None:
        found = read_submission(check, ids, most)
        same = "in the benchmark's order" if list(found) == ids else "in another order"
        typer.echo(f"{check} is valid: {len(ids):,} images in "
                   f"{len(set(found.values()) - {-1})} clusters, {same}")  # fmt: skip
        return
    params = read_params()
    if head is not None:
        from mmclust.heads._stage import assign_rows

        labels = assign_rows(
            asked.manifest, asked.rows, params, Path(), head=head, run=run
        )
        method = f"{params.model.encoder}, {head}"
    else:
        from mmclust.clusterers._stage import cluster_rows

        encoder = encoder or params.model.encoder
        clusterer = clusterer or params.model.clusterers[0]
        view, labels = cluster_rows(
            asked.manifest,
            asked.rows,
            params,
            Path(),
            encoder=encoder,
            view=view,
            clusterer=clusterer,
            run=run,
        )
        method = f"{encoder}, {view}, {clusterer}"
    write_submission(out, ids, labels, most)
    typer.echo(f"{method}, run {run}: {len(ids):,} images in "
               f"{len(set(labels.tolist()) - {-1})} clusters; wrote {out}")  # fmt: skip
