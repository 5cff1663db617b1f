"""TAC's semantic space: image centres, their nouns, text counterparts of images.

Source: "Image Clustering with External Guidance" (ICML 2024), section 3.1 and its
code; DXMC (arXiv 2409.04561) uses the same. All rows are at unit norm.

Shapes: n images; u nouns; c centres; m chosen nouns; d features.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.features import normalised
from mmclust.core.numerics import threads
from mmclust.kernels.kmeans import kmeans

if TYPE_CHECKING:
    import torch

    from mmclust.core.params import NounsParams

Array = np.ndarray[Any, Any]

CENTRES = {
    "cifar10": 167, "cifar20": 167, "stl10": 17, "imagenet10": 43, "imagenetdogs": 65,
    "dtd": 141, "ucf101": 303, "imagenet": 4271, "tinyimagenet": 334, "cub200": 39,
    "aid": 33,
}  # fmt: skip
"""Image centres as the codes of TAC and DXMC have them."""
IMAGES_PER_CENTRE = 300
NUMBERS = 1 << 21
"""Entries of the largest matrix held at once: 8 MiB of float32."""


def n_centres(
    n_images: int, n_classes: int, benchmark: str, centres: int | str = "rule"
) -> int:
    """Return the number of image centres."""
    if isinstance(centres, int):
        return centres
    if centres == "published":
        name = re.sub("[^a-z0-9]", "", benchmark.lower())
        if name not in CENTRES:
            raise MmclustError(
                "The papers give no number of centres for "
                f"{benchmark or 'files of your own'}",
                where="nouns.centres",
                expected=nearest(name, CENTRES),
                found=benchmark,
                do="set nouns.centres to rule or to a number",
            )
        return CENTRES[name]
    if n_images < IMAGES_PER_CENTRE * n_classes:
        return min(3 * n_classes, n_images)
    return max(int(n_images / IMAGES_PER_CENTRE + 0.5), 1)


def require_centres(k: int, **counts: int) -> None:
    """Refuse more image centres than there are nouns, or images."""
    for name, count in counts.items():
        if count < k:
            raise MmclustError(
                f"There are fewer {name} than image centres",
                where="nouns.centres",
                expected=f"at least {k} {name}",
                found=count,
                do=f"give more {name}, or lower nouns.centres (--set nouns.centres=N)",
            )


def spherical_kmeans(
    rows: Array, k: int, params: Any, *, seed: int, device: str = "cpu"
) -> Array:
    """Cluster rows, float32 (n, d), as TAC, DXMC and GradNorm do: int32 (n,).

    Every run starts at ``params.faiss_seed`` where there is one, else at its own
    ``seed``.
    """
    return kmeans(
        rows,
        k,
        seed=seed if params.faiss_seed is None else params.faiss_seed,
        n_init=params.n_init,
        max_iter=params.max_iter,
        spherical=True,
        init="random",
        max_points_per_centroid=params.max_points_per_centroid,
        device=device,
    ).labels


def image_centres(
    images: Array,
    k: int,
    params: NounsParams,
    *,
    seed: int,
    device: str = "cpu",
) -> tuple[Array, Array]:
    """Cluster the images into k and return the mean direction of each cluster.

    float32 (c, d): means of *all* images, float32 (n, d), assigned to a cluster, and
    int64 (n,): the centre of each image. A cluster that no image belongs to has no
    centre, so c may be below k.
    """
    found = spherical_kmeans(images, k, params, seed=seed, device=device)
    _, labels = np.unique(found, return_inverse=True)
    n_found = int(labels.max()) + 1
    if params.noun_softmax_dtype != "float16":
        return mean_directions(images, labels, n_found), labels
    # As the released code has it: rows, means, norms and quotients are float16. A
    # norm's rounding shifts the cosines of all nouns with one centre alike, by as much
    # as separates the centres of a noun.
    sums = _sums(images.astype(np.float16).astype(np.float32), labels, n_found)
    sizes = np.bincount(labels, minlength=n_found).astype(np.float32)
    means = (sums / sizes[:, None]).astype(np.float16).astype(np.float32)
    norms = np.linalg.norm(means, axis=1, keepdims=True).astype(np.float16)
    unit: Array = means / norms.astype(np.float32)
    return unit.astype(np.float16).astype(np.float32), labels


def mean_directions(rows: Array, labels: Array, n_groups: int) -> Array:
    """Return the mean of each group's rows at unit norm: float32 (groups, d)."""
    return normalised(_sums(rows, labels, n_groups))


