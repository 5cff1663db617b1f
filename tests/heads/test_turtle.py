"""TURTLE: the specification's check values, a plain implementation, planted classes."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.parametrizations import weight_norm

from mmclust.core.seeds import derive
from mmclust.core.types import HeadInputs
from mmclust.heads import turtle
from tests.heads.planted import accuracy, by_kmeans, two_spaces

FAST = {"steps": 300, "learning_rate": 0.01, "inner_learning_rate": 0.01}


def labels(spaces, k, params, seeds=(1,)):
    inputs = HeadInputs(spaces=spaces)
    trained = turtle.train(inputs, k, params, seeds=seeds, device="cpu")
    return [
        turtle.predict(t.weights, inputs, params, device="cpu").argmax(axis=1)
        for t in trained
    ]


def uniform(k, b=6):
    share = torch.full((1, k, b), 1 / k)
    return share, share.log()


def test_no_preference_costs_what_the_specification_says():
    """S (1 - γ) ln k: CE is ln k, and so is each entropy."""
    share, log = uniform(10)
    terms, _ = turtle.outer([share], [log], 10.0)
    assert float(terms[0]) == pytest.approx(-20.723266, abs=2e-5)
    assert terms[1:].flatten().tolist() == pytest.approx([np.log(10)] * 2, abs=1e-5)


def test_the_lower_bound_is_reached_by_sure_equal_clusters():
    """-γ S ln k."""
    share = torch.eye(10)[None]
    log = torch.where(share > 0, 0.0, -200.0)
    terms, _ = turtle.outer([share], [log], 10.0)
    assert float(terms[0]) == pytest.approx(-23.025851, abs=2e-5)


def test_twice_the_same_space_costs_twice():
    draw = torch.Generator().manual_seed(3)
    share = torch.randn((2, 4, 30), generator=draw).softmax(1)
    log = torch.randn((2, 4, 30), generator=draw).log_softmax(1)
    one, _ = turtle.outer([share], [log], 10.0)
    two, _ = turtle.outer([share, share], [log, log], 10.0)
    assert two.flatten().tolist() == pytest.approx((2 * one).flatten().tolist())


def plain(spaces, k, params, seed):
    """Read the specification, forget speed: modules, autograd, a loss of each step."""
    draws, inner, order = (
        [torch.Generator().manual_seed(derive(seed, "head", what))]
        for what in ("weights", "classifiers", "order")
    )
    rows = [torch.from_numpy(z.astype(np.float32)) for z in spaces]
    wide = [turtle.with_ones(z, "cpu") for z in spaces]

    def layer(z, stream):
        start = turtle.first_weights(k, z, stream)
        made = nn.Linear(z.shape[1] - 1, k)
        made.weight.data.copy_(start[:, :-1])
        made.bias.data.copy_(start[:, -1])
        return made

    tasks = [weight_norm(layer(z, draws), dim=0) for z in wide]
    outer = torch.optim.Adam([p for t in tasks for p in t.parameters()], lr=1e-3)
    losses, learners, n = [], [], len(rows[0])
    for _ in range(params.steps):
        batch = rows
        if params.batch < n:
            at = torch.randperm(n, generator=order[0])[: params.batch]
            batch = [z[at] for z in rows]
        shares = [t(z).softmax(1) for t, z in zip(tasks, batch, strict=True)]
        p = sum(shares) / len(shares)
        if not (learners and params.warm_start):
            learners = [layer(z, inner) for z in wide]
            adam = torch.optim.Adam(
                [w for each in learners for w in each.parameters()], lr=1e-3
            )
        for _ in range(params.inner_steps):
            loss = sum(
                F.cross_entropy(each(z), p.detach())
                for each, z in zip(learners, batch, strict=True)
            )
            adam.zero_grad()
            loss.backward()
            adam.step()
        loss = 0
        for each, z, share in zip(learners, batch, shares, strict=True):
            loss = loss + F.cross_entropy(each(z).detach(), p)
            mean = share.mean(0)
            loss = loss + params.balance * (mean * mean.log()).sum()
        outer.zero_grad()
        loss.backward()
        outer.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        found = sum(t(z).softmax(1) for t, z in zip(tasks, rows, strict=True))
    return losses, (found / len(rows)).numpy()


@pytest.mark.parametrize(
    "changes", [{}, {"warm_start": True}, {"batch": 25}, {"balance": 2.0}]
)
@pytest.mark.parametrize("n_spaces", [1, 2])
def test_it_is_a_plain_implementation(n_spaces, changes, monkeypatch):
    """The loss of each step, and the labelling after the last."""
    monkeypatch.setattr(turtle, "BLOCK", 16)
    rng = np.random.default_rng(5)
    spaces = [(3 * rng.standard_normal((40, d))).astype(np.float32) for d in (6, 9)]
    spaces = tuple(spaces[:n_spaces])
    params = turtle.Params(**{"steps": 12, "inner_steps": 4, **changes})
    inputs = HeadInputs(spaces=spaces)
    (ours,) = turtle.train(inputs, 3, params, seeds=[7], device="cpu")
    losses, shares = plain(spaces, 3, params, 7)
    assert [row["loss"] for row in ours.curve] == pytest.approx(losses, abs=1e-5)
    found = turtle.predict(ours.weights, inputs, params, device="cpu")
    assert np.abs(found - shares).max() < 1e-4
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)


def hard_spaces():
    """Rows as they come: three widths, float16, long, constant columns, repeated."""
    rng = np.random.default_rng(8)
    wide, narrow = rng.standard_normal((60, 12)), rng.standard_normal((60, 2))
    wide[:, 3], wide[:, 4] = 7, 0
    long = 100 * rng.standard_normal((60, 5))
    for rows in (wide, narrow, long):
        rows[30:] = rows[:30]
    kinds = (np.float32, np.float16, np.float32)
    return tuple(z.astype(d) for z, d in zip((wide, narrow, long), kinds, strict=True))


def test_hard_rows_are_those_of_a_plain_implementation():
    """Equal rows have equal labels."""
    spaces = hard_spaces()
    params = turtle.Params(steps=30, inner_steps=4)
    inputs = HeadInputs(spaces=spaces)
    (ours,) = turtle.train(inputs, 4, params, seeds=[2], device="cpu")
    losses, shares = plain(spaces, 4, params, 2)
    assert [row["loss"] for row in ours.curve] == pytest.approx(losses, rel=1e-4)
    found = turtle.predict(ours.weights, inputs, params, device="cpu")
    assert np.abs(found - shares).max() < 1e-3
    assert np.array_equal(found.argmax(1)[:30], found.argmax(1)[30:])


def test_seeds_side_by_side_are_seeds_one_by_one():
    spaces, _ = two_spaces(0, n=60)
    params = turtle.Params(steps=5)
    inputs = HeadInputs(spaces=spaces)
    together = turtle.train(inputs, 3, params, seeds=[1, 2], device="cpu")
    for seed, one in zip((1, 2), together, strict=True):
        (other,) = turtle.train(inputs, 3, params, seeds=[seed], device="cpu")
        assert one.curve[-1]["loss"] == pytest.approx(other.curve[-1]["loss"], rel=1e-5)
        for name, weights in one.weights.items():
            assert np.abs(weights - other.weights[name]).max() < 1e-4
    assert together[0].curve != together[1].curve
    assert turtle.GROUP(60, params) == 5
    assert turtle.GROUP(60, turtle.Params(batch=59)) == 1


def test_two_blobs():
    """ACC 1 and a generalisation score of 1."""
    rng = np.random.default_rng(0)
    kinds = np.arange(200) % 2
    blobs = (10 * kinds[:, None] + rng.standard_normal((200, 8))).astype(np.float32)
    (found,) = labels((blobs,), 2, turtle.Params(**FAST))
    assert accuracy(kinds, found) == 1
    scores = cross_val_score(LogisticRegression(max_iter=1000), blobs, found, cv=10)
    assert scores.mean() == 1


def test_planted_classes_that_kmeans_misses():
    """At least .95 where k-means stays below .8, for every seed."""
    for planted in range(2):
        spaces, kinds = two_spaces(planted)
        assert accuracy(kinds, by_kmeans(np.hstack(spaces), 5)) < 0.8
        for found in labels(spaces, 5, turtle.Params(**FAST), seeds=(1, 2, 3)):
            assert accuracy(kinds, found) >= 0.95


def test_the_order_of_rows_does_not_matter_but_their_pairing_does():
    """Both spaces permuted: the same clusters. One alone: no class is found."""
    spaces, kinds = two_spaces(0, n=300)
    order = np.random.default_rng(1).permutation(300)
    params = turtle.Params(**(FAST | {"steps": 150}))
    (found,) = labels(spaces, 5, params)
    (moved,) = labels(tuple(z[order] for z in spaces), 5, params)
    assert accuracy(found[order], moved) >= 0.98
    (apart,) = labels((spaces[0], spaces[1][order]), 5, params)
    assert accuracy(kinds, found) >= 0.95
    assert accuracy(kinds, apart) < 0.8
