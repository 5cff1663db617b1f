"""How models run travels with the device's name."""

import gc
import pickle

import pytest
import torch

from mmclust.models.compute import Device, batch_size, is_compiled
from mmclust.models.hub import kept


def test_a_device_is_its_name_and_says_how_models_run():
    """To torch, to a worker, on another device; a name alone is the usual."""
    device = Device("cpu", 7, "bf16", compiled=True)
    assert torch.zeros(2).to(device).device.type == device == "cpu"
    for each in (device, pickle.loads(pickle.dumps(device)), device.named("cuda:1")):
        assert (batch_size(each), each.precision, is_compiled(each)) == (
            7,
            "bf16",
            True,
        )
    assert device.named("cuda:1") == "cuda:1"
    assert [batch_size(name) for name in ("cpu", Device("cpu"), "cuda:1")] == [
        32,
        32,
        256,
    ]
    assert not is_compiled("cpu")


def test_computing_is_in_the_precision():
    """And in float32 afterwards."""
    a = torch.ones(2, 2)
    with Device("cpu", precision="bf16").computing():
        assert (a @ a).dtype == torch.bfloat16
    with Device("cpu").computing():
        assert (a @ a).dtype == torch.float32


def test_garbage_is_collected_again_after_a_model_was_loaded():
    """Also one that cannot be loaded; while it is loaded nothing is collected."""

    @kept(lambda number: number)
    def load(number):
        assert not gc.isenabled()
        if number:
            raise EOFError

    load(0)
    assert gc.isenabled()
    with pytest.raises(EOFError):
        load(1)
    assert gc.isenabled()
