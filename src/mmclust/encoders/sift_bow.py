"""SIFT as a bag of visual words (Sivic & Zisserman 2003; Csurka et al. 2004).

A vocabulary is fitted by k-means on descriptors of the rows to fit on; an image is
the histogram of its descriptors' nearest words, at unit L2 norm.

Source: Sivic and Zisserman, Video Google, ICCV 2003; Csurka et al., Visual
Categorization with Bags of Keypoints, ECCV workshop 2004.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.numerics import threads
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.seeds import derive, generator
from mmclust.core.types import Fitted
from mmclust.encoders._grey import grey_square, keypoints
from mmclust.kernels.kmeans import kmeans
from mmclust.kernels.nearest_centroids import nearest_centroids

if TYPE_CHECKING:
    from mmclust.core.types import Array, Batch

VIEWS = ("image",)
FLAGS = ()

_PART = 1024  # images looked through at once


@dataclass(frozen=True)
class Params:
    """Sizes of the image, of the vocabulary, and of what it is fitted on."""

    size: Positive = 224
    """Side of the square the picture is resized to, in pixels."""
    words: Positive = 256
    """Visual words of the vocabulary."""
    keypoints: Positive = 256
    """Keypoints kept of each image, the strongest first."""
    sample: Positive = 100_000
    """Descriptors that the vocabulary is fitted on, drawn at random."""
    contrast: PositiveFloat = 0.04
    """OpenCV's contrast threshold: weaker keypoints are dropped."""
    max_iter: Positive = 50
    """Iterations of k-means, at most."""


def prepare(rgb: Array, params: Params) -> Array:
    """Describe an image: uint8 (keypoints, 128), rows of zeros where it has fewer."""
    square = grey_square(rgb, params.size)
    _, descriptors = keypoints(square, params.contrast, params.keypoints)
    rows = np.zeros((params.keypoints, 128), np.uint8)
    rows[: len(descriptors)] = descriptors
    return rows


def fit(batch: Batch, params: Params, *, seed: int, device: str) -> Fitted:
    """Fit the vocabulary on prepared images uint8 (n, keypoints, 128).

    Returns
    -------
    Fitted
        ``words`` float32 (words, 128).
    """
    del device
    assert batch.images is not None
    if params.sample < params.words:
        raise MmclustError(
            "A visual vocabulary has more words than descriptors to fit them on",
            where="encoders.sift_bow",
            expected=f"a sample of at least {params.words}, one per word",
            found=params.sample,
            do="correct encoders.sift_bow in params.yaml",
        )
    counts = np.concatenate([_found(part).sum(axis=1) for part in _parts(batch.images)])
    total = int(counts.sum())
    if total < params.words:
        raise MmclustError(
            "The images have too few keypoints for a visual vocabulary",
            where="encoders.sift_bow",
            expected=f"at least {params.words}, one per word",
            found=total,
            do="lower encoders.sift_bow.words, or its contrast, in params.yaml",
        )
    chosen = np.ones(total, bool)
    if total > params.sample:
        rng = generator(seed, "descriptors")
        chosen[:] = False
        chosen[rng.choice(total, params.sample, replace=False)] = True
    ends = np.cumsum(counts)[_PART - 1 : -1 : _PART]
    sample = [
        part[_found(part)][mask]
        for part, mask in zip(_parts(batch.images), np.split(chosen, ends), strict=True)
    ]
    found = kmeans(
        np.concatenate(sample).astype(np.float32),
        params.words,
        seed=derive(seed, "words"),
        n_init=1,
        max_iter=params.max_iter,
    )
    used = min(total, params.sample)
    return Fitted({"words": found.centroids}, {"descriptors": used})


def encode_image(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Count words: float32 (b, words), unit norm; zeros where there is no keypoint."""
    del device
    assert batch.images is not None
    owner, place = np.nonzero(batch.images.any(axis=2))
    words = fitted.arrays["words"]
    counts = np.zeros((len(batch.images), params.words), np.float32)
    with threads(1):  # the same sums in the same order everywhere
        for image, rows in enumerate(np.split(place, _starts(owner, len(counts)))):
            descriptors = batch.images[image, rows].astype(np.float32)
            nearest = nearest_centroids(descriptors, words)
            counts[image] = np.bincount(nearest, minlength=params.words)
    return normalised(counts)


def _parts(images: Array) -> list[Array]:
    return [images[start : start + _PART] for start in range(0, len(images), _PART)]


def _found(images: Array) -> Array:
    """Return where there is a keypoint: bool (n, keypoints)."""
    return np.asarray(images.any(axis=2))


def _starts(owner: Array, n: int) -> Array:
    """Return where each image but the first begins among its sorted owners."""
    return np.searchsorted(owner, np.arange(1, n))
