"""Networks and losses of TAC (ICML 2024) and DXMC (arXiv 2409.04561), as released.

Weights of s seeds lie in one tensor each, seeds first, so that one pass trains them
side by side. Activations are (s, features, n): the losses want clusters as rows.

Shapes: s seeds; k clusters; n images of a batch; d features; e numbers of an instance
vector. Each loss gives one number per seed, (s,).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.numerics import threads
from mmclust.kernels.nearest_centroids import repeated_rows
from mmclust.kernels.products import linear, product

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    Array = np.ndarray[Any, Any]
    Weights = dict[str, torch.Tensor]

MOMENTUM, EPS = 0.1, 1e-5
"""Of batch normalisation, as frameworks have them."""
ROWS = 8192
"""Rows that pass through a head at once."""


@dataclass(frozen=True)
class Items:
    """One batch for each of s seeds, all (s, n, d).

    Counterparts and images of the anchors; the counterpart of an anchor's text
    neighbour, the image of its image neighbour.
    """

    text: torch.Tensor
    image: torch.Tensor
    text_neighbour: torch.Tensor
    image_neighbour: torch.Tensor


def cluster_head(
    name: str, dim: int, hidden: int, n_clusters: int, draw: torch.Generator
) -> Weights:
    """Return first weights: linear, batch norm, ReLU, linear.

    Weights of linear layers are normal with deviation 0.02, cut at ±2; biases are
    uniform within ±1/sqrt(inputs).
    """
    import torch
    from torch.nn.init import trunc_normal_

    weights = {}
    for layer, (inputs, outputs) in enumerate(((dim, hidden), (hidden, n_clusters))):
        matrix = torch.empty(outputs, inputs)
        weights[f"{name}.{layer}.weight"] = trunc_normal_(
            matrix, std=0.02, generator=draw
        )
        weights[f"{name}.{layer}.bias"] = uniform((outputs,), inputs, draw)
    weights[f"{name}.norm.weight"] = torch.ones(hidden)
    weights[f"{name}.norm.bias"] = torch.zeros(hidden)
    weights[f"{name}.norm.mean"] = torch.zeros(hidden)
    weights[f"{name}.norm.var"] = torch.ones(hidden)
    return weights


def instance_head(
    name: str, dim: int, hidden: int, size: int, draw: torch.Generator
) -> Weights:
    """Return first weights: linear, ReLU, linear; uniform within ±1/sqrt(inputs)."""
    weights = {}
    for layer, (inputs, outputs) in enumerate(((dim, hidden), (hidden, size))):
        weights[f"{name}.{layer}.weight"] = uniform((outputs, inputs), inputs, draw)
        weights[f"{name}.{layer}.bias"] = uniform((outputs,), inputs, draw)
    return weights


def uniform(shape: tuple[int, ...], inputs: int, draw: torch.Generator) -> torch.Tensor:
    """Return first weights as torch's linear layers have them: ±1/sqrt(inputs)."""
    import torch

    bound = 1 / math.sqrt(inputs)
    return (2 * torch.rand(shape, generator=draw) - 1) * bound


def is_buffer(name: str) -> bool:
    """Tell running statistics from what the optimiser changes."""
    return name.endswith(("norm.mean", "norm.var"))


def logits(
    weights: Weights, name: str, rows: torch.Tensor, *, training: bool
) -> torch.Tensor:
    """Return a cluster head's outputs before the softmax: (s, k, n)."""
    from torch.nn.functional import batch_norm

    hidden = _linear(weights, f"{name}.0", rows.mT)
    s, h, n = hidden.shape
    flat = batch_norm(
        hidden.reshape(1, s * h, n),
        weights[f"{name}.norm.mean"].view(-1),
        weights[f"{name}.norm.var"].view(-1),
        weights[f"{name}.norm.weight"].reshape(-1),
        weights[f"{name}.norm.bias"].reshape(-1),
        training,
        MOMENTUM,
        EPS,
    )
    return _linear(weights, f"{name}.1", flat.view(s, h, n).relu())


