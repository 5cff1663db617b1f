"""The one place that hands out randomness: by seed and purpose, never globally."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed for one purpose, from general to particular.

    Different purposes give unrelated streams; the same purpose gives the same stream on
    every machine, in every process, at any number of workers. It fits a signed 64-bit
    integer, as ``torch.Generator.manual_seed`` and libraries written in C want it.
    """
    text = "\x1f".join([str(seed), *(str(part) for part in purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a numpy generator (PCG64) for one purpose; see :func:`derive`."""
    return np.random.Generator(np.random.PCG64(derive(seed, *purpose)))
