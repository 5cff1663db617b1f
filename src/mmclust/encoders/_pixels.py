"""From a picture to the pixels a pretrained model was made for.

Resizing and cropping happen in worker processes, by Pillow, without torch, and give
uint8, a quarter of the floats; scaling to floats happens beside the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    import torch

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Rounding = Literal["floor", "even"]
"""Where an odd margin is cut: ``floor`` as transformers does, ``even`` (half of it
rounded to the even number) as torchvision's CenterCrop does."""
Colour = tuple[float, float, float]
"""One number each for red, green and blue, of values in [0, 1]."""

IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)
CLIP_MEAN: Colour = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Colour = (0.26862954, 0.26130258, 0.27577711)


def sized(
    rgb: np.ndarray[Any, Any],
    *,
    short_side: int | None,
    crop: int,
    interpolation: Interpolation,
    rounding: Rounding = "even",
) -> np.ndarray[Any, Any]:
    """Resize with antialiasing, then cut the middle out.

    Parameters
    ----------
    rgb
        uint8 (h, w, 3).
    short_side
        Pixels of the shorter side after resizing, at least ``crop``; ``None``
        squeezes the whole picture into the square.
    crop
        Pixels of the square.
    interpolation
        As Pillow understands it.
    rounding
        See :data:`Rounding`.

    Returns
    -------
    numpy.ndarray
        uint8 (crop, crop, 3).

    Raises
    ------
    MmclustError
        When the square is larger than the resized picture.
    """
    from PIL import Image

    if short_side is not None and short_side < crop:
        raise MmclustError(
            "The cropped square is larger than the resized picture",
            where="short_side and crop of the encoder in params.yaml",
            expected=f"short_side of at least {crop}",
            found=short_side,
        )
    picture = Image.fromarray(rgb)
    size = _size(picture.size, short_side) if short_side else (crop, crop)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling[interpolation.upper()])
    left, top = (_margin(side - crop, rounding) for side in size)
    return np.asarray(picture.crop((left, top, left + crop, top + crop)))


def _size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Return (width, height) with the given shorter side; the longer is cut off."""
    short, long = min(size), max(size)
    other = int(short_side * long / short)
    return (short_side, other) if size[0] <= size[1] else (other, short_side)


def _margin(rest: int, rounding: Rounding) -> int:
    return rest // 2 if rounding == "floor" else round(rest / 2)


def scaled(pixels: torch.Tensor, mean: Colour, std: Colour) -> torch.Tensor:
    """Turn uint8 (b, h, w, 3) into float32 (b, 3, h, w) of zero mean, unit spread."""
    import torch

    floats = pixels.permute(0, 3, 1, 2).contiguous().float() / 255
    middle = torch.tensor(mean, device=pixels.device)[:, None, None]
    spread = torch.tensor(std, device=pixels.device)[:, None, None]
    return (floats - middle) / spread