def assignments(
    weights: Weights, items: Items, tau: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the assignments of counterparts and images, and the distillation.

    Each cluster's probability for each row, (s, k, n) twice; and (s,).
    """
    p, q, p_near, q_near = (
        logits(weights, name, rows, training=True).softmax(1)
        for name, rows in (
            ("text", items.text),
            ("image", items.image),
            ("text", items.text_neighbour),
            ("image", items.image_neighbour),
        )
    )
    return p, q, distillation(q, p_near, tau) + distillation(p, q_near, tau)


def instances(weights: Weights, name: str, rows: torch.Tensor) -> torch.Tensor:
    """Return an instance head's vectors: (s, n, e)."""
    hidden = _linear(weights, f"{name}.0", rows.mT).relu()
    return _linear(weights, f"{name}.1", hidden).mT


def _linear(weights: Weights, layer: str, columns: torch.Tensor) -> torch.Tensor:
    """Map (s, inputs, n) to (s, outputs, n)."""
    return linear(weights[f"{layer}.weight"], columns, weights[f"{layer}.bias"])


@threads(1)
def outputs_of(
    weights: Mapping[str, Array], rows: Array, name: str, *, device: str = "cpu"
) -> Array:
    """Pass rows, float32 (n, d) at unit norm, through one head, after training.

    ``image`` and ``text`` give logits (n, k), ``image_instance`` and
    ``text_instance`` vectors (n, e).
    """
    import torch

    own = {
        key: torch.from_numpy(np.array(value)).to(device)[None]
        for key, value in weights.items()
        if key.startswith(f"{name}.")
    }
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), ROWS):
            block = torch.from_numpy(np.array(rows[start : start + ROWS]))
            block = block.to(device)[None]
            if name.endswith("_instance"):
                parts.append(instances(own, name, block)[0].cpu())
            else:
                parts.append(logits(own, name, block, training=False)[0].T.cpu())
    outputs: Array = torch.cat(parts).contiguous().numpy()
    # A product of matrices may round equal rows to other last bits.
    again, first = repeated_rows(np.ascontiguousarray(rows, np.float32))
    outputs[again] = outputs[first]
    return outputs


def contrast(a: torch.Tensor, b: torch.Tensor, tau: float) -> torch.Tensor:
    """Tell each row's partner in the other matrix from all other rows of both.

    With r rows each, the mean over all 2r rows of the cross-entropy of their
    partner among the 2r - 1 others, by inner product / tau. DXMC's instance loss is
    this on raw vectors.
    """
    import torch

    # The fourth block of the Gram matrix is the transpose of this one.
    across = product(a, b.mT) / tau
    aa, bb = product(a, a.mT) / tau, product(b, b.mT) / tau
    for own in (aa, bb):
        own.diagonal(dim1=1, dim2=2).fill_(-torch.inf)
    rows = torch.logaddexp(across.logsumexp(2), aa.logsumexp(2))
    columns = torch.logaddexp(across.logsumexp(1), bb.logsumexp(2))
    partner = across.diagonal(dim1=1, dim2=2)
    return (rows + columns - 2 * partner).mean(1) / 2


def distillation(p: torch.Tensor, q: torch.Tensor, tau: float) -> torch.Tensor:
    """Contrast clusters, each the unit vector of its probabilities over a batch."""
    from torch.nn.functional import normalize

    return contrast(normalize(p, dim=2), normalize(q, dim=2), tau)


def confidence(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Return the mean of -log of the chance that both heads say the same (TAC)."""
    import torch
    from torch.nn.functional import binary_cross_entropy

    # torch refuses NaN here; the other terms of the loss keep it, and the stage tells.
    same = (p * q).sum(1).nan_to_num().clamp(max=1)
    target = torch.ones_like(same)
    return binary_cross_entropy(same, target, reduction="none").mean(1)


def entropy(p: torch.Tensor, least: float = 1e-9) -> torch.Tensor:
    """Return the entropy of the mean assignment of (…, k, n), in nats: (…)."""
    mean = p.mean(-1).clamp(min=least)
    return -(mean * mean.log()).sum(-1)
