"""miniclip: a small image-text dual encoder, trained here on the benchmark's pairs.

A four-layer convolutional net and a bag of word embeddings meet in one space under
the symmetric contrastive loss of CLIP (Radford et al. 2021). It sees pictures and
their captions, never labels, and needs about a minute on two cores. It is an honest
small model for runs without downloads, not a stand-in for CLIP.

Shapes: b images in a batch; d = dim; w words in the vocabulary.

Source: this project's own; the loss is CLIP's (Radford et al., ICML 2021).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta

from mmclust.core.errors import MmclustError
from mmclust.core.numerics import in_thread, threads
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.seeds import derive, generator
from mmclust.core.types import Fitted
from mmclust.encoders._contrastive import contrast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import ThreadPoolExecutor

    import torch
    from torch import nn

    from mmclust.core.types import Array, Batch

VIEWS = ("image", "text")
FLAGS = ("device", "batch_size", "precision")
"""Of the command; it is trained in float32 whatever the precision, and not compiled."""
WORD = re.compile(r"[^\W_]+")
GROUPS = 8
"""Of channels that are normalised together."""


@dataclass(frozen=True)
class Params:
    """Size of the space and of its training.

    A temperature above CLIP's 0.07 and small batches suit a few hundred pairs, many
    of which say nearly the same.
    """

    dim: Positive = 64
    """Features of the space that both views share."""
    size: Positive = 48
    """Side of the square the picture is resized to, in pixels."""
    width: Annotated[int, Meta(ge=8, multiple_of=8)] = 32
    """Channels of the first convolution."""
    steps: Positive = 600
    """Batches that it is trained on."""
    batch: Positive = 64
    """Pairs in a batch."""
    learning_rate: PositiveFloat = 0.002
    """Of AdamW, at the peak of its schedule."""
    temperature: PositiveFloat = 0.2
    """Of the contrastive loss."""
    max_words: Positive = 6000
    """Words of the vocabulary, at most: of those in two captions the most frequent."""


def prepare(rgb: Array, params: Params) -> Array:
    """Resize an image to uint8 (3, size, size)."""
    import cv2

    side = (params.size, params.size)
    return np.ascontiguousarray(
        cv2.resize(rgb, side, interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    )


@threads(1)
def fit(batch: Batch, params: Params, *, seed: int, device: str) -> Fitted:
    """Train on all images with captions, one random caption of each in a batch.

    Of prepared images uint8 (n, 3, size, size) and their captions come the weights
    (float32), the vocabulary and the loss of each step.
    """
    import torch

    rows = [i for i, each in enumerate(batch.captions) if each]
    words = _vocabulary(batch.captions, params.max_words)
    if len(rows) < 2 or not words:  # noqa: PLR2004
        raise MmclustError(
            "miniclip needs at least two pairs whose captions share a word",
            where="encoders.miniclip",
            found=f"{len(rows)} images, {len(words)} words that occur twice",
            do="take it out of encoders in params.yaml for this benchmark",
        )
    assert batch.images is not None
    model = build(params, len(words), seed).to(device)
    pictures = torch.from_numpy(batch.images[rows]).to(device)
    captions = [[_ids(text, words) for text in batch.captions[i]] for i in rows]
    losses = _train(model, pictures, captions, params, seed)
    arrays = {name: t.cpu().numpy() for name, t in model.state_dict().items()}
    return Fitted(arrays, {"vocabulary": list(words), "loss": losses})


@threads(1)
def encode_image(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Encode prepared images uint8 (b, 3, size, size) to float32 (b, d), unit norm."""
    import torch

    model = _trained(params, fitted, device)
    with torch.inference_mode():
        pictures = torch.from_numpy(np.array(batch.images)).to(device)
        embedded = unit(model["image"](scaled(pictures)).float())
    return np.asarray(embedded.cpu())


@threads(1)
def encode_text(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Encode captions to float32 (b, d): each at unit norm, their mean at unit norm."""
    import torch

    owner = np.repeat(np.arange(len(batch.captions)), [len(c) for c in batch.captions])
    flat = [text for each in batch.captions for text in each]
    each = unit(_embedded(flat, params, fitted, device)).cpu()
    sums = torch.zeros(len(batch.captions), params.dim)
    sums.index_add_(0, torch.from_numpy(owner), each)  # a GPU adds in any order
    return np.asarray(unit(sums))


@threads(1)
def encode_captions(
    captions: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> Array:
    """Encode n captions to float32 (n, d) of unit norm."""
    return np.asarray(unit(_embedded(captions, params, fitted, device)).cpu())


@threads(1)
def embed_texts(
    texts: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> Array:
    """Encode t texts to float32 (t, d), not normalised."""
    return np.asarray(_embedded(texts, params, fitted, device).cpu())


def _embedded(
    texts: Sequence[str], params: Params, fitted: Fitted, device: str
) -> torch.Tensor:
    import torch

    model = _trained(params, fitted, device)
    words = {word: i for i, word in enumerate(fitted.facts["vocabulary"])}
    with torch.inference_mode():
        return embed_captions(model, [_ids(text, words) for text in texts], device)


def _vocabulary(captions: Sequence[Sequence[str]], max_words: int) -> dict[str, int]:
    counts = Counter(
        word
        for each in captions
        for text in each
        for word in set(WORD.findall(text.lower()))
    )
    common = sorted((-n, word) for word, n in counts.items() if n > 1)[:max_words]
    return {word: i for i, (_, word) in enumerate(common)}


def _ids(text: str, words: dict[str, int]) -> Array:
    found = [words[word] for word in WORD.findall(text.lower()) if word in words]
    return np.array(found, dtype=np.int64)


def _trained(params: Params, fitted: Fitted, device: str) -> nn.ModuleDict:
    import torch

    model = build(params, len(fitted.facts["vocabulary"]), seed=0)
    model.load_state_dict({k: torch.from_numpy(v) for k, v in fitted.arrays.items()})
    return model.to(device).eval()


def _train(
    model: nn.ModuleDict,
    pictures: torch.Tensor,
    captions: list[list[Array]],
    params: Params,
    seed: int,
) -> list[float]:
    """Train with AdamW; return the loss of each step."""
    from concurrent.futures import ThreadPoolExecutor

    from torch import nn

    from mmclust.kernels.adam import Adam

    rng = generator(seed, "batches")
    optimizer = Adam(model.parameters(), params.learning_rate, decay=0.01)
    tower = model["image"]
    assert isinstance(tower, nn.Sequential)
    with ThreadPoolExecutor(2, "miniclip", in_thread) as pool:
        convolutions = Convolutions(tower, pictures[: params.batch].shape, pool)

        def logits_of(rows: Array) -> torch.Tensor:
            texts = [captions[i][rng.integers(len(captions[i]))] for i in rows]
            image = tower[-3:](convolutions.forward(augmented(pictures[rows], rng)))
            text = embed_captions(model, texts, str(pictures.device))
            return model.get_parameter("scale.log").exp() * unit(image) @ unit(text).T

        return contrast(optimizer, logits_of, len(pictures), params, rng, "miniclip")


def build(params: Params, n_words: int, seed: int) -> nn.ModuleDict:
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
    model: nn.ModuleDict, texts: list[Array], device: str
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
    """Scale rows to unit norm."""
    from torch.nn.functional import normalize

    return normalize(rows, dim=1)
