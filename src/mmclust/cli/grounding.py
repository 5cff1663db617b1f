"""``mmclust grounding``: what the clusters of a word model see in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmclust.cli._options import Device, Workers
from mmclust.cli._show import titled_table

if TYPE_CHECKING:
    from mmclust.core.params import Params
    from mmclust.scoring.record import Record, Score

app = typer.Typer(
    help="Hold a word model's clusters against the objects in pictures; look at one."
)
_BARS = (
    ("class_name", "classes by their names"),
    ("cluster_cooccurrence", "classes by co-occurrence, as published"),
    ("cluster_cooccurrence_held_out", "… held out"),
    ("cluster_iou", "classes by IoU, as published"),
    ("cluster_iou_held_out", "… held out"),
    ("clip", "CLIP"),
    ("box", "boxes, as published"),
    ("random_box", "random boxes"),
    ("mask", "masks"),
    ("heatmap", "heat maps"),
    ("heatmap_as_published", "… as published (rows as x)"),
    ("random_heatmap", "random points"),
    ("noun", "nouns"),
)


@app.callback(invoke_without_command=True)
def grounding(
    context: typer.Context,
    device: Device = "cpu",
    workers: Workers = 0,
) -> None:
    """Hold a word model's clusters against the objects in pictures.

    Reads data/words/MODEL and the objects of the benchmark, looks at every picture
    once, and writes metrics/details/grounding, metrics/grounding,
    plots/grounding/scores.csv and data/grounding/BENCHMARK/, a gallery among it.
    Model, benchmark, gold nouns and CLIP's embeddings are named under grounding in
    params.yaml; docs/grounding.md defines every figure.
    """
    if context.invoked_subcommand:
        return
    from mmclust.core.params import read_params
    from mmclust.grounding.stage import ground

    params = read_params()
    record = ground(Path(), params, device=device, workers=workers)
    _table(record, params)


@app.command("show")
def show(
    image: Annotated[
        str, typer.Argument(help="A picture file, or an image id of the benchmark.")
    ],
    out: Annotated[Path, typer.Option(help="Picture to write, .png or .jpg.")],
    model: Annotated[
        Path | None,
        typer.Option(help="A word model's folder; default that of grounding.model."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which of its runs.")] = 0,
    most: Annotated[int, typer.Option(min=1, help="Clusters to draw, at most.")] = 8,
) -> None:
    """Draw a picture's active clusters: their boxes, heat maps and top words.

    mmclust grounding show 000000007284 --out seen.png

    mmclust grounding show holiday.jpg --out seen.png --model data/words/joint_model
    """
    from mmclust.core.params import Params, read_params
    from mmclust.grounding.draw import draw

    params = Params() if model and not Path("params.yaml").is_file() else read_params()
    benchmark = params.grounding.benchmark
    drawn = draw(
        image,
        out,
        model or Path("data/words") / params.grounding.model,
        Path("data/benchmarks") / benchmark,
        seed=seed,
        most=most,
    )
    for cluster, words, output in drawn:
        typer.echo(f"cluster {cluster}, output {output:.3f}: {', '.join(words)}")
    typer.echo(f"wrote {out}, clusters: {len(drawn)}")


def _table(record: Record, params: Params) -> None:
    from rich.console import Console

    from mmclust.scoring.record import show_p

    model, benchmark = params.grounding.model, params.grounding.benchmark
    images = record.mean((model, "", ""), "n_images") or 0
    table = titled_table(
        f"{model} on {images:,.0f} of {benchmark}",
        [""],
        ("precision", "recall", "F1", "p"),
        "[ ]: 95 % interval, of images and seeds; p: F1 against chance or CLIP",
    )
    for name, text in _BARS:
        scores = record.of((model, "", name))
        if "precision" in scores:
            cells = [_cell(scores[score]) for score in ("precision", "recall", "f1")]
            f1 = scores["f1"]
            table.add_row(text, *cells, show_p(f1.p) if f1.versus else "")
    Console().print(table)
    typer.echo(
        f"wrote metrics/details/grounding/{benchmark}.csv, metrics/grounding, "
        "plots/grounding and data/grounding"
    )


def _cell(score: Score) -> str:
    if score.low is None:
        return f"{score.mean:.3f} ({score.note})"
    return f"{score.mean:.3f} [{score.low:.3f}, {score.high:.3f}]"
