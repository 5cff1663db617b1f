"""miniclip's nets: their layers, and how pictures and captions go in.

Shapes: b images or captions; d = dim; w words in the vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any

    import torch
    from torch import nn

GROUPS = 8
"""Of channels that are normalised together."""


def build(params: Any, n_words: int, seed: int) -> nn.ModuleDict:
    """Build both towers; their first weights come from the seed alone."""
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        width, layers = params.width, []
        for i, before in enumerate((3, width, 2 * width, 4 * width)):
            after = width * 2**i
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.GroupNorm(GROUPS, after),
                nn.ReLU(),
            ]
        image = [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        text = [nn.Linear(params.dim, params.dim) for _ in range(2)]
        scale = torch.tensor(-math.log(params.temperature))
        return nn.ModuleDict(
            {
                "image": nn.Sequential(*image, nn.Linear(8 * width, params.dim)),
                "words": nn.EmbeddingBag(n_words, params.dim, mode="mean"),
                "text": nn.Sequential(text[0], nn.GELU(), text[1]),
                "scale": nn.ParameterDict({"log": scale}),
            }
        )


def embed_captions(
    model: nn.ModuleDict, texts: list[np.ndarray[Any, Any]], device: str
) -> torch.Tensor:
    """Embed c captions, given as word ids, to (c, d)."""
    import torch

    lengths = [0, *(len(ids) for ids in texts)]
    offsets = torch.from_numpy(np.cumsum(lengths)[:-1]).to(device)
    flat = np.concatenate(texts) if texts else np.zeros(0, np.int64)
    bags = model["words"](torch.from_numpy(flat).to(device), offsets)
    embedded: torch.Tensor = model["text"](bags).float()
    return embedded


@dataclass(frozen=True)
class Layer:
    """One convolution with its norm, and what a batch leaves there for its gradients.

    All but the modules are of the whole batch: ``into`` goes into the convolution,
    ``out`` comes out of it, ``gradient`` is the loss's by ``out`` and ``by_normed``
    the loss's by the norm's result; ``mean`` and ``scale`` are the norm's (b, groups).
    """

    convolution: nn.Conv2d
    norm: nn.GroupNorm
    into: torch.Tensor
    out: torch.Tensor
    gradient: torch.Tensor
    by_normed: torch.Tensor
    mean: torch.Tensor
    scale: torch.Tensor

    def norm_gradients(
        self, rows: slice, wanted: list[bool]
    ) -> tuple[torch.Tensor, ...]:
        """Return the gradients by the norm's input, weight and bias, if wanted."""
        import torch

        (_, c, h, w), b = self.out.shape, len(self.out[rows])
        batch = (self.by_normed, self.out, self.mean, self.scale)
        found: tuple[torch.Tensor, ...] = torch.ops.aten.native_group_norm_backward(
            *(each[rows] for each in batch),
            self.norm.weight, b, c, h * w, GROUPS, wanted,
        )  # fmt: skip
        return found


class Convolutions:
    """The layers of the image tower before its pooling, trained by two threads.

    Each takes half of the pictures, of which none depends on another; then the
    weights' gradients, which are sums over all pictures, are shared out, each
    computed from the whole batch. So the bytes are those of one thread that takes
    the whole batch, on any number of cores.
    """

    def __init__(
        self, image: nn.Sequential, shape: torch.Size, pool: ThreadPoolExecutor
    ) -> None:
        """Make room for batches uint8 of one shape (b, 3, side, side)."""
        import torch
        from torch import nn

        b, side, device = shape[0], shape[-1], next(image.parameters()).device
        # Torch convolves a picture that is alone by another algorithm.
        middle = b // 2 if b >= 4 and device.type == "cpu" else b  # noqa: PLR2004
        self._parts = [slice(0, middle), slice(middle, b)][: 1 + (middle < b)]
        self._pool, self._layers = pool, list[Layer]()
        into = torch.empty((b, 3, side, side), device=device)
        for convolution, norm in zip(image[:-3:3], image[1:-3:3], strict=True):
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.GroupNorm)
            side = (side + 1) // 2
            room = torch.empty((4, b, norm.num_channels, side, side), device=device)
            stats = torch.empty((2, b, GROUPS), device=device)
            layer = Layer(convolution, norm, into, *room[:3], *stats)
            self._layers.append(layer)
            into = room[3]
        self._features = into

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return float32 (b, 8 width, h, w) for uint8 pictures.

        Their gradient, when it is known, is that of every weight: :meth:`backward`.
        """
        import torch

        @torch.no_grad()
        def forward(rows: slice) -> None:
            self._layers[0].into[rows] = scaled(pictures[rows])
            following = [*(each.into for each in self._layers[1:]), self._features]
            for layer, result in zip(self._layers, following, strict=True):
                layer.out[rows] = layer.convolution(layer.into[rows])
                _, c, h, w = layer.out.shape
                normed, layer.mean[rows], layer.scale[rows] = torch.native_group_norm(
                    layer.out[rows], layer.norm.weight, layer.norm.bias,
                    len(result[rows]), c, h * w, GROUPS, layer.norm.eps,
                )  # fmt: skip
                torch.clamp_min(normed, 0, out=result[rows])

        self._share(forward, self._parts)
        features = self._features.detach().requires_grad_()
        features.register_hook(self.backward)  # type: ignore[no-untyped-call]
        return features

    def backward(self, gradient: torch.Tensor) -> None:
        """Give every weight its gradient, from the loss's by what forward returned."""
        import torch
        from torch.nn.grad import conv2d_input, conv2d_weight

        @torch.no_grad()
        def backward(rows: slice) -> None:
            by, result = gradient[rows], self._features
            for layer in reversed(self._layers):
                torch.ops.aten.threshold_backward.grad_input(
                    by, result[rows], 0, grad_input=layer.by_normed[rows]
                )
                through, *_ = layer.norm_gradients(rows, [True, False, False])
                layer.gradient[rows] = through
                if layer is not self._layers[0]:
                    result = layer.into
                    by = conv2d_input(  # type: ignore[no-untyped-call]
                        result[rows].shape, layer.convolution.weight, through, 2, 1
                    )

        @torch.no_grad()
        def weights(layer: Layer) -> None:
            every = slice(None)
            norm, weight = layer.norm, layer.convolution.weight
            weight.grad = conv2d_weight(  # type: ignore[no-untyped-call]
                layer.into, weight.shape, layer.gradient, 2, 1
            )
            _, norm.weight.grad, norm.bias.grad = layer.norm_gradients(
                every, [False, True, True]
            )

        self._share(backward, self._parts)
        self._share(weights, self._layers[::-1])  # those that take longest first

    def _share(self, run: Callable[[Any], None], tasks: list[Any]) -> None:
        for _ in self._pool.map(run, tasks):
            pass


def augmented(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Mirror the batch or not, and shift it by up to an eighth of its side."""
    import torch

    reach = pictures.shape[-1] // 8
    down, right = rng.integers(-reach, reach + 1, 2).tolist()
    moved = torch.roll(pictures, (down, right), dims=(2, 3))
    return moved.flip(3) if rng.random() < 0.5 else moved  # noqa: PLR2004


def scaled(pictures: torch.Tensor) -> torch.Tensor:
    """Map uint8 to floats in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def unit(rows: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import normalize

    return normalize(rows, dim=1)
