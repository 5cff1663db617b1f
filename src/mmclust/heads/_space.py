"""TAC's semantic space: nouns of image centres, and text counterparts of images.

Source: "Image Clustering with External Guidance" (ICML 2024), section 3.1 and its
code; DXMC (arXiv 2409.04561) uses the same. All rows are at unit norm.

Shapes: n images; u nouns; c centres; m chosen nouns; d features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.numerics import threads

if TYPE_CHECKING:
    import torch

NUMBERS = 1 << 21
"""Entries of the largest matrix held at once: 8 MiB of float32."""


@threads(1)
def classify_nouns(
    nouns: np.ndarray[Any, Any],
    centres: np.ndarray[Any, Any],
    *,
    temperature: float = 1.0,
    dtype: str = "float16",
    device: str = "cpu",
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give each noun to the centre it is most probable for ("reverse classification").

    Parameters
    ----------
    nouns, centres
        float32 (u, d) and (c, d).
    temperature
        Of the softmax over centres; published: 1, so all probabilities are near 1/c.
    dtype
        ``float16``: as the published code has it, where rows, cosines and
        probabilities are half precision (sums inside a product are not), which makes
        many equal; the lowest centre of equals wins.
    device
        Where torch runs.

    Returns
    -------
    classes
        int64 (u,).
    confidence
        float32 (u,): the largest probability.
    """
    import torch

    with torch.inference_mode():
        turned = _rounded(torch.from_numpy(centres), dtype).to(device).T
        parts = []
        for block in _blocks(nouns, len(centres)):
            rows = _rounded(torch.from_numpy(block).to(device), dtype)
            shares = (_rounded(rows @ turned, dtype) / temperature).softmax(1)
            parts.append(_first_largest(_rounded(shares, dtype)))
        labels, best = (torch.cat(each) for each in zip(*parts, strict=True))
        return labels.cpu().numpy(), best.cpu().numpy()


def _rounded(numbers: torch.Tensor, dtype: str) -> torch.Tensor:
    """Return float32 numbers that ``dtype`` can hold."""
    return numbers.half().float() if dtype == "float16" else numbers


def _blocks(rows: np.ndarray[Any, Any], width: int) -> list[np.ndarray[Any, Any]]:
    size = max(NUMBERS // max(width, rows.shape[1]), 1)
    return [
        np.ascontiguousarray(rows[start : start + size])
        for start in range(0, len(rows), size)
    ]


def _first_largest(shares: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the column of each row's largest value, the lowest of equals."""
    import torch

    best = shares.max(1, keepdim=True).values
    columns = torch.arange(shares.shape[1], device=shares.device)
    column = torch.where(shares == best, columns, shares.shape[1]).min(1).values
    return column, best[:, 0]


@dataclass(frozen=True)
class Chosen:
    """Nouns chosen for the centres, by row of the vocabulary.

    Parameters
    ----------
    rows
        int64 (m,), ascending.
    centres, ranks
        int64 (m,): whose noun it is, and its place there, from 0.
    confidence
        float32 (m,).
    """

    rows: np.ndarray[Any, Any]
    centres: np.ndarray[Any, Any]
    ranks: np.ndarray[Any, Any]
    confidence: np.ndarray[Any, Any]


def choose_nouns(
    classes: np.ndarray[Any, Any], confidence: np.ndarray[Any, Any], top: int
) -> Chosen:
    """Keep the most confident nouns of each centre; the lowest row of equals first.

    A centre that no noun was given to keeps none.
    """
    order = np.lexsort((np.arange(len(classes)), -confidence, classes))
    ordered = classes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(ordered)])
    ranks = np.arange(len(ordered)) - np.repeat(starts, sizes)
    kept = np.flatnonzero(ranks < top)
    kept = kept[np.argsort(order[kept])]
    rows = order[kept]
    return Chosen(rows, classes[rows], ranks[kept], confidence[rows])


@threads(1)
def counterparts(
    images: np.ndarray[Any, Any],
    nouns: np.ndarray[Any, Any],
    *,
    temperature: float = 0.005,
    dtype: str = "float32",
    device: str = "cpu",
) -> np.ndarray[Any, Any]:
    """Return each image's text counterpart: its nouns, weighted by likeness.

    Parameters
    ----------
    images, nouns
        float32 (n, d) and (m, d).
    temperature
        Of the softmax over nouns.
    dtype
        ``float16``: every step rounded to half precision, as the published code has
        it; at this temperature weights then err by some per cent.
    device
        Where torch runs.

    Returns
    -------
    numpy.ndarray
        float32 (n, d), at unit norm.
    """
    import torch
    from torch.nn.functional import normalize

    with torch.inference_mode():
        words = torch.from_numpy(np.ascontiguousarray(nouns)).to(device)
        words = _rounded(words, dtype)
        result = np.empty_like(images, dtype=np.float32)
        start = 0
        for block in _blocks(images, len(nouns)):
            rows = _rounded(torch.from_numpy(block).to(device), dtype)
            scores = _rounded(rows @ words.T, dtype) / temperature
            shares = _rounded(_rounded(scores, dtype).softmax(1), dtype)
            mixed = normalize(_rounded(shares @ words, dtype), dim=1)
            result[start : start + len(block)] = _rounded(mixed, dtype).cpu()
            start += len(block)
        return result
