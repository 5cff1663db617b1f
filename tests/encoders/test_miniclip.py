"""miniclip's training: two threads give the bytes of one that takes whole batches."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from mmclust.core.numerics import threads
from mmclust.core.types import Batch
from mmclust.encoders.miniclip import Convolutions, Params, build, fit, scaled

SMALL = Params(dim=16, size=40, width=8, steps=4, batch=20)


@threads(1)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 20, 33])
@pytest.mark.parametrize("side", [20, 40])
def test_convolutions_in_halves(size, side):
    """Halves give the features and gradients of autograd on the whole batch."""
    rng = np.random.default_rng(size)
    shape = (size, 3, side, side)
    pictures = torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8))
    tower = build(SMALL, 9, seed=5)["image"]
    expected = tower[:-3](scaled(pictures))
    gradient = torch.from_numpy(rng.normal(size=expected.shape).astype(np.float32))
    expected.backward(gradient)
    gradients = {name: p.grad for name, p in tower[:-3].named_parameters()}
    tower.zero_grad()
    with ThreadPoolExecutor(2, "", torch.set_num_threads, (1,)) as pool:
        convolutions = Convolutions(tower, pictures.shape, pool)
        for _ in range(2):  # the second time in rooms that are in use
            features = convolutions.forward(pictures)
            convolutions.backward(gradient)
    assert torch.equal(features, expected)
    for name, p in tower[:-3].named_parameters():
        assert torch.equal(p.grad, gradients[name]), name


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="binds to a core")
def test_the_same_on_one_core_and_on_two():
    """Training does not depend on how many cores the process may use."""
    core = min(os.sched_getaffinity(0))
    digests = [_run(""), _run(f"import os; os.sched_setaffinity(0, {{{core}}});")]
    assert digests[0] == digests[1] == _fitted()


def _run(first):
    code = f"{first}import runpy; print(runpy.run_path({__file__!r})['_fitted']())"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def _fitted():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 3, 40, 40), dtype=np.uint8)
    captions = [[f"word{i % 7} word{i % 5}"] for i in range(50)]
    batch = Batch([str(i) for i in range(50)], captions, images)
    fitted = fit(batch, SMALL, seed=3, device="cpu")
    digest = hashlib.sha256(repr(fitted.facts).encode())
    for name in sorted(fitted.arrays):
        digest.update(fitted.arrays[name].tobytes())
    return digest.hexdigest()
