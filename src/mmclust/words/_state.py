"""The state of a training in one file: weights, optimiser, counts and where it stands.

Safetensors with the rest as JSON in its header; nothing is pickled. All randomness is
drawn anew from the seed and the number of the epoch or step, so that no generator has
a state to keep. A run that is resumed ends with the bytes of one that was not.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmclust.core.io import require_file, writing

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch

    from mmclust.words._counts import Counts


@dataclass
class Place:
    """Where a training stands.

    Parameters
    ----------
    epoch, step
        Both from 0: what comes next.
    sums
        Of the losses of the epoch's steps so far.
    curve
        Figures of the epochs that are done.
    best
        The selected epoch and its score, where one is selected.
    scaler
        Of mixed precision.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)


def save_state(
    path: Path,
    origin: str,
    module: torch.nn.Module,
    counts: Counts,
    optimizer: torch.optim.Optimizer | None,
    place: Place,
) -> None:
    """Write the state in place of the one before."""
    from safetensors.torch import save_file

    tensors = {f"visual.{k}": v for k, v in module.state_dict().items()}
    tensors["counts"] = _tensor(counts.table)
    if optimizer is not None:
        for i, each in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{k}": v for k, v in each.items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    metadata = {"origin": origin, "place": json.dumps(vars(place))}
    with writing(path) as temporary:
        save_file(tensors, temporary, metadata)


def load_state(
    path: Path,
    origin: str,
    module: torch.nn.Module,
    counts: Counts,
    optimizer: torch.optim.Optimizer | None = None,
) -> Place | None:
    """Put a saved state into module, counts and optimiser."""
    place, tensors = _read(path, origin)
    if place is None:
        return None
    visual = _under(tensors, "visual.")
    module.load_state_dict(visual)
    counts.table[:] = tensors["counts"].numpy()
    counts.totals[:] = counts.table.sum(0)
    if optimizer is not None:
        state: dict[int, dict[str, Any]] = {}
        for name, value in _under(tensors, "optimizer.").items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    return place


def final_state(
    path: Path,
) -> tuple[dict[str, torch.Tensor], np.ndarray[Any, Any], Place]:
    """Return the network's weights, the counts and the place of a saved state."""
    from safetensors import safe_open

    with safe_open(require_file(path), "pt") as file:
        place = Place(**json.loads(file.metadata()["place"]))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return _under(tensors, "visual."), tensors["counts"].numpy(), place


def _read(path: Path, origin: str) -> tuple[Place | None, dict[str, torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    with contextlib.suppress(SafetensorError, OSError, KeyError, ValueError):
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("origin") != origin:
                return None, {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Place(**json.loads(metadata["place"])), tensors
    return None, {}


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    import torch

    return torch.from_numpy(array)
