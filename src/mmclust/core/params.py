"""params.yaml, read once into frozen dataclasses that reject what they don't know."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from mmclust.core import numerics
from mmclust.core.errors import LISTED, MmclustError, nearest, some
from mmclust.core.plugins import IS, Instance, instance_of, plugin_of, require
from mmclust.core.registry import read_registry
from mmclust.core.text import require_name
from mmclust.core.yaml_file import convert, read_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

DEFAULT_PATH = Path("params.yaml")

Block = dict[str, Any] | None
"""Options of a plugin, ``is`` among them where the name is not the plugin's."""
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
"""A seed, or a count that may be none."""
Positive = Annotated[int, msgspec.Meta(ge=1)]
"""A count or a size: at least 1."""
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
"""A rate or a temperature: above 0."""

FLOORS = ("random",)
"""Plugins that look at nothing."""


@dataclass(frozen=True)
class Imbalance:
    """How a benchmark's classes are thinned, see :mod:`mmclust.benchmarks`."""

    ratio: Annotated[float, msgspec.Meta(ge=1)]
    """Of the largest class to the smallest."""
    seed: NotNegative = 782


@dataclass(frozen=True)
class BuildOptions:
    """What may stand among the options of every benchmark."""

    allow_different: bool = False
    """Whether a build's counts may differ from the published ones."""
    imbalance: Imbalance | None = None


@dataclass(frozen=True)
class SampleParams:
    """The built-in world; see :mod:`mmclust.sample`."""

    seed: NotNegative = 782


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

    corrupt: Literal["fail", "skip"] = "fail"
    """A picture whose bytes are damaged."""
    missing_captions: Literal["fail", "skip"] = "fail"
    """An image without captions, where an encoder reads captions."""


@dataclass(frozen=True)
class ModelParams:
    """What is clustered, into how many clusters, how often."""

    benchmarks: tuple[str, ...] | None = None
    """Those of ``benchmarks`` that are encoded, clustered and scored; ``None``: all.
    The pipeline needs the list."""
    k: Positive | Literal["auto"] | None = None
    """Clusters; ``None``: as many as the benchmark has classes; ``auto``: chosen
    without labels, see :mod:`mmclust.scoring.label_free`."""
    k_by: Literal["silhouette", "generalisation", "coding_length"] = "silhouette"
    """What ``k: auto`` chooses by."""
    k_grid: tuple[Annotated[int, msgspec.Meta(ge=2)], ...] = ()
    """What ``k: auto`` tries; empty: a grid from 2 to 100."""
    clusterers: tuple[str, ...] = ("kmeans", "agglomerative", "random")
    heads: tuple[str, ...] = ()
    """Text-aided methods, of ``mmclust/heads``; options of each under ``heads``."""
    select: Literal["generalisation"] | None = None
    """What chooses between settings of one plugin, see
    :mod:`mmclust.scoring.selection`; ``None``: nothing is chosen."""
    encoder: str = "miniclip"
    """The encoder whose clusters the report shows, and whose space nouns and heads
    share; one of ``encoders``."""
    n_seeds: Positive = 10
    k_sweep: tuple[Positive, ...] = ()
    """Further k for the curve of scores over k; see :attr:`Params.swept`."""


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
Prompts = Annotated[
    tuple[Annotated[str, msgspec.Meta(pattern=r"\{\}")], ...],
    msgspec.Meta(min_length=1),
]
"""At least one, each with ``{}``: without, all words would be the same."""


