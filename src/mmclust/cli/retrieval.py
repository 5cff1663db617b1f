"""Image-text retrieval: the stage, re-ranking, and embeddings of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmclust.cli._options import (
    Device,
    FineGrained,
    Json,
    NamesCommand,
    ResampleSeed,
    require_plugins,
)
from mmclust.cli._show import difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmclust.scoring.record import Score

app = typer.Typer(
    no_args_is_help=True,
    help="Image-text retrieval with embeddings of a benchmark (see also `score "
    "retrieval`, for files of your own).",
)
EncoderName = Annotated[str, typer.Argument(help="An encoder that was embedded with.")]


@app.command("benchmark", cls=NamesCommand)
def benchmark_(benchmark: FineGrained, device: Device = "cpu") -> None:
    """Score retrieval on a benchmark with all encoders (the pipeline's stage).

    Reads data/embeddings; the encoders are retrieval.encoders, and the first is what
    the others are compared with. Writes metrics/details/retrieve, metrics/retrieve,
    plots/retrieval and the lists of the best candidates in data/retrieval.
    """
    from mmclust.core.params import read_params
    from mmclust.retrieval.stage import retrieve_benchmark

    params = read_params()
    encoders = params.retrieval.encoders
    require_plugins(params, benchmark, *encoders)
    record = retrieve_benchmark(
        Path(),
        benchmark,
        encoders,
        n_resamples=params.score.n_resamples,
        seed=params.seed,
        top_k=params.retrieval.top_k,
        device=device,
    )
    for key in record.methods():
        _tell(f"{benchmark} {' '.join(key[:2])}", record.of(key))


@app.command(cls=NamesCommand)
def rerank(
    benchmark: FineGrained,
    encoder: EncoderName,
    model: Annotated[
        str,
        typer.Option(
            help="A BLIP checkpoint with a matching head: a hub id such as "
            "Salesforce/blip-itm-base-coco, or a folder."
        ),
    ],
    revision: Annotated[
        str | None,
        typer.Option(help="Commit of the hub's repository; a folder goes without."),
    ] = None,
    top_k: Annotated[
        int, typer.Option(min=1, help="Candidates of each query to score again.")
    ] = 128,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Captions the model reads at once.")
    ] = 32,
    device: Device = "cpu",
) -> None:
    """Score the best candidates again with a model that reads both together.

    Candidates beyond --top-k keep their place behind. A run that was stopped
    continues where it was. Writes
    metrics/details/retrieve/BENCHMARK/ENCODER_reranked.csv.
    """
    from mmclust.core.params import read_params
    from mmclust.retrieval.rerank import rerank_benchmark

    params = read_params()
    require_plugins(params, benchmark, encoder)
    record = rerank_benchmark(
        Path(),
        benchmark,
        encoder,
        model,
        revision=revision,
        top_k=top_k,
        n_resamples=params.score.n_resamples,
        seed=params.seed,
        device=device,
        batch_size=batch_size,
    )
    (key,) = record.methods()
    _tell(f"{benchmark} {encoder} re-ranked, k = {top_k}", record.of(key))


def _tell(title: str, scores: Mapping[str, Score]) -> None:
    from mmclust.scoring.record import show_p

    def value(name: str) -> float:
        return scores[name].mean or 0.0 if name in scores else 0.0

    typer.echo(f"{title}, pool of {value('n_pool'):,.0f}")
    for side, name in (("i2t", "image to text"), ("t2i", "text to image")):
        recalls = "  ".join(f"R@{k} {value(f'{side}_r{k}'):.3f}" for k in (1, 5, 10))
        typer.echo(f"  {name:<14}{recalls}")
    if value("n_skipped"):
        typer.echo(f"  without {value('n_skipped'):.0f} images that have no embedding")
    if value("captions_cut"):
        typer.echo(f"  {value('captions_cut'):,.0f} captions are longer than the model "
                   "reads, and were cut")  # fmt: skip
    total = scores["rsum"]
    text = f"  RSUM {total.mean:.1f}  [{total.low:.1f}, {total.high:.1f}]"
    if total.versus and total.diff is not None:
        text += (f"  against {total.versus}: {total.diff:+.1f} [{total.diff_low:+.1f}, "
                 f"{total.diff_high:+.1f}], p = {show_p(total.p)}")  # fmt: skip
    elif total.note:
        text += f"  ({total.note})"
    typer.echo(text)


def retrieval(
    benchmark: Annotated[
        Path, typer.Option(help="The folder of a built benchmark, such as fg.")
    ],
    out: Json,
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
        Path | None,
        typer.Option(
            help="An .npy array, one row per image of the pool; without: --scores."
        ),
    ] = None,
    text_features: Annotated[
        Path | None,
        typer.Option(help="An .npy array, one row per caption; without: --scores."),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            help="In place of features: an .npy array, one row per caption, one column "
            "per image, higher is better."
        ),
    ] = None,
    original_text_features: Annotated[
        Path | None,
        typer.Option(
            help="Of the captions before they were made finer; without, these are not "
            "scored."
        ),
    ] = None,
    original_text_ids: Annotated[
        Path | None,
        typer.Option(help="Their names, likewise; with --original-text-features."),
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(
            help="Another model's arrays for the same names, to compare with, paired: "
            "of images, then of captions; with --scores its scores."
        ),
    ] = None,
    similarity: Annotated[
        str,
        typer.Option(help="dot: inner products as given; cosine: unit norm first."),
    ] = "dot",
    resamples: Annotated[
        int, typer.Option(min=100, help="Bootstrap resamples of the query images.")
    ] = 1000,
    seed: ResampleSeed = 782,
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
    from mmclust.retrieval.own_files import Embedded, score_embeddings, score_matrix

    if similarity not in ("dot", "cosine"):
        raise typer.BadParameter("--similarity is dot or cosine")
    common: dict[str, Any] = {
        "n_resamples": resamples,
        "seed": seed,
        "missing": out.with_name(f"{out.stem}.missing.txt"),
    }
    arrays = 1 if scores is not None else 2
    if baseline and len(baseline) != arrays:
        raise typer.BadParameter(
            f"give --baseline {'once' if arrays == 1 else 'twice: images, captions'}"
        )
    if scores is not None:
        if image_features or text_features:
            raise typer.BadParameter("give --scores or features, not both")
        record = score_matrix(
            benchmark,
            scores,
            image_ids,
            text_ids,
            baseline=baseline[0] if baseline else None,
            **common,
        )
    else:
        if image_features is None or text_features is None:
            raise typer.BadParameter("give --image-features and --text-features")
        if (original_text_features is None) != (original_text_ids is None):
            raise typer.BadParameter("--original-text-features needs its ids")
        originals = None
        if original_text_features and original_text_ids:
            originals = Embedded(original_text_features, original_text_ids)
        record = score_embeddings(
            benchmark,
            Embedded(image_features, image_ids),
            Embedded(text_features, text_ids),
            originals,
            baseline=(baseline[0], baseline[1]) if baseline else None,
            cosine=similarity == "cosine",
            device=device,
            **common,
        )
    write_json(out, record)
    _tell_own(record, dot=similarity == "dot")
    typer.echo(f"wrote {out}")


def _tell_own(record: dict[str, Any], *, dot: bool) -> None:
    for name, title in (("i2t", "image to text"), ("t2i", "text to image")):
        recalls = "  ".join(f"R@{k} {record[f'{name}_r{k}']:.4f}" for k in (1, 5, 10))
        typer.echo(f"{title:<14}{recalls}")
    typer.echo(
        f"RSUM {record['rsum']:.2f}  "
        f"[{record['rsum_low']:.2f}, {record['rsum_high']:.2f}]"
        + difference(record, "rsum")
    )
    if record.get("rows_at_unit_norm") is False and dot:
        typer.echo("rows are not at unit norm: inner products were ranked, not cosines")
