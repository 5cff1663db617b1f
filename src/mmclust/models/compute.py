"""How torch models run: device, precision, and batches whose shape never varies.

On a CPU a model runs on one thread in each process, so that sums are taken in the
same order on any machine; speed comes from several processes.

A row's features must not depend on who shares its batch. Kernels sum in an order
that the shape decides, so the shape is fixed: the last batch is filled up, and
captions are padded to one of a few lengths that their own length decides.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    import torch
    from torch import nn

    from mmclust.core.types import Array

DEVICES = ("cpu", "cuda", "mps", "xpu")
FLAGS = ("device", "batch_size", "precision", "compile")
"""Of the command; what reaches the numbers of a pretrained torch model."""
BATCH = 32
"""Rows in a batch on a CPU, and what features are the same bytes for."""
BATCH_ACCELERATED = 256
STEP = 16
"""Captions are padded to a multiple of this many tokens."""
SPECIAL = 8
"""Tokens for the beginning, the end and the like, at most."""


class Device(str):
    """A device's name, and how models run there.

    Encoders take it as ``device`` and hand it on, to torch as the name it is. A name
    alone, as other commands give it, stands for float32 in the usual batches.
    """

    __slots__ = ("compiled", "precision", "rows")
    rows: int
    """Rows that a model gets at once; 0 stands for those usual there."""
    precision: str
    """``float32``, ``bf16`` or ``fp16``."""
    compiled: bool
    """Whether models are compiled."""

    def __new__(
        cls,
        name: str,
        rows: int = 0,
        precision: str = "float32",
        *,
        compiled: bool = False,
    ) -> Self:
        """Name a device; the rest is said of the fields."""
        device = super().__new__(cls, name)
        device.rows, device.precision, device.compiled = rows, precision, compiled
        return device

    def named(self, name: str) -> Device:
        """Return another device on which models run alike."""
        return Device(name, self.rows, self.precision, compiled=self.compiled)

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Run models in the precision; ``float32`` means float32, on a GPU, too.

        There cuDNN keeps to convolutions that give the same bytes at each call.
        """
        with contextlib.ExitStack() as stack:
            if on_accelerator(self):
                from torch.backends import cudnn

                stack.callback(setattr, cudnn, "deterministic", cudnn.deterministic)
                cudnn.deterministic = True
            if self.precision != "float32":
                import torch

                kind = torch.bfloat16 if self.precision == "bf16" else torch.float16
                stack.enter_context(torch.autocast(self.partition(":")[0], dtype=kind))
            elif on_accelerator(self):  # cuDNN would take TF32 for convolutions
                from torch.backends import cudnn

                stack.callback(setattr, cudnn, "allow_tf32", cudnn.allow_tf32)
                cudnn.allow_tf32 = False
            yield


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
    return compiled(placed(model, device), device)


def placed(model: nn.Module, device: str) -> nn.Module:
    """Put a model in place for inference, not compiled."""
    import torch

    model = model.to(device).eval()
    if on_accelerator(device):
        model = model.to(memory_format=torch.channels_last)
    return model


def compiled(function: Any, device: str) -> Any:
    """Compile a model, or one of its methods, if the run's flags ask for it."""
    import torch

    return torch.compile(function) if is_compiled(device) else function


def is_compiled(device: str) -> bool:
    """Whether models are compiled there."""
    return isinstance(device, Device) and device.compiled


def batch_size(device: str) -> int:
    """Return the rows that models get at once: the run's, or those usual there."""
    rows = device.rows if isinstance(device, Device) else 0
    return rows or (BATCH_ACCELERATED if on_accelerator(device) else BATCH)


def on_accelerator(device: str) -> bool:
    """Whether a device is anything but the CPU."""
    return device.partition(":")[0] != "cpu"


def require_device(device: str, *, here: bool = True) -> str:
    """Return a device's name; refuse one that is not there before hours of work."""
    if device in {"cpu", "cpu:0"}:
        return "cpu"
    kind, colon, number = device.partition(":")
    reason = None
    plain = not colon or (number.isdecimal() and number == str(int(number)))
    if kind not in DEVICES or not plain:
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


def in_batches(run: Callable[..., torch.Tensor], *columns: Array, device: str) -> Array:
    """Run a model, a tensor (batch, …) per column to (batch, d), over all n rows."""
    import torch

    n, size = len(columns[0]), batch_size(device)
    done = []
    with torch.inference_mode():
        for start in range(0, n, size):
            parts = [column[start : start + size] for column in columns]
            length = len(parts[0])
            full = [np.resize(part, (size, *part.shape[1:])) for part in parts]
            found = run(*(torch.from_numpy(part).to(device) for part in full))
            done.append(found[:length].float().cpu().numpy())
    return np.concatenate(done)


def embed_tokens(
    run: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    tokens: Sequence[Sequence[int]],
    *,
    longest: int,
    padding: int,
    device: str,
) -> Array:
    """Run a text model over the token ids of c captions: float32 (c, d).

    It takes ids and mask, both int64 (batch, length), at most ``longest``; ``padding``
    fills up. Without captions d is not known: (0, 0).
    """
    lengths = np.array([len(ids) for ids in tokens], np.int64)
    padded = np.minimum(-(-np.maximum(lengths, 1) // STEP) * STEP, longest)
    found: Array = np.zeros((0, 0), np.float32)
    for length in np.unique(padded):
        rows = np.flatnonzero(padded == length)
        ids = np.full((len(rows), length), padding, np.int64)
        mask = np.arange(length) < lengths[rows, None]
        ids[mask] = np.concatenate([np.asarray(tokens[int(i)], np.int64) for i in rows])
        part = in_batches(run, ids, mask.astype(np.int64), device=device)
        if not len(found):
            found = np.zeros((len(tokens), part.shape[1]), np.float32)
        found[rows] = part
    return found


def n_longer(
    texts: Sequence[str], longest: int, lengths: Callable[[list[str]], Sequence[int]]
) -> int:
    """Count texts of more tokens than a model reads."""
    maybe = maybe_longer(texts, longest)
    return sum(length > longest for length in lengths(maybe)) if maybe else 0


def maybe_longer(texts: Sequence[str], longest: object) -> list[str]:
    """Return texts that a model may not read whole: all if it does not say how many."""
    many = longest if isinstance(longest, int) else 0
    return [t for t in texts if not t.isascii() or len(t) + SPECIAL > many]


def unit_rows(rows: Array) -> Array:
    """Divide float32 rows (n, d) by their L2 norm + 1e-10 (benchmarks, §5)."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / (norms + 1e-10), np.float32)


def per_image(
    captions: Sequence[Sequence[str]], encode: Callable[[list[str]], Array]
) -> Array:
    """Average the captions of each image, then scale to unit norm (benchmarks, §5).

    ``encode`` takes the captions of b images, one after the other, to (c, d). Returns
    float32 (b, d), zeros for an image without captions.
    """
    each = encode([text for texts in captions for text in texts])
    counts = np.array([len(texts) for texts in captions])
    sums = np.zeros((len(captions), each.shape[1]))
    if len(each):
        np.add.at(sums, np.repeat(np.arange(len(captions)), counts), each)
    return unit_rows((sums / np.maximum(counts, 1)[:, None]).astype(np.float32))


def cleaned(captions: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return each image's captions without outer blanks and without empty ones."""
    return [[text.strip() for text in each if text.strip()] for each in captions]
