"""Image networks that end in one linear layer of C clusters.

All have the form that class-activation maps need: maps A (b, K, h, w) of
:func:`feature_layer`, their mean over space, and :func:`classifier`, whose weight is
(C, K). So z_c = sum_k w_ck mean(A_k) + bias_c, dropout apart. Layers are named as in
torchvision; ``vgg16`` has one layer on pooled maps in place of its three (Berger et
al., NAACL 2022). ``small`` is ours, for runs without a GPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.io import require_file
from mmclust.models.hub import load_torch

if TYPE_CHECKING:
    from torch import nn

_MAPS = {
    "resnet18": 512,
    "resnet34": 512,
    "resnet50": 2048,
    "resnet101": 2048,
    "vgg16": 512,
    "googlenet": 1024,
    "small": 96,
}
NAMES = tuple(_MAPS)
"""The networks there are."""
WIDTH = 24
"""Maps of the first layer of ``small``."""
GAIN = 4.0
"""First scale of the last maps of ``small``: see :func:`_small`."""


def build(name: str, clusters: int, pretrained: bool | str = False) -> nn.Module:
    """Build a network whose last layer has one output per cluster.

    It takes float32 (b, 3, side, side) to raw outputs (b, C). The last layer is
    always new, with torch's default weights. Weights are drawn from torch's global
    generator, which the caller forks and seeds. With ``pretrained`` the others are
    torchvision's first for ImageNet (downloaded once), or of a state dict at a path,
    safetensors or of ``torch.save``.
    """
    from torch import nn

    if name not in _MAPS:
        raise MmclustError(
            f"Unknown backbone {name!r}", expected=nearest(name, NAMES), found=name
        )
    module = _small() if name == "small" else _torchvision(name)
    if pretrained:
        _fill(module, name, pretrained)
    module.fc = nn.Linear(_MAPS[name], clusters)
    return module


def load(path: Path, name: str, clusters: int) -> nn.Module:
    """Build a network with learned weights, for inference on the CPU.

    ``path`` is ``visual.safetensors`` of a seed of ``joint_model``; ``model.json``
    has the rest.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        module = build(name, clusters)
    state = _file(path)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise _unfit(name, path, error) from error
    return module.eval()


def feature_layer(module: nn.Module) -> nn.Module:
    """Return the layer whose output are the last maps (b, K, h, w); hook it."""
    for name in ("layer4", "inception5b", "features"):
        if hasattr(module, name):
            return module.get_submodule(name)
    raise TypeError(type(module).__name__)


def classifier(module: nn.Module) -> nn.Linear:
    """Return the last layer: weight (C, K), bias (C,)."""
    layer: Any = module.get_submodule("fc")
    return layer  # type: ignore[no-any-return]


def freeze(module: nn.Module) -> None:
    """Let nothing but the last layer learn; batch statistics go on as they did."""
    for parameter in module.parameters():
        parameter.requires_grad = False
    for parameter in classifier(module).parameters():
        parameter.requires_grad = True


def _torchvision(name: str) -> nn.Module:
    from torchvision import models

    if name == "googlenet":
        model: nn.Module = models.googlenet(aux_logits=False, init_weights=True)
        return model
    model = getattr(models, name)()
    if name == "vgg16":
        return _pooled(model.get_submodule("features"))
    return model


def _pooled(features: nn.Module) -> nn.Module:
    """Put the mean over space and the last layer after ``features``."""
    from collections import OrderedDict

    from torch import nn

    layers: dict[str, nn.Module] = {
        "features": features,
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Identity(),
    }
    return nn.Sequential(OrderedDict(layers))


def _small() -> nn.Module:
    """Four convolutions; the maps' means are normalised within the batch.

    Maps are as large as an eighth of the picture. Whether the joint model learns
    depends on its first outputs: they must differ between pictures and pass a
    threshold now and then. The mean over space leaves little of what differs, so the
    last maps are scaled up.
    """
    from torch import nn

    layers: list[nn.Module] = []
    before = 3
    for after, stride in ((WIDTH, 2), (2 * WIDTH, 2), (4 * WIDTH, 2), (4 * WIDTH, 1)):
        layers += [
            nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
        before = after
    last = nn.BatchNorm2d(before)
    nn.init.constant_(last.weight, GAIN)
    return _pooled(nn.Sequential(*layers[:-2], last))


def _fill(module: nn.Module, name: str, pretrained: bool | str) -> None:
    """Load pretrained weights, all but the last layer's."""
    where = pretrained if isinstance(pretrained, str) else f"torchvision's {name}"
    state = _file(Path(where)) if isinstance(pretrained, str) else _published(name)
    kept = {k: v for k, v in state.items() if not k.startswith(("fc.", "classifier."))}
    own = {k: v for k, v in module.state_dict().items() if not k.startswith("fc.")}
    wrong = sorted(own.keys() ^ kept.keys())
    wrong += [k for k in own.keys() & kept.keys() if own[k].shape != kept[k].shape]
    wrong = [k for k in wrong if not k.startswith(("aux1.", "aux2."))]
    if wrong:
        found = f"{wrong[0]} and {len(wrong) - 1} more that do not fit"
        raise _unfit(name, where, found)
    module.load_state_dict({k: kept[k] for k in own}, strict=False)


def _unfit(name: str, where: object, found: object) -> MmclustError:
    return MmclustError(
        f"The weights are not of {name}",
        where=where,
        found=str(found)[:300],
        do="give the state dict of this network, with torchvision's names",
    )


def _published(name: str) -> dict[str, Any]:
    import torch
    from torchvision import models

    if name == "small":
        raise MmclustError(
            "There are no pretrained weights of small",
            where="pretrained",
            do="leave pretrained off, or take another backbone",
        )
    weights = models.get_model_weights(name).IMAGENET1K_V1
    try:
        return torch.hub.load_state_dict_from_url(
            weights.url, progress=False, check_hash=True, weights_only=True
        )
    except (OSError, URLError, RuntimeError) as error:
        raise _unreadable(f"torchvision's {name}", error) from error


def _unreadable(where: object, error: Exception) -> MmclustError:
    return MmclustError(
        "Pretrained weights cannot be loaded",
        where=where,
        found=str(error).partition("\n")[0][:300],
        do="give the path of a state dict, or go where there is a network",
    )


def _file(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        try:
            return dict(load_file(require_file(path)))
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from error
    state = load_torch(path)
    if not isinstance(state, dict) or not all(
        hasattr(v, "shape") for v in state.values()
    ):
        raise MmclustError(
            "Pretrained weights are no state dict", where=path, found=type(state)
        )
    return state
