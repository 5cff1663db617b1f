"""Random assignment: what chance gives, on this k and these classes.

Source: this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.core.seeds import generator

DETERMINISTIC = False


@dataclass(frozen=True)
class Params:
    """Nothing to set."""


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> np.ndarray[Any, Any]:
    """Assign each of n rows to one of k clusters, uniformly: int32 (n,)."""
    del params
    rng = generator(seed, "assign")
    return rng.integers(n_clusters, size=len(features), dtype=np.int32)
