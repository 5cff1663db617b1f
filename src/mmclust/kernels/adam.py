"""Adam and AdamW by torch's fused kernels, and the one-cycle schedule of rates.

The same numbers as ``torch.optim.Adam`` and ``AdamW`` with ``fused=True``, but without
``torch._dynamo``, which the first optimiser of a process imports for 2.6 seconds. Not
fused, Adam takes torch's square root, which no two processors share.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What Adam remembers of a parameter."""


class Adam:
    """Adam (Kingma and Ba 2015), or AdamW (Loshchilov and Hutter 2019) with a decay.

    Parameters are float32, on one device; ``learning_rate`` and ``betas`` may change
    between steps. ``decay`` is decoupled weight decay, and makes it AdamW; ``penalty``,
    without it, weight decay that is part of the gradient (L2).
    """

    _step_supports_amp_scaling = True
    """``torch.amp.GradScaler`` then gives a step ``grad_scale`` and ``found_inf``."""

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        learning_rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        decay: float | None = None,
        penalty: float = 0.0,
    ) -> None:
        self.parameters = list(parameters)
        self.param_groups = [{"params": self.parameters}]
        self.learning_rate = learning_rate
        self.betas = betas
        self.decay = decay
        self.penalty = penalty
        self.state: dict[int, dict[str, torch.Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change each parameter that has a gradient."""
        moved = {i: p for i, p in enumerate(self.parameters) if p.grad is not None}
        if not moved:
            return
        for i, parameter in moved.items():
            if i not in self.state:
                self.state[i] = {
                    "step": torch.zeros((), device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        found_inf = getattr(self, "found_inf", None)
        steps, means, squares = (
            [self.state[i][name] for i in moved] for name in MOMENTS
        )
        torch._foreach_add_(steps, 1)
        update = torch._fused_adam_ if self.decay is None else torch._fused_adamw_
        update(
            list(moved.values()),
            [p.grad for p in moved.values() if p.grad is not None],
            means,
            squares,
            [],
            steps,
            amsgrad=False,
            lr=self.learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.penalty if self.decay is None else self.decay,
            eps=1e-8,
            maximize=False,
            grad_scale=getattr(self, "grad_scale", None),
            found_inf=found_inf,
        )
        if found_inf is not None:  # 1: then no parameter moved
            torch._foreach_sub_(steps, [found_inf] * len(steps))

    def moments(self) -> dict[str, torch.Tensor]:
        """Return what a later run goes on from, by names such as ``0.exp_avg``."""
        return {
            f"{i}.{name}": value
            for i, moments in self.state.items()
            for name, value in moments.items()
        }

    def resume(self, moments: Mapping[str, torch.Tensor]) -> None:
        """Go on from :meth:`moments`."""
        self.state.clear()
        for key, value in moments.items():
            number, _, name = key.partition(".")
            place = self.parameters[int(number)].device
            self.state.setdefault(int(number), {})[name] = value.to(place, copy=True)


def one_cycle(step: int, total: int, peak: float) -> tuple[float, float]:
    """Return learning rate and beta1 of a step, as torch's ``OneCycleLR`` has them.

    The rate rises from ``peak / 25`` over three tenths of the ``total`` steps and falls
    to a ten-thousandth of that, by cosines; beta1 falls from .95 to .85 and rises.
    """
    low = peak / 25
    turn, end = 0.3 * total - 1, total - 1
    if step <= turn:
        share = step / turn
        return _cosine(low, peak, share), _cosine(0.95, 0.85, share)
    share = (step - turn) / (end - turn)
    return _cosine(peak, low / 1e4, share), _cosine(0.85, 0.95, share)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)
