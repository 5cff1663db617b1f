"""TEMI: clusters by the mutual information of an image and its neighbours.

Heads learn by self-distillation: a teacher, the moving mean of its student, says how
much two neighbours have in common, and each pair counts as much as the teachers of all
heads together agree on it. No label is read: the head with the lowest loss predicts,
by its teacher, after the last epoch.

Source: Adaloglou et al., Exploring the Limits of Deep Image Clustering using Pretrained
Models, BMVC 2023 (arXiv 2303.17896), and the settings of its released code.

Shapes: h heads; n images of a batch; k clusters; d features; w, e widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.features import normalised
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.progress import track
from mmclust.core.types import HeadInputs, Trained
from mmclust.heads._networks import uniform
from mmclust.heads._rows import require_batch
from mmclust.heads._train import draws, epoch
from mmclust.kernels.nearest_neighbors import nearest_neighbors
from mmclust.kernels.products import linear, product

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from mmclust.heads._networks import Weights

    Array = np.ndarray[Any, Any]

VIEW = "image"
READS = ("spaces",)
PER_RATE = 256
"""Images of a batch that ``learning_rate`` is meant for."""
ROWS = 8192
"""Rows that pass through a head at once."""


@dataclass(frozen=True)
class Params:
    """As published: the recipe of the released code's README, alike for all sets."""

    epochs: Positive = 100
    """Passes over the images."""
    batch: Annotated[int, Meta(ge=2)] = 1024
    """Images in a batch, each with a neighbour."""
    learning_rate: PositiveFloat = 0.0001
    """Of AdamW, for each 256 images of a batch."""
    warm_up: Annotated[int, Meta(ge=0)] = 20
    """Epochs in which the rate rises from 0."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0001
    """Of matrices, apart from the gradient; biases have none."""
    n_neighbors: Positive = 50
    """By cosine; published: 25 for ImageNet."""
    n_heads: Positive = 16
    """Trained together, of which one predicts; 50 in the paper's large table."""
    hidden: Positive = 512
    """Width of the hidden layer."""
    bottleneck: Positive = 256
    """Features that are scaled to unit norm before the last layer."""
    temperature: PositiveFloat = 0.1
    """Of students and teachers."""
    beta: PositiveFloat = 0.6
    """Exponent of a pair's agreement; 1 gives the pointwise mutual information."""
    momentum: Annotated[float, Meta(ge=0, le=1)] = 0.996
    """Share of a teacher that each step keeps."""
    marginal: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Share of the clusters' mean probabilities that each step keeps."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """Which images are assigned: those of the benchmark's protocol, or those fitted
    on."""


def prepare(
    inputs: HeadInputs, params: Params, *, device: str = "cpu"
) -> tuple[Array, Array]:
    """Return the images, float32 (n, d), and the rows near each, int64 (n, j)."""
    rows = np.array(inputs.spaces[0], np.float32)
    require_batch(params.batch, len(rows))
    return rows, nearest_neighbors(normalised(rows), params.n_neighbors, device=device)


def train(
    inputs: tuple[Array, Array],
    n_clusters: int,
    params: Params,
    *,
    seeds: Sequence[int],
    device: str = "cpu",
) -> list[Trained]:
    """Train all heads of each seed; the teacher with the lowest loss is kept."""
    import torch

    rows, near = (torch.from_numpy(each) for each in inputs)
    images = rows.to(device)
    return [_train(images, near, n_clusters, params, seed) for seed in seeds]


def predict(
    weights: dict[str, Any], inputs: HeadInputs, params: Params, *, device: str = "cpu"
) -> Array:
    """Return each cluster's probability for each row: float32 (n, k)."""
    import torch

    head = {name: torch.tensor(w).to(device)[None] for name, w in weights.items()}
    rows = np.array(inputs.spaces[0], np.float32)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), ROWS):
            block = torch.from_numpy(rows[start : start + ROWS]).to(device)
            outputs = logits(head, block)[0] / params.temperature
            parts.append(outputs.softmax(0).T.cpu())
        return np.ascontiguousarray(torch.cat(parts).numpy())


def first_weights(
    dim: int, n_clusters: int, params: Params, draw: torch.Generator
) -> Weights:
    """Return the heads' first weights; the last layer's are directions and gains."""
    import torch
    from torch.nn.init import trunc_normal_

    h, w, e = params.n_heads, params.hidden, params.bottleneck
    return {
        "0.weight": trunc_normal_(torch.empty(h, w, dim), std=0.02, generator=draw),
        "0.bias": torch.zeros(h, w),
        "1.weight": trunc_normal_(torch.empty(h, e, w), std=0.02, generator=draw),
        "1.bias": torch.zeros(h, e),
        "last.direction": uniform((h, n_clusters, e), e, draw),
        "last.gain": torch.ones(h, n_clusters, 1),
    }


