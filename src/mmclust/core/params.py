"""params.yaml, read once into frozen dataclasses that reject what they don't know."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_type_hints

import msgspec

from mmclust.core import numerics
from mmclust.core.errors import MmclustError, nearest
from mmclust.core.plugins import load, require_name
from mmclust.core.yaml_file import parse_yaml, read_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

DEFAULT_PATH = Path("params.yaml")

POLICIES = ("fail", "skip")

T = TypeVar("T")

Positive = Annotated[int, msgspec.Meta(ge=1)]
"""A count or a size: at least 1."""
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
"""A rate or a temperature: above 0."""


@dataclass(frozen=True)
class SampleParams:
    """The built-in world; see :mod:`mmclust.sample`."""

    seed: int = 782


@dataclass(frozen=True)
class DataParams:
    """Where raw files come from."""

    mirror: str = "sample"
    """``sample``: the built-in world; ``upstream``: the publishers' servers; or
    the path of a folder that holds the data sets, archives or unpacked."""
    sources: tuple[str, ...] = ("coco2017",)
    images: str | tuple[str, ...] = "all"
    """From upstream: ``all`` pictures of a source, or names of benchmarks, and then
    only the pictures that these take."""


@dataclass(frozen=True)
class EncodeParams:
    """What happens to images that cannot be encoded: ``fail``, or ``skip``.

    Skipped images are named in ``features.json`` and left out of whatever is made of
    these features.
    """

    corrupt: str = "fail"
    """A picture whose bytes are damaged."""
    missing_captions: str = "fail"
    """An image without captions, where an encoder reads captions."""


@dataclass(frozen=True)
class ModelParams:
    """What is clustered, into how many clusters, how often."""

    benchmarks: tuple[str, ...] | None = None
    """Those of ``benchmarks`` that are encoded, clustered and scored; ``None``: all.
    The pipeline needs the list."""
    k: int | Literal["auto"] | None = None
    """Clusters; ``None``: as many as the benchmark has classes; ``auto``: chosen
    without labels, see :mod:`mmclust.scoring.label_free`."""
    k_by: Literal["silhouette", "generalisation", "coding_length"] = "silhouette"
    """What ``k: auto`` chooses by."""
    k_grid: tuple[int, ...] = ()
    """What ``k: auto`` tries; empty: a grid from 2 to 100."""
    clusterers: tuple[str, ...] = ("kmeans", "agglomerative", "random")
    heads: tuple[str, ...] = ()
    """Text-aided methods, of ``mmclust/heads``; options of each under ``heads``."""
    encoder: str = "miniclip"
    """The encoder whose clusters the report shows, and whose space nouns and heads
    share; one of ``encoders``."""
    n_seeds: int = 10
    k_sweep: tuple[int, ...] = ()
    """Further k for the curve of scores over k (k-means only)."""


TEMPLATES = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
"""The prompts of TAC and DXMC."""


@dataclass(frozen=True)
class NounsParams:
    """The noun space of TAC (ICML 2024, section 3.1).

    Defaults as its code has them, but for ``centres``, ``faiss_seed`` and
    ``counterpart_dtype``; docs/heads.md says why.
    """

    vocabulary: str = "data/vocabulary/WordNetNouns.csv"
    """``WordNetNouns.csv`` (see ``mmclust sources nouns``), a CSV with a column
    ``word``, or a ``.txt`` with one word per line."""
    templates: tuple[str, ...] = TEMPLATES
    """Prompts; ``{}`` stands for the word."""
    prompt_normalisation: bool = False
    """Scale each prompt's embedding to unit norm before the mean of all."""
    underscores: Literal["keep", "blank"] = "keep"
    """Whether ``living_thing`` is read as it stands or as two words."""
    deduplicate_nouns: bool = False
    """Let a word that the vocabulary repeats take one place, not several."""
    centres: Positive | Literal["rule", "published"] = "rule"
    """Image centres: a number; ``rule``: images / 300, or 3 per class where classes
    are smaller than 300; ``published``: the papers' table."""
    n_init: Positive = 10
    max_iter: Positive = 300
    max_points_per_centroid: Positive | None = 256
    """Of the k-means that makes the centres; ``None``: all images."""
    faiss_seed: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Where that k-means starts; the release has faiss's 1234. ``None``: ``seed``."""
    top: Positive = 5
    """Nouns kept per centre."""
    noun_temperature: PositiveFloat = 1.0
    noun_softmax_dtype: Literal["float16", "float32"] = "float16"
    """Precision of centres, cosines and each noun's share of each centre."""
    counterpart_temperature: PositiveFloat = 0.005
    counterpart_dtype: Literal["float16", "float32"] = "float32"
    """Precision of the counterparts; the release has float16."""