def _sums(rows: Array, labels: Array, n_groups: int) -> Array:
    from scipy.sparse import csr_array

    n = len(labels)
    member = csr_array((np.ones(n, np.float32), (labels, np.arange(n))), (n_groups, n))
    return np.asarray(member @ rows)


@threads(1)
def classify_nouns(
    nouns: Array,
    centres: Array,
    *,
    temperature: float = 1.0,
    dtype: str = "float16",
    device: str = "cpu",
) -> tuple[Array, Array]:
    """Give each noun to the centre it is most probable for ("reverse classification").

    The centre of each, int64 (u,), and its probability, float32 (u,). The published
    ``temperature`` is 1, so all probabilities are near 1/c. ``float16`` is as the
    published code has it: rows, cosines and probabilities are half precision (sums
    inside a product are not), which makes many equal; the lowest of equals wins.
    """
    import torch

    with torch.inference_mode():
        turned = _rounded(torch.from_numpy(centres), dtype).to(device).T
        columns = torch.arange(len(centres), device=device)
        parts = []
        for block in blocks_of(nouns, len(centres)):
            rows = _rounded(torch.from_numpy(block).to(device), dtype)
            shares = (_rounded(rows @ turned, dtype) / temperature).softmax(1)
            shares = _rounded(shares, dtype)
            best = shares.max(1, keepdim=True).values
            lowest = torch.where(shares == best, columns, len(centres)).min(1).values
            parts.append((lowest, best[:, 0]))
        labels, shares = (torch.cat(each) for each in zip(*parts, strict=True))
        return labels.cpu().numpy(), shares.cpu().numpy()


def _rounded(numbers: torch.Tensor, dtype: str) -> torch.Tensor:
    """Return float32 numbers that ``dtype`` can hold."""
    return numbers.half().float() if dtype == "float16" else numbers


def blocks_of(rows: Array, width: int) -> list[Array]:
    """Return rows in parts whose products with ``width`` others are small."""
    size = max(NUMBERS // max(width, rows.shape[1]), 1)
    return [
        np.ascontiguousarray(rows[start : start + size])
        for start in range(0, len(rows), size)
    ]


@dataclass(frozen=True)
class Chosen:
    """Nouns chosen for the centres, by row of the vocabulary, ascending: int64 (m,).

    ``centres`` and ``ranks`` say whose noun it is, and its place there, from 0.
    """

    rows: Array
    centres: Array
    ranks: Array
    confidence: Array


def choose_nouns(classes: Array, confidence: Array, top: int) -> Chosen:
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
    images: Array,
    nouns: Array,
    *,
    temperature: float = 0.005,
    dtype: str = "float32",
    device: str = "cpu",
) -> Array:
    """Return each image's text counterpart: its nouns, weighted by likeness.

    float32 (n, d), unit norm. ``float16``: every step rounded to half precision, as
    the published code has it; at this temperature weights then err by some per cent.
    """
    import torch
    from torch.nn.functional import normalize

    with torch.inference_mode():
        words = torch.from_numpy(np.ascontiguousarray(nouns)).to(device)
        words = _rounded(words, dtype)
        result, start = np.empty_like(images, dtype=np.float32), 0
        for block in blocks_of(images, len(nouns)):
            rows = _rounded(torch.from_numpy(block).to(device), dtype)
            scores = _rounded(rows @ words.T, dtype) / temperature
            shares = _rounded(_rounded(scores, dtype).softmax(1), dtype)
            mixed = normalize(_rounded(shares @ words, dtype), dim=1)
            result[start : start + len(block)] = _rounded(mixed, dtype).cpu()
            start += len(block)
        return result
