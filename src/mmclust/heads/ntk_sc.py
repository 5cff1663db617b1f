"""NTK-SC: spectral clustering by kernels that nouns give, without training.

Two images are alike as far as they would change the nouns' embeddings alike: the
neural tangent kernel of logsumexp(⟨x, nouns⟩ / τ). Each prompt has a graph; their
weights are found while affinities diffuse over all of them. The images to be scored
are clustered by themselves, and no label is read. Temperature and number of centres
are the same for all sets here; the authors' benchmark sets both for each set and
encoder, and says not by what.

Source: Peng et al., ICLR 2026 (arXiv 2602.09586), as the benchmark of one of its
authors has it.

Shapes: n images; m nouns; P prompts; d features; k clusters.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmclust.core.features import normalised
from mmclust.core.numerics import threads
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.heads._rows import require_at_most
from mmclust.heads._space import choose_nouns, classify_nouns
from mmclust.kernels.diffusion import Graph, diffused, normalised_graph, shared

if TYPE_CHECKING:
    from mmclust.core.types import HeadInputs, Nouns

Array = np.ndarray[Any, Any]

VIEW = "image"
READS = ("image", "nouns")
MOST = 15_000
"""Images, of which all pairs are held several times: 0.9 GB each."""
ROWS = 128
"""Images whose similarities are taken at once."""


@dataclass(frozen=True)
class Params:
    """One setting for all sets, near the middle of those published."""

    temperature: PositiveFloat = 0.04
    """Of the nouns' probabilities; published: .01 to .09, by set and encoder."""
    top: Positive = 5
    """Nouns kept for each centre."""
    n_neighbors: Positive = 30
    """Largest similarities of each image that its graph keeps."""
    mu: PositiveFloat = 0.1
    """Weight of the identity, which each diffusion is drawn back to."""
    smoothness: PositiveFloat = 10.0
    """How much the prompts' weights are drawn to each other (λ)."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """Which images are clustered: those of the benchmark's protocol, or those that
    the nouns were chosen by."""


def prepare(inputs: HeadInputs, params: Params, *, device: str = "cpu") -> Array:
    """Return the images' affinity, float32 (n, n): seeds differ in what follows."""
    require_at_most(MOST, len(inputs), "ntk_sc")
    assert inputs.nouns is not None
    nouns = chosen_nouns(inputs.nouns, params.top, device)
    graphs = graphs_of(inputs.image, nouns, params)
    return diffused(graphs, params.mu, params.smoothness)[0]


@threads(1)
def cluster(
    affinity: Array,
    n_clusters: int,
    params: Params,
    *,
    seed: int,
    device: str = "cpu",
) -> Array:
    """Cluster n images by their affinity, (n, n), into int32 (n,)."""
    del params, device
    if n_clusters in (1, len(affinity)):
        return np.arange(len(affinity), dtype=np.int32) % n_clusters
    return spectral(affinity, n_clusters, seed)


def chosen_nouns(nouns: Nouns, top: int, device: str = "cpu") -> Array:
    """Return each prompt's embeddings of the nouns that are kept: float32 (P, m, d).

    As TAC chooses them, but each word once, by the mean of its prompts at unit norm,
    and without half precision.
    """
    ensemble = normalised(nouns.embeddings(normalise=True))
    centres, share = classify_nouns(
        ensemble, nouns.centres, dtype="float32", device=device
    )
    kept = choose_nouns(centres, share, top).rows
    return np.stack(
        [normalised(rows) for rows in nouns.prompts([nouns.words[r] for r in kept])]
    )


def graphs_of(images: Array, nouns: Array, params: Params) -> list[Graph]:
    """Return each prompt's normalised graph, (n, n).

    ``images`` and ``nouns`` are float32 (n, d) and (P, m, d) at unit norm.
    """
    shares = [softmax(images @ rows.T / params.temperature) for rows in nouns]
    n, wanted = len(images), min(params.n_neighbors, len(images))

    def part(start: int) -> list[tuple[Array, Array, Array]]:
        rows = slice(start, start + ROWS)
        likeness = images[rows] @ images.T
        found = []
        for s in shares:
            similar = kernel(likeness, s[rows] @ s.T, params.temperature)
            own = np.arange(len(similar))
            similar[own, own + start] = 0
            row, column = largest(similar, wanted)
            found.append((row + start, column, similar[row, column]))
        return found

    blocks = list(shared(part, range(0, n, ROWS)))
    prompts = [list(zip(*each, strict=True)) for each in zip(*blocks, strict=True)]
    return [normalised_graph(parts, n) for parts in prompts]


def kernel(likeness: Array, shared: Array, temperature: float) -> Array:
    """Return (X Xᵀ) ⊙ (S Sᵀ) / τ² of the two products."""
    return likeness * shared * np.float32(temperature**-2)


def softmax(scores: Array) -> Array:
    """Return the softmax of each row, in float32."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def largest(scores: Array, wanted: int) -> tuple[Array, Array]:
    """Return rows and columns of each row's largest entries, the first of equals."""
    bar = np.partition(scores, -wanted, axis=1)[:, -wanted, None]
    kept = scores > bar
    equal = scores == bar
    missing = wanted - kept.sum(axis=1, keepdims=True)
    kept |= equal & (np.cumsum(equal, axis=1) <= missing)
    row, column = np.nonzero(kept)
    return row, column


def spectral(affinity: Array, n_clusters: int, seed: int) -> Array:
    """Return scikit-learn's spectral clusters, by its discretisation: int32 (n,)."""
    from sklearn.cluster import SpectralClustering

    model = SpectralClustering(
        n_clusters,
        affinity="precomputed",
        assign_labels="discretize",
        random_state=seed % 2**32,
    )
    with warnings.catch_warnings():  # that the graph has several components
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(model.fit_predict(affinity), np.int32)
