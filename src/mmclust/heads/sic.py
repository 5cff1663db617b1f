"""SIC: semantic-enhanced image clustering, a linear head taught by nouns.

Source: Semantic-Enhanced Image Clustering (Cai, Qiu, Chen, Zhang, Chen, AAAI 2023,
arXiv 2208.09849), and its released code, which keeps the epoch with the best accuracy
on the test set: the published figures are chosen by labels. Here the number of epochs
is fixed and the last one counts; the rest is the release's, its last batch of fewer
images included. All features are raw.

Shapes: s seeds; n images; b of a batch; k clusters; u nouns; d features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.progress import track
from mmclust.core.seeds import derive
from mmclust.core.types import HeadInputs, Trained
from mmclust.heads._rows import require_same_space
from mmclust.heads._train import draws, epoch
from mmclust.kernels.kmeans import kmeans
from mmclust.kernels.nearest_neighbors import nearest_by_distance
from mmclust.kernels.products import product

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

Array = np.ndarray[Any, Any]

VIEW = "image"
READS = ("spaces", "nouns")
GROUP = 5
TERMS = ("loss", "consistency", "entropy", "semantic")


@dataclass(frozen=True)
class Params:
    """The released code's options, with a fixed number of epochs."""

    templates: tuple[str, ...] = ("a photo of a {}",)
    """Prompts of a noun."""
    epochs: Positive = 100
    """Passes over the images; the release stops by accuracy, after 100 at most."""
    batch: Annotated[int, Meta(ge=2)] = 128
    """Images in a batch, the last one of an epoch aside."""
    learning_rate: PositiveFloat = 0.0001
    """Of Adam."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0001
    """Added to the gradient, times the weights; published: 0.009 for ImageNet-Dogs."""
    n_neighbors: Positive = 20
    """Nearest rows by Euclidean distance that, with the image itself, a partner is
    drawn from."""
    balance: float = 5.0
    """Weight of the entropy that keeps clusters from vanishing."""
    semantic_weight: Annotated[float, Meta(ge=0)] = 0.1
    """The paper's β, of the cross-entropy with what the nouns say."""
    confident: Annotated[float, Meta(gt=0, le=1)] = 0.9
    """The paper's ξ_c: share of n / k images that make a cluster's centre."""
    nouns_per_centre: Positive = 30
    """The paper's ξ_a: nouns that make a text centre."""
    nearest_nouns: Positive = 500
    """The paper's γ_r: nouns near each first centre that are kept."""
    uniqueness: Annotated[float, Meta(ge=0, le=2)] = 0.05
    """The paper's γ_u: least cosine distance of a kept noun from the mean noun."""
    start_from_centres: bool = False
    """Whether the head starts from the centres of k-means, not at random."""
    n_init: Positive = 20
    """Starts of that k-means."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """Which images are assigned: the benchmark's protocol's, or those fitted on."""


START = 0.05
"""The paper's α of a start from centres."""
EPS = 1e-8
"""Least mean share of a cluster, below which the entropy has no slope."""


@dataclass(frozen=True)
class Prepared:
    """Images and nouns, float32 (n, d) and (u, d), and int64 (n, j + 1) partners."""

    images: Array
    nouns: Array
    near: Array


def prepare(inputs: HeadInputs, params: Params, *, device: str) -> Prepared:
    """Embed the nouns, and find each image's neighbours; it is its own first."""
    del device
    (images,) = inputs.spaces
    images = np.ascontiguousarray(images, np.float32)
    assert inputs.nouns is not None
    nouns = np.asarray(inputs.nouns.embeddings(params.templates))
    require_same_space(images.shape[1], nouns.shape[1], "nouns")
    near = nearest_by_distance(images, params.n_neighbors)
    own = np.arange(len(images))[:, None]
    return Prepared(images, nouns, np.hstack([own, near]))


def kept_nouns(nouns: Array, centres: Array, params: Params) -> Array:
    """Return the rows of nouns that are near a centre and unlike the mean: int64 (m,).

    ``nearest_nouns`` of each centre by cosine (the lowest row of equals), of which
    those stay whose cosine with the mean noun is below 1 - ``uniqueness``. That mean is
    the mean of the means of batches, the last of which may be small.
    """
    unit = normalised(nouns)
    cosines = normalised(centres) @ unit.T
    near = np.argsort(-cosines, axis=1, kind="stable")[:, : params.nearest_nouns]
    starts = range(0, len(nouns), params.batch)
    means = [nouns[i : i + params.batch].mean(axis=0) for i in starts]
    mean = normalised(np.mean(means, axis=0, keepdims=True))
    rare = np.flatnonzero(unit @ mean[0] < 1 - params.uniqueness)
    kept = np.intersect1d(near, rare)
    if not len(kept):
        raise MmclustError(
            "No noun is both near an image centre and unlike the mean noun",
            where="nearest_nouns and uniqueness, of heads.sic",
            expected="at least one noun",
            found=f"{len(np.unique(near))} near, {len(rare)} unlike",
            do="lower uniqueness, or raise nearest_nouns",
        )
    return kept


