"""CPP: the specification's check values, a plain implementation, planted clusters."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mmclust.core.errors import MmclustError
from mmclust.core.seeds import derive
from mmclust.core.types import HeadInputs
from mmclust.heads import cpp
from mmclust.kernels.coding_length import coding_length
from tests.heads.planted import K, accuracy, planted

SMALL = {"hidden": 32, "dim": 8}


def loss_of(z, members):
    return float(cpp.objective(z, members, cpp.Params()))


def test_the_losses_of_the_specification():
    """p = 128: memberships of one each, and alike; 153.465297 is the whole's rate."""
    z = torch.eye(128).repeat(2, 1)  # ZᵀZ = (m/p) I
    whole, own = 153.465297, 3.577698
    found = loss_of(z, torch.eye(256))
    assert found == pytest.approx(own - whole + 0.025 * 256, abs=1e-3)
    alike = torch.full((256, 256), 1 / 256)
    assert loss_of(z, alike) == pytest.approx(0.025, abs=1e-3)


def test_a_group_is_a_column_of_the_memberships():
    """Two codes at right angles, p = 2, by hand; columns are (1, .5) and (0, .5)."""
    z = torch.eye(2, dtype=torch.float64)
    members = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    first = 1.5 / 4 * (math.log(1 + 20 / 1.5) + math.log(1 + 10 / 1.5))
    second = 0.5 / 4 * math.log(1 + 20)
    expected = first + second - math.log(1 + 10) + 0.025 * 1.5
    assert loss_of(z, members) == pytest.approx(expected, abs=1e-5)


def plain_plan(c, eta, halves=5):
    """Sinkhorn with exponentials in float64: rows, columns, … to shares of 1/m."""
    kernel = np.exp(np.abs(c @ c.T) / eta)
    u, v = np.ones(len(c)), np.ones(len(c))
    for number in range(halves):
        if number % 2 == 0:
            u = 1 / len(c) / (kernel @ v)
        else:
            v = 1 / len(c) / (kernel.T @ u)
    return len(c) * u[:, None] * kernel * v


def test_memberships_are_sinkhorns():
    """Five half-steps that end with rows."""
    rng = np.random.default_rng(0)
    c = rng.standard_normal((30, 4)) * rng.random((30, 1))
    found = cpp.memberships(torch.from_numpy(c), 0.175).numpy()
    assert found == pytest.approx(plain_plan(c, 0.175), rel=1e-9)
    assert found.sum(1) == pytest.approx(np.ones(30))


def test_one_half_step_is_a_softmax_of_rows(monkeypatch):
    """As PRO-DSC has it by default: equal to 1e-15."""
    monkeypatch.setattr(cpp, "HALVES", 1)
    draw = torch.Generator().manual_seed(0)
    c = torch.randn(20, 4, generator=draw, dtype=torch.float64)
    expected = ((c @ c.T).abs() / 0.175).softmax(1)
    assert float((cpp.memberships(c, 0.175) - expected).abs().max()) < 1e-15


def plain_loss(z, members):
    """Determinants one after the other."""
    m, p = z.shape
    eye = torch.eye(p)
    loss = -torch.logdet(eye + p / (m * 0.1) * z.T @ z) / 2
    for column in members.T:
        t = column.sum() + 1e-8
        gram = z.T @ torch.diag(column) @ z
        loss = loss + t / (2 * m) * torch.logdet(eye + p / (t * 0.1) * gram)
    return loss + 0.05 * (members**2).sum() / 2


class PlainNet(nn.Module):
    """The network, as a framework's user writes it."""

    def __init__(self, weights, dim, params):
        super().__init__()
        h, p = params.hidden, params.dim
        self.first, self.norm = nn.Linear(dim, h), nn.BatchNorm1d(h)
        self.second, self.z, self.c = nn.Linear(h, h), nn.Linear(h, p), nn.Linear(h, p)
        layers = {"0": self.first, "1": self.second, "z": self.z, "c": self.c}
        for name, layer in layers.items():
            layer.weight.data = weights[f"{name}.weight"].clone()
            layer.bias.data = weights[f"{name}.bias"].clone()

    def forward(self, rows):
        inner = F.relu(self.second(F.relu(self.norm(self.first(rows)))))
        return F.normalize(self.z(inner), dim=1), F.normalize(self.c(inner), dim=1)


