"""The blocks of params.yaml, one frozen dataclass each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

from mmclust.core.errors import MmclustError
from mmclust.core.params.strict import Positive, PositiveFloat  # noqa: TC001


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
    without labels, see :mod:`mmclust.scoring.auto_k`."""
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
