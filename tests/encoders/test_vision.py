"""Pretrained image models, on checkpoints that the tests make."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.plugins import load
from mmclust.core.types import Fitted
from tests.encoders import tiny
from tests.encoders.tiny import options

SMALL = {"short_side": 40, "crop": 32, "published": False}


def encode(name, params, batch):
    return load("encoders", name).encode_image(batch, params, Fitted(), device="cpu")


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    path = tiny.torchvision(tmp_path_factory.mktemp("resnet"))
    return options("resnet50", model="resnet18", weights=str(path), **SMALL)


def test_features_are_what_the_classifier_would_read(resnet):
    """The pooled output of torchvision's own model, image by image."""
    import torch
    from safetensors.torch import load_file
    from torchvision import models

    batch = tiny.batch("resnet50", resnet)
    found = encode("resnet50", resnet, batch)
    model = models.resnet18()
    model.load_state_dict(load_file(resnet.weights))
    model.fc = torch.nn.Identity()
    pixels = torch.from_numpy(batch.images).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (resnet.mean, resnet.std))
    with torch.inference_mode():
        expected = model.eval()((pixels - mean) / std).numpy()
    assert found.shape == (5, 512)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-4)
    unit = encode("resnet50", dataclasses.replace(resnet, normalise=True), batch)
    assert np.linalg.norm(unit, axis=1) == pytest.approx(1, abs=1e-6)


def test_identity_names_model_weights_and_digest(resnet):
    """The digest is the file's."""
    from mmclust.core.io import file_digest

    found = load("encoders", "resnet50").identity(resnet)
    assert found["model"] == "resnet18"
    assert found["weights"] == file_digest(Path(resnet.weights))


def test_weights_are_never_by_halves(resnet, tmp_path):
    """Missing, foreign or truncated weights are refused; pickles are never run."""
    import pickle

    import torch
    from safetensors.torch import load_file, save_file

    state = load_file(resnet.weights)
    del state["layer1.0.conv1.weight"]
    half, cut, evil = (tmp_path / n for n in ("half.safetensors", "c.safetensors", "e"))
    save_file(state, half)
    other = tmp_path / "other.safetensors"
    save_file({f"_{name}": part for name, part in state.items()}, other)
    told = "another code base: _bn1.bias where the model has bn1.bias"
    cut.write_bytes(Path(resnet.weights).read_bytes()[:1000])
    evil.write_bytes(pickle.dumps(print))
    batch = tiny.batch("resnet50", resnet)
    for path, message in ((half, "layer1.0.conv1.weight"), (cut, ""), (evil, ""),
                          (other, told)):  # fmt: skip
        params = dataclasses.replace(resnet, weights=str(path))
        with pytest.raises(MmclustError, match="cannot be loaded") as caught:
            encode("resnet50", params, batch)
        assert message in str(caught.value)
    torch.save(load_file(resnet.weights), tmp_path / "whole.pth")
    params = dataclasses.replace(resnet, weights=str(tmp_path / "whole.pth"))
    assert np.array_equal(
        encode("resnet50", params, batch), encode("resnet50", resnet, batch)
    )


def test_weights_of_the_first_efficientnets_are_named(tmp_path):
    """``_conv_stem`` for ``conv_stem``: of B0, and by halves."""
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    state = timm.create_model("efficientnet_b0").state_dict()
    first = {"conv_stem": "_conv_stem", "blocks": "_blocks", "classifier": "_fc"}
    for number in (1, len(first)):
        theirs = dict(state)
        for own, name in list(first.items())[:number]:
            theirs = {k.replace(own, name): part for k, part in theirs.items()}
        path = tmp_path / f"{number}.safetensors"
        save_file(theirs, path)
        params = options("resnet50", library="timm", model="efficientnet_b0",
                         weights=str(path), **SMALL)  # fmt: skip
        with pytest.raises(MmclustError, match="cannot be loaded") as caught:
            encode("resnet50", params, tiny.batch("resnet50", params))
        assert "another code base: _" in str(caught.value)


def test_pictures_of_another_size_are_refused(tmp_path):
    """Where a model takes one size alone, also on purpose."""
    clip = options("clip", model=str(tiny.clip(tmp_path / "clip", 48)), published=False,
                   short_side=32, crop=32)  # fmt: skip
    with pytest.raises(MmclustError, match="does not take such pictures") as caught:
        encode("clip", clip, tiny.batch("clip", clip))
    assert "crop 32" in str(caught.value)


