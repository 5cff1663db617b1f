"""ResNet-50 on ImageNet (He et al. 2016), pooled: 2,048 features.

Any other model of torchvision, timm or transformers by ``model`` and ``library``.
Features are what the classifier would read: pooled over the image, not normalised
unless asked.

Source: He et al., Deep Residual Learning for Image Recognition, CVPR 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.error import URLError

import numpy as np

from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import file_digest
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.models.compute import in_batches, ready, unit_rows
from mmclust.models.hub import (
    checkpoint,
    checkpoint_stamp,
    from_pretrained,
    kept,
    loading,
    misnamed,
    missing,
    size_of,
    stamp,
    torch_cache,
)
from mmclust.models.hub import identity as checkpoint_identity
from mmclust.models.packaged import PREFIX, packaged_file
from mmclust.models.pixels import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Colour,
    Interpolation,
    Published,
    fitting,
    processor_pixels,
    require_published,
    scaled,
    sized,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import nn

    from mmclust.core.types import Array, Batch, Fitted
    from mmclust.models.hub import Stamp

VIEWS = ("image",)
Library = Literal["torchvision", "timm", "transformers"]
HEADS = ("fc", "classifier", "heads", "head")
"""What torchvision calls the layers that are taken off."""


@dataclass(frozen=True)
class Params:
    """Model, weights and pixels; see ``docs/encoders.md``."""

    model: str = "resnet50"
    """The model's name in its library, or a hub id or folder of transformers."""
    library: Library = "torchvision"
    """Where the model is from."""
    weights: str = "IMAGENET1K_V1"
    """A member of torchvision's enum, ``hub``, a file of weights, or ``package:`` and
    the name of a package that carries it."""
    revision: str = ""
    """Commit, tag or branch of the hub; empty for torchvision."""
    short_side: Positive | None = 256
    """Pixels of the shorter side after resizing; ``None``: the picture is squeezed."""
    crop: Positive = 224
    """Side of the square that is cut out of the middle, in pixels."""
    interpolation: Interpolation = "bilinear"
    """How Pillow resizes."""
    mean: Colour = IMAGENET_MEAN
    """Taken from red, green and blue in [0, 1]."""
    std: Colour = IMAGENET_STD
    """Red, green and blue are divided by it after that."""
    normalise: bool = False
    """Whether features are scaled to unit norm; clustering does so anyway."""
    published: bool = True
    """Whether pixels must be as the weights were published with."""


def prepare(rgb: Array, params: Any) -> Array:
    """Resize and crop an image uint8 (h, w, 3) to uint8 (crop, crop, 3)."""
    return sized(
        rgb,
        short_side=params.short_side,
        crop=params.crop,
        interpolation=params.interpolation,
        rounding="floor" if params.library == "transformers" else "even",
    )


def encode_image(batch: Batch, params: Any, fitted: Fitted, *, device: str) -> Array:
    """Run the model on prepared images uint8 (b, crop, crop, 3): float32 (b, d)."""
    del fitted
    assert batch.images is not None
    model = _model(params, device)

    def run(pixels: torch.Tensor) -> torch.Tensor:
        found: Any = model(scaled(pixels, params.mean, params.std))
        if params.library == "transformers":
            pooled = getattr(found, "pooler_output", None)
            found = found.last_hidden_state[:, 0] if pooled is None else pooled
        # Pooling leaves sides of 1: (b, d, 1, 1) becomes (b, d).
        rows: torch.Tensor = found.flatten(1)
        return rows

    with fitting(params):
        found = in_batches(run, np.ascontiguousarray(batch.images), device=device)
    return unit_rows(found) if params.normalise else found


def identity(params: Any) -> dict[str, Any]:
    """Return model, weights and their digest, for ``features.json``."""
    _require_applied(params)
    if (checkpoint_id := _hub_id(params)) is not None:
        return checkpoint_identity(checkpoint_id, params.revision)
    path = _file(params)
    return {
        "model": params.model,
        "revision": params.weights,
        "weights": file_digest(path),
        **size_of([path]),
    }


def _require_applied(params: Any) -> None:
    """Refuse options that do nothing in the library, and would be recorded as done."""
    wrong = {
        "transformers": ("weights", params.weights, "hub"),
        "torchvision": ("revision", params.revision, ""),
    }.get(params.library)
    if wrong is not None and wrong[1] != wrong[2]:
        option, found, expected = wrong
        quoted = '""'
        raise MmclustError(
            f"{option} does nothing to a model of {params.library}",
            where=f"{option} of the encoder in params.yaml",
            expected=repr(expected),
            found=repr(found),
            do=f"set {option}: {expected or quoted}, or another library",
        )


def _hub_id(params: Any) -> str | None:
    """Return the hub id or folder of the checkpoint; ``None`` for a file of weights."""
    if params.library == "transformers":
        return str(params.model)
    if params.library == "torchvision" or params.weights != "hub":
        return None
    cfg = _known(params.model).get_pretrained_cfg(
        params.model, allow_unregistered=False
    )
    return str(cfg.hf_hub_id) if cfg and cfg.hf_hub_id else f"timm/{params.model}"


def _file(params: Any) -> Path:
    find = _torchvision_file if params.library == "torchvision" else _timm_file
    return find(params)


def _stamp(params: Any, _: str) -> Stamp:
    _require_applied(params)
    if (checkpoint_id := _hub_id(params)) is not None:
        return checkpoint_stamp(checkpoint_id, params.revision)
    return stamp([_file(params)])


