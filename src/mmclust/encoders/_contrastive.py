"""How a space that pictures and captions share is trained: CLIP's symmetric loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import torch

    from mmclust.core.types import Array
    from mmclust.kernels.adam import Adam


def contrast(
    optimizer: Adam,
    logits_of: Callable[[Array], torch.Tensor],
    n: int,
    params: Any,
    rng: np.random.Generator,
    name: str,
) -> list[float]:
    """Train on batches of n pairs, by a schedule of cosines; return each step's loss.

    ``logits_of`` takes rows (b,) to the similarities (b, b) of their pictures with
    their captions; ``params`` has ``steps``, ``batch`` and ``learning_rate``.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from mmclust.kernels.adam import one_cycle

    size = min(params.batch, n)
    losses, order = [], rng.permutation(n)
    for step in track(range(params.steps), name, params.steps, "steps"):
        if len(order) < size:
            order = rng.permutation(n)
        rows, order = order[:size], order[size:]
        logits = logits_of(rows)
        target = torch.arange(size, device=logits.device)
        loss = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rate, beta = one_cycle(step, params.steps + 1, params.learning_rate)
        optimizer.learning_rate, optimizer.betas = rate, (beta, 0.999)
        optimizer.step()
        losses.append(round(float(loss.detach()), 6))
    return losses
