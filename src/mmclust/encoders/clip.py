"""CLIP: images and captions in one space (Radford et al. 2021), 512 features.

ViT-B/32 of OpenAI by default, through transformers; other CLIP and SigLIP checkpoints
by ``model``, those of open_clip with ``library: open_clip``. An image's text features
are the mean of its captions', each at unit norm, at unit norm again.

Source: Radford et al., Learning Transferable Visual Models From Natural Language
Supervision, ICML 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.encoders._batches import cleaned, in_batches, per_image, unit_rows
from mmclust.encoders._clip import texts_cut, towers
from mmclust.encoders._pixels import (
    CLIP_MEAN,
    CLIP_STD,
    Colour,
    Interpolation,
    Rounding,
    scaled,
    sized,
)
from mmclust.kernels.hub import identity as checkpoint_identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from mmclust.core.types import Batch, Fitted

VIEWS = ("image", "text")
EMPTY_CAPTIONS = "zeros"


@dataclass(frozen=True)
class Params:
    """Checkpoint and pixels.

    ``short_side`` is 224 as in CLIP itself, or 256 as TAC takes it for ImageNet's
    subsets; ``null`` squeezes the picture into the square, as SigLIP
    does. ``rounding`` is ``floor`` as transformers crops, or ``even`` as torchvision.
    ``normalise: false`` leaves images as TAC stores them.
    """

    model: str = "openai/clip-vit-base-patch32"
    """Name on the hub, or a folder."""
    library: Literal["transformers", "open_clip"] = "transformers"
    """Whose format the checkpoint has."""
    revision: str = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"
    """Commit, tag or branch of the hub."""
    short_side: Positive | None = 224
    """Pixels of the shorter side after resizing; ``None``: the picture is squeezed."""
    crop: Positive = 224
    """Side of the square that is cut out of the middle, in pixels."""
    interpolation: Interpolation = "bicubic"
    """How Pillow resizes."""
    rounding: Rounding = "floor"
    """Where an odd margin is cut: ``floor`` as transformers, ``even`` as torchvision
    does it."""
    mean: Colour = CLIP_MEAN
    """Taken from red, green and blue in [0, 1]."""
    std: Colour = CLIP_STD
    """Red, green and blue are divided by it after that."""
    normalise: bool = True
    """Whether image features are scaled to unit norm."""
    published: bool = True
    """Whether pixels must be as the weights were published with."""
    captions: str = "publisher"
    """Whose captions: ``publisher``, or the name of captions that a model made or
    that the publisher gives besides."""


def prepare(rgb: np.ndarray[Any, Any], params: Params) -> np.ndarray[Any, Any]:
    """Resize and crop an image uint8 (h, w, 3) to uint8 (crop, crop, 3)."""
    return sized(
        rgb,
        short_side=params.short_side,
        crop=params.crop,
        interpolation=params.interpolation,
        rounding=params.rounding,
    )


def encode_image(
    batch: Batch, params: Params, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Encode prepared images uint8 (b, crop, crop, 3) to float32 (b, d)."""
    del fitted
    assert batch.images is not None
    model = towers(params, device)

    def run(pixels: torch.Tensor) -> torch.Tensor:
        return model.image(scaled(pixels, params.mean, params.std))

    rows = in_batches(run, np.ascontiguousarray(batch.images), device=device)
    return unit_rows(rows) if params.normalise else rows


def encode_captions(
    captions: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Encode n captions, cut after 77 tokens, to float32 (n, d) of unit norm."""
    del fitted
    return unit_rows(towers(params, device).text(captions))


def embed_texts(
    texts: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Encode t texts to float32 (t, d), not normalised: the noun prompts of heads."""
    del fitted
    return towers(params, device).text(texts)


def encode_text(
    batch: Batch, params: Params, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Encode captions to float32 (b, d): zeros for an image without any."""
    captions = cleaned(batch.captions)
    flat = [text for each in captions for text in each]
    rows = encode_captions(flat, params, fitted, device=device)
    return per_image(rows, captions, towers(params, device).dim)


def captions_cut(captions: Sequence[Sequence[str]], params: Params) -> int:
    """Count captions that are longer than the model reads (CLIP: 77 tokens)."""
    return texts_cut([text for each in cleaned(captions) for text in each], params)


def identity(params: Params) -> dict[str, Any]:
    """Return model id, commit and digest of the weights, for ``features.json``."""
    return checkpoint_identity(params.model, params.revision)
