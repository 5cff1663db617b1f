"""`mmclust score retrieval`: one's own embeddings or scores."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003
from typing import Annotated, Any

import typer

from mmclust.cli._options import Device  # noqa: TC001 (typer reads it)
from mmclust.cli._words import difference


def retrieval(
    benchmark: Annotated[
        Path, typer.Option(help="A built benchmark: data/benchmarks/mscoco_fg.")
    ],
    out: Annotated[Path, typer.Option(help="The JSON file to write.")],
    image_ids: Annotated[
        Path, typer.Option(help="Text: an image id or file name per line.")
    ],
    text_ids: Annotated[
        Path,
        typer.Option(
            help="Text: IMAGE#N per line, N from 0 in the benchmark's order; or IMAGE, "
            "its captions one after the other."
        ),
    ],
    image_features: Annotated[
        Path | None, typer.Option(help="An .npy array, one row per image of the pool.")
    ] = None,
    text_features: Annotated[
        Path | None, typer.Option(help="An .npy array, one row per caption.")
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            help="In place of features: an .npy array, one row per caption, one column "
            "per image, higher is better."
        ),
    ] = None,
    original_text_features: Annotated[
        Path | None, typer.Option(help="Of the captions before they were made finer.")
    ] = None,
    original_text_ids: Annotated[
        Path | None, typer.Option(help="Their names, likewise.")
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(
            help="Another model's arrays for the same names, to compare with, paired: "
            "of images, then of captions; with --scores its scores."
        ),
    ] = None,
    similarity: Annotated[
        str, typer.Option(help="dot: inner products as given; cosine: unit norm first.")
    ] = "dot",
    resamples: Annotated[
        int, typer.Option(min=100, help="Bootstrap resamples of the query images.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 782,
    device: Device = "cpu",
) -> None:
    """Score image-text retrieval with your own embeddings or scores.

    Rows are joined to the benchmark by name, never by position; what is missing is
    listed. Ties are reported optimistic, half and pessimistic.

    mmclust build mscoco_fg --raw FG --out fg --annotations-only

    mmclust score retrieval --benchmark fg --image-features x.npy --image-ids x.txt
    --text-features y.npy --text-ids y.txt --out metrics.json
    """
    from mmclust.core.io import write_json

    if similarity not in ("dot", "cosine"):
        raise typer.BadParameter("--similarity is dot or cosine")
    common: dict[str, Any] = {
        "n_resamples": resamples,
        "seed": seed,
        "missing": out.with_name(f"{out.stem}.missing.txt"),
    }
    names = (image_ids, text_ids)
    needed = 1 if scores is not None else 2
    if baseline and len(baseline) != needed:
        raise typer.BadParameter(
            f"give --baseline {'once' if needed == 1 else 'twice: images, captions'}"
        )
    if scores is not None:
        if image_features or text_features:
            raise typer.BadParameter("give --scores or features, not both")
        from mmclust.retrieval.own_files import score_matrix

        other = baseline[0] if baseline else None
        record = score_matrix(benchmark, scores, *names, baseline=other, **common)
    else:
        arrays = (image_features, text_features)
        originals = (original_text_features, original_text_ids)
        common |= {"cosine": similarity == "cosine", "device": device}
        record = _of_features(benchmark, arrays, names, originals, baseline, common)
    write_json(out, record)
    _tell(record, similarity)
    typer.echo(f"wrote {out}")


def _of_features(
    benchmark: Path,
    arrays: tuple[Path | None, Path | None],
    names: tuple[Path, Path],
    originals: tuple[Path | None, Path | None],
    baseline: list[Path] | None,
    common: dict[str, Any],
) -> dict[str, Any]:
    from mmclust.retrieval.own_files import Embedded, score_embeddings

    images, texts = arrays
    if images is None or texts is None:
        raise typer.BadParameter("give --image-features and --text-features")
    before, before_ids = originals
    if (before is None) != (before_ids is None):
        raise typer.BadParameter("--original-text-features needs its ids")
    return score_embeddings(
        benchmark,
        Embedded(images, names[0]),
        Embedded(texts, names[1]),
        Embedded(before, before_ids) if before and before_ids else None,
        baseline=(baseline[0], baseline[1]) if baseline else None,
        **common,
    )


def _tell(record: dict[str, Any], similarity: str) -> None:
    for name, title in (("i2t", "image to text"), ("t2i", "text to image")):
        recalls = "  ".join(f"R@{k} {record[f'{name}_r{k}']:.4f}" for k in (1, 5, 10))
        typer.echo(f"{title:<14}{recalls}")
    typer.echo(
        f"RSUM {record['rsum']:.2f}  "
        f"[{record['rsum_low']:.2f}, {record['rsum_high']:.2f}]"
        + difference(record, "rsum")
    )
    if record.get("rows_at_unit_norm") is False and similarity == "dot":
        typer.echo("rows are not at unit norm: inner products were ranked, not cosines")
