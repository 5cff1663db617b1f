"""Stochastic gradient descent with momentum, as torch's but without its imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

MOMENTUM = 0.9
"""Share of the last change that stays; the first step has none."""


class Sgd:
    """The numbers of ``torch.optim.SGD``, up to rounding.

    Parameters have one float type and device; ``learning_rate`` may be changed between
    steps; ``penalty`` is weight decay, part of the gradient (L2).
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        learning_rate: float,
        penalty: float = 0.0,
    ) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        self.penalty = penalty
        self.changes: dict[int, torch.Tensor] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change each parameter that has a gradient."""
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is None:
                continue
            slope = parameter.grad.add(parameter, alpha=self.penalty)
            if i in self.changes:
                self.changes[i].mul_(MOMENTUM).add_(slope)
            else:
                self.changes[i] = slope
            parameter.sub_(self.changes[i], alpha=self.learning_rate)