def text_centres(
    images: Array, logits: Array, nouns: Array, confident: float, per_centre: int
) -> Array:
    """Return what nouns say of each cluster's surest images: float32 (k, d), unit norm.

    The images with the largest outputs of a cluster, ``confident`` of n / k, make its
    image centre, their mean (one image at least); the raw ``per_centre`` nouns nearest
    to it by cosine make the text centre, theirs.
    """
    n, k = logits.shape
    size = max(math.floor(confident * (n // k)), 1)
    found = []
    for column in logits.T:
        surest = np.sort(np.argsort(-column, kind="stable")[:size])
        found.append(images[surest].mean(axis=0))
    cosines = normalised(np.stack(found)) @ normalised(nouns).T
    near = np.argsort(-cosines, axis=1, kind="stable")[:, :per_centre]
    return normalised(nouns[np.sort(near, axis=1)].mean(axis=1))


def train(
    inputs: Prepared,
    n_clusters: int,
    params: Params,
    *,
    seeds: Sequence[int],
    device: str,
) -> list[Trained]:
    """Train one head per seed; the last epoch is the result."""
    import torch

    from mmclust.kernels.adam import Adam

    starts = [_start(inputs, n_clusters, params, seed) for seed in seeds]
    layer = torch.stack([torch.from_numpy(first) for first, _ in starts]).to(device)
    nouns = [inputs.nouns[kept] for _, kept in starts]
    images = np.pad(inputs.images, ((0, 0), (0, 1)), constant_values=1)
    z, near = torch.from_numpy(images).to(device), torch.from_numpy(inputs.near)
    optimizer = Adam([layer], params.learning_rate, penalty=params.weight_decay)
    order = draws(seeds, "order")
    curve = []
    for _ in track(range(params.epochs), "sic", params.epochs, "epochs"):
        said = torch.stack(
            [_said(inputs.images, z, w, own, params)
             for w, own in zip(layer, nouns, strict=True)]
        )  # fmt: skip
        sums: list[torch.Tensor] = []
        for rows, partners in epoch(order, [near], params.batch, drop_last=False):
            at, beside = rows.to(device), partners.to(device)
            target = said.gather(1, at)
            a, b = z[at].mT, z[beside].mT  # (s, d, b)
            terms, by_a, by_b = losses(
                product(layer, a), product(layer, b), target, params
            )
            layer.grad = product(by_a, a.mT) + product(by_b, b.mT)
            optimizer.step()
            sums.append(terms)
        curve.append(torch.stack(sums).mean(0).tolist())
    weights = layer.cpu().numpy()
    return [
        Trained(
            {"weight": weights[i, :, :-1].copy(), "bias": weights[i, :, -1].copy()},
            [dict(zip(TERMS, [t[i] for t in row], strict=True)) for row in curve],
        )
        for i in range(len(seeds))
    ]


def _start(inputs: Prepared, k: int, params: Params, seed: int) -> tuple[Array, Array]:
    """Return a head's first weights with the bias, (k, d + 1), and its kept nouns."""
    import torch

    found = kmeans(
        inputs.images, k, seed=derive(seed, "head", "centres"), n_init=params.n_init
    )
    centres = found.centroids
    kept = kept_nouns(inputs.nouns, centres, params)
    if params.start_from_centres:
        bias = -START * (centres**2).sum(axis=1, keepdims=True)
        return np.hstack([2 * START * centres, bias]), kept
    (draw,) = draws([seed], "weights")
    width = inputs.images.shape[1]
    uniform = 2 * torch.rand((k, width + 1), generator=draw) - 1
    return (uniform / math.sqrt(width)).numpy(), kept


def _said(
    images: Array, z: torch.Tensor, layer: torch.Tensor, nouns: Array, params: Params
) -> torch.Tensor:
    """Return the cluster that the nouns give each image: int64 (n,)."""
    import torch

    logits = product(z, layer.T).cpu().numpy()
    centres = text_centres(
        images, logits, nouns, params.confident, params.nouns_per_centre
    )
    return torch.from_numpy((images @ centres.T).argmax(axis=1)).to(z.device)


def losses(
    a: torch.Tensor, b: torch.Tensor, target: torch.Tensor, params: Params
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the loss's terms, (4, s), and its gradients by ``a`` and ``b``.

    ``a`` and ``b``, (s, k, b), are the outputs for images and for their partners,
    ``target``, int64 (s, b), is what the nouns say: mean -ln<p_a, p_b> - balance ·
    H(mean p_a) + semantic_weight · CE(a, target).
    """
    import torch

    p, q, size = a.softmax(1), b.softmax(1), a.shape[2]
    same = (p * q).sum(1, keepdim=True).clamp(min=1e-37)
    mean = p.mean(2, keepdim=True)
    log = mean.clamp(min=EPS).log()
    at = target[:, None]
    consistency = -same.log().mean((1, 2))
    spread = -(mean.clamp(min=EPS) * log).sum((1, 2))
    semantic = -a.log_softmax(1).gather(1, at).mean((1, 2))
    loss = consistency - params.balance * spread + params.semantic_weight * semantic
    by_p = params.balance * (log + 1) * (mean >= EPS) - q / same
    by_q = -p / same
    by_a = p * (by_p - (p * by_p).sum(1, keepdim=True))
    by_b = q * (by_q - (q * by_q).sum(1, keepdim=True))
    error = p.scatter_add(1, at, torch.full_like(a[:, :1], -1.0))
    by_a = by_a + params.semantic_weight * error
    terms = torch.stack([loss, consistency, spread, semantic])
    return terms, by_a / size, by_b / size


def predict(
    weights: dict[str, Any], inputs: HeadInputs, params: Params, *, device: str
) -> Array:
    """Return each cluster's probability for each image: float32 (n, k)."""
    import torch

    del params
    (rows,) = inputs.spaces
    z = torch.from_numpy(np.array(rows, np.float32)).to(device)
    layer, bias = (
        torch.from_numpy(np.array(weights[name])).to(device)
        for name in ("weight", "bias")
    )
    found: Array = (product(z, layer.T) + bias).softmax(1).cpu().numpy()
    return found
