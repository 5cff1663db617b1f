"""Training: against a plain implementation on the same stream of indices."""

import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mmclust.core.features import normalised
from mmclust.core.plugins import load
from mmclust.core.types import HeadInputs
from mmclust.heads import _networks as networks
from mmclust.heads._networks import outputs_of
from mmclust.heads._saved import assigned
from mmclust.heads._train import epoch, prepare, train
from mmclust.kernels.nearest_neighbors import nearest_neighbors

N, D, K = 90, 12, 4


def data(seed=0, n=N):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((K, D))
    kind = rng.integers(K, size=n)
    rows = [centres[kind] + 0.5 * rng.standard_normal((n, D)) for _ in range(2)]
    return *(normalised(r.astype(np.float32)) for r in rows), kind


def options(head, **changes):
    params = {"epochs": 3, "batch": 32, "n_neighbors": 8, "hidden": 16, **changes}
    if head == "dxmc":
        params |= {"instance_hidden": 16, "instance_dim": 24}
    return load("heads", head).Params(**params)


def trained(head, image, text, params, seeds):
    given = prepare(HeadInputs(image, text), params)
    return train(load("heads", head).recipe, given, K, params, seeds=seeds)


class PlainHead(nn.Module):
    """One cluster head, as a framework's user writes it."""

    def __init__(self, weights, name):
        super().__init__()
        self.first = nn.Linear(D, 16)
        self.norm = nn.BatchNorm1d(16)
        self.last = nn.Linear(16, K)
        own = {"first": "0", "norm": "norm", "last": "1"}
        for layer, number in own.items():
            for part in ("weight", "bias"):
                tensor = weights[f"{name}.{number}.{part}"]
                getattr(getattr(self, layer), part).data.copy_(tensor)

    def forward(self, rows):
        return self.last(F.relu(self.norm(self.first(rows)))).softmax(1)


def plain_instance(weights, name):
    net = nn.Sequential(nn.Linear(D, 16), nn.ReLU(), nn.Linear(16, 24))
    for layer, number in ((net[0], "0"), (net[2], "1")):
        for part in ("weight", "bias"):
            getattr(layer, part).data.copy_(weights[f"{name}.{number}.{part}"])
    return net


def plain_contrast(a, b, tau):
    rows = torch.cat([a, b])
    scores = rows @ rows.T / tau
    n = len(a)
    mask = torch.eye(2 * n, dtype=torch.bool)
    target = (torch.arange(2 * n) + n) % (2 * n)
    return F.cross_entropy(scores.masked_fill(mask, -1e9), target)


def plain_distil(a, b, tau):
    return plain_contrast(F.normalize(a.T, dim=1), F.normalize(b.T, dim=1), tau)


def plain_entropy(p):
    mean = p.mean(0)
    return -(mean * mean.log()).sum()


def plain_curve(head, image, text, params, seed):
    """Read the specification, forget speed: modules, one step after the other."""
    from mmclust.core.seeds import derive

    recipe = load("heads", head).recipe(D, K, params)
    draw = torch.Generator().manual_seed(derive(seed, "head", "weights"))
    weights = recipe.start(draw)
    nets = {name: PlainHead(weights, name) for name in ("text", "image")}
    if head == "dxmc":
        for name in ("text_instance", "image_instance"):
            nets[name] = plain_instance(weights, name)
    every = [p for net in nets.values() for p in net.parameters()]
    optimizer = torch.optim.Adam(every, 1e-3, betas=(0.9, 0.99))
    near = [
        torch.from_numpy(nearest_neighbors(rows, params.n_neighbors))
        for rows in (text, image)
    ]
    order = [torch.Generator().manual_seed(derive(seed, "head", "order"))]
    v, u = torch.from_numpy(image), torch.from_numpy(text)
    curve = []
    for _ in range(params.epochs):
        losses = []
        for batch in epoch(order, near, params.batch):
            i, a, b = (each[0] for each in batch)
            p, q = nets["text"](u[i]), nets["image"](v[i])
            p_near, q_near = nets["text"](u[a]), nets["image"](v[b])
            tau = params.temperature
            loss = plain_distil(q, p_near, tau) + plain_distil(p, q_near, tau)
            if head == "tac":
                loss = loss - torch.log((p * q).sum(1)).mean()
            else:
                x, y = nets["text_instance"](u[i]), nets["image_instance"](v[i])
                loss = loss + plain_contrast(x, y, params.instance_temperature)
            loss = loss - 5 * (plain_entropy(p) + plain_entropy(q))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        curve.append(np.mean(losses))
    nets["image"].eval()
    return curve, nets["image"](v).detach().numpy()


