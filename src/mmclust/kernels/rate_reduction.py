"""Lengths of codes, and their gradients, without holding all determinants at once.

Source: Yu et al., Learning Diverse and Discriminative Representations via the Principle
of Maximal Coding Rate Reduction, NeurIPS 2020, as CPP (arXiv 2306.05272) has them.

Shapes: m rows; p numbers of a code; r groups.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.kernels.products import product

if TYPE_CHECKING:
    import torch

GROUPS = 128
"""Groups whose determinants are held at once: 8 MiB at p = 128."""


def rate(z: torch.Tensor, eps: float) -> torch.Tensor:
    """Return ½ logdet(I + p/(m ε) ZᵀZ), in nats, of (m, p) codes: all in one group."""
    return rate_of_members(z, z.new_ones(1, len(z)), eps)


def rate_of_members(z: torch.Tensor, members: torch.Tensor, eps: float) -> torch.Tensor:
    """Return Σ t/2m logdet(I + p/(t ε) Zᵀ diag(Π) Z) over the rows Π of ``members``.

    ``members``, (r, m), say how much each row of ``z`` belongs to each group; t is a
    row's sum. Codes are described to the precision ``eps``.
    """
    found: torch.Tensor = _differentiable().apply(z, members, eps)
    return found


def _inverted(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logarithms of determinants, (r,), and inverses, of (r, p, p) matrices.

    On a CPU by numpy: torch's library rounds differently between processors.
    """
    import torch

    if matrix.device.type != "cpu":
        lower = torch.linalg.cholesky(matrix)
        inverse = torch.cholesky_inverse(lower)
    else:
        lower = torch.from_numpy(np.linalg.cholesky(matrix.numpy()))
        inverse = torch.from_numpy(np.linalg.inv(matrix.numpy()))
    return 2 * lower.diagonal(dim1=1, dim2=2).log().sum(1), inverse


@cache
def _differentiable() -> Any:
    """Return the function with its gradients; made once, when torch is needed."""
    import torch

    class Members(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, z: torch.Tensor, members: torch.Tensor, eps: float
        ) -> torch.Tensor:
            value, *slopes = _with_slopes(z, members, eps)
            ctx.save_for_backward(*slopes)
            return value

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> Any:
            of_z, of_members = ctx.saved_tensors
            return gradient * of_z, gradient * of_members, None

    return Members


def _with_slopes(
    z: torch.Tensor, members: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the value, and its gradients to the codes and to the members.

    A symmetric matrix is held as its upper half. With M a group's matrix and
    a = p/(m ε), the gradients are a Σ Π M⁻¹ z, and a/2 zᵀ M⁻¹ z for the sums of Z with
    (logdet M - p + tr M⁻¹)/2m for t.
    """
    import torch

    m, p = z.shape
    row, column = torch.triu_indices(p, p, device=z.device)
    twice = 2 - (row == column).to(z.dtype)
    pairs = z[:, row] * z[:, column]  # (m, p(p + 1)/2)
    value = z.new_zeros(())
    of_members = torch.empty_like(members)
    inverses = torch.zeros_like(pairs)
    factor = p / (m * eps)
    for start in range(0, len(members), GROUPS):
        part = members[start : start + GROUPS]
        size = part.sum(1) + 1e-8
        half = product(part, pairs) * (p / (size * eps))[:, None]
        matrix = z.new_zeros(len(part), p, p)
        matrix[:, row, column] = matrix[:, column, row] = half
        matrix.diagonal(dim1=1, dim2=2).add_(1)
        volume, inverse = _inverted(matrix)
        value += (size * volume).sum() / (2 * m)
        trace = inverse.diagonal(dim1=1, dim2=2).sum(1)
        half = inverse[:, row, column]
        of_size = (volume - p + trace) / (2 * m)
        slopes = product(half * twice, pairs.T) * (factor / 2) + of_size[:, None]
        of_members[start : start + GROUPS] = slopes
        inverses += product(part.T, half)
    of_z = torch.empty_like(z)
    for start in range(0, m, GROUPS):
        matrix = z.new_zeros(len(z[start : start + GROUPS]), p, p)
        half = inverses[start : start + GROUPS] * factor
        matrix[:, row, column] = matrix[:, column, row] = half
        of_z[start : start + GROUPS] = product(
            matrix, z[start : start + GROUPS, :, None]
        )[..., 0]
    return value, of_z, of_members