@dataclass(frozen=True)
class BaselineParams:
    """The method that every other one is compared with, paired."""

    encoder: str | None = None
    """``None``: ``model.encoder``."""
    view: str = "image"
    clusterer: str = "kmeans"


@dataclass(frozen=True)
class ScoreParams:
    """How uncertainty is estimated, and against what methods are held."""

    n_resamples: int = 1000
    baseline: BaselineParams = field(default_factory=BaselineParams)


@dataclass(frozen=True)
class RetrievalParams:
    """Which pools are searched, with which encoders."""

    benchmarks: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ()
    fitted_on: str = "coco_all"
    """The benchmark that encoders which learn were fitted on."""
    top_k: Positive = 10
    """How many of the best are listed for each query."""


@dataclass(frozen=True)
class LearningParams:
    """What word models learn from."""

    benchmark: str = "coco_words"
    """Its captioned images; word models see no labels."""
    word_lists: tuple[str, ...] = ("words",)
    """Lists to draw from the norms, without their ratings; ``[]``: none."""
    n_seeds: Positive = 5


@dataclass(frozen=True)
class CognitionParams:
    """The norms that words are held against; files of ``data/raw/norms``."""

    categories: str = "data/raw/norms/mcrae_typicality.yaml"
    """Ratings of typicality."""
    concreteness: str = "data/raw/norms/Concreteness_ratings_Brysbaert_et_al_BRM.txt"
    """Ratings of concreteness."""
    association: str = "data/raw/norms/swow.en.csv"
    """Small World of Words, in any of its layouts."""
    counting: Literal["published", "forward_only"] = "published"
    """Whether rows that repeat pairs associated both ways are summed."""
    vocabulary: str | None = None
    """A list of words that the word list is restricted to, such as those that have
    vectors; ``None``: the words of the categories that the captions hold."""
    text_threshold: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.03
    """The probability from which a word belongs to its cluster."""


@dataclass(frozen=True)
class GroundingParams:
    """What is held against the objects in the pictures."""

    model: str = "joint_model"
    """A word model with a visual network."""
    benchmarks: tuple[str, ...] = ("coco_words",)
    """One that says what is where, usually ``learning.benchmark``; none: no run."""
    gallery: int = 6
    """Pictures drawn for the page, by chance among those with an active cluster."""
    tags: str | None = None
    """Gold nouns: a ``.tsv`` of tagged tokens, or the name of a spaCy model; ``None``:
    nouns are not scored."""
    clip_images: str | None = None
    """``.npy`` of CLIP's embeddings of all images, in manifest order; ``None``: no
    CLIP baseline."""
    clip_classes: str | None = None
    """``.npy`` of CLIP's embeddings of ``a photo of a <name>``, one-word categories in
    the publisher's order."""

    @property
    def benchmark(self) -> str:
        """Return the benchmark."""
        if len(self.benchmarks) != 1:
            raise MmclustError(
                "Grounding wants one benchmark",
                where="grounding.benchmarks",
                expected="one name, such as [coco_words]",
                found=f"{len(self.benchmarks)}",
                do="name one",
            )
        return self.benchmarks[0]


@dataclass(frozen=True)
class ReportParams:
    """What the page shows."""

    thumbnails: Positive = 12
    """Pictures of each cluster that are shown at first."""
    points: Positive = 25_000
    """Images in each map, at most."""


@dataclass(frozen=True)
class BudgetParams:
    """What a run may cost, see :mod:`mmclust.report.budget`; ``None``: no limit."""

    hours: PositiveFloat | None = None
    """Of wall clock: building, captions, features, clusters, submissions."""
    gigabytes: PositiveFloat | None = None
    """Of weights, of 10⁹ bytes."""
    parameters: Positive | None = None