def test_unknown_models_and_weights_get_the_nearest_name(resnet):
    """A misspelt model, enum member or path is an error with a suggestion."""
    batch = tiny.batch("resnet50", resnet)
    for change, message in (
        ({"model": "resnet55"}, "torchvision has no model 'resnet55'"),
        ({"weights": "IMAGENET1K_V3"}, "Did you mean 'IMAGENET1K_V1'"),
        ({"library": "timm", "model": "vit_bas"}, "timm has no model 'vit_bas'"),
    ):
        params = dataclasses.replace(resnet, **change)
        with pytest.raises(MmclustError) as caught:
            encode("resnet50", params, batch)
        assert message in str(caught.value)


def test_missing_weights_name_the_command(monkeypatch, tmp_path):
    """Offline: model, weights, size, file and the command that fetches it."""
    from urllib.error import URLError

    import torch

    def refuse(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    params = options("resnet50")
    batch = tiny.batch("resnet50", params, n=1)
    with pytest.raises(MmclustError) as caught:
        encode("resnet50", params, batch)
    text = str(caught.value)
    for part in (
        "resnet50",
        "IMAGENET1K_V1",
        "98 MB",
        "no network",
        "curl -O https://",
    ):
        assert part in text


def test_pixels_must_be_those_of_the_weights(monkeypatch, tmp_path):
    """V2 was published with 232 pixels: 256 are refused, unless on purpose."""
    import torch
    from torchvision import models

    path = tmp_path / "hub/checkpoints/resnet18-f37072fd.pth"
    path.parent.mkdir(parents=True)
    torch.save(models.resnet18().state_dict(), path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    params = options("resnet50", model="resnet18", short_side=240)
    batch = tiny.batch("resnet50", params, n=1)
    with pytest.raises(MmclustError, match="expect other pixels") as caught:
        encode("resnet50", params, batch)
    assert "expected: short_side: 256" in str(caught.value)
    on_purpose = dataclasses.replace(params, published=False)
    assert encode("resnet50", on_purpose, batch).shape == (1, 512)


@pytest.mark.parametrize(
    ("name", "dim"), [("efficientnet_b0", 1280), ("mobilenet_v3", 960)]
)
def test_other_models_of_torchvision(name, dim, tmp_path):
    """Pooled features of their published size."""
    model = options(name).model
    path = tiny.torchvision(tmp_path, model)
    params = options(name, weights=str(path), **SMALL)
    assert encode(name, params, tiny.batch(name, params, n=2)).shape == (2, dim)


def test_timm_models_by_name(tmp_path):
    """Any timm model with a file of weights equals timm's own forward pass."""
    import torch
    from safetensors.torch import save_file

    timm = pytest.importorskip("timm")
    model = timm.create_model("vit_tiny_patch16_224", num_classes=10).eval()
    path = tmp_path / "vit.safetensors"
    save_file(model.state_dict(), path)
    params = options("vit_b16", model="vit_tiny_patch16_224", weights=str(path))
    batch = tiny.batch("vit_b16", params, n=2)
    found = encode("vit_b16", params, batch)
    pixels = (torch.from_numpy(batch.images).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.inference_mode():
        tokens = model.forward_features(pixels)
        expected = model.forward_head(tokens, pre_logits=True).numpy()
    assert found.shape == (2, 192)
    assert found == pytest.approx(expected, abs=1e-4)


def test_dinov2_gives_the_class_token(tmp_path):
    """A tiny DINOv2 of transformers, saved and read back; identity says local."""
    import torch
    from transformers import Dinov2Model

    params = options("dinov2", **tiny.dinov2(tmp_path))
    model = Dinov2Model.from_pretrained(tmp_path).eval()
    batch = tiny.batch("dinov2", params)
    found = encode("dinov2", params, batch)
    pixels = torch.from_numpy(batch.images).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (params.mean, params.std))
    with torch.inference_mode():
        expected = model((pixels - mean) / std).pooler_output.numpy()
    assert found == pytest.approx(expected, abs=1e-5)
    identity = load("encoders", "dinov2").identity(params)
    assert identity["revision"] == "local"
    assert len(identity["weights"]) == 64


def test_classical_resnet50_joins_both(resnet):
    """1,006 classical features and the pooled ones, each member at unit norm."""
    block = {field: getattr(resnet, field) for field in resnet.__dataclass_fields__}
    params = options("classical_resnet50", resnet50=block)
    module = load("encoders", "classical_resnet50")
    batch = tiny.batch("classical_resnet50", params, n=2)
    found = module.encode_image(batch, params, Fitted(), device="cpu")
    alone = encode("resnet50", resnet, tiny.batch("resnet50", resnet, n=2))
    assert found.shape == (2, 1006 + 512)
    alone /= np.linalg.norm(alone, axis=1, keepdims=True)
    assert found[:, 1006:] == pytest.approx(alone, abs=1e-5)
    assert module.identity(params)["resnet50"]["model"] == "resnet18"
