"""`mmclust score categorization|concreteness|association`: words of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

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
Out = Annotated[Path, typer.Option(help="The JSON file to write.")]
Resamples = Annotated[
    int, typer.Option(min=100, help="Bootstrap resamples of the words.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of the resamples.")]


def categorization(
    clusters: Clusters,
    categories: Annotated[
        Path, typer.Option(help="Ratings of typicality: mcrae_typicality.yaml.")
    ],
    out: Out,
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="Text, a word per line: what ignore_unknown is restricted to, as "
            "words that occur in the training captions. Default: all words."
        ),
    ] = None,
    baseline: Baseline = None,
    resamples: Resamples = 1000,
    seed: Seed = 782,
) -> None:
    """Score word clusters against taxonomic categories (Berger et al., NAACL 2022).

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
            typer.echo(line(record, f"{variant}_{name}", name))
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
        Path, typer.Option(help="Concreteness_ratings_Brysbaert_et_al_BRM.txt.")
    ],
    counts: Annotated[
        Path, typer.Option(help="word,count: occurrences in the training captions.")
    ],
    out: Out,
    baseline: Annotated[
        Path | None,
        typer.Option(help="Another model's estimates, to compare with, paired."),
    ] = None,
    resamples: Resamples = 1000,
    seed: Seed = 782,
) -> None:
    """Score estimates of concreteness against people's ratings.

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
    typer.echo(line(record, "concreteness_prediction_mae", "mean error"))
    for m in THRESHOLDS:
        name = f"prediction_correlation_over_{m}"
        text = line(record, name, f"r over {m}")
        typer.echo(f"{text}  {record[f'{name}_n']} words")
    typer.echo(f"95 % intervals over {record['n_words']} words; wrote {out}")


def association(
    clusters: Clusters,
    norms: Annotated[
        Path, typer.Option(help="Small World of Words: R1, R123, R100 or swow.en.csv.")
    ],
    out: Out,
    counting: Annotated[
        str,
        typer.Option(
            help="published: sum all rows; forward_only: leave out the rows of "
            "swow.en.csv that repeat pairs associated in both directions."
        ),
    ] = "published",
    baseline: Baseline = None,
    resamples: Resamples = 1000,
    seed: Seed = 782,
) -> None:
    """Score word clusters by how strongly people associate their words.

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
    typer.echo(line(record, "mas", "MAS"))
    typer.echo(line(record, "coverage", "coverage"))
    typer.echo(f"found {record['found']:g} pairs, not found {record['not_found']:g}")
    if "double_count" in record:
        typer.echo(f"note: {record['double_count']}")
    typer.echo(f"95 % intervals over {record['n_words']} words; wrote {out}")


def line(record: dict[str, Any], key: str, name: str) -> str:
    """Return one score with its interval, or the reason that there is none."""
    if record[key] is None:
        return f"{name:<16}-       ({record[f'{key}_why']})"
    text = f"{name:<16}{record[key]:.4f}"
    if record[f"{key}_low"] is not None:
        text += f"  [{record[f'{key}_low']:.4f}, {record[f'{key}_high']:.4f}]"
    return text + difference(record, key)


def difference(record: dict[str, Any], key: str) -> str:
    """Return a score's difference from the baseline, or why there is none."""
    from mmclust.scoring.record import show_p

    if f"{key}_diff" not in record:
        return ""
    diff, low, high, p = (
        record[f"{key}_diff{part}"] for part in ("", "_low", "_high", "_p")
    )
    why = record.get(f"{key}_diff_why", "")
    if diff is None:
        return f"  ({why})"
    shown = show_p(p) if p is not None else f"none: {why}"
    return f"  difference {diff:+.4f} [{low:+.4f}, {high:+.4f}] p = {shown}"
