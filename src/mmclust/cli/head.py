"""`mmclust head`: the pipeline's stage, or embeddings of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._options import Device  # noqa: TC001 (typer reads it)


def head(
    names: Annotated[
        list[str],
        typer.Argument(
            help="BENCHMARK HEAD (the pipeline's stage), or HEAD with "
            "--image-features: tac, dxmc, concat_kmeans, image_kmeans, "
            "counterpart_kmeans; or zero_shot.",
            metavar="BENCHMARK HEAD | HEAD",
        ),
    ],
    image_features: Annotated[
        Path | None, typer.Option(help="An .npy array, one row per image.")
    ] = None,
    text_features: Annotated[
        Path | None,
        typer.Option(
            help="An .npy array: the text counterpart of each image (see `mmclust "
            "nouns`); for zero_shot the embedding of each class name."
        ),
    ] = None,
    test_image_features: Annotated[
        Path | None,
        typer.Option(help="Images to assign, in place of those fitted on."),
    ] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Number of clusters.")] = None,
    ids: Annotated[
        Path | None,
        typer.Option(help="One image_id per assigned image; without: from 0."),
    ] = None,
    class_names: Annotated[
        Path | None,
        typer.Option("--names", help="zero_shot: the class names, one per line."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the run.")] = 0,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Default: the published 20.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=2, help="Default: the published 512.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="key=value: another option of the head; repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The CSV to write: image_id,cluster,….")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Folder for the trained head, for `mmclust assign`."),
    ] = None,
    device: Device = "cpu",
    workers: Annotated[
        int, typer.Option(min=0, help="Processes for the seeds; 0: one per core.")
    ] = 0,
) -> list[str] | None:
    """Cluster images with the help of nouns: TAC, DXMC, and k-means on both.

    mmclust head coco_cross tac

    mmclust head tac --image-features x.npy --text-features counterparts.npy --k 10
    --out clusters.csv

    UCF101 and ImageNet as published: --epochs 100 --batch 8192 --set temperature=5,
    and for dxmc --set instance_temperature=0.5. docs/heads.md has all options.

    zero_shot is told the classes' names: a reference, not a clustering method.
    """
    own = (image_features, text_features, test_image_features, k, ids, out, save,
           epochs, batch, settings, class_names)  # fmt: skip
    if image_features is None or text_features is None:
        if any(option is not None for option in own) or seed:
            raise typer.BadParameter(
                "features of your own need --image-features and --text-features; "
                "the pipeline takes everything else from params.yaml"
            )
        return _stage(names, device, workers)
    if len(names) != 1 or out is None:
        raise typer.BadParameter("with features, give one HEAD and --out")
    if names[0] == "zero_shot":
        from mmclust.heads._files import zero_shot

        if class_names is None:
            raise typer.BadParameter("zero_shot needs --names, one class name per line")
        sizes = zero_shot(image_features, text_features, class_names, out=out, ids=ids)
        typer.echo("zero_shot uses the classes' names: a reference, not a rival")
    else:
        from mmclust.core.params import parse_options
        from mmclust.heads._files import head_on_files

        if k is None:
            raise typer.BadParameter("give --k")
        given = parse_options(settings or []) | {
            key: value
            for key, value in (("epochs", epochs), ("batch", batch))
            if value is not None
        }
        sizes = head_on_files(
            names[0],
            image_features,
            text_features,
            k=k,
            out=out,
            test_image_features=test_image_features,
            ids=ids,
            seed=seed,
            options=given,
            save=save,
            device=device,
        )
    typer.echo(f"{sum(sizes)} rows in {len(sizes)} clusters of {min(sizes)} to "
               f"{max(sizes)}; wrote {out}")  # fmt: skip
    return None


def _stage(names: list[str], device: str, workers: int) -> list[str] | None:
    from mmclust.cli._options import as_before, n_workers
    from mmclust.core.params import read_params
    from mmclust.core.plugins import require
    from mmclust.heads._stage import fingerprint_of_head, head_of_benchmark

    if len(names) != 2:  # noqa: PLR2004
        raise typer.BadParameter("give BENCHMARK HEAD, or HEAD with features")
    benchmark, name = names
    require("benchmarks", benchmark)
    require("heads", name)
    params = read_params()
    made = fingerprint_of_head(benchmark, name, params, device=device)
    if as_before(made):
        return []
    clustering = head_of_benchmark(
        Path(), benchmark, name, params, device=device, workers=n_workers(workers)
    )
    made.write()
    typer.echo(f"{benchmark} {name}: {len(clustering.labels)} seeds, k = "
               f"{clustering.k}")  # fmt: skip
    typer.echo(f"wrote data/clusters/{benchmark}/heads/{name}.parquet and "
               f"data/heads/{benchmark}/{name}")  # fmt: skip
    return None
