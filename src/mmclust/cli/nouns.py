"""`mmclust nouns`: the pipeline's stage, or embeddings of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmclust.cli._options import Device  # noqa: TC001 (typer reads it)


def nouns(
    benchmark: Annotated[
        str | None, typer.Argument(help="A benchmark (the pipeline's stage).")
    ] = None,
    image_features: Annotated[
        Path | None, typer.Option(help="An .npy array, one row per image.")
    ] = None,
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
        return _stage(benchmark, device)
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
    _say(facts, out)
    return None


def _stage(benchmark: str, device: str) -> list[str] | None:
    from mmclust.cli._options import as_before
    from mmclust.core.params import read_params
    from mmclust.core.plugins import require
    from mmclust.heads._nouns import fingerprint_of_nouns, nouns_of_benchmark

    require("benchmarks", benchmark)
    params = read_params()
    made = fingerprint_of_nouns(benchmark, params, device=device)
    if as_before(made):
        return []
    facts = nouns_of_benchmark(Path(), benchmark, params, device=device)
    made.write()
    _say(facts, Path("data/nouns") / benchmark)
    return None


def _say(facts: dict[str, Any], out: Path) -> None:
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
