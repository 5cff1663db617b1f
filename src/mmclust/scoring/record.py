"""The record of scores: one long table a stage and benchmark, one writer, one reader.

``metrics/details/<stage>/<benchmark>.csv`` holds everything that was scored, a line a
number. ``metrics/<stage>/<benchmark>/`` holds the few means that ``dvc metrics`` and
``dvc exp show`` list, a file a method. Whatever shows a score reads it here.

==========  ==========================  =====================  ====================
stage       encoder                     view                   method
==========  ==========================  =====================  ====================
score       whose features were read    image, text, concat …  clusterer or head
cluster     likewise; without labels    likewise               clusterer
retrieve    whose embeddings            setting: main, …       empty
cognition   word model                  categorization, …      empty
grounding   word model                  empty                  evaluation
reference   of the image features       image                  what uses labels
==========  ==========================  =====================  ====================
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file, write_bytes, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mmclust.core.params import Params

STAGES = ("score", "cluster", "retrieve", "cognition", "grounding")
DIGITS = 6
"""Of scores in the table."""
DIGITS_OF_MEANS = 4
"""Of the few means for DVC."""
NONE = "no_scores.json"
"""Stands in the folder of means where nothing was scored."""
LOWER_IS_BETTER = (
    "davies_bouldin", "coding_length", "mae", "median_rank", "mean_rank",
)  # fmt: skip
CORRELATION = "prediction_correlation_over_10"
"""The headline of concreteness: over words seen more than ten times."""
HEADLINES: dict[str, tuple[str, ...]] = {
    "score": ("acc", "nmi", "ari"),
    "retrieve": ("rsum", "t2i_r1", "i2t_r1"),
    "cognition": ("v_measure_score", CORRELATION, "mas"),
    "grounding": ("f1",),
    "cluster": (),
}
"""Metrics of each stage that are shown where not all can be, the first one first."""
FEWEST_WORDS = 30
"""Of a correlation that is a headline."""
SHOWN_P = 1e-3
"""Smaller p-values are shown as smaller than this."""

Key = tuple[str, str, str]
"""Encoder, view and method."""


@dataclass(frozen=True)
class Score:
    """One number of an encoder, view and method, and how sure it is.

    The mean is over ``n_seeds`` runs; ``k`` clusters were asked for. Low and high are
    the 95 % interval, of the images (words, queries) and of the seeds together; ``sd``
    is of one seed. ``versus`` names what it is compared with; ``diff`` is this one less
    the other, with its own interval; ``p`` is two-sided, ``p_holm`` adjusted for all
    that is compared with the same by the same metric. ``definition`` is an id of
    :data:`DEFINITIONS`; ``note`` says why something is None.
    """

    encoder: str
    view: str
    method: str
    metric: str
    mean: float | None
    k: int | None = None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    n_seeds: int | None = None
    versus: str = ""
    diff: float | None = None
    diff_low: float | None = None
    diff_high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    definition: str = ""
    note: str = ""

    @property
    def key(self) -> Key:
        """Encoder, view and method."""
        return self.encoder, self.view, self.method

    @property
    def name(self) -> str:
        """Encoder, view and method, blanks between, as ``versus`` has them."""
        return named(self.key)

    @property
    def half(self) -> float | None:
        """Half of the 95 % interval: what ± means everywhere."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2


COLUMNS = (
    "encoder", "view", "method", "k", "metric", "mean", "low", "high", "sd", "n_seeds",
    "versus", "diff", "diff_low", "diff_high", "p", "p_holm", "definition", "note",
)  # fmt: skip
_WHOLE = {"k", "n_seeds"}
_WORDS = {"encoder", "view", "method", "metric", "versus", "definition", "note"}
assert {each.name for each in fields(Score)} == set(COLUMNS)


def is_floor(params: Params, key: Key) -> bool:
    """Tell whether a method, or its encoder, looks at nothing."""
    return params.is_floor("encoders", key[0]) or params.is_floor("clusterers", key[2])


def named(key: Iterable[str]) -> str:
    """Join encoder, view and method to one name."""
    return " ".join(part for part in key if part)


@dataclass(frozen=True)
class Record:
    """The scores of one benchmark in one stage, in the order they were written.

    A method's number comes first as it stands beside the stage's baseline, then,
    perhaps, once more for each other thing it is compared with.
    """

    scores: Sequence[Score] = ()
    _first: dict[tuple[Key, str], Score] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for score in self.scores:
            self._first.setdefault((score.key, score.metric), score)

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __bool__(self) -> bool:
        return bool(self.scores)

    def methods(self) -> list[Key]:
        """Return whose numbers are there, in order."""
        return list(dict.fromkeys(score.key for score in self.scores))

    def get(self, key: Key, metric: str) -> Score | None:
        """Return a number beside the stage's baseline; None where there is none."""
        return self._first.get((key, metric))

    def mean(self, key: Key, metric: str) -> float | None:
        """Return a mean; None where it is undefined or not there."""
        score = self.get(key, metric)
        return None if score is None else score.mean

    def of(self, key: Key) -> dict[str, Score]:
        """Return all numbers of one method, by metric."""
        return {metric: s for (own, metric), s in self._first.items() if own == key}

    def against(self, versus: str, metric: str) -> list[Score]:
        """Return every comparison with one thing by one metric."""
        return [s for s in self.scores if s.versus == versus and s.metric == metric]

    def compared(self, key: Key, metric: str) -> list[Score]:
        """Return every comparison of one method by one metric."""
        return [s for s in self.scores
                if s.key == key and s.metric == metric and s.versus]  # fmt: skip