def plain(rows, params, seed):
    """Read the specification: modules, torch's optimiser, every half-step by itself."""
    draw = torch.Generator().manual_seed(derive(seed, "head", "weights"))
    start = cpp.first_weights(rows.shape[1], params, draw)
    net = PlainNet(start, rows.shape[1], params)
    of_c = list(net.c.parameters())
    others = [p for n, p in net.named_parameters() if not n.startswith("c.")]
    groups = [{"params": others, "weight_decay": params.weight_decay},
              {"params": of_c, "weight_decay": params.cluster_decay}]  # fmt: skip
    optimiser = torch.optim.SGD(groups, params.learning_rate, momentum=0.9)
    order = torch.Generator().manual_seed(derive(seed, "head", "order"))
    x, curve, done = torch.from_numpy(rows), [], 0
    for _ in range(params.epochs):
        losses = []
        perm = torch.randperm(len(x), generator=order)
        for i in range(len(x) // params.batch):
            z, c = net(x[perm[i * params.batch : (i + 1) * params.batch]])
            if done < params.warm_up:
                p = params.dim
                gram = p / (len(z) * 0.1) * z.T @ z
                loss = -torch.logdet(torch.eye(p) + gram) / 2
            else:
                scores, m = (c @ c.T).abs() / params.temperature, len(c)
                u, v = torch.zeros(m, 1), torch.zeros(1, m)
                for number in range(5):
                    if number % 2 == 0:
                        u = -math.log(m) - (scores + v).logsumexp(1, keepdim=True)
                    else:
                        v = -math.log(m) - (scores + u).logsumexp(0, keepdim=True)
                        v = v.detach()
                loss = plain_loss(z, m * (scores + u + v).exp())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
            done += 1
            if done == params.warm_up:
                net.c.load_state_dict(net.z.state_dict())
        curve.append(np.mean(losses))
    net.eval()
    return curve, net(x)[1].detach()


def test_training_is_that_of_a_plain_implementation():
    """The same stream of indices: same losses, and the same vectors at the end."""
    rows, _ = planted(200)
    params = cpp.Params(**SMALL, epochs=6, batch=60, warm_up=7, learning_rate=0.05,
                        cluster_decay=0.05)  # fmt: skip
    (ours,) = cpp.train(HeadInputs(spaces=(rows,)), K, params, seeds=[7])
    curve, vectors = plain(rows, params, 7)
    assert [row["loss"] for row in ours.curve] == pytest.approx(curve, rel=1e-3)
    net = {name: torch.from_numpy(w) for name, w in ours.weights.items()}
    found = cpp.codes(net, torch.from_numpy(rows), params, training=False)[1]
    assert float((found - vectors).abs().max()) < 5e-3


def test_it_finds_how_many_there_are():
    """Eight, of a grid, by its own codes; whatever number is asked for."""
    rows, kind = planted(400)
    params = cpp.Params(hidden=128, dim=32, epochs=15, batch=100, warm_up=20,
                        learning_rate=0.01, k_grid=(24, 4, 7, 8, 9, 300))  # fmt: skip
    inputs = HeadInputs(spaces=(rows,))
    for each in cpp.train(inputs, 2, params, seeds=[1, 2]):
        assert each.weights["k_grid"].tolist() == [4, 7, 8, 9, 24]
        assert each.weights["lengths"].argmin() == 2
        found = cpp.predict(each.weights, inputs, params)
        assert found.shape == (400, K)
        assert accuracy(kind, found.argmax(1)) > 0.95
    few, inputs = (
        replace(params, warm_up=1, k_grid=(51, 60)),
        HeadInputs(spaces=(rows[:100],)),
    )
    with pytest.raises(MmclustError, match=r"No k can be chosen(.|\n)*2 to 50"):
        cpp.train(inputs, 2, few, seeds=[1])


def test_lengths_are_those_of_the_codes(monkeypatch):
    """Of Z, not of the features or C; of a sample where there are too many images."""
    rows, _ = planted(120)
    params = cpp.Params(**SMALL, epochs=2, batch=50, warm_up=1, k_grid=(2, 5))
    (ours,) = cpp.train(HeadInputs(spaces=(rows,)), 2, params, seeds=[1])
    net = {name: torch.from_numpy(w) for name, w in ours.weights.items()}
    z, c = cpp.codes(net, torch.from_numpy(rows), params, training=False)
    members = cpp.memberships(c, params.temperature).numpy()
    labels = cpp.spectral(members, (2, 5), 1, 10)
    expected = [coding_length(z.numpy(), labels[k]) for k in (2, 5)]
    assert ours.weights["lengths"] == pytest.approx(expected, rel=1e-5)
    monkeypatch.setattr(cpp, "MOST", 60)
    (fewer,) = cpp.train(HeadInputs(spaces=(rows,)), 2, params, seeds=[1])
    assert (fewer.weights["lengths"] < ours.weights["lengths"]).all()


def test_memberships_that_are_all_alike_can_be_parted():
    """Every direction but one is as good as any: none is lost."""
    for n in (60, 1200):
        alike = np.full((n, n), 1 / n, np.float32)
        assert cpp.spectral(alike, (4,), seed=1, n_init=2)[4].shape == (n,)


def test_one_head_says_both():
    """As published for ImageNet: C is Z."""
    rows, _ = planted(100)
    params = cpp.Params(**SMALL, epochs=2, batch=50, warm_up=1, one_head=True)
    (ours,) = cpp.train(HeadInputs(spaces=(rows,)), K, params, seeds=[1])
    assert not [name for name in ours.weights if name.startswith("c.")]
    found = cpp.predict(ours.weights, HeadInputs(spaces=(rows,)), params)
    assert found.shape == (100, K)


@pytest.mark.parametrize("n", [60, 1200])
def test_clusters_are_the_blocks_of_the_memberships(n):
    """By dense and by iterative eigenvectors; nothing need join the blocks."""
    kind = np.arange(n) % 3
    rng = np.random.default_rng(0)
    blocks = (kind[:, None] == kind) * rng.random((n, n), np.float32)
    for members in (blocks, blocks + 0.02 * rng.random((n, n), np.float32)):
        found = cpp.spectral(members, (2, 3), seed=1, n_init=10)
        assert accuracy(kind, found[3]) == 1
        assert set(found[2].tolist()) == {0, 1}
    assert cpp.spectral(blocks, (1,), seed=1, n_init=1)[1].tolist() == [0] * n


def test_what_cannot_be_trained_or_clustered_is_refused():
    """Warm-up alone; more images than pairs can be held."""
    inputs = HeadInputs(spaces=(planted(100)[0],))
    short = cpp.Params(batch=50, epochs=4, warm_up=9)
    with pytest.raises(MmclustError, match=r"All 8 steps of cpp are warm-up(.|\n)*9"):
        cpp.train(inputs, K, short, seeds=[1])
    weights = {"n_clusters": np.array(2), "seed": np.array(1)}
    many = HeadInputs(spaces=(np.zeros((15_001, 1), np.float32),))
    with pytest.raises(MmclustError, match="at most 15,000 images"):
        cpp.predict(weights, many, cpp.Params())
