"""Words against human norms: the stage, and files of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmclust.cli._options import Json, ResampleSeed
from mmclust.cli._show import score_line

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
    from mmclust.scoring.record import path_of

    params = read_params()
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
def supervised(
    norms: Annotated[Path, typer.Option(help="Ratings of concreteness.")],
    out: Json,
    wordnet: Annotated[
        Path | None,
        typer.Option(
            help="Folder with WordNet's index.noun, …; without, no parts of speech."
        ),
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="fastText's vectors, as text; without, none.")
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


Clusters = Annotated[
    list[Path],
    typer.Option(
        help="word,cluster as .csv or .parquet, once for each run (seed); or a "
        "words.parquet of data/words. Cluster -1, or no row, means unknown."
    ),
]
Baseline = Annotated[
    list[Path] | None,
    typer.Option(help="Another model's clusters likewise, to compare with, paired."),
]
Resamples = Annotated[
    int, typer.Option(min=100, help="Bootstrap resamples of the words.")
]


def categorization(
    clusters: Clusters,
    categories: Annotated[
        Path, typer.Option(help="Ratings of typicality: mcrae_typicality.yaml.")
    ],
    out: Json,
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="Text, a word per line: what ignore_unknown is restricted to, as "
            "words that occur in the training captions. Default: all words."
        ),
    ] = None,
    baseline: Baseline = None,
    resamples: Resamples = 1000,
    seed: ResampleSeed = 782,
) -> None:
    """Score word clusters against taxonomic categories (Berger et al., NAACL 2022).

    mmclust score categorization --clusters words.csv --categories typicality.yaml
    --out m.json

    V-measure, purity, collocation, their F1 and SemEval's F-score, each twice:
    ignore_unknown (words of the list that have a cluster) and include_unknown (all
    words of the categories; those without a cluster share one).
    """
    from mmclust.cognition.metrics import METRICS, VARIANTS
    from mmclust.cognition.own_files import score_categorization
    from mmclust.core.io import write_json

    record = score_categorization(
        clusters,
        categories,
        vocabulary,
        baseline=baseline or (),
        n_resamples=resamples,
        seed=seed,
    )
    write_json(out, record)
    for variant in VARIANTS:
        typer.echo(variant.replace("_", " "))
        for name in METRICS:
            typer.echo(score_line(record, f"{variant}_{name}", name))
    typer.echo(
        f"95 % intervals over {record['n_words']} words, {record['n_listed']} listed; "
        f"wrote {out}"
    )


def concreteness(
    predictions: Annotated[
        Path,
        typer.Option(
            help="word,concreteness as .csv or .parquet; or a words.parquet of "
            "data/words. A word that is absent has 0."
        ),
    ],
    norms: Annotated[
        Path,
        typer.Option(help="Brysbaert's ratings of concreteness, as published (.txt)."),
    ],
    out: Json,
    counts: Annotated[
        Path | None,
        typer.Option(
            help="word,count: occurrences in the training captions; without, all "
            "words of the predictions are scored alike."
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="Another model's estimates, to compare with, paired."),
    ] = None,
    resamples: Resamples = 1000,
    seed: ResampleSeed = 782,
) -> None:
    """Score estimates of concreteness against people's ratings.

    mmclust score concreteness --predictions words.csv --norms concreteness.txt
    --out m.json

    Mean absolute error, and Pearson's and Spearman's correlation over words with more
    than 0, 1, 5, … 10,000 occurrences, with the number of words of each.
    """
    from mmclust.cognition.metrics import THRESHOLDS
    from mmclust.cognition.own_files import score_concreteness
    from mmclust.core.io import write_json

    record = score_concreteness(
        predictions, norms, counts,
        baseline=baseline, n_resamples=resamples, seed=seed,
    )  # fmt: skip
    write_json(out, record)
    typer.echo(score_line(record, "concreteness_prediction_mae", "mean error"))
    for m in THRESHOLDS:
        name = f"prediction_correlation_over_{m}"
        if name not in record:
            continue
        text = score_line(record, name, f"r over {m}")
        typer.echo(f"{text}  {record[f'{name}_n']} words")
    typer.echo(f"95 % intervals over {record['n_words']} words; wrote {out}")


def association(
    clusters: Clusters,
    norms: Annotated[
        Path,
        typer.Option(help="Small World of Words: R1, R123, R100 or swow.en.csv."),
    ],
    out: Json,
    counting: Annotated[
        str,
        typer.Option(
            help="published: sum all rows; forward_only: leave out the rows of "
            "swow.en.csv that repeat pairs associated in both directions."
        ),
    ] = "published",
    baseline: Baseline = None,
    resamples: Resamples = 1000,
    seed: ResampleSeed = 782,
) -> None:
    """Score word clusters by how strongly people associate their words.

    mmclust score association --clusters words.csv --norms swow.en.csv --out m.json

    MAS is the mean strength of the pairs of a cluster that the norms have; pairs
    that they lack are counted, and coverage says how many that are.
    """
    from mmclust.cognition.norms import COUNTINGS
    from mmclust.cognition.own_files import score_association
    from mmclust.core.io import write_json

    if counting not in COUNTINGS:
        raise typer.BadParameter(f"--counting is {' or '.join(COUNTINGS)}")
    record = score_association(
        clusters, norms, counting,
        baseline=baseline or (), n_resamples=resamples, seed=seed,
    )  # fmt: skip
    write_json(out, record)
    typer.echo(score_line(record, "mas", "MAS"))
    typer.echo(score_line(record, "coverage", "coverage"))
    typer.echo(f"found {record['found']:g} pairs, not found {record['not_found']:g}")
    if "double_count" in record:
        typer.echo(f"note: {record['double_count']}")
    typer.echo(f"95 % intervals over {record['n_words']} words; wrote {out}")