@dataclass(frozen=True)
class Params:
    """All of params.yaml.

    ``benchmarks`` and ``encoders`` map the names that are built, and that encode, to
    their options, and ``captioners`` maps names of captions to options of the model
    that writes them. ``words`` maps word models that learn to their options.
    ``clusterers`` and ``heads`` hold options of those in ``model`` that need any; what
    is left out takes the default that the plugin documents.
    """

    seed: int = 782
    numerics: str = "portable"
    sample: SampleParams = field(default_factory=SampleParams)
    data: DataParams = field(default_factory=DataParams)
    benchmarks: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    encode: EncodeParams = field(default_factory=EncodeParams)
    captioners: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    encoders: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    clusterers: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    nouns: NounsParams = field(default_factory=NounsParams)
    heads: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    model: ModelParams = field(default_factory=ModelParams)
    retrieval: RetrievalParams = field(default_factory=RetrievalParams)
    words: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    learning: LearningParams = field(default_factory=LearningParams)
    cognition: CognitionParams = field(default_factory=CognitionParams)
    grounding: GroundingParams = field(default_factory=GroundingParams)
    score: ScoreParams = field(default_factory=ScoreParams)
    report: ReportParams = field(default_factory=ReportParams)
    budget: BudgetParams = field(default_factory=BudgetParams)

    @property
    def clustered(self) -> tuple[str, ...]:
        """Names of the benchmarks that are encoded, clustered and scored."""
        chosen = self.model.benchmarks
        return tuple(self.benchmarks) if chosen is None else chosen

    def encoder_options(self, name: str, benchmark: str) -> dict[str, Any] | None:
        """Return an encoder's options for one benchmark.

        Those under ``encoders.<name>.per_benchmark.<benchmark>`` go before its others:
        a protocol may prepare the pictures of one data set in another way.
        """
        options = dict(self.encoders.get(name) or {})
        own = options.pop("per_benchmark", None)
        if own is None:
            return options or None
        where = f"encoders.{name}.per_benchmark"
        own = convert(own, dict[str, dict[str, Any]], where)
        for each in own:
            if each not in self.benchmarks:
                raise MmclustError(
                    "Options are given for a benchmark that is not built",
                    where=where,
                    expected=nearest(each, self.benchmarks),
                    found=each,
                    do="correct the name, or add it under benchmarks",
                )
        return options | own.get(benchmark, {})

    def block(self, kind: str, name: str, benchmark: str = "") -> Any:
        """Return the options of one plugin as its own ``Params``."""
        options = getattr(self, kind).get(name)
        if kind == "encoders":
            options = self.encoder_options(name, benchmark)
        return params_of(kind, name, options, f"{kind}.{name}")


def read_params(path: Path = DEFAULT_PATH) -> Params:
    """Read and check params.yaml."""
    values = read_yaml(path, "run the command in the root of the repository")
    params = convert({} if values is None else values, Params, "", path.name)
    numerics.require(params.numerics, path)
    _check_ranges(params)
    _check_names(params)
    return params


def _check_ranges(params: Params) -> None:
    """Refuse numbers that have the right type and no meaning."""
    model, encode = params.model, params.encode
    wrong = [
        (encode.corrupt not in POLICIES, "encode.corrupt", "fail or skip",
         encode.corrupt),
        (encode.missing_captions not in POLICIES, "encode.missing_captions",
         "fail or skip", encode.missing_captions),
        (isinstance(model.k, int) and model.k < 1, "model.k",
          "at least 1, null or auto", model.k),
        (model.n_seeds < 1, "model.n_seeds", "at least 1", model.n_seeds),
        (min(model.k_sweep, default=1) < 1, "model.k_sweep", "at least 1 each",
         list(model.k_sweep)),
        (params.seed < 0, "seed", "at least 0", params.seed),
        (params.score.n_resamples < 100, "score.n_resamples", "at least 100",  # noqa: PLR2004
         params.score.n_resamples),
    ]  # fmt: skip
    for bad, key, expected, found in wrong:
        if bad:
            raise MmclustError(
                "A value in params.yaml is out of range",
                where=key,
                expected=expected,
                found=found,
                do=f"correct {key} in params.yaml",
            )


