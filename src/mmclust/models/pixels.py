"""From a picture to the pixels a pretrained model was made for.

Resizing and cropping happen in worker processes, by Pillow, without torch, and give
uint8, a quarter of the floats; scaling to floats happens beside the model.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

    from mmclust.core.types import Array

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Rounding = Literal["floor", "even"]
"""Where an odd margin is cut: ``floor`` as transformers does, ``even`` (half of it
rounded to the even number) as torchvision's CenterCrop does."""
Colour = tuple[float, float, float]
"""One number each for red, green and blue, of values in [0, 1]."""
Published = dict[str, Any]
"""Values of short_side, crop, interpolation, mean and std; empty if not known."""

IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)
CLIP_MEAN: Colour = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Colour = (0.26862954, 0.26130258, 0.27577711)


def sized(
    rgb: Array,
    *,
    short_side: int | None,
    crop: int,
    interpolation: Interpolation,
    rounding: Rounding = "even",
) -> Array:
    """Resize with antialiasing, then cut the middle out: uint8 (crop, crop, 3).

    ``short_side`` are the pixels of the shorter side after resizing, at least
    ``crop``; ``None`` squeezes the whole picture into the square.
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
    rests = ((side - crop) / 2 for side in size)
    left, top = (int(rest) if rounding == "floor" else round(rest) for rest in rests)
    return np.asarray(picture.crop((left, top, left + crop, top + crop)))


def _size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Return (width, height) with the given shorter side; the longer is cut off."""
    short, long = min(size), max(size)
    other = int(short_side * long / short)
    return (short_side, other) if size[0] <= size[1] else (other, short_side)


def scaled(pixels: torch.Tensor, mean: Colour, std: Colour) -> torch.Tensor:
    """Turn uint8 (b, h, w, 3) into float32 (b, 3, h, w) of zero mean, unit spread."""
    import torch

    floats = pixels.permute(0, 3, 1, 2).contiguous().float() / 255
    middle = torch.tensor(mean, device=pixels.device)[:, None, None]
    spread = torch.tensor(std, device=pixels.device)[:, None, None]
    return (floats - middle) / spread


def processor_pixels(folder: Path) -> Published:
    """Read how a checkpoint's own image processor prepares pixels."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return {}
    again = "download the checkpoint again"
    config = read_record(
        path, {"image_mean": list, "image_std": list}, do=again, resample=int
    )
    size, crop = config.get("size") or {}, config.get("crop_size") or {}
    if not isinstance(size, dict | int) or not isinstance(crop, dict | int):
        raise MmclustError(
            f"{path.name} does not say size or crop_size as it must",
            where=path,
            expected="a whole number, or an object of sides",
            found=f"size {size!r}, crop_size {crop!r}",
            do=again,
        )
    if isinstance(size, int):  # as checkpoints of 2021 write it
        size = {"shortest_edge": size}
    short = size.get("shortest_edge") if config.get("do_center_crop", True) else None
    crop = crop if isinstance(crop, int) else crop.get("height")
    names = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
    return {
        "short_side": short,
        "crop": crop if short is not None else size.get("height"),
        "interpolation": names.get(config.get("resample", -1)),
        "mean": tuple(config["image_mean"]),
        "std": tuple(config["image_std"]),
    }


def require_published(
    params: Any, published: Published, but: tuple[str, ...] = ()
) -> None:
    """Refuse pixels that weights were not published with."""
    wrong = {
        name: value
        for name, value in published.items()
        if name not in but and value != getattr(params, name)
        and (value is not None or name == "short_side")
    }  # fmt: skip
    if wrong:
        raise MmclustError(
            f"The weights of {params.model} expect other pixels",
            where="the encoder's options: params.yaml, or --set encoder.KEY",
            expected=", ".join(f"{name}: {value}" for name, value in wrong.items()),
            found=", ".join(f"{name}: {getattr(params, name)}" for name in wrong),
            do="set these, or `published: false` to differ on purpose",
        )


@contextmanager
def fitting(params: Any) -> Iterator[None]:
    """Turn what a model says of pictures of another size into one error."""
    try:
        yield
    except (AssertionError, ValueError) as error:
        raise MmclustError(
            f"{params.model} does not take such pictures",
            where="crop of the encoder in params.yaml",
            expected="the size that the weights were made for",
            found=f"crop {params.crop}: {str(error).strip().partition(chr(10))[0]}",
            do="correct crop",
        ) from error
