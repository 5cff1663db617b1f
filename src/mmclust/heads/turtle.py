"""TURTLE: the labelling that linear classifiers of several encoders learn most easily.

Source: Let Go of Your Labels with Unsupervised Transfer (Gadetsky, Jiang, Brbić, ICML
2024, arXiv 2406.07236), and its released code. No noun and no caption is read.

Weights of s seeds lie in one matrix, seed after seed, so that one product serves all.
Rows end with a one, and a layer's matrix with its bias. Shapes: s seeds;
k clusters; b images of a batch; d features and the one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.progress import track
from mmclust.core.types import HeadInputs, Trained
from mmclust.heads._train import draws
from mmclust.kernels.products import product

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    Tensors = Sequence[torch.Tensor]

VIEW = "image"
READS = ("spaces",)
STRETCHES = 100
"""Rows of the curve, at most: each the mean of a stretch of steps."""
TERMS = ("loss", "cross_entropy", "entropy")
PARTS = ("size", "direction", "bias")
"""Of a layer under weight normalisation."""
BLOCK = 2048
"""Rows that pass through a classifier at once: they stay in a processor's cache."""


@dataclass(frozen=True)
class Params:
    """The released code's one setting; the paper also tries rates and warm starts."""

    encoders: tuple[str, ...] = ()
    """Whose raw features are read, one space each; none: ``model.encoder`` alone."""
    steps: Positive = 6000
    """Steps of the labelling."""
    batch: Annotated[int, Meta(ge=2)] = 10_000
    """Distinct rows drawn for a step; all where there are fewer."""
    inner_steps: Positive = 10
    """Steps of the classifiers for each of them."""
    learning_rate: PositiveFloat = 0.001
    """Of Adam, on the labelling."""
    inner_learning_rate: PositiveFloat = 0.001
    """Of Adam, on the classifiers."""
    warm_start: bool = False
    """Whether classifiers go on from the last step, instead of starting anew."""
    balance: float = 10.0
    """The paper's γ: weight of the entropy that keeps clusters equal in size."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """Which images are assigned: the benchmark's protocol's, or those fitted on."""


def GROUP(n_rows: int, params: Params) -> int:  # noqa: N802 (a constant of other heads)
    """Return the seeds of one call: they share products where all see all rows."""
    return 5 if n_rows <= params.batch else 1


def train(
    inputs: HeadInputs,
    n_clusters: int,
    params: Params,
    *,
    seeds: Sequence[int],
    device: str,
) -> list[Trained]:
    """Train one labelling per seed; the last step is the result."""
    spaces = [with_ones(rows, device) for rows in inputs.spaces]
    groups = [seeds] if params.batch >= len(inputs) else [[seed] for seed in seeds]
    return [t for group in groups for t in _train(spaces, n_clusters, params, group)]


def _train(
    spaces: Tensors, k: int, params: Params, seeds: Sequence[int]
) -> list[Trained]:
    import torch

    from mmclust.kernels.adam import Adam

    start, classifiers, order = (
        draws(seeds, what) for what in ("weights", "classifiers", "order")
    )
    n, s = len(spaces[0]), len(seeds)
    tasks = []
    for z in spaces:
        layer = first_weights(k, z, start)
        direction = layer[:, :-1].contiguous()
        tasks.append((norms(direction), direction, layer[:, -1:].contiguous()))
    optimizer = Adam([p for task in tasks for p in task], params.learning_rate)
    inner: tuple[Tensors, Any] = ((), None)
    curve: list[torch.Tensor] = []
    for _ in track(range(params.steps), "turtle", params.steps, "steps"):
        batch = spaces
        if params.batch < n:
            rows = torch.randperm(n, generator=order[0])[: params.batch]
            batch = [z[rows.to(z.device)] for z in spaces]
        pairs = [*zip(tasks, batch, strict=True)]
        shares = [logits(matrix(task), z, s).softmax(1) for task, z in pairs]
        if not (inner[0] and params.warm_start):
            layers = [first_weights(k, z, classifiers) for z in spaces]
            inner = (layers, Adam(layers, params.inner_learning_rate))
        fit_classifiers(*inner, batch, torch.stack(shares).mean(0), params.inner_steps)
        learnt = zip(inner[0], batch, strict=True)
        logs = [logits(layer, z, s).log_softmax(1) for layer, z in learnt]
        terms, gradients = outer(shares, logs, params.balance)
        for (task, z), gradient in zip(pairs, gradients, strict=True):
            take_gradient(task, product(gradient.reshape(s * k, -1), z))
        optimizer.step()
        curve.append(terms)
    stretch = -(-params.steps // STRETCHES)
    starts = range(0, params.steps, stretch)
    means = [torch.stack(curve[i : i + stretch]).mean(0).tolist() for i in starts]
    parts = [
        (f"{number}.{name}", part.view(s, k, -1).cpu().numpy())
        for number, task in enumerate(tasks)
        for name, part in zip(PARTS, task, strict=True)
    ]
    curves = [[dict(zip(TERMS, [m[i] for m in mean], strict=True)) for mean in means]
              for i in range(s)]  # fmt: skip
    own = [{name: part[i].copy() for name, part in parts} for i in range(s)]
    return [Trained(*each) for each in zip(own, curves, strict=True)]


def predict(
    weights: dict[str, Any], inputs: HeadInputs, params: Params, *, device: str
) -> np.ndarray[Any, Any]:
    """Return the mean labelling of all spaces: float32 (n, k)."""
    import torch

    del params
    shares = []
    for number, rows in enumerate(inputs.spaces):
        arrays = (np.array(weights[f"{number}.{name}"]) for name in PARTS)
        task = [torch.from_numpy(array).to(device) for array in arrays]
        shares.append(logits(matrix(task), with_ones(rows, device), 1).softmax(1))
    return np.ascontiguousarray(torch.stack(shares).mean(0)[0].T.cpu().numpy())


def with_ones(rows: Any, device: str) -> torch.Tensor:
    """Return rows, (n, d - 1), with a column of ones: (n, d)."""
    import torch

    wide = np.pad(np.asarray(rows, np.float32), ((0, 0), (0, 1)), constant_values=1)
    return torch.from_numpy(wide).to(device)


def first_weights(
    k: int, z: torch.Tensor, draws: Sequence[torch.Generator]
) -> torch.Tensor:
    """Return layers as torch starts them, uniform in ±1/sqrt(inputs): (s·k, d)."""
    import torch

    width = z.shape[1]
    rows = [2 * torch.rand((k, width), generator=draw) - 1 for draw in draws]
    return (torch.cat(rows) / math.sqrt(width - 1)).to(z.device)


def matrix(task: Tensors) -> torch.Tensor:
    """Return the layer that the parts stand for: (s·k, d).

    Row c of its weights is size_c, (s·k, 1), times the unit vector of direction_c,
    (s·k, d - 1); its last column is the bias.
    """
    import torch

    size, direction, bias = task
    return torch.cat([direction * (size / norms(direction)), bias], dim=1)


def take_gradient(task: Tensors, by_matrix: torch.Tensor) -> None:
    """Give each part its gradient, from the layer's."""
    size, direction, bias = task
    length = norms(direction)
    unit, by_weight = direction / length, by_matrix[:, :-1]
    along = (by_weight * unit).sum(1, keepdim=True)
    size.grad, bias.grad = along, by_matrix[:, -1:].contiguous()
    direction.grad = (by_weight - along * unit) * (size / length)


