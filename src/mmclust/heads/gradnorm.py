"""GradNorm: training-free, with nouns ranked by the size of a gradient.

Source: On the Provable Importance of Gradients for Language-Assisted Image Clustering
(Peng, Lu, Zhang, Fang, ICCV 2025, arXiv 2510.16335), and its released code. It is
training-free TAC with another ranking: the noun space's image centres are those of the
stage ``nouns``, the nouns that are kept are this head's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.features import normalised
from mmclust.core.numerics import threads
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.heads._space import blocks_of, choose_nouns, counterparts
from mmclust.kernels.kmeans import kmeans

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

    classes, sizes = [], []
    for block in blocks_of(nouns, len(centres)):
        scores = torch.from_numpy(block @ centres.T) / temperature
        best = scores.max(1, keepdim=True).values
        lowest = (scores == best).float().argmax(1, keepdim=True)
        others = (scores - best).exp_()
        total = others.sum(1)
        others.scatter_(1, lowest, 0.0)
        squares = (others * others).sum(1) + others.sum(1) ** 2
        classes.append(lowest[:, 0].numpy())
        sizes.append(np.sqrt(squares.numpy()) / total.numpy())
    return np.concatenate(classes), np.concatenate(sizes)


def kept_nouns(nouns: Nouns, params: Params) -> tuple[Array, list[str]]:
    """Return the nouns with the smallest gradients of each centre: float32 (m, d).

    Of equals the lowest row of the vocabulary, as at a temperature near 0, where all
    sizes vanish.
    """
    unit = normalised(nouns.embeddings())
    classes, sizes = gradient_norms(unit, nouns.centres, params.temperature)
    place = np.asarray(nouns.place)
    if params.deduplicate_nouns:
        place = np.arange(len(unit))  # words stand in the order of first occurrence
    chosen = choose_nouns(classes[place], -sizes[place], params.top)
    rows = place[chosen.rows]
    return unit[rows], [nouns.words[row] for row in rows.tolist()]


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
    return kmeans(
        np.hstack([inputs.image, inputs.text]),
        n_clusters,
        seed=seed if params.faiss_seed is None else params.faiss_seed,
        n_init=params.n_init,
        max_iter=params.max_iter,
        spherical=True,
        init="random",
        max_points_per_centroid=params.max_points_per_centroid,
        device=device,
    ).labels