@dataclass(frozen=True)
class NounsParams:
    """The noun space of TAC (ICML 2024, section 3.1).

    Defaults as its code has them, but for ``centres``, ``faiss_seed`` and
    ``counterpart_dtype``; docs/heads.md says why.
    """

    vocabulary: str = "data/vocabulary/WordNetNouns.csv"
    """``WordNetNouns.csv`` (see ``mmclust vocabulary``), a CSV with a column
    ``word``, or a ``.txt`` with one word per line."""
    templates: Prompts = TEMPLATES
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
    faiss_seed: NotNegative | None = None
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

    n_resamples: Annotated[int, msgspec.Meta(ge=100)] = 1000
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
    gallery: NotNegative = 6
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

    ``benchmarks``, ``captioners``, ``encoders`` and ``words`` map the names that are
    built, that write captions, that encode and that learn to their options;
    ``clusterers`` and ``heads`` those named in ``model`` that need any. A name is a
    plugin, a known name or, with ``is``, one's own. What is left out takes the default
    that the plugin documents.
    """

    seed: NotNegative = 782
    numerics: str = "portable"
    sample: SampleParams = field(default_factory=SampleParams)
    data: DataParams = field(default_factory=DataParams)
    benchmarks: dict[str, Block] = field(default_factory=dict)
    encode: EncodeParams = field(default_factory=EncodeParams)
    captioners: dict[str, Block] = field(default_factory=dict)
    encoders: dict[str, Block] = field(default_factory=dict)
    clusterers: dict[str, Block] = field(default_factory=dict)
    nouns: NounsParams = field(default_factory=NounsParams)
    heads: dict[str, Block] = field(default_factory=dict)
    model: ModelParams = field(default_factory=ModelParams)
    retrieval: RetrievalParams = field(default_factory=RetrievalParams)
    words: dict[str, Block] = field(default_factory=dict)
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

    def instance(self, kind: str, name: str, benchmark: str = "") -> Instance:
        """Return a name's plugin and options; see :func:`instance_of`.

        ``kind`` is a section, such as ``encoders``, whose names need no block there
        where they are known.
        """
        section = getattr(self, kind)
        options = section.get(name)
        if name not in section and kind != "captioners":
            require(kind, name, section)
        if kind == "encoders":
            options = self.encoder_options(name, benchmark)
        elif kind == "benchmarks":
            options, _ = build_options(name, options)
        return instance_of(kind, name, options, f"{kind}.{name}")

    @property
    def swept(self) -> str:
        """The k-means that runs at ``model.k_sweep``, too; empty where none runs.

        That of the name ``kmeans``, or the first under a name of one's own.
        """
        named = self.model.clusterers
        found = [n for n in named if self.plugin("clusterers", n) == "kmeans"]
        return "kmeans" if "kmeans" in found else next(iter(found), "")

    def is_floor(self, kind: str, name: str) -> bool:
        """Tell whether a name's plugin looks at nothing: others must be above it."""
        return self.plugin(kind, name) in FLOORS

    def plugin(self, kind: str, name: str) -> str:
        """Return the plugin that a name stands for, known or not."""
        block = getattr(self, kind).get(name) or {}
        return plugin_of(kind, str(block.get(IS, name)))


def build_options(name: str, block: Block) -> tuple[Block, BuildOptions]:
    """Part the options that every benchmark has from the plugin's own."""
    options = dict(block or {})
    named = [each.name for each in fields(BuildOptions) if each.name in options]
    own = {each: options.pop(each) for each in named}
    return options, convert(own, BuildOptions, f"benchmarks.{name}")


KINDS = ("benchmarks", "captioners", "encoders", "clusterers", "heads", "words")
"""Sections whose keys are names of plugins, known or one's own."""
VIEWS = ("image", "text", "concat", "both", "counterpart")
"""What a method may cluster."""


def read_params(path: Path = DEFAULT_PATH) -> Params:
    """Read params.yaml and check all of it: keys, types, ranges, names, options."""
    values = read_yaml(path, "run the command in the root of the repository")
    params = convert({} if values is None else values, Params, "", path.name)
    numerics.require(params.numerics, path)
    named = _named(params, path.parent / "data/sources.yaml")
    for what, key, names, _ in named:
        for name in names:
            require_name(name, what, f"{key} in params.yaml")
    if isinstance(params.data.images, str) and params.data.images != "all":
        raise MmclustError(
            "data.images is neither all nor a list",
            where="data.images in params.yaml",
            expected="all, or a list of benchmarks, such as [coco_cross]",
            found=repr(params.data.images),
            do="correct data.images",
        )
    _require_once(params, named)
    _require_apart(params)
    _check_instances(params)
    if not params.model.clusterers:
        raise MmclustError(
            "No clusterer is named in params.yaml",
            where="model.clusterers",
            expected="at least one, for instance [kmeans]",
            found="[]",
        )
    for what, key, names, known in named:
        for name in names:
            if known is not None and name not in known:
                among, add = SECTIONS[what]
                verb = "has a name that is" if key.endswith("s") else "is"
                raise MmclustError(
                    f"{key} {verb} not among the {among}",
                    where=key,
                    expected=nearest(name, known),
                    found=name,
                    do=f"name one of them{add}",
                )
    return params


