"""torchvision's image models, with weights of its enums or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from mmclust.core.errors import MmclustError, nearest
from mmclust.encoders._weights import Published, fill, given_file

if TYPE_CHECKING:
    from torch import nn

HEADS = ("fc", "classifier", "heads", "head")
"""What torchvision calls the layers that are taken off."""


def load_torchvision(params: Any) -> tuple[nn.Module, Published]:
    """Load a torchvision model without its classifier."""
    from torch import nn
    from torchvision import models

    path = torchvision_file(params)
    model = models.get_model(params.model, weights=None)
    head = next(name for name in HEADS if hasattr(model, name))
    fill(model, path, head)
    setattr(model, head, nn.Identity())
    return model, _torchvision_pixels(params)


def torchvision_file(params: Any) -> Path:
    """Return the file of the weights, downloaded if it is one of torchvision's."""
    import torch
    from torchvision import models

    known = models.list_models(module=models)
    if params.model not in known:
        raise MmclustError(
            f"torchvision has no model {params.model!r}",
            where="model of the encoder in params.yaml",
            expected=nearest(params.model, known),
            found=params.model,
        )
    enum = models.get_model_weights(params.model)
    if params.weights not in enum.__members__:
        return given_file(params.weights, enum.__members__)
    weights = enum[params.weights]
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / Path(weights.url).name
    if not path.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            digest = path.stem.rsplit("-", 1)[-1]
            torch.hub.download_url_to_file(
                weights.url, str(path), hash_prefix=digest, progress=False
            )
        except (URLError, OSError, RuntimeError) as error:
            raise MmclustError(
                f"The weights of {params.model} are not here and cannot be downloaded",
                where=f"torchvision's {params.weights}",
                expected=f"{path} ({weights.meta['_file_size']:.0f} MB)",
                found=error,
                do=f"where there is a network, run `curl -O {weights.url}` and copy "
                "the file there, or give its path as weights",
            ) from error
    return path


def _torchvision_pixels(params: Any) -> Published:
    from torchvision import models

    enum = models.get_model_weights(params.model)
    if params.weights not in enum.__members__:
        return {}
    transforms = enum[params.weights].transforms()
    return {
        "short_side": transforms.resize_size[0],
        "crop": transforms.crop_size[0],
        "interpolation": transforms.interpolation.value,
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
    }
