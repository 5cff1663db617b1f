"""Clustering with the help of nouns: the stages, and a figure of trained heads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._options import (
    Built,
    Device,
    Devices,
    Workers,
    as_before,
    require_plugins,
)
from mmclust.cli.fit import tell_nouns

HeadName = Annotated[str, typer.Argument(help="One of model.heads, such as tac.")]


def nouns(benchmark: Built, device: Device = "cpu") -> list[str] | None:
    """Choose the nouns that describe a benchmark's images, and give each its text.

    mmclust nouns coco_cross

    Writes nouns.parquet (word, centre, rank, confidence), nouns.npy, counterparts.npy
    (one row per image) and nouns.json. For embeddings of your own: mmclust fit.
    """
    from mmclust.core.params import read_params
    from mmclust.heads._nouns import fingerprint_of_nouns, nouns_of_benchmark

    params = read_params()
    require_plugins(params, benchmark)
    made = fingerprint_of_nouns(benchmark, params, device=device)
    if as_before(made):
        return []
    facts = nouns_of_benchmark(Path(), benchmark, params, device=device)
    made.write()
    tell_nouns(facts, Path("data/nouns") / benchmark)
    return None


def head(
    benchmark: Built, head: HeadName, device: Devices = "cpu", workers: Workers = 0
) -> list[str] | None:
    """Cluster a benchmark's images with the help of nouns, once for each seed.

    mmclust head coco_cross tac

    docs/heads.md has the heads and their options. For embeddings of your own: mmclust
    fit METHOD.
    """
    from mmclust.core.params import read_params
    from mmclust.heads._stage import fingerprint_of_head, head_of_benchmark

    params = read_params()
    require_plugins(params, benchmark, head, kind="heads")
    made = fingerprint_of_head(benchmark, head, params, device=device)
    if as_before(made):
        return []
    clustering = head_of_benchmark(
        Path(), benchmark, head, params, device=device, workers=workers
    )
    made.write()
    typer.echo(f"{benchmark} {head}: {len(clustering.labels)} seeds, k = "
               f"{clustering.k}")  # fmt: skip
    _tell_scaled(Path("data/heads") / benchmark / head)
    typer.echo(f"wrote data/clusters/{benchmark}/heads/{head}.parquet and "
               f"data/heads/{benchmark}/{head}")  # fmt: skip
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


def panels(
    benchmark: Built,
    head: HeadName,
    out: Annotated[
        Path, typer.Option(help="The figure to write: .png or .svg.")
    ] = Path("panels.png"),
    run: Annotated[
        int, typer.Option("--run", "--seed", min=0, help="Which of the trained heads.")
    ] = 0,
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

    Image features, their concatenation with the text counterparts, the image instance
    head (dxmc) and the image cluster head before its softmax, all coloured by the
    cluster that the image head predicts. No label is read. For a head of your own:
    mmclust fit tac … --save trained --panels panels.png.
    """
    from mmclust.core.params import read_params
    from mmclust.heads._panels import panels_of_benchmark

    require_plugins(read_params(), benchmark, head, kind="heads")
    shown = panels_of_benchmark(
        Path(), benchmark, head, out, seed=run, points=points, perplexity=perplexity,
        size=size,
    )  # fmt: skip
    typer.echo(f"{shown} images; wrote {out}")
