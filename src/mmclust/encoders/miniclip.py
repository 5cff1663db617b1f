"""miniclip: a small image-text dual encoder, trained here on the benchmark's pairs.

A four-layer convolutional net and a bag of word embeddings meet in one space under
the symmetric contrastive loss of CLIP (Radford et al. 2021). It sees pictures and
their captions, never labels, and needs about a minute on two cores. It is an honest
small model for runs without downloads, not a stand-in for CLIP.

Shapes: b images in a batch; d = dim; w words in the vocabulary.

Source: this project's own; the loss is CLIP's (Radford et al., ICML 2021).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from msgspec import Meta

from mmclust.core.errors import MmclustError
from mmclust.core.numerics import in_thread, threads
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.seeds import generator
from mmclust.core.types import Fitted
from mmclust.encoders._contrastive import contrast
from mmclust.encoders._miniclip import (
    Convolutions,
    augmented,
    build,
    embed_captions,
    scaled,
    unit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import nn

    from mmclust.core.types import Array, Batch

VIEWS = ("image", "text")
FLAGS = ("device", "batch_size", "precision")
"""Of the command; it is trained in float32 whatever the precision, and not compiled."""
WORD = re.compile(r"[^\W_]+")


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
            do="take miniclip out of encoders in params.yaml for this benchmark",
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
