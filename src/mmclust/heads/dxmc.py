"""DXMC: dual-level cross-modal contrastive clustering (arXiv 2409.04561).

Constants as in its code, which is built on TAC's.

Source: arXiv 2409.04561, and its released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.heads._networks import (
    assignments,
    cluster_head,
    contrast,
    entropy,
    instance_head,
    instances,
)
from mmclust.heads._train import Recipe

if TYPE_CHECKING:
    import torch

    from mmclust.heads._networks import Items, Weights

VIEW = "image"
READS = ("image", "text")


@dataclass(frozen=True)
class Params:
    """The published constants (UCF-101, ImageNet: 100 epochs, 8192, taus 5 and 0.5)."""

    epochs: Positive = 20
    """Passes over the images; published: 100 for UCF-101 and ImageNet, else 20."""
    batch: Annotated[int, Meta(ge=2)] = 512
    """Images in a batch; published: 8192 for UCF-101 and ImageNet, else 512."""
    learning_rate: PositiveFloat = 0.001
    """Of Adam."""
    temperature: PositiveFloat = 0.5
    """Of the clusters' loss; published: 5 for UCF-101 and ImageNet."""
    instance_temperature: PositiveFloat = 0.05
    """Of the instances' loss; published: 0.5 for UCF-101 and ImageNet."""
    balance: float = 5.0
    """Weight of the entropy that keeps clusters from vanishing."""
    n_neighbors: Positive = 50
    """Nearest rows that a neighbour is drawn from, in each space."""
    hidden: Positive = 512
    """Width of the cluster heads' hidden layer; published: that of CLIP's features."""
    instance_hidden: Positive = 512
    """Width of the instance heads' hidden layer."""
    instance_dim: Positive = 1024
    """Features of an instance vector."""
    normalise_instances: bool = False
    """Whether instance vectors are scaled to unit norm before their loss; the
    released code has that step switched off."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """As for TAC."""


def recipe(dim: int, n_clusters: int, params: Params) -> Recipe:
    """Return what is trained for rows of ``dim`` features and k clusters."""
    from torch.nn.functional import normalize

    def start(draw: torch.Generator) -> Weights:
        sizes = (dim, params.hidden, n_clusters)
        sides = (dim, params.instance_hidden, params.instance_dim)
        weights = cluster_head("text", *sizes, draw)
        weights |= cluster_head("image", *sizes, draw)
        weights |= instance_head("text_instance", *sides, draw)
        return weights | instance_head("image_instance", *sides, draw)

    def vectors(weights: Weights, name: str, rows: torch.Tensor) -> torch.Tensor:
        found = instances(weights, name, rows)
        return normalize(found, dim=2) if params.normalise_instances else found

    def objective(weights: Weights, items: Items) -> Weights:
        p, q, distil = assignments(weights, items, params.temperature)
        x = vectors(weights, "text_instance", items.text)
        y = vectors(weights, "image_instance", items.image)
        same = contrast(x, y, params.instance_temperature)
        spread = entropy(p) + entropy(q)
        loss = distil + same - params.balance * spread
        return {
            "loss": loss,
            "distillation": distil,
            "instance": same,
            "balance": spread,
        }

    return Recipe(start, objective, params)
