"""TEMI: the specification's check values, a plain implementation, planted clusters."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mmclust.core.seeds import derive
from mmclust.core.types import HeadInputs
from mmclust.heads import temi
from mmclust.heads._train import epoch
from tests.heads.planted import K, planted

SMALL = {"n_heads": 3, "hidden": 16, "bottleneck": 8, "n_neighbors": 10}


def shares(p):
    return torch.tensor(p).float()[None, :, None]  # one head, one image


@pytest.mark.parametrize(
    ("p", "beta", "expected"),
    [
        ([0.1] * 10, 0.6, -1.842068),
        ([0.1] * 10, 1.0, 0.0),
        ([0.0] * 3 + [1.0] + [0.0] * 6, 0.6, -2.302585),
    ],
)
def test_the_loss_of_the_specification(p, beta, expected):
    """Ten clusters of equal share: divided by the weight."""
    log, marginal = shares(p).log(), torch.full((1, 10), 0.1)
    found = temi.information(log, log, marginal, beta)
    assert float(found) == pytest.approx(expected, abs=1e-5)


def test_the_weight_of_the_specification():
    """Two that are sure of one cluster, 1; two that know nothing, 1/k; heads' mean."""
    sure, idle = shares([1.0] + [0.0] * 9), shares([0.1] * 10)
    assert float(temi.agreement(sure, sure)) == 1
    assert float(temi.agreement(idle, idle)) == pytest.approx(0.1)
    two = torch.cat([sure, idle])
    assert float(temi.agreement(two, two)) == pytest.approx(0.55)


def test_with_beta_1_it_is_less_pointwise_mutual_information():
    """ln Σ q(c|x) q(c|x') / π_c."""
    draw = torch.Generator().manual_seed(0)
    one, other = torch.rand(2, 2, 5, 7, generator=draw).softmax(2)
    marginal = torch.rand(2, 5, generator=draw).softmax(1)
    expected = -((one * other) / marginal[..., None]).sum(1).log()
    found = temi.information(one.log(), other.log(), marginal, 1.0)
    assert torch.allclose(found, expected, atol=1e-6)


def test_the_rate_rises_over_the_warm_up():
    """From 0 to the peak, as ``linspace`` has it; then it stays."""
    found = [temi.rate(step, 5, 0.4) for step in range(8)]
    assert found == pytest.approx([*np.linspace(0, 0.4, 5), 0.4, 0.4, 0.4])
    assert temi.rate(0, 0, 0.4) == 0.4


class PlainHead(nn.Module):
    """One head, as a framework's user writes it."""

    def __init__(self, weights, head):
        super().__init__()
        own = {name: w[head] for name, w in weights.items()}
        self.first = nn.Linear(*reversed(own["0.weight"].shape))
        self.second = nn.Linear(*reversed(own["1.weight"].shape))
        for layer, number in ((self.first, 0), (self.second, 1)):
            layer.weight.data = own[f"{number}.weight"].clone()
            layer.bias.data = own[f"{number}.bias"].clone()
        self.direction = nn.Parameter(own["last.direction"].clone())
        self.gain = nn.Parameter(own["last.gain"].clone())

    def forward(self, rows):
        unit = F.normalize(self.second(F.gelu(self.first(rows))), dim=1)
        weight = torch._weight_norm(self.direction, self.gain, 0)
        return (unit @ weight.T / 0.1).softmax(1)


def plain(rows, params, seed):
    """Read the specification, forget speed: heads one after the other."""
    draw = torch.Generator().manual_seed(derive(seed, "head", "weights"))
    weights = temi.first_weights(rows.shape[1], K, params, draw)
    students = [PlainHead(weights, h) for h in range(params.n_heads)]
    teachers = copy.deepcopy(students)
    marginals = [torch.full((K,), 1 / K) for _ in students]
    named = [pair for s in students for pair in s.named_parameters()]
    groups = [
        {"params": [p for n, p in named if not n.endswith("bias")]},
        {"params": [p for n, p in named if n.endswith("bias")], "weight_decay": 0},
    ]
    peak = params.learning_rate * params.batch / 256
    optimiser = torch.optim.AdamW(groups, peak, weight_decay=params.weight_decay)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    scores = unit @ unit.T
    np.fill_diagonal(scores, -np.inf)
    near = torch.from_numpy(np.argsort(-scores, axis=1)[:, : params.n_neighbors])
    order = [torch.Generator().manual_seed(derive(seed, "head", "order"))]
    steps = len(rows) // params.batch
    rates = [*np.linspace(0, peak, params.warm_up * steps)]
    rates += [peak] * (params.epochs * steps - len(rates))
    x, curve = torch.from_numpy(rows), []
    for number in range(params.epochs):
        sums = np.zeros(params.n_heads)
        for at, beside in epoch(order, [near], params.batch):
            for group in optimiser.param_groups:
                group["lr"] = rates[0]
            rates = rates[1:]
            a, b = x[at[0]], x[beside[0]]
            with torch.no_grad():
                said = [(t(a), t(b)) for t in teachers]
                weight = sum((p * q).sum(1) for p, q in said) / len(said)
            losses = []
            for h, (student, (p, q)) in enumerate(zip(students, said, strict=True)):
                mean = torch.cat([p, q]).mean(0)
                marginals[h] = 0.9 * marginals[h] + 0.1 * mean
                sides = ((student(a), q), (student(b), p))
                each = [
                    -weight * (((s * t) ** params.beta) / marginals[h]).sum(1).log()
                    for s, t in sides
                ]
                losses.append((each[0].mean() + each[1].mean()) / 2)
            optimiser.zero_grad()
            (sum(losses) / len(losses)).backward()
            if number == 0:
                for student in students:
                    student.direction.grad = student.gain.grad = None
            optimiser.step()
            m = params.momentum
            for student, teacher in zip(students, teachers, strict=True):
                pairs = zip(student.parameters(), teacher.parameters(), strict=True)
                for s, t in pairs:
                    t.data = m * t.data + (1 - m) * s.data
            sums += [float(loss.detach()) for loss in losses]
        curve.append(sums / steps)
    return np.array(curve), teachers[int(curve[-1].argmin())](x).detach().numpy()


def test_training_is_that_of_a_plain_implementation():
    """The same stream of indices: same losses, same teacher, same probabilities."""
    rows, _ = planted(200)
    options = {"batch": 60, "epochs": 6, "warm_up": 2, "momentum": 0.9}
    params = temi.Params(**SMALL, **options, learning_rate=0.02, weight_decay=0.1)
    inputs = HeadInputs(spaces=(5 * rows,))
    (ours,) = temi.train(temi.prepare(inputs, params), K, params, seeds=[7])
    curve, expected = plain(5 * rows, params, 7)
    found = np.array([[row["loss"], row["lowest"]] for row in ours.curve])
    assert found[:, 0] == pytest.approx(curve.mean(1), rel=1e-3)
    assert found[:, 1] == pytest.approx(curve.min(1), rel=1e-3)
    assert curve[-1].mean() < curve[0].mean() - 0.05
    assert np.abs(temi.predict(ours.weights, inputs, params) - expected).max() < 5e-3
