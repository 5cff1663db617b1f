"""`mmclust cognition`: the pipeline's stage, the list of words, a supervised rival."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmclust.scoring.record import Score

HEADLINES = (
    ("categorization", "ignore_unknown", "fscore", "F-score"),
    ("categorization", "ignore_unknown", "v_measure_score", "V-measure"),
    ("categorization", "include_unknown", "fscore", "with unknown"),
    ("concreteness", "", "prediction_correlation_over_10", "concreteness r"),
    ("association", "", "mas", "MAS"),
)

app = typer.Typer(
    no_args_is_help=True,
    help="Words against human norms: categories, concreteness, association (see also "
    "`score categorization`, `score concreteness` and `score association`, for files "
    "of your own).",
)


@app.command()
def models() -> None:
    """Score all word models against the norms (the pipeline's stage).

    Reads data/words of the models that params.yaml names under words, and the files of
    data/raw/norms that it names under cognition; the first model but random is what
    the others are compared with. Writes metrics/details/cognition, metrics/cognition,
    plots/cognition and the tables of data/cognition.
    """
    from mmclust.cognition.stage import score_models
    from mmclust.core.params import read_params
    from mmclust.core.plugins import require
    from mmclust.scoring.record import path_of

    params = read_params()
    for model in params.words:
        require("words", model)
    record = score_models(params, Path())
    if not record:
        typer.echo("no model learns words: there is nothing to score")
    for model in params.words:
        typer.echo(model)
        for view, method, metric, name in HEADLINES:
            score = record.get((model, view, method), metric)
            if score is not None:
                typer.echo(_line(name, score))
    typer.echo(f"wrote {path_of(Path(), 'cognition', params.learning.benchmark)}")


def _line(name: str, score: Score) -> str:
    """Return a score with its interval and what it is compared with, or why not."""
    from mmclust.scoring.record import show_p

    if score.mean is None:
        return f"  {name:<16}-       ({score.note})"
    text = f"  {name:<16}{score.mean:.4f}"
    if score.low is not None:
        text += f"  [{score.low:.4f}, {score.high:.4f}]"
    if score.diff is not None:
        text += f"  {score.diff:+.4f}, p = {show_p(score.p)}, against {score.versus}"
    return text


@app.command()
def word_list(
    categories: Annotated[Path, typer.Option(help="Ratings of typicality.")] = Path(
        "data/raw/norms/mcrae_typicality.yaml"
    ),
    name: Annotated[
        str, typer.Option(help="Of the list: data/word_list/NAME.txt.")
    ] = "words",
    out: Annotated[
        Path | None, typer.Option(help="Another text file to write.")
    ] = None,
) -> None:
    """Write the words that k-means is fitted on, a word per line.

    They are the words of the typicality file in alphabetical order, without categories
    and ratings, so that baselines cluster what is scored and see no norms.
    """
    from mmclust.cognition.norms import write_word_list
    from mmclust.core.plugins import require_name

    require_name(name, "a list of words", "--name")
    out = out or Path("data/word_list") / f"{name}.txt"
    n = write_word_list(categories, out)
    typer.echo(f"wrote {n} words to {out}")


@app.command()
def supervised(
    norms: Annotated[Path, typer.Option(help="Ratings of concreteness.")],
    out: Annotated[Path, typer.Option(help="The JSON file to write.")],
    wordnet: Annotated[
        Path | None, typer.Option(help="Folder with WordNet's index.noun, …")
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="fastText's vectors, as text.")
    ] = None,
    suffixes: Annotated[
        int, typer.Option(min=0, help="The most frequent endings; 0: none.")
    ] = 200,
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-validation.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds.")] = 782,
) -> None:
    """Predict concreteness from the norms themselves (Charbonnier & Wartena 2019).

    Support vector regression on parts of speech, endings and word vectors: as
    published, trained on the rows it is scored on, and cross-validated.
    """
    from mmclust.cognition.supervised import Features, score_supervised
    from mmclust.core.io import write_json

    features = Features(wordnet, suffixes, vectors)
    record = score_supervised(norms, features, folds=folds, seed=seed)
    write_json(out, record)
    for name in ("trained_on_test", "cross_validated"):
        typer.echo(f"{name:<18}r {record[f'{name}_pearson']:.4f}  "
                   f"mae {record[f'{name}_mae']:.4f}")  # fmt: skip
    typer.echo(f"over {record['n_words']} words; wrote {out}")