def _named(
    params: Params, registry: Path
) -> list[tuple[str, str, Iterable[str], Collection[str] | None]]:
    """List all names: what they are of, their key, and what they are among.

    That is ``None`` where any will do. Of a section that is left out nothing is known,
    nor are sources without a registry; sources that are left to their default need not
    be there, nor need such a baseline run.
    """
    model, images, base = params.model, params.data.images, params.score.baseline
    retrieval, learning, grounding = params.retrieval, params.learning, params.grounding
    built, encoders = params.benchmarks or None, params.encoders or None
    searched = built if retrieval.encoders else None
    learns = built if params.words else None
    plain = base == BaselineParams(view=base.view)
    chosen = params.data.sources != DataParams().sources
    return [
        ("a source", "data.sources", params.data.sources,
         read_registry(registry) if chosen and registry.is_file() else None),
        ("a benchmark", "data.images", (images,) if isinstance(images, str) else images,
         None if images == "all" else built),
        *((f"a name of {kind}", kind, getattr(params, kind), None) for kind in KINDS),
        ("a benchmark", "model.benchmarks", model.benchmarks or (), params.benchmarks),
        ("a clusterer", "model.clusterers", model.clusterers, None),
        ("a head", "model.heads", model.heads, None),
        ("an encoder", "model.encoder", (model.encoder,), encoders),
        ("a benchmark", "retrieval.benchmarks", retrieval.benchmarks, built),
        ("an encoder", "retrieval.encoders", retrieval.encoders, encoders),
        ("a benchmark", "retrieval.fitted_on", (retrieval.fitted_on,), searched),
        ("a benchmark", "learning.benchmark", (learning.benchmark,), learns),
        ("a list of words", "learning.word_lists", learning.word_lists, None),
        ("a benchmark", "grounding.benchmarks", grounding.benchmarks, learns),
        ("a word model", "grounding.model", (grounding.model,), None),
        ("an encoder", "score.baseline.encoder",
         () if base.encoder is None else (base.encoder,), encoders),
        ("a view", "score.baseline.view", (base.view,), VIEWS),
        ("a clusterer", "score.baseline.clusterer", (base.clusterer,),
         None if plain else {*model.clusterers, *model.heads}),
    ]  # fmt: skip


SECTIONS = {
    "a source": ("sources", ", or add it under data/sources.yaml"),
    "a benchmark": ("benchmarks", ", or add it under benchmarks"),
    "an encoder": ("encoders that run", ", or add it under encoders"),
    "a clusterer": ("methods that run", ", or add it under model.clusterers"),
    "a view": ("views", ""),
}
"""What names of each kind are among, and how one is added."""


def _require_once(
    params: Params, named: list[tuple[str, str, Iterable[str], Any]]
) -> None:
    """Refuse a name or k that a list has twice: its runs would count twice."""
    lists: dict[str, Iterable[object]] = {key: names for _, key, names, _ in named}
    lists |= {"model.k_grid": params.model.k_grid}
    lists |= {"model.k_sweep": params.model.k_sweep}
    for key, listed in lists.items():
        twice = [each for each, count in Counter(list(listed)).items() if count > 1]
        if twice:
            raise MmclustError(
                f"{key} has {twice[0]} twice",
                where=key,
                expected="each once",
                found=some(listed, LISTED),
                do="take one out",
            )


def _require_apart(params: Params) -> None:
    """Refuse names that make one word of two pairs.

    DVC calls the run of a benchmark and an encoder by both, joined by ``-``, and drops
    all but one of the same word; curves have ``_`` between.
    """
    model, searched = params.model, params.retrieval
    for key, names, benchmarks in (
        ("encoders", params.encoders, params.clustered),
        ("model.heads", model.heads, params.clustered),
        ("captioners", params.captioners, params.clustered),
        ("retrieval.encoders", searched.encoders, searched.benchmarks),
    ):
        for joint in "-_":
            pairs: dict[str, tuple[str, str]] = {}
            for pair in product(benchmarks, names):
                other = pairs.setdefault(joint.join(pair), pair)
                if other != pair:
                    raise MmclustError(
                        f"Two runs have the name {joint.join(pair)}",
                        where=f"benchmarks and {key}",
                        expected=f"names that differ when joined by {joint}",
                        found=" and ".join(f"{b} with {n}" for b, n in (other, pair)),
                        do="rename one of the four, with is where need be",
                    )


def _check_instances(params: Params) -> None:
    """Read every plugin's block, and those that have none."""
    model = params.model
    if "publisher" in params.captioners:
        raise MmclustError(
            "A captioner has the name of the publisher's captions",
            where="captioners",
            expected="another name: `captions: publisher` would not read what it wrote",
            found="publisher",
            do="rename it",
        )
    for kind in KINDS:
        names = dict.fromkeys(getattr(params, kind))
        for name in names:
            if "." in name:
                raise MmclustError(
                    f"The name {name!r} has a dot, which parts the keys of params.yaml",
                    where=kind,
                    expected="letters, digits, _ and -",
                    found=name,
                    do="choose another name",
                )
        named = {"clusterers": model.clusterers, "heads": model.heads}.get(kind, ())
        for name in names | dict.fromkeys(named):
            params.instance(kind, name)
    for name in set(model.clusterers) & set(model.heads):
        view = params.instance("heads", name).module.VIEW
        taken = getattr(params.instance("clusterers", name).module, "VIEWS", None)
        if view in ("image", "text", "concat") and taken != "both":
            raise MmclustError(
                "A head and a clusterer have the same name",
                where="model.heads and model.clusterers",
                expected=f"one method of each name on the view {view}",
                found=name,
                do="give one of them a name of its own, with is",
            )
    for name, block in params.encoders.items():
        for benchmark in (block or {}).get("per_benchmark") or ():
            params.instance("encoders", name, benchmark)
