"""timm's image models, with weights from the hub or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.encoders._weights import Published, fill, given_file
from mmclust.kernels.hub import checkpoint, missing

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


def hub_model(model: str) -> str:
    """Return the hub id of a timm model's weights."""
    cfg = _known(model).get_pretrained_cfg(model, allow_unregistered=False)
    return str(cfg.hf_hub_id) if cfg is not None and cfg.hf_hub_id else f"timm/{model}"


def load_timm(params: Any) -> tuple[nn.Module, Published]:
    """Load a timm model without its classifier."""
    timm = _known(params.model)
    model = timm.create_model(params.model, pretrained=False, num_classes=0)
    cfg = timm.data.resolve_data_config({}, model=model)
    path = timm_file(params)
    fill(model, path, str(model.pretrained_cfg["classifier"]))
    return model, {
        "short_side": int(cfg["input_size"][1] / cfg["crop_pct"]),
        "crop": cfg["input_size"][1],
        "interpolation": cfg["interpolation"],
        "mean": tuple(cfg["mean"]),
        "std": tuple(cfg["std"]),
    }


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise MmclustError(
            "timm is not installed",
            expected="the package timm, for encoders with library: timm",
            found=error,
            do="pip install timm, or choose library: torchvision",
        ) from error
    return timm


def _known(model: str) -> Any:
    """Return timm, if it has the model."""
    timm = _timm()
    if not timm.is_model(model):
        raise MmclustError(
            f"timm has no model {model!r}",
            where="model of the encoder in params.yaml",
            expected=nearest(model, timm.list_models(pretrained=True)[:2000]),
            found=model,
        )
    return timm


def timm_file(params: Any) -> Path:
    """Return the file of the weights, of the hub or given."""
    _known(params.model)
    if params.weights != "hub":
        return given_file(params.weights, ["hub"])
    repository = hub_model(params.model)
    folder = checkpoint(repository, params.revision)
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    raise missing(repository, params.revision, f"no model.safetensors in {folder}")