def _require_names(params: Params) -> None:
    """Hold every name to what a path and a command line take."""
    model, images, baseline = params.model, params.data.images, params.score.baseline
    baseline_encoder = model.encoder if baseline.encoder is None else baseline.encoder
    named: tuple[tuple[str, str, Iterable[object]], ...] = (
        ("a source", "data.sources", params.data.sources),
        (
            "a benchmark",
            "data.images",
            (images,) if isinstance(images, str) else images,
        ),
        ("a benchmark", "benchmarks", params.benchmarks),
        ("a captioner", "captioners", params.captioners),
        ("an encoder", "encoders", params.encoders),
        ("a clusterer", "clusterers", params.clusterers),
        ("a head", "heads", params.heads),
        ("a word model", "words", params.words),
        ("a benchmark", "model.benchmarks", model.benchmarks or ()),
        ("a clusterer", "model.clusterers", model.clusterers),
        ("a head", "model.heads", model.heads),
        ("an encoder", "model.encoder", (model.encoder,)),
        ("a benchmark", "retrieval.benchmarks", params.retrieval.benchmarks),
        ("an encoder", "retrieval.encoders", params.retrieval.encoders),
        ("a benchmark", "retrieval.fitted_on", (params.retrieval.fitted_on,)),
        ("a benchmark", "learning.benchmark", (params.learning.benchmark,)),
        ("a list of words", "learning.word_lists", params.learning.word_lists),
        ("a benchmark", "grounding.benchmarks", params.grounding.benchmarks),
        ("a word model", "grounding.model", (params.grounding.model,)),
        ("an encoder", "score.baseline.encoder", (baseline_encoder,)),
        ("a view", "score.baseline.view", (baseline.view,)),
        ("a clusterer", "score.baseline.clusterer", (baseline.clusterer,)),
    )
    for what, key, names in named:
        for name in names:
            require_name(name, what, f"{key} in params.yaml")


def _check_names(params: Params) -> None:
    """Refuse a main encoder that does not run, and empty lists of what runs."""
    _require_names(params)
    if not params.model.clusterers:
        raise MmclustError(
            "No clusterer is named in params.yaml",
            where="model.clusterers",
            expected="at least one, for instance [kmeans]",
            found="[]",
        )
    for name in params.clustered:
        if name not in params.benchmarks:
            raise MmclustError(
                "model.benchmarks has a name that is not among the benchmarks",
                where="model.benchmarks",
                expected=nearest(name, params.benchmarks),
                found=name,
                do="name those of them to cluster, or add it under benchmarks",
            )
    if params.encoders and params.model.encoder not in params.encoders:
        raise MmclustError(
            "model.encoder is not among the encoders that run",
            where="model.encoder",
            expected=nearest(params.model.encoder, params.encoders),
            found=params.model.encoder,
            do="name one of them, or add it under encoders",
        )


def convert(value: Any, kind: type[T], where: str, given: str = "params.yaml") -> T:
    """Turn plain YAML values into a frozen dataclass, strictly."""
    _refuse_unknown(value, kind, where, given)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        tail = at.rstrip("`").replace("[...]", "").lstrip(".")
        key = ".".join(part for part in (where, tail) if part)
        expected = message.removeprefix("Expected ").partition(", got ")[0]
        if key == "model.k":  # msgspec names neither the words nor the types alone
            expected = "a number, null (as many as classes) or auto"
        raise MmclustError(
            f"A value in {given} has the wrong type or is out of range",
            where=key or "the whole file",
            expected=expected,
            found=repr(_lookup(value, tail)),
            do=f"correct {key or 'the file'} in {given}",
        ) from error


def _refuse_unknown(value: Any, kind: Any, where: str, given: str) -> None:
    if not dataclasses.is_dataclass(kind) or not isinstance(value, dict):
        return
    hints = get_type_hints(kind)
    known = {f.name: hints[f.name] for f in dataclasses.fields(kind)}
    for key, inner in value.items():
        dotted = f"{where}.{key}" if where else str(key)
        if key not in known:
            raise MmclustError(
                f"Unknown key {dotted!r} in {given}",
                where=where or "the top level",
                expected=nearest(str(key), known),
                found=key,
                do=f"correct or remove {dotted}",
            )
        _refuse_unknown(inner, known[key], dotted, given)


def _lookup(value: Any, dotted: str) -> Any:
    for part in dotted.split(".") if dotted else []:
        if not isinstance(value, dict) or part not in value:
            break
        value = value[part]
    return value


def params_of(
    kind: str, name: str, block: Any, where: str, given: str = "params.yaml"
) -> Any:
    """Read a plugin's block of params.yaml into its ``Params`` class."""
    options = {} if block is None else block
    return convert(options, load(kind, name).Params, where, given)


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Turn ``key=value`` texts into a mapping; values are read as in params.yaml."""
    block: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        key = key.strip()
        if not equals or not key or key in block:
            raise MmclustError(
                "An option of the method cannot be read",
                where="--set",
                expected="key=value, for instance n_init=20; each key once",
                found=option,
            )
        block[key] = parse_yaml(value, f"--set {option}")
    return block


def refuse_options(block: Mapping[str, Any], idle: Collection[str], why: str) -> None:
    """Refuse options that would have no effect."""
    for key in block:
        if key in idle:
            raise MmclustError(
                f"The option {key} has no effect here: {why}",
                where="--set",
                found=key,
                do="leave it out",
            )