DEFINITIONS = {
    "clustering-2": (
        "acc by one-to-one Hungarian matching of clusters and classes (clusters "
        "without a class count as wrong); nmi with the arithmetic mean of entropies "
        "(equals V-measure); ari by Hubert and Arabie 1985; purity by the commonest "
        "class of each cluster; f1 the mean over classes of F1 after acc's matching (0 "
        "for a class without a cluster); cluster -1 is noise: wrong in acc, f1 and "
        "purity, one more cluster in nmi and ari"
    ),
    "ami-1": (
        "mutual information adjusted for chance, arithmetic mean of entropies (Vinh, "
        "Epps and Bailey, JMLR 11, 2010); noise is one more cluster"
    ),
    "use-2": (
        "clusters: those that hold an image; largest, smallest: the share of the "
        "images in the largest and smallest of these; noise: the share of images in no "
        "cluster; means over seeds"
    ),
    "names-2": (
        "over clusters matched to a class; exact: the first name is the class's; "
        "exact_at_5: the class's name, or each of its words, is among the first five "
        "(case, underscores and a final s aside)"
    ),
    "disjoint-1": (
        "over clusters matched to a class: the class's name occurs in (subset), or is "
        "all of (exact), the five commonest words that no other cluster has among its "
        "own, joined by commas; case and underscores aside (Stephan et al., EACL 2024)"
    ),
    "disjoint-cosine-1": (
        "over clusters matched to a class: the cosine of the class's name with the "
        "same words, joined by commas, as the run's first sentence encoder embeds both "
        "(Stephan et al., EACL 2024)"
    ),
    "internal-2": (
        "silhouette (Rousseeuw 1987) on a seeded sample of at most 2,000 images; "
        "davies_bouldin (1979, lower is better) and calinski_harabasz (1974) on all; "
        "Euclidean, on rows at unit norm, noise left out, mean over seeds; stability: "
        "mean ARI of all pairs of seeds, on the images that both put in a cluster"
    ),
    "generalisation-1": (
        "mean accuracy over ten folds, and over the spaces that were clustered (image, "
        "text; as encoders give them), of logistic regression (C 1) that predicts the "
        "clusters of the first run; at most 5,000 images, a seeded sample; noise left "
        "out (TURTLE, ICML 2024)"
    ),
    "coding-1": (
        "sum over clusters of (m + p)/2 logdet(I + p/(0.1 m) Z'Z) - m ln(m/n), in nats "
        "per image; rows at unit norm, noise left out, mean over seeds (CPP, ICLR 2024)"
    ),
    "reference-1": (
        "of image features as the encoder gives them, told what no clustering method "
        "is; true_means: the nearest mean of a class (Euclidean); linear_probe: "
        "logistic regression, C 1; classes are learned from the images that methods "
        "are fitted on, or over ten folds where these are scored; zero_shot: the "
        "nearest class name (cosine, mean over the prompts of nouns.templates); acc is "
        "the share of right classes"
    ),
    "ranks-1": (
        "Spearman's rho of a label-free score and acc over methods, floors left out; "
        "positive: the better the one, the better the other"
    ),
    "retrieval-1": (
        "recall at 1, 5 and 10: share of queries with a right candidate that fewer "
        "than K wrong ones outscore; rsum: the six recalls in percent, added; ties "
        "optimistic"
    ),
    "categorization-1": (
        "after Berger et al., NAACL 2022: v_measure_score with beta 1; purity: mean "
        "over words of the largest share of one category in their cluster; "
        "collocation: of one cluster in their category; pu_co_f1 their harmonic mean; "
        "fscore of SemEval 2007 task 2: each category's best F over clusters, weighted "
        "by size; ignore_unknown: categories restricted to the word list, words "
        "without a cluster left out; include_unknown: all categories, words without a "
        "cluster in one cluster of their own"
    ),
    "concreteness-1": (
        "after Berger et al., NAACL 2022: over words that have both a count and a "
        "rating; a word without an estimate has 0; concreteness_prediction_mae: mean "
        "absolute difference of rating and estimate, whose scales differ; "
        "prediction_correlation_over_m: Pearson's r over words with count above m; "
        "spearman_over_m: Spearman's rho over the same words"
    ),
    "association-1": (
        "after Berger et al., NAACL 2022: over all unordered pairs of words in the "
        "same cluster, mas is the summed strength of the pairs that the norms have "
        "over the number of these pairs; pairs that the norms lack do not enter mas: "
        "found and not_found count both, coverage is the share of found; words "
        "without a cluster are left out"
    ),
    "supervised-1": (
        "support vector regression (RBF, C 1, epsilon 0.1, gamma scale) on parts of "
        "speech, suffixes and word vectors; trained_on_test: fitted on all rated words "
        "and scored on the same, as published; cross_validated: each word predicted by "
        "a model that has not seen its rating"
    ),
    "grounding-2": (
        "micro-averaged precision, recall and F1 over images (0 where undefined), "
        "means over runs; published definitions of Berger et al., NAACL 2022, unless "
        "the name says held_out, iou_images or mask, or is heatmap"
    ),
}
"""How scores are computed, by id. A changed definition is a new id."""


