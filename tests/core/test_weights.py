"""How large weights are, against what torch counts in the loaded model."""

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.weights import stored_size
from mmclust.models.hub import identity, size_of
from tests.encoders import tiny as make


def counted(model):
    return sum(part.numel() for part in model.parameters())


def test_torchvision_s_files_of_either_kind(tmp_path):
    """As torch counts: the classifier too, running means and counters not."""
    import torch
    from safetensors.torch import load_file
    from torchvision import models

    safe = make.torchvision(tmp_path)
    torch.save(load_file(safe), tmp_path / "resnet18.pth")
    expected = counted(models.resnet18(weights=None))
    assert expected == 11_689_512
    for path in (safe, tmp_path / "resnet18.pth"):
        assert size_of([path]) == {
            "parameters": expected,
            "bytes": path.stat().st_size,
        }


def test_tied_weights_of_a_pickle_count_once(tmp_path):
    import torch

    part = torch.zeros(3, 4)
    torch.save({"a": part, "b": part, "c": part[0]}, tmp_path / "w.bin")
    assert size_of([tmp_path / "w.bin"])["parameters"] == 12 + 4


@pytest.mark.parametrize("kind", ["blip", "clip", "sbert"])
def test_checkpoints_as_torch_counts_them(tmp_path, kind):
    """What identity records for features.json is what the model has."""
    import transformers

    folder = getattr(make, kind)(tmp_path / kind)
    types = {"blip": "BlipForConditionalGeneration", "clip": "CLIPModel",
             "sbert": "BertModel"}  # fmt: skip
    model = getattr(transformers, types[kind]).from_pretrained(folder)
    found = identity(str(folder), "")
    assert found["parameters"] == counted(model)
    assert found["bytes"] == (folder / "model.safetensors").stat().st_size


def test_every_module_s_weights_count_of_either_kind(tmp_path):
    """Those of a folder of its own, too; what a trainer left beside them does not."""
    import torch

    folder = make.sbert(tmp_path / "sbert")
    one = identity(str(folder), "")
    (folder / "training_args.bin").write_bytes(b"no weights")
    (folder / "optimizer.bin").write_bytes(b"no weights")
    assert identity(str(folder), "") == one
    dense = folder / "2_Dense/pytorch_model.bin"
    dense.parent.mkdir()
    found = [one["weights"]]
    for value in (1.0, 2.0):
        torch.save({"linear.weight": torch.full((2, 3), value)}, dense)
        two = identity(str(folder), "")
        assert two["parameters"] == one["parameters"] + 6
        assert two["bytes"] == one["bytes"] + dense.stat().st_size
        found.append(two["weights"])
    assert len(set(found)) == 3
    torch.save({"a": torch.zeros(3)}, folder / "pytorch_model.bin")
    assert identity(str(folder), "") == two  # safetensors lie beside it
    (folder / "model.safetensors").unlink()
    assert identity(str(folder), "")["parameters"] == 3 + 6


def test_damaged_weights_are_named(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    with pytest.raises(MmclustError, match=r"w\.safetensors is not a readable"):
        stored_size([tmp_path / "w.safetensors"])
