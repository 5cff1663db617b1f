"""Pixels, against the image processors that models were published with."""

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.plugins import load
from mmclust.models.pixels import CLIP_MEAN, CLIP_STD, scaled, sized
from tests.encoders.tiny import options, pictures

SIZES = [(60, 80), (97, 64), (33, 300), (224, 224), (481, 640), (259, 227)]


@pytest.mark.parametrize("size", SIZES)
def test_clip_pixels_are_those_of_clips_own_processor(size):
    """Value for value, with Pillow's processor; floats within rounding."""
    import torch
    from transformers import CLIPImageProcessorPil

    (rgb,) = pictures(1, size)
    params = options("clip")
    found = load("encoders", "clip").prepare(rgb, params)
    raw = CLIPImageProcessorPil(do_rescale=False, do_normalize=False)
    expected = raw(rgb, return_tensors="np")["pixel_values"][0]
    assert np.array_equal(found.transpose(2, 0, 1), expected)
    floats = scaled(torch.from_numpy(found[None].copy()), CLIP_MEAN, CLIP_STD)[0]
    whole = CLIPImageProcessorPil()(rgb, return_tensors="np")["pixel_values"][0]
    assert np.allclose(floats.numpy(), whole, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b0", "mobilenet_v3"])
def test_pixels_are_those_of_the_weights_own_transforms(name, size):
    """Value for value with torchvision's transforms of the default weights."""
    import torch
    from PIL import Image
    from torchvision import models

    (rgb,) = pictures(1, size)
    params = options(name)
    found = load("encoders", name).prepare(rgb, params)
    floats = scaled(torch.from_numpy(found[None].copy()), params.mean, params.std)
    transforms = models.get_model_weights(params.model)[params.weights].transforms()
    assert torch.equal(floats[0], transforms(Image.fromarray(rgb)))


@pytest.mark.parametrize("size", SIZES)
def test_vit_pixels_are_those_of_timms_transforms(size):
    """Value for value with what timm makes of the model's own data configuration."""
    import torch
    from PIL import Image

    timm = pytest.importorskip("timm")
    (rgb,) = pictures(1, size)
    params = options("vit_b16")
    found = load("encoders", "vit_b16").prepare(rgb, params)
    floats = scaled(torch.from_numpy(found[None].copy()), params.mean, params.std)
    config = timm.data.resolve_data_config(
        timm.get_pretrained_cfg(params.model).to_dict()
    )
    transforms = timm.data.create_transform(**config)
    assert torch.equal(floats[0], transforms(Image.fromarray(rgb)))


def test_roundings_differ_by_a_pixel_where_margins_are_odd():
    """A margin of 3: transformers cuts 1 on the left, torchvision 2."""
    rgb = np.zeros((4, 7, 3), np.uint8)
    rgb[:, 1] = 255
    common = {"short_side": 4, "crop": 4, "interpolation": "bicubic"}
    floor = sized(rgb, rounding="floor", **common)
    even = sized(rgb, rounding="even", **common)
    assert floor[:, 0].all()
    assert not even.any()


def test_squeezing_takes_the_whole_picture():
    """Without a short side, every row and column counts."""
    rgb = np.zeros((40, 80, 3), np.uint8)
    rgb[:, -4:] = 255
    found = sized(rgb, short_side=None, crop=20, interpolation="bilinear")
    assert found.shape == (20, 20, 3)
    assert found[:, -1].min() > 200


def test_a_crop_must_fit():
    """A square larger than the shorter side is refused."""
    with pytest.raises(MmclustError, match="larger than the resized") as caught:
        sized(pictures(1)[0], short_side=20, crop=30, interpolation="bicubic")
    assert "at least 30" in str(caught.value)
