"""`mmclust retrieve`: the pipeline's stage, and re-ranking of its lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmclust.cli._names import NamesCommand
from mmclust.cli._options import Device  # noqa: TC001 (typer reads it)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmclust.scoring.record import Score

app = typer.Typer(
    no_args_is_help=True,
    help="Image-text retrieval with embeddings of a benchmark (see also `score "
    "retrieval`, for files of your own).",
)
Benchmark = Annotated[str, typer.Argument(help="For instance mscoco_fg.")]
EncoderName = Annotated[str, typer.Argument(help="An encoder that was embedded with.")]


@app.command("benchmark", cls=NamesCommand)
def benchmark_(
    benchmark: Benchmark,
    device: Device = "cpu",
) -> None:
    """Score retrieval on a benchmark with all encoders (the pipeline's stage).

    Reads data/embeddings; the encoders are retrieval.encoders, and the first is what
    the others are compared with. Writes metrics/details/retrieve, metrics/retrieve,
    plots/retrieval and the lists of the best candidates in data/retrieval.
    """
    from mmclust.cli._options import require_plugins
    from mmclust.core.params import read_params
    from mmclust.retrieval.stage import retrieve_benchmark

    params = read_params()
    encoders = params.retrieval.encoders
    require_plugins(benchmark, *encoders)
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
    benchmark: Benchmark,
    encoder: EncoderName,
    model: Annotated[
        str,
        typer.Option(
            help="A BLIP checkpoint with a matching head: a hub id such as "
            "Salesforce/blip-itm-base-coco, or a folder."
        ),
    ],
    revision: Annotated[
        str | None, typer.Option(help="Commit of the hub's repository.")
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
    from mmclust.cli._options import require_plugins
    from mmclust.core.params import read_params
    from mmclust.retrieval.rerank import rerank_benchmark

    params = read_params()
    require_plugins(benchmark, encoder)
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
