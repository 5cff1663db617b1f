"""TAC: text-aided clustering (ICML 2024), constants as in its released code.

Source: Image Clustering with External Guidance, ICML 2024, and its released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.heads._networks import (
    assignments,
    cluster_head,
    confidence,
    entropy,
)
from mmclust.heads._train import Recipe

if TYPE_CHECKING:
    import torch

    from mmclust.heads._networks import Items, Weights

VIEW = "image"
READS = ("image", "text")


@dataclass(frozen=True)
class Params:
    """The published constants (UCF-101 and ImageNet: 100 epochs, 8192, tau 5)."""

    epochs: Positive = 20
    """Passes over the images; published: 100 for UCF-101 and ImageNet, else 20."""
    batch: Annotated[int, Meta(ge=2)] = 512
    """Images in a batch; published: 8192 for UCF-101 and ImageNet, else 512."""
    learning_rate: PositiveFloat = 0.001
    """Of Adam."""
    temperature: PositiveFloat = 0.5
    """The paper's tau, of the distillation; published: 5 for UCF-101 and ImageNet."""
    balance: float = 5.0
    """Weight of the entropy that keeps clusters from vanishing."""
    n_neighbors: Positive = 50
    """Nearest rows that a neighbour is drawn from, in each space."""
    hidden: Positive = 512
    """Width of the cluster heads' hidden layer; published: that of CLIP's features."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """Which images are assigned: those of the benchmark's protocol, or, as DXMC's
    code does for several sets, those fitted on."""


def recipe(dim: int, n_clusters: int, params: Params) -> Recipe:
    """Return what is trained for rows of ``dim`` features and k clusters."""

    def start(draw: torch.Generator) -> Weights:
        sizes = (dim, params.hidden, n_clusters)
        return cluster_head("text", *sizes, draw) | cluster_head("image", *sizes, draw)

    def objective(weights: Weights, items: Items) -> Weights:
        p, q, distil = assignments(weights, items, params.temperature)
        agree = confidence(p, q)
        spread = entropy(p) + entropy(q)
        loss = distil + agree - params.balance * spread
        return {
            "loss": loss,
            "distillation": distil,
            "confidence": agree,
            "balance": spread,
        }

    return Recipe(start, objective, params)
