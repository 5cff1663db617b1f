"""Clustering with the help of nouns; what trained heads say of other pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmclust.cli._options import (
    Device,
    ImageFeatures,
    as_before,
    n_workers,
    require_plugins,
)
from mmclust.cli._show import tell_sizes

ManyFeatures = Annotated[
    list[Path] | None,
    typer.Option(
        "--image-features",
        help="An .npy array, one row per image; repeated for a head that reads "
        "several encoders (turtle).",
    ),
]
TrainedSeed = Annotated[int, typer.Option(min=0, help="Which of the trained heads.")]


def nouns(
    benchmark: Annotated[
        str | None, typer.Argument(help="A benchmark (the pipeline's stage).")
    ] = None,
    image_features: ImageFeatures = None,
    nouns_features: Annotated[
        Path | None, typer.Option(help="An .npy array, one row per word.")
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option(help="The words: .txt, one a line, or .csv with a column word."),
    ] = None,
    test_image_features: Annotated[
        Path | None, typer.Option(help="More images, to be given counterparts.")
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(min=1, help="Clusters wanted: sets the number of centres."),
    ] = None,
    centres: Annotated[
        int | None, typer.Option(min=1, help="Image centres, in place of --k.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of k-means.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="key=value: an option of `nouns` in params.yaml; repeatable."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    device: Device = "cpu",
) -> list[str] | None:
    """Choose the nouns that describe a set of images, and give each image its text.

    mmclust nouns coco_cross

    mmclust nouns --image-features x.npy --nouns-features t.npy --words words.txt
    --k 10 --out nouns

    Writes nouns.parquet (word, centre, rank, confidence), nouns.npy,
    counterparts.npy (one row per image: what `mmclust head --text-features` takes)
    and nouns.json.
    """
    if benchmark is not None:
        own = (image_features, nouns_features, words, test_image_features, out, k,
               centres, seed, settings)  # fmt: skip
        if any(own):
            raise typer.BadParameter(
                "give a benchmark, whose options are in params.yaml, or features"
            )
        return _nouns_stage(benchmark, device)
    if image_features is None or nouns_features is None or words is None or out is None:
        raise typer.BadParameter(
            "give a benchmark; or --image-features, --nouns-features, --words and --out"
        )
    if (k is None) == (centres is None):
        raise typer.BadParameter("give either --k or --centres")
    from mmclust.core.params import NounsParams, convert, parse_options, refuse_options
    from mmclust.heads._nouns import nouns_of_files

    chosen = parse_options(settings or [])
    embedding = ("vocabulary", "templates", "prompt_normalisation", "underscores")
    refuse_options(chosen, embedding, "the nouns are embedded already")
    refuse_options(chosen, ("centres",), "--k or --centres says it")
    facts = nouns_of_files(
        image_features,
        nouns_features,
        words,
        out,
        params=convert(
            chosen | {"centres": centres or "rule"}, NounsParams, "", "--set"
        ),
        k=k or 0,
        test_image_features=test_image_features,
        seed=seed,
        device=device,
    )
    _tell_nouns(facts, out)
    return None


def _nouns_stage(benchmark: str, device: str) -> list[str] | None:
    from mmclust.core.params import read_params
    from mmclust.heads._nouns import fingerprint_of_nouns, nouns_of_benchmark

    require_plugins(benchmark)
    params = read_params()
    made = fingerprint_of_nouns(benchmark, params, device=device)
    if as_before(made):
        return []
    facts = nouns_of_benchmark(Path(), benchmark, params, device=device)
    made.write()
    _tell_nouns(facts, Path("data/nouns") / benchmark)
    return None


def _tell_nouns(facts: dict[str, Any], out: Path) -> None:
    if not facts["nouns"]:
        typer.echo("no head asks for nouns, and model.encoder embeds no words or "
                   f"there are none; wrote {out}")  # fmt: skip
        return
    vocabulary = facts["vocabulary"]
    typer.echo(
        f"{facts['nouns']} nouns ({facts['distinct_nouns']} distinct) for "
        f"{facts['centres']} centres of {facts['images']} images, out of "
        f"{vocabulary['rows']:,} ({vocabulary['distinct']:,} distinct)"
    )
    for what, count in (
        ("no image", facts["centres_without_images"]),
        ("no noun", facts["centres_without_nouns"]),
    ):
        if count:
            typer.echo(f"{count} centres have {what} and were left out")
    for what, count in (
        ("prompts are longer than the encoder reads, and were cut", "prompts_cut"),
        ("images have no features and are left out", "skipped"),
    ):
        if facts.get(count):
            typer.echo(f"{facts[count]:,} {what}", err=True)
    typer.echo(f"wrote {out}")


def head(
    names: Annotated[
        list[str],
        typer.Argument(
            help="BENCHMARK HEAD (the pipeline's stage), or HEAD with "
            "--image-features: tac, turtle, concat_kmeans, …; or zero_shot.",
            metavar="BENCHMARK HEAD | HEAD",
        ),
    ],
    image_features: ManyFeatures = None,
    text_features: Annotated[
        Path | None,
        typer.Option(
            help="An .npy array: the text counterpart of each image (see `mmclust "
            "nouns`); for zero_shot the embedding of each class name."
        ),
    ] = None,
    test_image_features: Annotated[
        list[Path] | None,
        typer.Option(help="Images to assign, in place of those fitted on."),
    ] = None,
    nouns_features: Annotated[
        list[Path] | None,
        typer.Option(help="gradnorm, sic: an .npy array, one row per word."),
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option(help="Their words: .txt, one a line, or .csv with a column word."),
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
        int,
        typer.Option(
            min=0,
            help="Processes for the seeds; 0: one per core.",
            callback=n_workers,
        ),
    ] = 0,
) -> list[str] | None:
    """Cluster frozen features, most with the help of nouns: TAC, DXMC, TURTLE, ….

    mmclust head coco_cross tac

    mmclust head tac --image-features x.npy --text-features counterparts.npy --k 10
    --out clusters.csv

    mmclust head turtle --image-features clip.npy --image-features dino.npy --k 10
    --out clusters.csv

    UCF101 and ImageNet as published: --epochs 100 --batch 8192 --set temperature=5,
    and for dxmc --set instance_temperature=0.5. docs/heads.md has all options.

    zero_shot is told the classes' names: a reference, not a clustering method.
    """
    own = (image_features, text_features, test_image_features, k, ids, out, save,
           epochs, batch, settings, class_names, nouns_features, words)  # fmt: skip
    if not image_features:
        if any(option is not None for option in own) or seed:
            raise typer.BadParameter(
                "features of your own need --image-features; "
                "the pipeline takes everything else from params.yaml"
            )
        return _head_stage(names, device, workers)
    if len(names) != 1 or out is None:
        raise typer.BadParameter("with features, give one HEAD and --out")
    if names[0] == "zero_shot":
        sizes = _zero_shot(image_features[0], text_features, class_names, out, ids)
    else:
        from mmclust.heads._files import head_on_files

        if k is None:
            raise typer.BadParameter("give --k")
        sizes = head_on_files(
            names[0],
            image_features,
            text_features,
            k=k,
            out=out,
            test_image_features=test_image_features or (),
            nouns_features=nouns_features or (),
            words=words,
            ids=ids,
            seed=seed,
            options=_head_options(settings or [], epochs=epochs, batch=batch),
            save=save,
            device=device,
        )
    tell_sizes(sizes, out)
    return None


def _zero_shot(
    image_features: Path,
    name_features: Path | None,
    class_names: Path | None,
    out: Path,
    ids: Path | None,
) -> list[int]:
    from mmclust.heads._files import zero_shot

    if class_names is None or name_features is None:
        raise typer.BadParameter(
            "zero_shot needs --names, one class name per line, and --text-features"
        )
    sizes = zero_shot(image_features, name_features, class_names, out=out, ids=ids)
    typer.echo("zero_shot uses the classes' names: a reference, not a rival")
    return sizes


def _head_options(settings: list[str], **own: int | None) -> dict[str, Any]:
    """Return the options of a head; those with a flag of their own go before --set."""
    from mmclust.core.params import parse_options

    given = {key: value for key, value in own.items() if value is not None}
    return parse_options(settings) | given


def _head_stage(names: list[str], device: str, workers: int) -> list[str] | None:
    from mmclust.core.params import read_params
    from mmclust.heads._stage import fingerprint_of_head, head_of_benchmark

    if len(names) != 2:  # noqa: PLR2004
        raise typer.BadParameter("give BENCHMARK HEAD, or HEAD with features")
    benchmark, name = names
    require_plugins(benchmark, name, kind="heads")
    params = read_params()
    made = fingerprint_of_head(benchmark, name, params, device=device)
    if as_before(made):
        return []
    clustering = head_of_benchmark(
        Path(), benchmark, name, params, device=device, workers=workers
    )
    made.write()
    typer.echo(f"{benchmark} {name}: {len(clustering.labels)} seeds, k = "
               f"{clustering.k}")  # fmt: skip
    _tell_scaled(Path("data/heads") / benchmark / name)
    typer.echo(f"wrote data/clusters/{benchmark}/heads/{name}.parquet and "
               f"data/heads/{benchmark}/{name}")  # fmt: skip
    return None


def _tell_scaled(head: Path) -> None:
    """Say which of the raw features that a head reads are none."""
    from mmclust.core.io import read_json

    for space in read_json(head / "head.json").get("spaces") or []:
        if (space.get("encoder_params") or {}).get("normalise"):
            name = space["encoder"]
            typer.echo(f"{name} scales its features to unit norm, and the head's "
                       "published settings are for raw ones: set "
                       f"encoders.{name}.normalise: false", err=True)  # fmt: skip


def assign(
    head: Annotated[
        Path,
        typer.Option(
            help="A trained head: data/heads/BENCHMARK/HEAD, or what --save wrote."
        ),
    ],
    images: Annotated[
        list[Path] | None, typer.Argument(help="Image files.", metavar="IMAGES…")
    ] = None,
    image_features: ManyFeatures = None,
    seed: TrainedSeed = 0,
    out: Annotated[
        Path | None, typer.Option(help="A CSV to write; without, it is printed.")
    ] = None,
    device: Device = "cpu",
) -> None:
    """Say which cluster new pictures belong to, how surely, and what it shows.

    mmclust assign holiday/*.jpg --head data/heads/coco_cross/tac

    The head brings the encoder that it was trained with.
    """
    from mmclust.heads._files import assign_images, write_assignments

    if bool(images) == bool(image_features):
        raise typer.BadParameter("give either IMAGES or --image-features")
    found, names = assign_images(
        images or [], head, seed=seed, features=image_features or (), device=device
    )
    ids = [str(path) for path in images or range(len(found.labels))]
    if out is not None:
        write_assignments(out, ids, found.labels, found.confidence, names)
        typer.echo(f"{len(ids)} images; wrote {out}")
        return
    for image_id, label, share in zip(
        ids, found.labels.tolist(), found.confidence.tolist(), strict=True
    ):
        words = f"  {', '.join(names[label])}" if names else ""
        typer.echo(f"{image_id}  {label}  {share:.3f}{words}")


def panels(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="BENCHMARK HEAD, for instance coco_cross dxmc.",
            metavar="BENCHMARK HEAD",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The figure to write: .png or .svg.")
    ] = Path("panels.png"),
    head: Annotated[
        Path | None,
        typer.Option(help="What `mmclust head … --save` wrote, with --image-features."),
    ] = None,
    image_features: ImageFeatures = None,
    text_features: Annotated[
        Path | None, typer.Option(help="An .npy array: each image's counterpart.")
    ] = None,
    seed: TrainedSeed = 0,
    points: Annotated[int, typer.Option(min=3, help="Images shown, at most.")] = 3000,
    perplexity: Annotated[
        float, typer.Option(min=1, help="Of t-SNE; DXMC's figure: 20.")
    ] = 20,
    size: Annotated[
        float, typer.Option(min=0.1, help="Diameter of a marker in points.")
    ] = 1,
) -> None:
    """Draw t-SNE panels of a trained head, as DXMC's figure has them.

    mmclust panels coco_cross dxmc --out panels.png --size 4

    mmclust panels --head trained --image-features x.npy --text-features u.npy

    Image features, their concatenation with the text counterparts, the image instance
    head (dxmc) and the image cluster head before its softmax, all coloured by the
    cluster that the image head predicts. No label is read.
    """
    from mmclust.heads._panels import draw_panels, panels_of_benchmark
    from mmclust.heads._rows import read_rows

    options: dict[str, Any] = {
        "seed": seed,
        "points": points,
        "perplexity": perplexity,
        "size": size,
    }
    if head is not None and image_features is not None and not names:
        image = read_rows(image_features)
        text = None if text_features is None else read_rows(text_features, len(image))
        shown = draw_panels(head, image, text, out, **options)
    elif names and len(names) == 2 and not (head or image_features or text_features):  # noqa: PLR2004
        require_plugins(names[0], names[1], kind="heads")
        shown = panels_of_benchmark(Path(), names[0], names[1], out, **options)
    else:
        raise typer.BadParameter("give BENCHMARK HEAD, or --head and --image-features")
    typer.echo(f"{shown} images; wrote {out}")
