"""params.yaml, read once into frozen dataclasses that reject what they don't know."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec

from mmclust.core.errors import MmclustError, nearest

DEFAULT_PATH = Path("params.yaml")

T = TypeVar("T")

Positive = Annotated[int, msgspec.Meta(ge=1)]
"""A count or a size: at least 1."""
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
"""A rate or a temperature: above 0."""


@dataclass(frozen=True)
class SampleParams:
    """The built-in world; see :mod:`mmclust.sources.sample`."""

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
class ModelParams:
    """What is clustered, into how many clusters, how often."""

    benchmarks: tuple[str, ...] | None = None
    """Those of ``benchmarks`` that are encoded, clustered and scored; ``None``: all.
    The pipeline needs the list."""
    k: int | None = None
    """Clusters; ``None``: as many as the benchmark has classes."""
    clusterers: tuple[str, ...] = ("kmeans", "agglomerative", "random")
    encoder: str = "miniclip"
    """The encoder whose clusters the report shows; one of ``encoders``."""
    n_seeds: int = 10
    k_sweep: tuple[int, ...] = ()
    """Further k for the curve of scores over k (k-means only)."""


@dataclass(frozen=True)
class ScoreParams:
    """How uncertainty is estimated."""

    n_resamples: int = 1000


@dataclass(frozen=True)
class ReportParams:
    """What the page shows."""

    thumbnails: Positive = 12
    """Pictures per cluster."""
    points: Positive = 3000
    """Images in each map, at most."""


@dataclass(frozen=True)
class Params:
    """All of params.yaml.

    ``benchmarks`` and ``encoders`` map the names that are built, and that encode, to
    their options, and
    ``clusterers`` holds options of those in ``model.clusterers`` that need any;
    what is left out takes the default that the plugin documents.
    """

    seed: int = 782
    sample: SampleParams = field(default_factory=SampleParams)
    data: DataParams = field(default_factory=DataParams)
    benchmarks: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    encoders: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    clusterers: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    model: ModelParams = field(default_factory=ModelParams)
    score: ScoreParams = field(default_factory=ScoreParams)
    report: ReportParams = field(default_factory=ReportParams)

    @property
    def clustered(self) -> tuple[str, ...]:
        """Names of the benchmarks that are encoded, clustered and scored."""
        chosen = self.model.benchmarks
        return tuple(self.benchmarks) if chosen is None else chosen

    def block(self, kind: str, name: str) -> Any:
        """Return the options of one plugin as its own ``Params``.

        Parameters
        ----------
        kind
            ``"benchmarks"``, ``"encoders"`` or ``"clusterers"``.
        name
            The plugin.

        Returns
        -------
        Params
            An instance of the plugin's frozen dataclass.
        """
        from mmclust.core.plugins import params_of

        return params_of(kind, name, getattr(self, kind).get(name), f"{kind}.{name}")


def read_params(path: Path = DEFAULT_PATH) -> Params:
    """Read and check params.yaml.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Params
        Frozen; unknown keys and wrong types have been refused.

    Raises
    ------
    MmclustError
        When the file is missing, is not YAML, has a key that is not known (the
        nearest valid one is named) or a value of the wrong type.
    """
    import yaml

    if not path.is_file():
        raise MmclustError(
            "params.yaml is missing",
            where=path.absolute(),
            do="run the command in the root of the repository",
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MmclustError(f"{path} is not valid YAML", found=error) from error
    params = convert({} if values is None else values, Params, "")
    _check_ranges(params)
    _check_names(params)
    return params


def convert(value: Any, kind: type[T], where: str) -> T:
    """Turn plain YAML values into a frozen dataclass, strictly.

    Parameters
    ----------
    value
        What YAML gave.
    kind
        The dataclass.
    where
        The dotted key of ``value``; empty at the top.

    Returns
    -------
    T
        An instance of ``kind``.

    Raises
    ------
    MmclustError
        Naming the key, what was expected, and what was found.
    """
    _refuse_unknown(value, kind, where)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        tail = at.rstrip("`").replace("[...]", "").lstrip(".")
        key = ".".join(part for part in (where, tail) if part)
        raise MmclustError(
            "A value in params.yaml has the wrong type or is out of range",
            where=key or "the whole file",
            expected=message.removeprefix("Expected ").partition(", got ")[0],
            found=repr(_lookup(value, tail)),
            do=f"correct {key or 'the file'} in params.yaml",
        ) from error


def _refuse_unknown(value: Any, kind: Any, where: str) -> None:
    if not dataclasses.is_dataclass(kind) or not isinstance(value, dict):
        return
    hints = get_type_hints(kind)
    known = {f.name: hints[f.name] for f in dataclasses.fields(kind)}
    for key, inner in value.items():
        dotted = f"{where}.{key}" if where else str(key)
        if key not in known:
            raise MmclustError(
                f"Unknown key {dotted!r} in params.yaml",
                where=where or "the top level",
                expected=nearest(str(key), known),
                found=key,
                do=f"correct or remove {dotted}",
            )
        _refuse_unknown(inner, known[key], dotted)


def _lookup(value: Any, dotted: str) -> Any:
    for part in dotted.split(".") if dotted else []:
        if not isinstance(value, dict) or part not in value:
            break
        value = value[part]
    return value


def _check_ranges(params: Params) -> None:
    """Refuse numbers that have the right type and no meaning."""
    model = params.model
    wrong = [
        (model.k is not None and model.k < 1, "model.k", "at least 1", model.k),
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


def _check_names(params: Params) -> None:
    """Refuse a main encoder that does not run, and empty lists of what runs."""
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
