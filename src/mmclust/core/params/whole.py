"""All of params.yaml, read once and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core import numerics
from mmclust.core.errors import MmclustError, nearest
from mmclust.core.names import require_name
from mmclust.core.params.blocks import (
    BudgetParams,
    CognitionParams,
    DataParams,
    EncodeParams,
    GroundingParams,
    LearningParams,
    ModelParams,
    NounsParams,
    ReportParams,
    RetrievalParams,
    SampleParams,
    ScoreParams,
)
from mmclust.core.params.strict import convert
from mmclust.core.yaml_file import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_PATH = Path("params.yaml")

POLICIES = ("fail", "skip")


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
        from mmclust.core.plugins import params_of

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