def logits(weights: Weights, rows: torch.Tensor) -> torch.Tensor:
    """Return each head's outputs for (n, d) rows, before the temperature: (h, k, n)."""
    from torch.nn.functional import gelu, normalize

    h, w, d = weights["0.weight"].shape
    first = weights["0.weight"].view(1, h * w, d)
    inner = linear(first, rows.T[None], weights["0.bias"].view(1, h * w))
    inner = linear(weights["1.weight"], gelu(inner).view(h, w, -1), weights["1.bias"])
    last = weights["last.gain"] * normalize(weights["last.direction"], dim=2)
    return product(last, normalize(inner, dim=1))


def agreement(teacher: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the mean over heads of Σ q(c|x) q(c|x'), of (h, k, n): (n,)."""
    return (teacher * other).sum(1).mean(0)


def information(
    student: torch.Tensor, teacher: torch.Tensor, marginal: torch.Tensor, beta: float
) -> torch.Tensor:
    """Return -ln Σ (q_s(c|x) q_t(c|x'))^β / π_c of each pair: (h, n).

    Parameters
    ----------
    student, teacher
        (h, k, n): logarithms of probabilities, each of one image of the pair.
    marginal
        (h, k): π, the clusters' mean probabilities.
    beta
        β; with 1, the result is less pointwise mutual information.
    """
    return -(beta * (student + teacher) - marginal.log()[..., None]).logsumexp(1)


def rate(step: int, warm_up: int, peak: float) -> float:
    """Return the learning rate of a step: from 0 to the peak in ``warm_up`` steps."""
    return peak * min(step / max(warm_up - 1, 1), 1.0) if warm_up else peak


def _train(
    images: torch.Tensor,
    near: torch.Tensor,
    n_clusters: int,
    params: Params,
    seed: int,
) -> Trained:
    import torch

    from mmclust.kernels.adam import Adam

    (draw,), order = draws([seed], "weights"), draws([seed], "order")
    start = first_weights(images.shape[1], n_clusters, params, draw)
    student = {n: w.to(images.device).requires_grad_() for n, w in start.items()}
    teacher = {name: w.detach().clone() for name, w in student.items()}
    marginal = torch.full((params.n_heads, n_clusters), 1 / n_clusters)
    marginal = marginal.to(images.device)
    decays = {False: params.weight_decay, True: 0.0}
    optimisers = [
        Adam(
            [w for n, w in student.items() if n.endswith("bias") == bias], 0, decay=own
        )
        for bias, own in decays.items()
    ]
    steps = len(images) // params.batch
    peak = params.learning_rate * params.batch / PER_RATE
    curve, losses = [], torch.zeros(params.n_heads)
    for number in track(range(params.epochs), "temi", params.epochs, "epochs"):
        total = torch.zeros(params.n_heads, device=images.device)
        for step, batch in enumerate(epoch(order, [near], params.batch)):
            pairs = torch.cat([rows[0] for rows in batch]).to(images.device)
            loss = _loss(student, teacher, marginal, images[pairs], params)
            for each in optimisers:
                each.zero_grad()
                each.learning_rate = rate(
                    number * steps + step, params.warm_up * steps, peak
                )
            loss.mean().backward()  # type: ignore[no-untyped-call]
            if number == 0:
                student["last.direction"].grad = student["last.gain"].grad = None
            for each in optimisers:
                each.step()
            for name, w in teacher.items():
                w.mul_(params.momentum)
                w.add_(student[name].detach(), alpha=1 - params.momentum)
            total += loss.detach()
        losses = (total / steps).cpu()
        curve.append({"loss": float(losses.mean()), "lowest": float(losses.min())})
    best = int(losses.argmin())
    return Trained({n: w[best].cpu().numpy().copy() for n, w in teacher.items()}, curve)


def _loss(
    student: Weights,
    teacher: Weights,
    marginal: torch.Tensor,
    rows: torch.Tensor,
    params: Params,
) -> torch.Tensor:
    """Return each head's loss on pairs, x above x'; ``marginal`` moves on: (h,)."""
    import torch

    with torch.no_grad():
        theirs = (logits(teacher, rows) / params.temperature).log_softmax(1)
        said = theirs.exp()
        marginal.mul_(params.marginal)
        marginal.add_(said.mean(2), alpha=1 - params.marginal)
        weight = agreement(*said.chunk(2, dim=2))
    ours = (logits(student, rows) / params.temperature).log_softmax(1)
    pairs = zip(ours.chunk(2, 2), reversed(theirs.chunk(2, 2)), strict=True)
    both = [weight * information(s, t, marginal, params.beta) for s, t in pairs]
    return (both[0] + both[1]).mean(1) / 2
