"""Word models: learned here, or brought from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmclust.cli._options import WORKERS, Devices, as_before, n_workers

if TYPE_CHECKING:
    from mmclust.core.clusters import WordClusters
    from mmclust.core.params import Params


def learn(
    model: Annotated[
        str, typer.Argument(help="A word model: joint_model, cooccurrence, random, …")
    ],
    device: Devices = "cpu",
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            help="Processes; 0: one for each seed, at most two for each core.",
            envvar=WORKERS,
        ),
    ] = 0,
    precision: Annotated[
        str,
        typer.Option(help="float32; bf16 or fp16 are faster on a GPU, and differ."),
    ] = "float32",
    save_every: Annotated[
        float,
        typer.Option(min=0, help="Seconds between states to go on from when killed."),
    ] = 60.0,
) -> None:
    """Let a word model learn from the captioned images of learning.benchmark.

    mmclust learn joint_model --device cuda --precision bf16

    mmclust learn cooccurrence

    Writes data/words/MODEL/words.parquet (word, count, and for each seed its cluster,
    confidence and concreteness where the model has them), model.json, what the model
    saves of itself, and plots/words/MODEL.csv. The same command goes on where a
    killed one stood.

    docs/words.md has the models and their options.
    """
    from mmclust.core.params import read_params
    from mmclust.core.types import Flags
    from mmclust.words._stage import fingerprint_of_words, learn_words

    params = read_params()
    params.instance("words", model)
    if precision not in ("float32", "bf16", "fp16"):
        raise typer.BadParameter("--precision is float32, bf16 or fp16")
    # Three seeds on two cores then take one round and a half, not two.
    workers = workers or min(params.learning.n_seeds, 2 * n_workers(0))
    judge = _judge(params, model)
    flags = Flags(device, workers, precision, save_every, judge, _say)
    norms = params.cognition.categories if judge else None
    made = fingerprint_of_words(model, params, flags, norms)
    if as_before(made):
        return
    words = learn_words(Path(), model, params, flags)
    made.write()
    _tell(model, words)


def _judge(params: Params, model: str) -> Any:
    """Return what selects an epoch by norms, for a model that is told to."""
    if getattr(params.instance("words", model).options, "select", "last") == "last":
        return None
    from mmclust.cognition.norms import judge_by

    _say(f"{model}: epochs are selected by norms, {params.cognition.categories}; "
         "scores against these are no longer independent")  # fmt: skip
    return judge_by(Path(params.cognition.categories))


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _tell(model: str, words: WordClusters) -> None:
    import numpy as np

    known: Any = (words.clusters >= 0).mean(1)
    sizes = [len(np.unique(c[c >= 0])) for c in words.clusters]
    typer.echo(
        f"{model}: {len(words.words):,} words in {min(sizes)} to {max(sizes)} clusters "
        f"over {len(sizes)} seeds; {known.min():.1%} or more have one"
    )
    typer.echo(f"wrote data/words/{model}/words.parquet")


def word_list(
    name: Annotated[
        str, typer.Argument(help="Of the list: data/word-list/NAME.txt.")
    ] = "words",
    categories: Annotated[Path, typer.Option(help="Ratings of typicality.")] = Path(
        "data/raw/norms/mcrae_typicality.yaml"
    ),
    out: Annotated[
        Path | None,
        typer.Option(help="The text file to write; default: data/word-list/NAME.txt."),
    ] = None,
) -> None:
    """Write the words that k-means is fitted on, a word per line.

    They are the words of the typicality file in alphabetical order, without categories
    and ratings, so that baselines cluster what is scored and see no norms.
    """
    from mmclust.cognition.norms import write_word_list

    out = out or Path("data/word-list") / f"{name}.txt"
    n = write_word_list(categories, out)
    typer.echo(f"wrote {n} words to {out}")


app = typer.Typer(no_args_is_help=True, help="Word models from elsewhere.")


@app.callback()
def words() -> None:
    """Word models from elsewhere; `mmclust learn` trains our own."""


@app.command("import")
def import_(
    folder: Annotated[
        Path, typer.Argument(help="Has visual/NAME.mdl and text/NAME.mdl.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    name: Annotated[
        str | None, typer.Option(help="Of the model; default: the only one there.")
    ] = None,
) -> None:
    """Make a trained model of the original release (NAACL 2022) ours.

    mmclust words import RELEASE --out data/words/joint_model

    No code of the files is run: their one class becomes a plain record, and a file
    that names any other is refused. What is written is what `mmclust learn
    joint_model` writes, with one seed; cognition and grounding take it. Run `dvc
    commit learn` to let the pipeline keep it.
    """
    from mmclust.words._release import import_release

    learned = import_release(folder, out, name)
    facts = learned.meta
    typer.echo(
        f"{len(learned.words):,} words, {facts['clusters']} clusters, {facts['mode']}"
    )
    typer.echo(f"wrote {out}")
