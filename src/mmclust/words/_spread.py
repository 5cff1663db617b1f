"""Several processes that train one model: started by torchrun, one per device.

Each process has the same weights and counts and works on its share of every batch.
What a batch adds up (gradients, batch statistics, active clusters) is added over all
of them, so that the result is that of one process but for the order of sums.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch


def size() -> int:
    """Return how many processes torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return which of them this is."""
    return int(os.environ.get("RANK", "0"))


def leads() -> bool:
    """Tell whether this process writes the files."""
    return rank() == 0


@contextlib.contextmanager
def group(device: str) -> Iterator[str]:
    """Join the other processes, if there are any."""
    if size() == 1:
        yield device
        return
    import torch.distributed as dist

    if device == "cuda":
        import torch

        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    dist.init_process_group("gloo" if device == "cpu" else "nccl")
    try:
        yield device
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def alone(context: contextlib.AbstractContextManager[Any]) -> Iterator[None]:
    """Enter a context in the leading process only."""
    with context if leads() else contextlib.nullcontext():
        yield


def barrier() -> None:
    """Wait for all processes."""
    if size() > 1:
        import torch.distributed as dist

        dist.barrier()


def share(n: int) -> slice:
    """Return this process's part of n samples: consecutive, as even as can be."""
    each, more = divmod(n, size())
    start = rank() * each + min(rank(), more)
    return slice(start, start + each + (rank() < more))


def add_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Add each gradient over all processes, in place; a missing one counts as 0."""
    if size() == 1:
        return
    import torch
    import torch.distributed as dist

    flat = torch.cat(
        [
            (torch.zeros_like(p) if p.grad is None else p.grad).flatten()
            for p in parameters
        ]
    )
    dist.all_reduce(flat)
    start = 0
    for parameter in parameters:
        stop = start + parameter.numel()
        parameter.grad = flat[start:stop].view_as(parameter)
        start = stop


def gathered(rows: torch.Tensor, n: int) -> torch.Tensor:
    """Put the parts of n rows (see :func:`share`) together, in every process."""
    if size() == 1:
        return rows
    import torch
    import torch.distributed as dist

    whole = torch.zeros(n, *rows.shape[1:], dtype=rows.dtype, device=rows.device)
    whole[share(n)] = rows
    dist.all_reduce(whole)
    return whole


def with_shared_statistics(module: torch.nn.Module) -> torch.nn.Module:
    """Let batch normalisation see the whole batch, not this process's part."""
    if size() == 1:
        return module
    import torch

    from mmclust.words._batch_norm import SharedBatchNorm

    for name, layer in list(module.named_modules()):
        if isinstance(layer, torch.nn.BatchNorm2d):
            parent, _, last = name.rpartition(".")
            setattr(module.get_submodule(parent), last, SharedBatchNorm.of(layer))
    return module