@kept(_stamp)
def _model(params: Any, device: str) -> Any:
    """Load a model; refuse pixels that the weights do not expect."""
    if params.library == "transformers":
        from transformers import AutoModel

        folder = checkpoint(params.model, params.revision)
        model, published = from_pretrained(AutoModel, folder), processor_pixels(folder)
    elif params.library == "timm":
        model, published = _load_timm(params)
    else:
        model, published = _load_torchvision(params)
    if params.published:
        require_published(params, published)
    return ready(model, device)


def _load_torchvision(params: Any) -> tuple[nn.Module, Published]:
    """Load a torchvision model without its classifier."""
    from torchvision import models

    path = _torchvision_file(params)
    model = models.get_model(params.model, weights=None)
    head = next(name for name in HEADS if hasattr(model, name))
    _fill(model, path, head)
    enum = models.get_model_weights(params.model)
    if params.weights not in enum.__members__:
        return model, {}
    transforms = enum[params.weights].transforms()
    return model, {
        "short_side": transforms.resize_size[0],
        "crop": transforms.crop_size[0],
        "interpolation": transforms.interpolation.value,
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
    }


def _torchvision_file(params: Any) -> Path:
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
        return _given_file(params.weights, enum.__members__)
    weights = enum[params.weights]
    folder = torch_cache()
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


def _load_timm(params: Any) -> tuple[nn.Module, Published]:
    """Load a timm model without its classifier."""
    timm = _known(params.model)
    model = timm.create_model(params.model, pretrained=False, num_classes=0)
    cfg = timm.data.resolve_data_config({}, model=model)
    path = _timm_file(params)
    _fill(model, path, str(model.pretrained_cfg["classifier"]))
    return model, {
        "short_side": int(cfg["input_size"][1] / cfg["crop_pct"]),
        "crop": cfg["input_size"][1],
        "interpolation": cfg["interpolation"],
        "mean": tuple(cfg["mean"]),
        "std": tuple(cfg["std"]),
    }


def _known(model: str) -> Any:
    """Return timm, if it has the model."""
    try:
        import timm
    except ImportError as error:
        raise MmclustError(
            "timm is not installed",
            expected="the package timm, for encoders with library: timm",
            found=error,
            do="pip install timm, or choose library: torchvision",
        ) from error
    if not timm.is_model(model):
        raise MmclustError(
            f"timm has no model {model!r}",
            where="model of the encoder in params.yaml",
            expected=nearest(model, timm.list_models(pretrained=True)[:2000]),
            found=model,
        )
    return timm


def _timm_file(params: Any) -> Path:
    """Return the file of the weights, of the hub or given."""
    _known(params.model)
    if (repository := _hub_id(params)) is None:
        return _given_file(params.weights, ["hub"])
    folder = checkpoint(repository, params.revision)
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    raise missing(repository, params.revision, f"no model.safetensors in {folder}")


def _given_file(weights: str, known: Iterable[str]) -> Path:
    """Return the file that ``weights`` names, when it is none of the known names."""
    if weights.startswith(PREFIX):
        return packaged_file(weights.removeprefix(PREFIX))
    path = Path(weights).expanduser()
    if not path.is_file():
        raise MmclustError(
            f"There are no weights {weights!r}",
            where="weights of the encoder in params.yaml",
            expected=f"{nearest(weights, known)}; or a file of weights",
            found=weights,
        )
    return path


def _fill(model: nn.Module, path: Path, head: str) -> None:
    """Put a file's weights into a model, but for its head, which is taken off."""
    import torch
    from torch import nn

    with loading(str(path)):
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: dict[str, Any] = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        state = _ported(state, model)
        setattr(model, head, nn.Identity())
        kept = {k: v for k, v in state.items() if not k.startswith(f"{head}.")}
        found = model.load_state_dict(kept, strict=False)
        missing_keys, unknown = found.missing_keys, found.unexpected_keys
        if wrong := [*missing_keys, *unknown]:
            plain = f"weights are missing or unknown: {some(wrong, 3)}"
            raise ValueError(misnamed(missing_keys, unknown) or plain)


LAST_BLOCKS = (1, 3, 5, 8, 11, 15, 16)
"""Of EfficientNet-Lite0's 16 blocks, the number of those up to each stage's end."""
RENAMED = {
    "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head",
    "_bn1": "bn2", "_fc": "classifier",
}  # fmt: skip


def _ported(state: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """Give EfficientNet-Lite0's weights timm's names, where they are just that."""
    try:
        renamed = {_timm_name(name): part for name, part in state.items()}
    except (KeyError, IndexError, ValueError, StopIteration):
        return state
    own = {name for name, _ in model.named_parameters()}
    return renamed if own <= renamed.keys() else state


def _timm_name(name: str) -> str:
    """Return timm's name of a weight of EfficientNet-Lite0 as it was first ported."""
    first, *rest = name.split(".")
    if first != "_blocks":
        return ".".join([RENAMED[first], *rest])
    number, layer = int(rest[0]), rest[1]
    stage = next(i for i, end in enumerate(LAST_BLOCKS) if number < end)
    within = number - (LAST_BLOCKS[stage - 1] if stage else 0)
    # The first block does not expand, so that its layers are one fewer.
    pointwise, norms = ("conv_pw", -1) if number == 0 else ("conv_pwl", 0)
    known = {
        "_expand_conv": "conv_pw",
        "_depthwise_conv": "conv_dw",
        "_project_conv": pointwise,
        **{f"_bn{i}": f"bn{i + 1 + norms}" for i in range(3)},
    }
    return ".".join(["blocks", str(stage), str(within), known[layer], *rest[2:]])
