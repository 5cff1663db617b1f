"""Losses: the specification's check values, and a plain reading of its text."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmclust.heads._networks import confidence, contrast, distillation, entropy

P = torch.tensor([[2, 0, 1], [0, 1, 0], [1, 1, 3], [0, 2, 1]]).float().softmax(1)
Q = torch.tensor([[1, 0, 0], [0, 2, 0], [0, 1, 2], [1, 1, 0]]).float().softmax(1)
X = torch.tensor([[1, 0], [0, 1], [0.5, 0.5]])
Y = torch.tensor([[0.8, 0.1], [0.1, 0.9], [0.3, 0.6]])


def stacked(rows):
    return rows.T[None]


@pytest.mark.parametrize(("tau", "expected"), [(0.5, 1.015922), (5.0, 1.543675)])
def test_the_distillation_of_the_specification(tau, expected):
    """Section 9."""
    assert float(distillation(stacked(P), stacked(Q), tau)) == pytest.approx(
        expected, abs=1e-6
    )


def test_the_confidence_and_balance_of_the_specification():
    """Section 9."""
    assert float(confidence(stacked(P), stacked(Q))) == pytest.approx(
        0.774149, abs=1e-6
    )
    assert float(entropy(stacked(P))) == pytest.approx(1.088668, abs=1e-6)
    assert float(entropy(stacked(Q))) == pytest.approx(1.083423, abs=1e-6)


@pytest.mark.parametrize(("tau", "expected"), [(0.5, 1.128508), (0.05, 0.966361)])
def test_the_instance_loss_of_the_specification(tau, expected):
    """Section 9."""
    assert float(contrast(X[None], Y[None], tau)) == pytest.approx(expected, abs=1e-6)


def plain_contrast(a, b, tau):
    """The formula, row by row."""
    both = np.concatenate([a, b]).astype(np.float64)
    half, total = len(a), 0.0
    for r in range(2 * half):
        partner = (r + half) % (2 * half)
        scores = np.array([both[r] @ both[j] / tau for j in range(2 * half) if j != r])
        right = both[r] @ both[partner] / tau
        total += np.log(np.exp(scores - right).sum())
    return total / (2 * half)


@given(st.integers(0, 1000), st.integers(2, 6), st.sampled_from([0.5, 1.0, 5.0]))
def test_contrast_is_what_it_says(seed, rows, tau):
    """Against the formula; each seed by itself."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 3, rows, 4)).astype(np.float32)
    found = contrast(torch.from_numpy(a), torch.from_numpy(b), tau)
    expected = [plain_contrast(*pair, tau) for pair in zip(a, b, strict=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_impossible_agreement_costs_a_hundred():
    """The logarithm is cut at -100, as binary cross-entropy has it; no NaN in sight."""
    p = torch.tensor([[[1.0], [0.0]]], requires_grad=True)
    q = torch.tensor([[[0.0], [1.0]]])
    loss = confidence(p, q)
    loss.sum().backward()
    assert float(loss.detach()) == 100
    assert torch.isfinite(p.grad).all()
    assert float(entropy(q)) == pytest.approx(0, abs=1e-7)