@pytest.mark.parametrize("head", ["tac", "dxmc"])
def test_the_curve_is_that_of_a_plain_implementation(head):
    """Within 1e-4 for the same stream of indices; and so are the predictions."""
    image, text, _ = data()
    params = options(head, epochs=6)
    (ours,) = trained(head, image, text, params, [7])
    curve, shares = plain_curve(head, image, text, params, 7)
    assert [row["loss"] for row in ours.curve] == pytest.approx(curve, rel=1e-4)
    found = outputs_of(ours.weights, image, "image")
    found = torch.from_numpy(found).softmax(1).numpy()
    assert np.abs(found - shares).max() < 1e-3
    assert np.array_equal(found.argmax(1), shares.argmax(1))


@pytest.mark.parametrize("head", ["tac", "dxmc"])
def test_seeds_side_by_side_are_seeds_one_by_one(head):
    """One batched pass and several passes give the same heads, up to rounding."""
    image, text, _ = data()
    together = trained(head, image, text, options(head), [1, 2, 3])
    for seed, one in zip((1, 2, 3), together, strict=True):
        (other,) = trained(head, image, text, options(head), [seed])
        assert one.curve[-1]["loss"] == pytest.approx(other.curve[-1]["loss"], rel=1e-4)
        for name, weights in one.weights.items():
            assert np.abs(weights - other.weights[name]).max() < 1e-3
    assert together[0].curve != together[1].curve


def test_it_finds_clear_clusters():
    """Four groups that both views show."""
    image, text, kind = data(n=400)
    params = options("tac", epochs=40, batch=100)
    (found,) = trained("tac", image, text, params, [1])
    labels = outputs_of(found.weights, image, "image").argmax(1)
    share = sum(np.bincount(kind[labels == c]).max() for c in np.unique(labels)) / 400
    assert share > 0.9


def test_an_epoch_drops_the_incomplete_batch_and_draws_neighbours_uniformly():
    """7 rows in batches of 3: two batches of different rows; each neighbour alike."""
    near = [torch.arange(70).view(7, 10), torch.arange(70).view(7, 10) + 100]
    draws = [torch.Generator().manual_seed(s) for s in (1, 2)]
    seen = []
    for _ in range(300):
        batches = list(epoch(draws, near, 3))
        assert [tuple(rows.shape) for rows, _, _ in batches] == [(2, 3), (2, 3)]
        for s in range(2):
            rows = torch.cat([b[0][s] for b in batches])
            assert len(rows.unique()) == 6
        for rows, a, b in batches:
            assert torch.equal(a // 10, rows)
            assert torch.equal((b - 100) // 10, rows)
            seen.append(a % 10)
    counts = torch.bincount(torch.cat(seen, 1).flatten(), minlength=10)
    assert counts.min() > 0.8 * counts.float().mean()
    assert not torch.equal(batches[0][0][0], batches[0][0][1])
    whole = [*epoch(draws, near, 3, drop_last=False)]
    assert [rows.shape[1] for rows, _, _ in whole] == [3, 3, 1]
    for s in range(2):
        rows = torch.cat([batch[0][s] for batch in whole])
        assert rows.sort().values.tolist() == list(range(7))


def test_equal_rows_have_equal_outputs(monkeypatch):
    """Though products round rows by their place, and the last block is a short one."""
    params = options("tac")
    weights = load("heads", "tac").recipe(D, K, params).start(torch.Generator())
    exact = networks.logits

    def off(*given, training):
        found = exact(*given, training=training)
        return found + 1e-7 * torch.rand(found.shape)

    monkeypatch.setattr(networks, "logits", off)
    monkeypatch.setattr(networks, "ROWS", 16)
    rows = np.tile(data()[0][:9], (7, 1))
    arrays = {key: value.numpy() for key, value in weights.items()}
    outputs = outputs_of(arrays, rows, "image")
    assert np.array_equal(outputs, np.tile(outputs[:9], (7, 1)))


def test_first_weights_are_as_published():
    """Linear weights: deviation 0.02; biases and instance heads: uniform."""
    params = load("heads", "dxmc").Params()
    weights = load("heads", "dxmc").recipe(512, 10, params).start(torch.Generator())
    assert float(weights["image.0.weight"].std()) == pytest.approx(0.02, rel=0.02)
    assert float(weights["text.1.weight"].std()) == pytest.approx(0.02, rel=0.1)
    bound = 512**-0.5
    for name in ("image.0.bias", "image_instance.0.weight", "text_instance.1.bias"):
        assert float(weights[name].abs().max()) <= bound
        assert float(weights[name].std()) == pytest.approx(bound / 3**0.5, rel=0.1)
    assert weights["image_instance.1.weight"].shape == (1024, 512)


def test_assigning_holds_no_copy_of_all_rows():
    """Nor of their counterparts, which a trained head does not read."""
    rows = np.random.default_rng(0).standard_normal((40_000, 64)).astype(np.float32)
    tac, params = load("heads", "tac"), options("tac")
    start = tac.recipe(64, K, params).start(torch.Generator())
    weights = {name: value.numpy() for name, value in start.items()}
    assigned(tac, weights, HeadInputs(rows[:9], rows[:9]), params)
    tracemalloc.start()
    try:
        assigned(tac, weights, HeadInputs(rows, rows), params)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 2 * rows.nbytes