def is_headline(stage: str, score: Score, record: Record) -> bool:
    """Whether a number is shown unless others are asked for."""
    if score.metric not in HEADLINES[stage] or score.method == "include_unknown":
        return False
    if score.metric == CORRELATION:
        n = record.mean(score.key, f"{CORRELATION}_n")
        if n is None:
            n = record.mean(score.key, "n_words")
        return n is None or n >= FEWEST_WORDS
    return True


def defined(name: str) -> str:
    """Return a definition with its id before it, as files of one's own hold it."""
    return f"mmclust {name}: {DEFINITIONS[name]}"


def path_of(root: Path, stage: str, benchmark: str, part: str = "") -> Path:
    """Return where the table of a stage and benchmark lies; a part by itself."""
    folder = root / "metrics/details" / stage
    return folder / benchmark / f"{part}.csv" if part else folder / f"{benchmark}.csv"


def write(path: Path, scores: Iterable[Score]) -> None:
    """Write a table, rounded, with Unix line ends, atomically."""
    rows = [[_cell(getattr(s, name)) for name in COLUMNS] for s in scores]
    write_csv(path, COLUMNS, rows)


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file with Unix line ends, atomically."""
    write_bytes(path, csv_text([head, *rows]).encode())


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV with Unix line ends."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def write_means(folder: Path, means: Mapping[str, Mapping[str, float | None]]) -> None:
    """Write the means that DVC lists; the folder is made anew.

    ``means`` has name of the file (a method) → metric → mean; None is left out.
    """
    found = {
        f"{name}.json": {metric: round(float(value), DIGITS_OF_MEANS) + 0.0
                         for metric, value in values.items() if value is not None}
        for name, values in means.items()
    }  # fmt: skip
    # What a killed writer left has another ending; the next writer sweeps it.
    for stale in {path.name for path in folder.glob("*.json")} - found.keys():
        (folder / stale).unlink()
    # git keeps no empty folder, and DVC asks for what a stage said it would write.
    for name, shown in (found or {NONE: {}}).items():
        write_json(folder / name, shown)


def read(path: Path, do: str = "dvc repro") -> Record:
    """Read the table of :func:`path_of`; ``do`` is what makes it."""
    return parse(require_file(path, do=do).read_bytes(), path)


def parse(data: bytes, where: object) -> Record:
    """Read a table from its bytes; see :func:`read`."""
    try:
        lines = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _no_record(where, str(error)) from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise _no_record(where, f"the columns {', '.join(lines[0]) if lines else '-'}")
    scores = []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(COLUMNS):
            raise _no_record(where, f"{len(line)} values in line {number}")
        try:
            values = dict(zip(COLUMNS, line, strict=True))
            scores.append(Score(**{n: _value(n, v) for n, v in values.items()}))
        except ValueError as error:
            raise _no_record(where, f"line {number}: {error}") from error
    return Record(tuple(scores))


def show_p(p: float | None) -> str:
    """Return a p-value as it is shown: three digits, never 0."""
    if p is None:
        return "–"
    return f"<{SHOWN_P:g}" if p < SHOWN_P else f"{p:.3g}"


def rounded(value: Any) -> Any:
    """Round a float to six decimals: far below any interval, readable in a diff."""
    return round(value, DIGITS) if isinstance(value, float) else value


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(round(value, DIGITS) + 0.0)
    return value


def _value(name: str, text: str) -> Any:
    if name in _WORDS:
        return text
    if not text:
        return None
    return int(text) if name in _WHOLE else float(text)


def _no_record(where: object, found: str) -> MmclustError:
    return MmclustError(
        "This is no record of scores of this version of mmclust",
        where=where,
        expected=f"a table with the columns {', '.join(COLUMNS)}",
        found=found,
        do="score again: dvc repro; or look with the version that wrote it",
    )
