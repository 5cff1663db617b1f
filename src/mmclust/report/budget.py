"""What encoders, clusterers and heads need: weights, wall clock, peak memory.

Parameters and bytes are facts of the weights, recorded beside features and heads; they
go to ``metrics/budget.json``. Wall clock and memory are of the machine that ran:
they lie in ``data/costs``, which nothing depends on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from mmclust.core.errors import MmclustError
from mmclust.core.io import file_digest, read_json
from mmclust.core.weights import stored_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mmclust.core.params import Params

HOUR, GB = 3600, 10**9


@dataclass(frozen=True)
class Cost:
    """What one stage took on this machine.

    ``seconds`` of wall clock include interrupted runs that it continued; the peaks are
    resident memory of the process and of its largest worker (0: none).
    """

    stage: str
    names: list[str]
    seconds: float
    peak_bytes: int
    worker_peak_bytes: int
    complete: bool
    machine: str


def read_cost(path: Path) -> Cost:
    """Read one record."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cost)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MmclustError(
            "A record of what a stage cost cannot be read",
            where=path,
            found=getattr(error, "strerror", None) or error,
            do="nothing: the next run of the stage writes it anew",
        ) from error


@dataclass(frozen=True)
class Weights:
    """One set of weights; those of equal digests are counted once."""

    model: str  # hub id, name or file; or what was trained here
    digest: str
    parameters: int
    bytes: int


@dataclass(frozen=True)
class Budget:
    """What a run needs, as far as it was measured here."""

    weights: dict[tuple[str, str, str], list[Weights]]
    """``(benchmark, "encoder" or "head", name)`` to weights; none without a model."""
    costs: list[Cost]
    unmeasured: list[str]  # stages whose results are here and whose cost is not
    damaged: list[Path]  # records of costs that cannot be read

    @property
    def distinct(self) -> list[Weights]:
        """All weights, each once."""
        return list({w.digest: w for many in self.weights.values() for w in many}
                    .values())  # fmt: skip

    @property
    def totals(self) -> dict[str, float]:
        """Hours measured, and size of all distinct weights."""
        return {
            "hours": sum(cost.seconds for cost in self.costs) / HOUR,
            "gigabytes": sum(each.bytes for each in self.distinct) / GB,
            "parameters": sum(each.parameters for each in self.distinct),
        }


def read_budget(root: Path, params: Params) -> Budget:
    """Read what the stages recorded."""
    weights: dict[tuple[str, str, str], list[Weights]] = {}
    stages: list[tuple[str, ...]] = []
    for benchmark in params.clustered:
        for encoder in params.encoders:
            folder = root / "data/features" / benchmark / encoder
            weights[benchmark, "encoder", encoder] = _of_encoder(folder)
        for head in params.model.heads:
            folder = root / "data/heads" / benchmark / head
            weights[benchmark, "head", head] = _trained(folder / "seed_0.safetensors")
        stages += [("build", benchmark), ("nouns", benchmark)]
        stages += [("caption", benchmark, each) for each in params.captioners]
        stages += [("encode", benchmark, each) for each in params.encoders]
        stages += [("cluster", benchmark, each) for each in params.encoders]
        stages += [("head", benchmark, each) for each in params.model.heads]
    costs, damaged = _costs(root / "data/costs", params)
    measured = {
        (cost.stage, cost.names[0], name)
        for cost in costs
        for name in cost.names[1:] or [""]
    }
    unmeasured = [
        " ".join(stage) for stage in stages if (*stage, "")[:3] not in measured
    ]
    return Budget(weights, costs, unmeasured, damaged)


def as_metrics(budget: Budget) -> dict[str, Any]:
    """Return what ``metrics/budget.json`` holds: sizes, nothing of the machine."""
    record: dict[str, Any] = {
        "parameters": int(budget.totals["parameters"]),
        "bytes": sum(each.bytes for each in budget.distinct),
    }
    for (benchmark, kind, name), many in budget.weights.items():
        record.setdefault(benchmark, {}).setdefault(f"{kind}s", {})[name] = {
            "parameters": sum(each.parameters for each in many),
            "bytes": sum(each.bytes for each in many),
        }
    return record


def require_within(budget: Budget, params: Params) -> None:
    """Refuse a run that needs more than ``budget`` in params.yaml allows."""
    totals = budget.totals
    passed = {
        name: limit
        for name in totals
        if (limit := getattr(params.budget, name)) is not None and totals[name] > limit
    }
    if not passed:
        return
    parts: dict[str, list[tuple[float, str]]] = {
        "hours": [
            (cost.seconds / HOUR, f"{cost.stage} {' '.join(cost.names)}")
            for cost in budget.costs
        ],
        "gigabytes": [(each.bytes / GB, each.model) for each in budget.distinct],
        "parameters": [(each.parameters, each.model) for each in budget.distinct],
    }
    raise MmclustError(
        "The run is over its budget",
        where=", ".join(f"budget.{name}" for name in passed) + " in params.yaml",
        expected=", ".join(f"at most {figure(v)} {name}" for name, v in passed.items()),
        found=", ".join(f"{figure(totals[name])} {name}" for name in passed)
        + "; most in "
        + ", ".join(max(parts[name])[1] for name in passed),
        do="leave out encoders, captioners or heads, take smaller models, or raise "
        "the limit",
    )


def figure(value: float) -> str:
    """Return a number as it is printed: whole ones in full, others to four digits."""
    return f"{int(value):,}" if value == int(value) else f"{value:.4g}"


def _of_encoder(folder: Path) -> list[Weights]:
    facts = read_json(folder / "features.json")
    found = [facts.get("model") or {}, facts.get("captions") or {}]
    many = [_known(each, folder) for part in found for each in models_of(part)]
    return many + _trained(folder / "fitted.safetensors")


def _known(facts: Mapping[str, Any], folder: Path) -> Weights:
    if not {"parameters", "bytes"} <= facts.keys():
        raise MmclustError(
            "The size of a model was not recorded",
            where=folder / "features.json",
            expected="parameters and bytes beside the digest of the weights",
            found=f"{facts['model']} without them",
            do="encode again (and caption, if it is a captioner's)",
        )
    numbers = (int(facts["parameters"]), int(facts["bytes"]))
    return Weights(str(facts["model"]), str(facts["weights"]), *numbers)


def _trained(path: Path) -> list[Weights]:
    """Return what was learned here, if anything was."""
    if not path.is_file():
        return []
    size = stored_size([path])
    name = f"{path.parent.name} (trained here)"
    return [Weights(name, file_digest(path), size["parameters"], size["bytes"])]


def _costs(folder: Path, params: Params) -> tuple[list[Cost], list[Path]]:
    """Read what was recorded of stages that params still name; and what is damaged."""
    known = {*params.encoders, *params.captioners, *params.model.heads, "blip"}
    costs, damaged = [], []
    for benchmark in params.clustered:
        for path in sorted((folder / benchmark).glob("*.json")):
            try:
                cost = read_cost(path)
            except MmclustError:
                damaged.append(path)
                continue
            if set(cost.names[1:]) <= known:
                costs.append(cost)
    return costs, damaged


def models_of(facts: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the models that facts name: one, or those of the members of a fusion."""
    if "weights" in facts:
        yield facts
        return
    for key, inner in facts.items():
        if isinstance(inner, dict) and key != "params":
            yield from models_of(inner)
