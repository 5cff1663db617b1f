"""The one place that hands out randomness: by seed and purpose, never globally."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed for one purpose.

    Different purposes give unrelated streams; the same purpose gives the same
    stream on every machine, in every process, at any number of workers.

    Parameters
    ----------
    seed
        The ``seed`` of params.yaml.
    *purpose
        What the numbers are for, from general to particular, for instance
        ``"cluster", "kmeans", "image", 3``.

    Returns
    -------
    int
        A non-negative seed that fits a signed 64-bit integer, as
        ``torch.Generator.manual_seed`` and libraries written in C want it.
    """
    text = "\x1f".join([str(seed), *(str(part) for part in purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a numpy generator for one purpose; see :func:`derive`.

    Parameters
    ----------
    seed
        The ``seed`` of params.yaml.
    *purpose
        What the numbers are for.

    Returns
    -------
    numpy.random.Generator
        A PCG64 generator.
    """
    return np.random.Generator(np.random.PCG64(derive(seed, *purpose)))
