"""`mmclust retrieve`: the pipeline's stage, and re-ranking of its lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmclust.cli._names import NamesCommand
from mmclust.cli._options import Device  # noqa: TC001 (typer reads it)

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
    encoder: EncoderName,
    device: Device = "cpu",
) -> None:
    """Score retrieval on a benchmark (the pipeline's stage).

    Reads data/embeddings; writes metrics/retrieval, plots/retrieval and the lists of
    the best candidates in data/retrieval.
    """
    from mmclust.cli._options import require_plugins
    from mmclust.core.params import read_params
    from mmclust.retrieval._stage import retrieve_benchmark

    params = read_params()
    require_plugins(benchmark, encoder)
    records = retrieve_benchmark(
        Path(),
        benchmark,
        encoder,
        n_resamples=params.score.n_resamples,
        seed=params.seed,
        top_k=params.retrieval.top_k,
        device=device,
    )
    for name, record in records.items():
        _tell(f"{benchmark} {encoder} {name}", record)


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
    continues where it was. Writes metrics/retrieval/BENCHMARK/ENCODER_reranked.json.
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
    _tell(f"{benchmark} {encoder} re-ranked, k = {top_k}", record)


def _tell(title: str, record: dict[str, Any]) -> None:
    typer.echo(f"{title}, pool of {record['n_pool']:,}")
    for side, name in (("i2t", "image to text"), ("t2i", "text to image")):
        recalls = "  ".join(f"R@{k} {record[f'{side}_r{k}']:.3f}" for k in (1, 5, 10))
        typer.echo(f"  {name:<14}{recalls}")
    if record.get("n_skipped"):
        typer.echo(f"  without {record['n_skipped']} images that have no embedding")
    if record.get("captions_cut"):
        typer.echo(f"  {record['captions_cut']:,} captions are longer than the model "
                   "reads, and were cut")  # fmt: skip
    low, high = record["rsum_low"], record["rsum_high"]
    typer.echo(f"  RSUM {record['rsum']:.1f}  [{low:.1f}, {high:.1f}]")
