"""Networks that end in one layer of clusters."""

import pytest
import torch
from safetensors.torch import save_file

from mmclust.core.errors import MmclustError
from mmclust.models.backbones import (
    NAMES,
    build,
    classifier,
    feature_layer,
    freeze,
    load,
)


@pytest.fixture
def drawn():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_means_of_maps_through_the_last_layer(name, drawn):
    """What class-activation maps rest on."""
    module = build(name, 7).eval()
    maps = []
    feature_layer(module).register_forward_hook(lambda *a: maps.append(a[2]))
    with torch.inference_mode():
        outputs = module(torch.rand(2, 3, 64, 64))
        layer = classifier(module)
        expected = layer(maps[0].mean((2, 3)))
    assert outputs.shape == (2, 7)
    assert layer.weight.shape == (7, maps[0].shape[1])
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-4)


def test_layers_have_the_names_of_the_published_release(drawn):
    """A state dict of torchvision's ResNet-50 with 100 outputs fits."""
    from torchvision.models import resnet50

    published = resnet50(num_classes=100).state_dict()
    assert build("resnet50", 100).load_state_dict(published)


def test_freezing_leaves_the_last_layer(drawn):
    """All but weight and bias of fc."""
    module = build("small", 3)
    freeze(module)
    learns = [n for n, p in module.named_parameters() if p.requires_grad]
    assert learns == ["fc.weight", "fc.bias"]


def test_pretrained_weights_come_from_a_file(drawn, tmp_path):
    """Without their last layer, whatever its size."""
    given = build("small", 1000)
    for path in (tmp_path / "w.pt", tmp_path / "w.safetensors"):
        save = save_file if path.suffix == ".safetensors" else torch.save
        save(given.state_dict(), path)
        module = build("small", 3, pretrained=str(path))
        assert module.fc.weight.shape == (3, 96)
        first = next(iter(module.parameters()))
        assert torch.equal(first, next(iter(given.parameters())))


def test_weights_of_another_network_are_refused(drawn, tmp_path):
    """By name."""
    path = tmp_path / "w.safetensors"
    save_file(build("small", 2).state_dict(), path)
    with pytest.raises(MmclustError, match="not of resnet18"):
        build("resnet18", 2, pretrained=str(path))


def test_learned_weights_come_back(drawn, tmp_path):
    """The same outputs; another number of clusters is refused."""
    path, module = tmp_path / "visual.safetensors", build("small", 4).eval()
    save_file(module.state_dict(), path)
    pictures = torch.rand(2, 3, 32, 32)
    assert torch.equal(load(path, "small", 4)(pictures), module(pictures))
    with pytest.raises(MmclustError, match="not of small"):
        load(path, "small", 5)


def test_damaged_or_missing_weights_are_refused(tmp_path):
    """One clear error."""
    path = tmp_path / "w.pt"
    path.write_bytes(b"no weights")
    with pytest.raises(MmclustError, match="not a readable file"):
        build("small", 2, pretrained=str(path))
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(MmclustError, match="cannot be loaded"):
        build("small", 2, pretrained=str(path))
    with pytest.raises(MmclustError, match="is missing"):
        build("small", 2, pretrained=str(tmp_path / "absent.pt"))


def test_unknown_backbones_are_named_with_the_nearest():
    """As for every name."""
    with pytest.raises(MmclustError, match="Did you mean 'resnet50'"):
        build("resnet5O", 2)
