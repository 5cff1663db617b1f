"""Matrix products of tensors that cost the same and give the same on every CPU.

On a CPU they run on numpy's OpenBLAS: with one instruction set for all processors,
torch's own library falls back to its slowest kernels, three to five times slower.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def on(device: str, array: np.ndarray[Any, Any]) -> torch.Tensor:
    """Copy an array to where torch runs, whose products are then full float32's.

    Some images with CUDA set ``TORCH_ALLOW_TF32_CUBLAS_OVERRIDE``: ten bits of them.
    """
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    return torch.tensor(array, device=device)


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return ``a @ b``, differentiable.

    Both have one float type, device and the same leading axes: (…, n, m), (…, m, k).
    """
    if a.device.type != "cpu":
        return a @ b
    found: torch.Tensor = _differentiable().apply(a, b)
    return found


def linear(
    weight: torch.Tensor, columns: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Return ``weight @ columns + bias`` of (s, o, i), (s, i, n) and (s, o)."""
    import torch

    if columns.device.type != "cpu":
        return torch.baddbmm(bias[:, :, None], weight, columns)
    return product(weight, columns) + bias[:, :, None]


@cache
def _differentiable() -> Any:
    """Return the function with its gradients; made once, when torch is needed."""
    import torch

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(a, b)
            return _product(a, b)

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> Any:
            a, b = ctx.saved_tensors
            of_a, of_b = ctx.needs_input_grad
            return (
                _product(gradient, b.mT) if of_a else None,
                _product(a.mT, gradient) if of_b else None,
            )

    return Product


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.matmul(a.detach().numpy(), b.detach().numpy()))
