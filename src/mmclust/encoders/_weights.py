"""Weights in files, and the pixels they expect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import read_record
from mmclust.kernels.hub import loading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

Published = dict[str, Any]
"""Values of short_side, crop, interpolation, mean and std; empty if not known."""


def given_file(weights: str, known: Iterable[str]) -> Path:
    """Return the file that ``weights`` names, when it is none of the known names."""
    path = Path(weights).expanduser()
    if not path.is_file():
        raise MmclustError(
            f"There are no weights {weights!r}",
            where="weights of the encoder in params.yaml",
            expected=f"{nearest(weights, known)}; or a file of weights",
            found=weights,
        )
    return path


def fill(model: nn.Module, path: Path, head: str) -> None:
    """Put a file's weights into a model, but for its head, which is taken off."""
    import torch
    from torch import nn

    with loading(str(path)):
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: dict[str, Any] = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        setattr(model, head, nn.Identity())
        kept = {k: v for k, v in state.items() if not k.startswith(f"{head}.")}
        found = model.load_state_dict(kept, strict=False)
        wrong = [*found.missing_keys, *found.unexpected_keys]
        if wrong:
            raise ValueError(f"weights are missing or unknown: {some(wrong, 3)}")


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
            where="the encoder's options in params.yaml",
            expected=", ".join(f"{name}: {value}" for name, value in wrong.items()),
            found=", ".join(f"{name}: {getattr(params, name)}" for name in wrong),
            do="set these, or `published: false` to differ on purpose",
        )
