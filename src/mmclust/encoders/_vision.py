"""Pretrained image models of torchvision, timm and transformers, by name.

An encoder of this kind is a file with ``VIEWS``, a ``Params`` with the fields of
``resnet50.Params`` and the functions below. Features are what the classifier would
read: pooled over the image, not normalised unless asked.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import file_digest
from mmclust.encoders._batches import in_batches, unit_rows
from mmclust.encoders._compute import is_compiled, ready
from mmclust.encoders._pixels import scaled, sized
from mmclust.encoders._timm import hub_model, load_timm, timm_file
from mmclust.encoders._torchvision import load_torchvision, torchvision_file
from mmclust.encoders._weights import Published, processor_pixels, require_published
from mmclust.kernels.hub import (
    checkpoint,
    checkpoint_stamp,
    from_pretrained,
    size_of,
    stamp,
)
from mmclust.kernels.hub import identity as checkpoint_identity

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

    from mmclust.core.types import Batch, Fitted
    from mmclust.kernels.hub import Stamp

Library = Literal["torchvision", "timm", "transformers"]


def prepare(rgb: np.ndarray[Any, Any], params: Any) -> np.ndarray[Any, Any]:
    """Resize and crop an image uint8 (h, w, 3) to uint8 (crop, crop, 3)."""
    return sized(
        rgb,
        short_side=params.short_side,
        crop=params.crop,
        interpolation=params.interpolation,
        rounding="floor" if params.library == "transformers" else "even",
    )


def encode_image(
    batch: Batch, params: Any, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Run the model on prepared images uint8 (b, crop, crop, 3): float32 (b, d)."""
    del fitted
    assert batch.images is not None
    model = _model(params, device)

    def run(pixels: torch.Tensor) -> torch.Tensor:
        found: Any = model(scaled(pixels, params.mean, params.std))
        if params.library == "transformers":
            pooled = getattr(found, "pooler_output", None)
            found = found.last_hidden_state[:, 0] if pooled is None else pooled
        # Pooling leaves sides of 1: (b, d, 1, 1) becomes (b, d).
        rows: torch.Tensor = found.flatten(1)
        return rows

    found = in_batches(run, np.ascontiguousarray(batch.images), device=device)
    return unit_rows(found) if params.normalise else found


def identity(params: Any) -> dict[str, Any]:
    """Return model, weights and their digest, for ``features.json``."""
    _require_applied(params)
    if params.library == "transformers":
        return checkpoint_identity(params.model, params.revision)
    if params.library == "timm" and params.weights == "hub":
        return checkpoint_identity(hub_model(params.model), params.revision)
    path = _file(params)
    return {
        "model": params.model,
        "revision": params.weights,
        "weights": file_digest(path),
        **size_of([path]),
    }


def _require_applied(params: Any) -> None:
    """Refuse options that do nothing in the library, and would be recorded as done."""
    wrong = {
        "transformers": ("weights", params.weights, "hub"),
        "torchvision": ("revision", params.revision, ""),
    }.get(params.library)
    if wrong is not None and wrong[1] != wrong[2]:
        option, found, expected = wrong
        quoted = '""'
        raise MmclustError(
            f"{option} does nothing to a model of {params.library}",
            where=f"{option} of the encoder in params.yaml",
            expected=repr(expected),
            found=repr(found),
            do=f"set {option}: {expected or quoted}, or another library",
        )


def _file(params: Any) -> Path:
    find = torchvision_file if params.library == "torchvision" else timm_file
    return find(params)


def _model(params: Any, device: str) -> Any:
    """Load once per process, and again when the files have changed."""
    _require_applied(params)
    if params.library == "transformers":
        files = checkpoint_stamp(params.model, params.revision)
    else:
        files = stamp([_file(params)])
    return _loaded(params, device, files, is_compiled())


@lru_cache(maxsize=2)
def _loaded(params: Any, device: str, files: Stamp, compiled: bool) -> Any:  # noqa: ARG001
    """Load a model; refuse pixels that the weights do not expect."""
    load = {
        "torchvision": load_torchvision,
        "timm": load_timm,
        "transformers": load_transformers,
    }[params.library]
    model, published = load(params)
    if params.published:
        require_published(params, published)
    return ready(model, device)


def load_transformers(params: Any) -> tuple[nn.Module, Published]:
    """Load a transformers model; ``model`` is a hub id (at ``revision``) or folder."""
    from transformers import AutoModel

    folder = checkpoint(params.model, params.revision)
    return from_pretrained(AutoModel, folder), processor_pixels(folder)
