"""Random features: the floor of every table, and the double in every test.

Source: this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.seeds import generator
from mmclust.core.types import Fitted

if TYPE_CHECKING:
    from mmclust.core.types import Array, Batch

VIEWS = ("image", "text")
FLAGS = ()


@dataclass(frozen=True)
class Params:
    """Number of features of each view."""

    dim: Positive = 64
    """Features of each view."""


def fit(batch: Batch, params: Params, *, seed: int, device: str) -> Fitted:  # noqa: ARG001
    """Keep the seed; there is nothing to learn."""
    return Fitted(facts={"seed": seed})


def encode_image(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Draw float32 (b, dim) standard normal features, a function of id and seed."""
    del device
    return _draw(batch, params, fitted, "image")


def encode_text(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Draw others of that kind."""
    del device
    return _draw(batch, params, fitted, "text")


def _draw(batch: Batch, params: Params, fitted: Fitted, view: str) -> Array:
    seed = fitted.facts["seed"]
    rows = [
        generator(seed, view, image_id).standard_normal(params.dim, dtype=np.float32)
        for image_id in batch.image_ids
    ]
    return np.stack(rows)
