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
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.core.types import Fitted
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
    """Train on all pairs; one random caption of each image in a batch.

    Of prepared images uint8 (n, 3, size, size) and their captions come the weights
    (float32), the vocabulary and the loss of each step.
    """
    import torch

    n = len(batch.image_ids)
    words = _vocabulary(batch.captions, params.max_words)
    if n < 2 or not words:  # noqa: PLR2004
        raise MmclustError(
            "miniclip needs at least two pairs whose captions share a word",
            where="encoders.miniclip",
            found=f"{n} images, {len(words)} words that occur twice",
            do="take it out of encoders in params.yaml for this benchmark",
        )
    model = build(params, len(words), seed).to(device)
    pictures = torch.from_numpy(np.array(batch.images)).to(device)
    captions = [[_ids(text, words) for text in each] for each in batch.captions]
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
    with torch.inference_mode():
        each = unit(_embedded(flat, params, fitted, device)).cpu()
        sums = torch.zeros(len(batch.captions), params.dim)
        sums.index_add_(0, torch.from_numpy(owner), each)  # a GPU adds in any order
    return np.asarray(unit(sums))


@threads(1)
def encode_captions(
    captions: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> Array:
    """Encode n captions to float32 (n, d) of unit norm."""
    import torch

    with torch.inference_mode():
        return np.asarray(unit(_embedded(captions, params, fitted, device)).cpu())


@threads(1)
def embed_texts(
    texts: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> Array:
    """Encode t texts to float32 (t, d), not normalised."""
    import torch

    with torch.inference_mode():
        return np.asarray(_embedded(texts, params, fitted, device).cpu())


def _embedded(
    texts: Sequence[str], params: Params, fitted: Fitted, device: str
) -> torch.Tensor:
    model = _trained(params, fitted, device)
    words = {word: i for i, word in enumerate(fitted.facts["vocabulary"])}
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
    """Train with AdamW and a cosine schedule; return the loss of each step."""
    from concurrent.futures import ThreadPoolExecutor

    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    from mmclust.kernels.adam import Adam, one_cycle

    rng = generator(seed, "batches")
    device, n = pictures.device, len(pictures)
    size = min(params.batch, n)
    optimizer = Adam(model.parameters(), params.learning_rate, decay=0.01)
    target = torch.arange(size, device=device)
    tower = model["image"]
    assert isinstance(tower, nn.Sequential)
    losses, order = [], rng.permutation(n)
    with ThreadPoolExecutor(2, "miniclip", in_thread) as pool:
        convolutions = Convolutions(tower, pictures[:size].shape, pool)
        for step in track(range(params.steps), "miniclip", params.steps, "steps"):
            if len(order) < size:
                order = rng.permutation(n)
            rows, order = order[:size], order[size:]
            texts = [captions[i][rng.integers(len(captions[i]))] for i in rows]
            features = convolutions.forward(augmented(pictures[rows], rng))
            features.requires_grad_()
            image = unit(tower[-3:](features))
            text = unit(embed_captions(model, texts, str(device)))
            logits = model.get_parameter("scale.log").exp() * image @ text.T  # (b, b)
            loss = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            assert features.grad is not None
            convolutions.backward(features.grad)
            optimizer.learning_rate, beta = one_cycle(
                step, params.steps + 1, params.learning_rate
            )
            optimizer.betas = (beta, 0.999)
            optimizer.step()
            losses.append(round(float(loss.detach()), 6))
    return losses
