"""Adam against torch's own, to the byte, SGD nearly so, and what is not imported."""

import subprocess
import sys

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from mmclust.kernels.adam import Adam, one_cycle
from mmclust.kernels.sgd import Sgd
from tests.conftest import ROOT

SIZES = ((7, 5), (3,), (16, 3, 3, 3), ())


def weights():
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(size, generator=draw).requires_grad_() for size in SIZES]


def slopes(step):
    """The second parameter has a gradient in every other step, the last in none."""
    draw = torch.Generator().manual_seed(step)
    found = [torch.randn(size, generator=draw) for size in SIZES]
    return [found[0], found[1] if step % 2 else None, found[2], None]


def run(optimizer, parameters, steps, each=None):
    for step in steps:
        optimizer.zero_grad()
        for parameter, slope in zip(parameters, slopes(step), strict=True):
            parameter.grad = slope
        if each is not None:
            each(step)
        optimizer.step()
    return parameters


def assert_equal(one, other):
    for a, b in zip(one, other, strict=True):
        assert a.detach().numpy().tobytes() == b.detach().numpy().tobytes()


@pytest.mark.parametrize(
    ("own", "torchs", "its"),
    [
        ({"betas": (0.9, 0.99)}, torch.optim.Adam, {"betas": (0.9, 0.99)}),
        ({"penalty": 0.1}, torch.optim.Adam, {"weight_decay": 0.1}),
        ({"decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
    ],
)
def test_adam_is_torchs(own, torchs, its):
    """Weight decay is part of the gradient (L2), or decoupled from it; parameters
    without a gradient stay, and their steps are not counted."""
    ours, theirs = weights(), weights()
    run(Adam(ours, 0.01, **own), ours, range(20))
    run(torchs(theirs, 0.01, fused=True, **its), theirs, range(20))
    assert_equal(ours, theirs)


@pytest.mark.parametrize("penalty", [0.01, 0.0])
def test_sgd_is_torchs(penalty):
    """Also where a parameter has a gradient in some steps only, or in none."""
    ours, theirs = weights(), weights()
    run(Sgd(ours, 0.1, penalty), ours, range(20))
    other = torch.optim.SGD(theirs, 0.1, momentum=0.9, weight_decay=penalty)
    run(other, theirs, range(20))
    for one, torchs in zip(ours, theirs, strict=True):
        assert torch.allclose(one, torchs, rtol=1e-5, atol=1e-6)
    assert torch.equal(ours[3], weights()[3])
    assert not torch.equal(ours[1], weights()[1])


@pytest.mark.parametrize("total", [2, 5, 40])
def test_adamw_in_one_cycle_is_torchs(total):
    """Both learning rate and beta1 follow the cycle."""
    ours, theirs = weights(), weights()
    adam = Adam(ours, 0.002, decay=0.01)
    torchs = torch.optim.AdamW(theirs, 0.002, fused=True)
    schedule = OneCycleLR(torchs, 0.002, total_steps=total)

    def turn(step):
        adam.learning_rate, beta = one_cycle(step, total, 0.002)
        adam.betas = (beta, 0.999)
        group = torchs.param_groups[0]
        assert (adam.learning_rate, adam.betas) == (group["lr"], group["betas"])

    for step in range(total - 1):
        run(adam, ours, [step], turn)
        run(torchs, theirs, [step])
        schedule.step()
    assert_equal(ours, theirs)


def test_a_scaler_skips_what_overflowed():
    """With a step of infinite gradients, as ``torch.amp.GradScaler`` has it."""
    results = []
    for make in (Adam, lambda p, rate: torch.optim.Adam(p, rate, fused=True)):
        parameters = weights()
        optimizer = make(parameters, 0.01)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        for step in range(6):
            optimizer.zero_grad()
            loss = sum(((p - 1) ** 2).sum() for p in parameters)
            scaler.scale(loss * (float("inf") if step == 2 else 1)).backward()
            scaler.step(optimizer)
            scaler.update()
        results.append(parameters)
    assert_equal(*results)


def test_it_goes_on_from_its_moments():
    """In another process the rest of the steps give the same bytes."""
    whole, cut = weights(), weights()
    run(Adam(whole, 0.01), whole, range(8))
    first = Adam(cut, 0.01)
    run(first, cut, range(3))
    second = Adam(cut, 0.01)
    second.resume(first.moments())
    assert_equal(whole, run(second, cut, range(3, 8)))


def test_a_training_does_not_import_dynamo():
    """Which would cost more than many a training."""
    code = (
        "import sys, numpy as np\n"
        "from mmclust.heads import tac\n"
        "from mmclust.core.types import HeadInputs\n"
        "from mmclust.heads._train import prepare, train\n"
        "rows = np.eye(8, 4, dtype=np.float32) + 1\n"
        "params = tac.Params(batch=4, epochs=1, n_neighbors=2)\n"
        "given = prepare(HeadInputs(rows, rows), params)\n"
        "train(tac.recipe, given, 2, params, seeds=[1])\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
