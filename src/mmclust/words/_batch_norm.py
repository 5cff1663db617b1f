"""Batch normalisation over the batch that several processes share, on any device."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import batch_norm


class _Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is theirs, summed."""

    @staticmethod
    def forward(_: Any, values: torch.Tensor) -> torch.Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Any) -> Any:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """torch's layer, with mean and variance of all processes' samples.

    torch's own ``SyncBatchNorm`` runs on accelerators alone.
    """

    @classmethod
    def of(cls, layer: nn.BatchNorm2d) -> SharedBatchNorm:
        """Return a layer with the weights and statistics of ``layer``."""
        made = cls(layer.num_features, layer.eps, layer.momentum)
        made.load_state_dict(layer.state_dict())
        return made

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Normalise float (b, K, h, w)."""
        if not self.training:
            return batch_norm(
                maps, self.running_mean, self.running_var, self.weight, self.bias,
                eps=self.eps,
            )  # fmt: skip
        values = maps.float()
        shape = (1, -1, 1, 1)
        number = values.numel() / values.shape[1]
        sums = torch.cat([values.sum((0, 2, 3)), values.new_tensor([number])])
        total = _Sum.apply(sums)
        n, mean = total[-1].detach(), total[:-1] / total[-1].detach()
        apart = values - mean.view(shape)
        squares = _Sum.apply((apart * apart).sum((0, 2, 3)))
        variance = squares / n
        self._remember(mean.detach(), (squares / (n - 1)).detach())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        normal: torch.Tensor = apart * scale.view(shape) + self.bias.view(shape)
        return normal.to(maps.dtype)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        momentum = self.momentum or 0.0
        for old, new in ((self.running_mean, mean), (self.running_var, variance)):
            assert old is not None
            old.lerp_(new, momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