def logits(layer: torch.Tensor, z: torch.Tensor, s: int) -> torch.Tensor:
    """Return the outputs of a layer, (s·k, d), for rows (b, d): (s, k, b)."""
    return product(layer, z.T).view(s, -1, len(z))


def norms(rows: torch.Tensor) -> torch.Tensor:
    """Return the length of each row: (r, 1)."""
    import torch

    found: torch.Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return found


def fit_classifiers(
    layers: Tensors, optimizer: Any, batch: Tensors, target: torch.Tensor, steps: int
) -> None:
    """Let a layer of each space learn the soft labels ``target``, (s, k, b)."""
    s, _, b = target.shape
    size = BLOCK if target.device.type == "cpu" else b
    starts = range(0, b, size)
    wanted = [target[:, :, i : i + size].contiguous() for i in starts]
    for _ in range(steps):
        for layer, z in zip(layers, batch, strict=True):
            layer.grad = None
            for start, goal in zip(starts, wanted, strict=True):
                rows = z[start : start + size]
                error = logits(layer, rows, s).softmax(1).sub_(goal).div_(b)
                part = product(error.view(len(layer), -1), rows)
                layer.grad = part if layer.grad is None else layer.grad.add_(part)
        optimizer.step()


def outer(
    shares: Tensors, logs: Tensors, balance: float
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the loss, and its gradients by the outputs of each space's labelling.

    ``shares`` are the labellings p_s, ``logs`` the logarithms of the classifiers',
    which are held fixed. float32 (3, s): the loss Σ_s CE(classifier_s, p) - balance ·
    Σ_s H(mean of p_s), p being the mean over the spaces; the first sum; the second.
    """
    import torch

    total, b = torch.stack(list(logs)).sum(0), logs[0].shape[2]
    cross = -(torch.stack(list(shares)).mean(0) * total).sum((1, 2)) / b
    spread, gradients = torch.zeros_like(cross), []
    for p in shares:
        mean = p.mean(2)
        log = mean.clamp(min=1e-37).log()
        spread = spread - (mean * log).sum(1)
        # The entropy's gradient has a further constant, which the softmax takes out.
        by_share = (balance * log[:, :, None] - total / len(shares)) / b
        gradients.append(p * (by_share - (p * by_share).sum(1, keepdim=True)))
    return torch.stack([cross - balance * spread, cross, spread]), gradients
