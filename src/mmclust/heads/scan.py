"""SCAN's head on frozen features: step 2 of the paper, without its networks.

A linear layer learns to give an image and its neighbours one cluster, surely, and to
use all clusters. What is fitted may be kept from any epoch; what decides is the same
objective on the images fitted on, without the weight of its entropy. No label is read;
the authors' code evaluates it on the images that are scored later.

Source: Van Gansbeke et al., SCAN: Learning to Classify Images without Labels, ECCV
2020, section 2.2, and the settings of its released code.

Shapes: s seeds; h heads; n images; j neighbours; k clusters; d features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.progress import track
from mmclust.core.types import HeadInputs, Trained
from mmclust.heads._networks import confidence, entropy, uniform
from mmclust.heads._rows import require_batch
from mmclust.heads._train import draws, epoch, stacked
from mmclust.kernels.nearest_neighbors import nearest_neighbors
from mmclust.kernels.products import linear

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from mmclust.heads._networks import Weights

    Array = np.ndarray[Any, Any]

VIEW = "image"
READS = ("spaces",)
GROUP = 5
EPS = 1e-8
"""Below which a mean probability is not taken, as the released code has it."""
NEAR = 5
"""Neighbours that what decides looks at; the released code adds the image itself."""


@dataclass(frozen=True)
class Params:
    """As published for CIFAR and STL-10; ImageNet's subsets have others."""

    epochs: Positive = 50
    """Passes over the images; published: 100 for subsets of ImageNet."""
    batch: Annotated[int, Meta(ge=2)] = 128
    """Images in a batch, each with a neighbour; 512 for subsets of ImageNet."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """``sgd``, with a momentum of 0.9, for subsets of ImageNet."""
    learning_rate: PositiveFloat = 0.0001
    """Of the optimiser; 5 for subsets of ImageNet."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0001
    """A part of the gradient (L2); 0 for subsets of ImageNet."""
    balance: float = 5.0
    """Weight of the entropy that keeps clusters from vanishing."""
    n_neighbors: Annotated[int, Meta(ge=NEAR)] = 20
    """By inner product; one of them, or the image itself, is drawn at each visit. 50
    for subsets of ImageNet."""
    n_heads: Positive = 1
    """Trained together, of which one is kept; 10 for subsets of ImageNet."""
    select: Literal["train", "last"] = "train"
    """Keep the head and epoch with the lowest objective on the images fitted on, or
    the best head of the last epoch."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """Which images are assigned: those of the benchmark's protocol, or those fitted
    on."""


def prepare(
    inputs: HeadInputs, params: Params, *, device: str = "cpu"
) -> tuple[Array, Array]:
    """Return the images, float32 (n, d), and partners of each: itself, then j rows."""
    rows = np.array(inputs.spaces[0], np.float32)
    require_batch(params.batch, len(rows))
    found = nearest_neighbors(rows, params.n_neighbors, device=device)
    return rows, np.column_stack([np.arange(len(rows)), found])


def train(
    inputs: tuple[Array, Array],
    n_clusters: int,
    params: Params,
    *,
    seeds: Sequence[int],
    device: str = "cpu",
) -> list[Trained]:
    """Train the heads of each seed in one pass; of each seed one head is kept."""
    import torch

    from mmclust.kernels.adam import Adam
    from mmclust.kernels.sgd import Sgd

    rows, near = (torch.from_numpy(each) for each in inputs)
    images = rows.to(device)
    size, dim = params.n_heads * n_clusters, rows.shape[1]  # one head above the other
    starts = [
        {"weight": uniform((size, dim), dim, d), "bias": uniform((size,), dim, d)}
        for d in draws(seeds, "weights")
    ]
    weights = {n: w.requires_grad_() for n, w in stacked(starts, device).items()}
    kind = Sgd if params.optimiser == "sgd" else Adam
    optimiser = kind(
        weights.values(), params.learning_rate, penalty=params.weight_decay
    )
    order = draws(seeds, "order")
    best: list[tuple[float, Weights]] = [(np.inf, {})] * len(seeds)
    curves: list[list[dict[str, float]]] = [[] for _ in seeds]
    for number in track(range(params.epochs), "scan", params.epochs, "epochs"):
        terms = _epoch(weights, images, near, order, optimiser, params)
        last = number == params.epochs - 1
        scores, heads = _decisive(weights, images, near, params.n_heads).min(1)
        for i, score in enumerate(scores.tolist()):
            figures = {name: value[i] for name, value in terms.items()}
            curves[i].append(figures | {"selection": score})
            chosen = score < best[i][0] or (last and params.select == "last")
            if chosen or number == 0:  # then also a score that is no number
                first = int(heads[i]) * n_clusters
                own = slice(first, first + n_clusters)
                kept = {name: w.detach()[i, own].clone() for name, w in weights.items()}
                best[i] = score, kept
    return [
        Trained({name: w.cpu().numpy() for name, w in kept.items()}, curve)
        for (_, kept), curve in zip(best, curves, strict=True)
    ]


def predict(
    weights: dict[str, Any], inputs: HeadInputs, params: Params, *, device: str = "cpu"
) -> Array:
    """Return each cluster's probability for each row: float32 (n, k)."""
    import torch

    del params
    layer = {name: torch.tensor(w).to(device)[None] for name, w in weights.items()}
    rows = torch.from_numpy(np.array(inputs.spaces[0], np.float32)).to(device)
    with torch.inference_mode():
        found: Array = probabilities(layer, rows[None], 1)[0, 0].T.cpu().numpy()
    return np.ascontiguousarray(found)


def probabilities(weights: Weights, rows: torch.Tensor, n_heads: int) -> torch.Tensor:
    """Return each head's clusters for (s, n, d) rows: (s, h, k, n)."""
    outputs = linear(weights["weight"], rows.mT, weights["bias"])
    return outputs.view(len(outputs), n_heads, -1, rows.shape[1]).softmax(2)


def consistency(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Return the mean of -ln⟨p, q⟩ of (…, k, n) pairs, cut at 100: (…)."""
    flat = confidence(p.flatten(0, -3), q.flatten(0, -3))
    return flat.view(p.shape[:-2])


def _epoch(
    weights: Weights,
    images: torch.Tensor,
    near: torch.Tensor,
    order: Sequence[torch.Generator],
    optimiser: Any,
    params: Params,
) -> dict[str, list[float]]:
    """Train for an epoch; return each seed's terms, meaned over steps and heads."""
    sums: dict[str, Any] = {}
    steps = len(images) // params.batch
    for at, beside in epoch(order, [near], params.batch):
        pairs = [images[rows.to(images.device)] for rows in (at, beside)]
        p, q = (probabilities(weights, rows, params.n_heads) for rows in pairs)
        same, spread = consistency(p, q), entropy(p, EPS)
        loss = same - params.balance * spread
        optimiser.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        terms = {"loss": loss, "consistency": same, "balance": spread}
        for name, term in terms.items():
            sums[name] = sums.get(name, 0) + term.detach().mean(1)
    return {name: (total / steps).tolist() for name, total in sums.items()}


def _decisive(
    weights: Weights, images: torch.Tensor, near: torch.Tensor, n_heads: int
) -> torch.Tensor:
    """Return consistency with five neighbours less entropy, of all rows: (s, h)."""
    import torch

    with torch.no_grad():
        each = images.expand(len(weights["bias"]), *images.shape)
        p = probabilities(weights, each, n_heads)
        same = [
            consistency(p, p[..., near[:, place].to(images.device)])
            for place in range(1, NEAR + 1)
        ]
        return torch.stack(same).mean(0) - entropy(p, EPS)
