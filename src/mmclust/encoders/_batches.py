"""Running a torch model over rows, in batches whose shape never varies.

A row's features must not depend on who shares its batch. Kernels sum in an order
that the shape decides, so the shape is fixed: the last batch is filled up, and
captions are padded to one of a few lengths that their own length decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.encoders._compute import batch_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

STEP = 16
"""Captions are padded to a multiple of this many tokens."""
SPECIAL = 8
"""Tokens for the beginning, the end and the like, at most."""


def in_batches(
    run: Callable[..., torch.Tensor], *columns: np.ndarray[Any, Any], device: str
) -> np.ndarray[Any, Any]:
    """Run a model over rows.

    Parameters
    ----------
    run
        Takes a tensor (batch, …) per column, on the device; gives (batch, d).
    columns
        Arrays (n, …), n at least 1, as the model takes them.
    device
        Where it runs.

    Returns
    -------
    numpy.ndarray
        float32 (n, d).
    """
    import torch

    n, size = len(columns[0]), batch_size(device)
    done = []
    with torch.inference_mode():
        for start in range(0, n, size):
            parts = [column[start : start + size] for column in columns]
            length = len(parts[0])
            full = [np.resize(part, (size, *part.shape[1:])) for part in parts]
            found = run(*(torch.from_numpy(part).to(device) for part in full))
            done.append(found[:length].float().cpu().numpy())
    return np.concatenate(done)


def embed_tokens(
    run: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    tokens: Sequence[Sequence[int]],
    *,
    longest: int,
    padding: int,
    device: str,
) -> np.ndarray[Any, Any]:
    """Run a text model over captions of any length.

    Parameters
    ----------
    run
        Takes token ids and mask, both int64 (batch, length); gives (batch, d).
    tokens
        The ids of each of c captions, at most ``longest``.
    longest
        What the model can take.
    padding
        The id that fills up.
    device
        Where it runs.

    Returns
    -------
    numpy.ndarray
        float32 (c, d); (0, 0) for no caption.
    """
    lengths = np.array([len(ids) for ids in tokens], np.int64)
    padded = np.minimum(-(-np.maximum(lengths, 1) // STEP) * STEP, longest)
    found: np.ndarray[Any, Any] = np.zeros((0, 0), np.float32)
    for length in np.unique(padded):
        rows = np.flatnonzero(padded == length)
        ids = np.full((len(rows), length), padding, np.int64)
        mask = np.arange(length) < lengths[rows, None]
        ids[mask] = np.concatenate([np.asarray(tokens[int(i)], np.int64) for i in rows])
        part = in_batches(run, ids, mask.astype(np.int64), device=device)
        if not len(found):
            found = np.zeros((len(tokens), part.shape[1]), np.float32)
        found[rows] = part
    return found


def n_longer(
    texts: Sequence[str], longest: int, lengths: Callable[[list[str]], Sequence[int]]
) -> int:
    """Count texts of more tokens than a model reads."""
    maybe = [t for t in texts if not t.isascii() or len(t) + SPECIAL > longest]
    return sum(length > longest for length in lengths(maybe)) if maybe else 0


def unit_rows(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Divide float32 rows (n, d) by their L2 norm + 1e-10 (benchmarks, §5)."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / (norms + 1e-10), np.float32)


def per_image(
    each: np.ndarray[Any, Any], captions: Sequence[Sequence[str]], dim: int
) -> np.ndarray[Any, Any]:
    """Average the captions of each image, then scale to unit norm (benchmarks, §5).

    Parameters
    ----------
    each
        float32 (c, d): all captions, image after image.
    captions
        The captions of b images, c in all.
    dim
        d, for when there is no caption at all.

    Returns
    -------
    numpy.ndarray
        float32 (b, d); zeros for an image without captions.
    """
    counts = np.array([len(texts) for texts in captions])
    sums = np.zeros((len(captions), dim))
    if len(each):
        np.add.at(sums, np.repeat(np.arange(len(captions)), counts), each)
    return unit_rows((sums / np.maximum(counts, 1)[:, None]).astype(np.float32))


def cleaned(captions: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return each image's captions without outer blanks and without empty ones."""
    return [[text.strip() for text in each if text.strip()] for each in captions]
