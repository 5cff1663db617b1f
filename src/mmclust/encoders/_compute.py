"""How numbers are computed: threads, precision, device. What may change a byte.

On a CPU a model runs on one thread in each process, so that sums are taken in the
same order on any machine; speed comes from several processes.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.numerics import threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from torch import nn

PRECISIONS = ("float32", "bf16", "fp16")
DEVICES = ("cpu", "cuda", "mps", "xpu")
FLAGS = ("device", "batch_size", "precision", "compile")
"""Of the command; what reaches the numbers of a pretrained torch model."""
_FOR_GOOD = contextlib.ExitStack()
_COMPILED: ContextVar[bool] = ContextVar("compiled", default=False)
_BATCH: ContextVar[int | None] = ContextVar("batch", default=None)
BATCH = 32
"""Rows in a batch on a CPU, and what features are the same bytes for."""
BATCH_ACCELERATED = 256


def flags_of(module: ModuleType, params: Any) -> tuple[str, ...]:
    """Return the command's flags that reach an encoder's numbers.

    Of an encoder that does not say, none where ``prepare`` gives the features, else
    all.
    """
    if hasattr(module, "flags"):
        return tuple(module.flags(params))
    computes = hasattr(module, "encode_image") or hasattr(module, "encode_text")
    return tuple(getattr(module, "FLAGS", FLAGS if computes else ()))


def ready(model: nn.Module, device: str) -> Any:
    """Put a model in place for inference, as the run's flags ask.

    An encoder calls it once on each model it loads. On an accelerator weights are
    laid out channels-last; with ``--compile`` the model is compiled, which works for
    calls of the model itself, and not for its other methods: see :func:`compiled`.
    """
    return compiled(placed(model, device))


def placed(model: nn.Module, device: str) -> nn.Module:
    """Put a model in place for inference, not compiled."""
    import torch

    model = model.to(device).eval()
    if on_accelerator(device):
        model = model.to(memory_format=torch.channels_last)
    return model


def compiled(function: Any) -> Any:
    """Compile a model, or one of its methods, if the run's flags ask for it."""
    import torch

    return torch.compile(function) if is_compiled() else function


def is_compiled() -> bool:
    """Whether the run's flags ask for compiled models."""
    return _COMPILED.get()


def batch_size(device: str) -> int:
    """Return the rows that models get at once: the run's, or those usual there."""
    return _BATCH.get() or (BATCH_ACCELERATED if on_accelerator(device) else BATCH)


def on_accelerator(device: str) -> bool:
    """Whether a device is anything but the CPU."""
    return device.partition(":")[0] != "cpu"


def require_device(device: str, *, here: bool = True) -> str:
    """Return a device's name; refuse one that is not there before hours of work."""
    if device in {"cpu", "cpu:0"}:
        return "cpu"
    kind, colon, number = device.partition(":")
    reason = None
    if kind not in DEVICES or (colon and not number.isdecimal()):
        reason = f"not one of {', '.join(DEVICES)}, alone or with a number: cuda:1"
    elif here:
        import torch

        module = getattr(torch, kind)
        count = module.device_count() if kind != "cpu" and module.is_available() else 0
        if not count:
            reason = f"torch finds no {kind} here" if kind != "cpu" else "one CPU, cpu"
        elif int(number or 0) >= count:
            reason = f"{count} of that kind, from {kind}:0"
    if reason:
        raise MmclustError(
            f"The device {device!r} cannot be used",
            where="--device",
            expected="cpu, or an accelerator of this machine such as cuda",
            found=reason,
            do="leave --device out to run on the CPU",
        )
    return device


def require_precision(precision: str) -> None:
    """Refuse a precision that is not known."""
    if precision not in PRECISIONS:
        raise MmclustError(
            f"Unknown precision {precision!r}",
            where="--precision",
            expected=nearest(precision, PRECISIONS),
            found=precision,
        )


@contextlib.contextmanager
def computing(
    device: str, precision: str, *, compiled: bool, batch: int | None = None
) -> Iterator[None]:
    """Run an encoder in a precision; ``float32`` means float32, on a GPU, too."""
    with contextlib.ExitStack() as stack:
        stack.callback(_BATCH.reset, _BATCH.set(batch))
        token = _COMPILED.set(compiled)
        stack.callback(_COMPILED.reset, token)
        if on_accelerator(device):
            import torch

            if precision == "float32":  # cuDNN would take TF32 for convolutions
                before = torch.backends.cudnn.allow_tf32
                torch.backends.cudnn.allow_tf32 = False
                stack.callback(setattr, torch.backends.cudnn, "allow_tf32", before)
        if precision != "float32":
            import torch

            kind = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
            stack.enter_context(torch.autocast(device.partition(":")[0], dtype=kind))
        yield


def single_thread_for_good() -> None:
    """Hold this process, a worker, to one thread until it ends."""
    _FOR_GOOD.enter_context(threads(1))
