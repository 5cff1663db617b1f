"""GradNorm: training-free, with nouns ranked by the size of a gradient.

Source: On the Provable Importance of Gradients for Language-Assisted Image Clustering
(Peng, Lu, Zhang, Fang, ICCV 2025, arXiv 2510.16335), and its released code. It is
training-free TAC with another ranking: the noun space's image centres are those of the
stage ``nouns``, the nouns that are kept are this head's own. All is float32, where the
release has float16, in which many sizes are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.features import normalised
from mmclust.core.numerics import threads
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.heads._space import (
    blocks_of,
    choose_nouns,
    counterparts,
    spherical_kmeans,
)

if TYPE_CHECKING:
    from mmclust.core.types import HeadInputs, Nouns

Array = np.ndarray[Any, Any]

VIEW = "concat"
READS = ("image", "nouns")


@dataclass(frozen=True)
class Params:
    """TAC's rules with one temperature; the release sets three numbers per data set."""

    temperature: PositiveFloat = 0.04
    """Of a noun's shares of the centres; published: .018 to .08, by data set."""
    top: Positive = 5
    """Nouns kept per centre; published: 3 for ImageNet."""
    deduplicate_nouns: bool = False
    """Whether a word that the vocabulary repeats takes one place, not several."""
    counterpart_temperature: PositiveFloat = 0.005
    """Of an image's shares of the kept nouns: TAC's; published: .006 to .01."""
    n_init: Positive = 20
    """Starts of k-means; the one with the best objective is kept."""
    max_iter: Positive = 300
    """Iterations of each start, at most."""
    max_points_per_centroid: Positive | None = 256
    """Rows per cluster that centroids are made of, at most; ``None``: all rows."""
    faiss_seed: Annotated[int, Meta(ge=0)] | None = None
    """Where every run starts (the release: 0); ``None``: each from its own seed."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """Which images are assigned: the benchmark's protocol's, or those fitted on."""


@threads(1)
def gradient_norms(
    nouns: Array, centres: Array, temperature: float
) -> tuple[Array, Array]:
    """Return each noun's centre, int64 (u,), and the size of its gradient, float32.

    With P the softmax over the centres of cosine / temperature and c the most probable
    centre (the lowest of equals), the size is ``|P - onehot(c)|``, Euclidean: that of
    the gradient of the cross-entropy, since nouns and centres have unit norm. ``1 -
    P_c`` is summed from the other shares, so that small sizes keep their order.
    """
    import torch

    scores = (nouns @ centres.T) / np.float32(temperature)
    lowest = scores.argmax(axis=1, keepdims=True)
    best = torch.from_numpy(np.take_along_axis(scores, lowest, 1))
    others = torch.from_numpy(scores).sub_(best).exp_()
    total = others.sum(1)
    others.scatter_(1, torch.from_numpy(lowest), 0.0)
    squares = (others * others).sum(1) + others.sum(1) ** 2
    return lowest[:, 0], np.sqrt(squares.numpy()) / total.numpy()


def kept_nouns(nouns: Nouns, params: Params) -> tuple[Array, list[str]]:
    """Return the nouns with the smallest gradients of each centre: float32 (m, d).

    Of equals the lowest row of the vocabulary, as at a temperature near 0, where all
    sizes vanish.
    """
    raw, centres = nouns.embeddings(), nouns.centres
    parts = [
        gradient_norms(normalised(block), centres, params.temperature)
        for block in blocks_of(raw, len(centres))
    ]
    classes, sizes = (np.concatenate(each) for each in zip(*parts, strict=True))
    place = np.asarray(nouns.place)
    if params.deduplicate_nouns:
        place = np.arange(len(raw))  # words stand in the order of first occurrence
    chosen = choose_nouns(classes[place], -sizes[place], params.top)
    rows = place[chosen.rows]
    return normalised(raw[rows]), [nouns.words[row] for row in rows.tolist()]


def prepare(inputs: HeadInputs, params: Params, *, device: str) -> HeadInputs:
    """Return the images beside the counterparts that the kept nouns give them."""
    assert inputs.nouns is not None
    nouns, _ = kept_nouns(inputs.nouns, params)
    temperature = params.counterpart_temperature
    text = counterparts(inputs.image, nouns, temperature=temperature, device=device)
    return replace(inputs, text=text)


def cluster(
    inputs: HeadInputs, n_clusters: int, params: Params, *, seed: int, device: str
) -> Array:
    """Cluster n prepared images into int32 (n,)."""
    rows = np.hstack([inputs.image, inputs.text])
    return spherical_kmeans(rows, n_clusters, params, seed=seed, device=device)
