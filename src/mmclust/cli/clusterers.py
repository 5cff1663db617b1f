"""Cluster features, and images whose classes are hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._options import Built, MaxClusters, Workers, as_before, require_plugins
from mmclust.cli._show import tell_zero_rows


def cluster(
    benchmark: Built,
    encoder: Annotated[str, typer.Argument(help="One that has run, such as hog.")],
    workers: Workers = 0,
) -> list[str] | None:
    """Cluster a benchmark's features: every clusterer, view and seed of params.yaml.

    mmclust cluster coco_cross hog

    docs/clusterers.md has the clusterers and their options. For features of your own:
    mmclust fit METHOD.
    """
    from mmclust.clusterers._stage import cluster_benchmark, fingerprint_of_clusters
    from mmclust.core.params import read_params

    params = read_params()
    require_plugins(params, benchmark, encoder)
    made = fingerprint_of_clusters(benchmark, encoder, params)
    if as_before(made):
        return []
    clusterings = cluster_benchmark(benchmark, encoder, params, Path(), workers=workers)
    made.write()
    runs = sum(len(c.labels) for c in clusterings)
    k = next((c.k for c in clusterings if c.k), 0)
    chosen = " (chosen without labels)" if params.model.k == "auto" else ""
    typer.echo(f"{benchmark} {encoder}: {runs} runs, k = {k}{chosen}")
    typer.echo(f"wrote data/clusters/{benchmark}/{encoder}.parquet")
    tell_zero_rows(Path("data/features") / benchmark / encoder)
    return None


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
        str | None, typer.Option(help="One of model.heads; without: the clusterer.")
    ] = None,
    run: Annotated[int, typer.Option(min=0, help="Which of the runs (seeds).")] = 0,
    out: Annotated[Path, typer.Option(help="The CSV file to write.")] = Path(
        "submission.csv"
    ),
    max_clusters: MaxClusters = None,
    check: Annotated[
        Path | None,
        typer.Option(help="Say what is wrong with this file; without: write one."),
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
