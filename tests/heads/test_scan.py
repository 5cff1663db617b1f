"""SCAN: the specification's check values, a plain implementation, planted clusters."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from mmclust.core.seeds import derive
from mmclust.core.types import HeadInputs
from mmclust.heads import scan
from mmclust.heads._networks import uniform
from mmclust.heads._train import epoch
from tests.heads.planted import K, planted

QUICK = {"epochs": 30, "learning_rate": 0.01}


def objective(p, q):
    """-λ = -5 entropies and one consistency of (k, n) probabilities."""
    p, q = torch.tensor(p).float()[None], torch.tensor(q).float()[None]
    return float(scan.consistency(p, q) - 5 * scan.entropy(p))


def test_the_check_values_of_the_specification():
    """Ten clusters: all alike; one each, neighbours agreeing; one for all."""
    uniform_p, balanced = np.full((10, 40), 0.1), np.tile(np.eye(10), 4)
    assert objective(uniform_p, uniform_p) == pytest.approx(-9.210340, abs=1e-5)
    assert objective(balanced, balanced) == pytest.approx(-11.512925, abs=1e-5)
    one = np.zeros((10, 40))
    one[3] = 1
    assert objective(one, one) == pytest.approx(0, abs=1e-5)


def test_disagreement_costs_a_hundred():
    """The logarithm is cut, as binary cross-entropy has it."""
    one, other = torch.eye(2)[:, :1][None], torch.eye(2)[:, 1:][None]
    assert float(scan.consistency(one, other)) == 100


def plain(rows, params, seed):
    """Read the specification: heads as layers, one loss after the other."""
    draw = torch.Generator().manual_seed(derive(seed, "head", "weights"))
    size, dim = params.n_heads * K, rows.shape[1]
    weight = uniform((size, dim), dim, draw).view(params.n_heads, K, dim)
    bias = uniform((size,), dim, draw).view(params.n_heads, K)
    heads = [torch.nn.Linear(dim, K) for _ in range(params.n_heads)]
    for head, w, b in zip(heads, weight, bias, strict=True):
        head.weight.data, head.bias.data = w.clone(), b.clone()
    every = [p for head in heads for p in head.parameters()]
    if params.optimiser == "adam":
        optimiser = torch.optim.Adam(every, params.learning_rate, weight_decay=1e-4)
    else:
        optimiser = torch.optim.SGD(every, params.learning_rate, momentum=0.9)
    scores = rows @ rows.T
    np.fill_diagonal(scores, np.inf)
    near = torch.from_numpy(np.argsort(-scores, axis=1)[:, : params.n_neighbors + 1])
    order = [torch.Generator().manual_seed(derive(seed, "head", "order"))]
    x, curve, kept = torch.from_numpy(rows), [], (np.inf, None)
    for _ in range(params.epochs):
        losses = []
        for at, beside in epoch(order, [near], params.batch):
            loss = 0
            for head in heads:
                p, q = (head(x[i[0]]).softmax(1) for i in (at, beside))
                same = F.binary_cross_entropy((p * q).sum(1), torch.ones(len(p)))
                mean = p.mean(0)
                loss = loss + same + 5 * (mean * mean.log()).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item() / params.n_heads)
        with torch.no_grad():
            for head in heads:
                p = head(x).softmax(1)
                pairs = (p[:, None] * p[near[:, 1:6]]).sum(2)
                score = (-pairs.log()).mean() + (p.mean(0) * p.mean(0).log()).sum()
                if score < kept[0]:
                    kept = float(score), p.numpy()
        curve.append((np.mean(losses), kept[0]))
    return curve, kept[1]


@pytest.mark.parametrize(
    "options", [{}, {"optimiser": "sgd", "learning_rate": 0.5, "weight_decay": 0.0}]
)
def test_training_is_that_of_a_plain_implementation(options):
    """The same stream of indices: same losses, same choice of a head."""
    rows, _ = planted(200)
    params = scan.Params(**{**QUICK, "epochs": 6, "batch": 64, "n_heads": 3, **options})
    inputs = HeadInputs(spaces=(rows,))
    (ours,) = scan.train(scan.prepare(inputs, params), K, params, seeds=[7])
    curve, shares = plain(rows, params, 7)
    found = [row["loss"] for row in ours.curve]
    assert found == pytest.approx([loss for loss, _ in curve], rel=1e-4)
    best = np.minimum.accumulate([row["selection"] for row in ours.curve])
    assert best.tolist() == pytest.approx([s for _, s in curve], rel=1e-3, abs=1e-4)
    assert np.abs(scan.predict(ours.weights, inputs, params) - shares).max() < 1e-3


def test_the_last_epoch_is_kept_where_asked():
    """Its best head; a seed trained alone is the seed trained with others."""
    rows, _ = planted(200)
    inputs = HeadInputs(spaces=(rows,))
    options = {"batch": 50, "epochs": 4, "n_heads": 2, "learning_rate": 20.0}
    last = scan.Params(**options, select="last")
    seeds = list(range(1, 6))
    given = scan.prepare(inputs, last)
    kept = scan.train(given, K, scan.Params(**options), seeds=seeds)
    found = scan.train(given, K, last, seeds=seeds)
    scores = np.array([[row["selection"] for row in t.curve] for t in found])
    for best, end, row in zip(kept, found, scores, strict=True):
        same = np.array_equal(best.weights["weight"], end.weights["weight"])
        assert same == (row.argmin() == 3)
    assert (scores.argmin(1) < 3).any()
    (alone,) = scan.train(given, K, last, seeds=[2])
    assert np.allclose(alone.weights["weight"], found[1].weights["weight"], atol=1e-4)
