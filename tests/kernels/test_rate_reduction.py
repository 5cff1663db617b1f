"""Rates: the specification's check values, and gradients by finite differences."""

import pytest
import torch

from mmclust.kernels import rate_reduction
from mmclust.kernels.rate_reduction import rate, rate_of_members


def test_the_rates_of_the_specification():
    """p = 128, ε = .1, ZᵀZ = (m/p) I: the whole; groups of one row; groups of all."""
    z = torch.eye(128, dtype=torch.float64).repeat(2, 1)
    assert float(rate(z, 0.1)) == pytest.approx(153.465297, abs=1e-6)
    one = rate_of_members(z, torch.eye(256, dtype=torch.float64), 0.1)
    assert float(one) == pytest.approx(3.577698, abs=1e-6)
    alike = torch.full((256, 256), 1 / 256, dtype=torch.float64)
    found = float(rate_of_members(z, alike, 0.1))
    assert found == pytest.approx(153.465297, abs=1e-5)


def plain(z, members, eps):
    m, p = z.shape
    total = 0
    for row in members:
        t = row.sum() + 1e-8
        matrix = torch.eye(p, dtype=z.dtype) + p / (t * eps) * z.T @ (row[:, None] * z)
        total = total + t / (2 * m) * torch.logdet(matrix)
    return total


@pytest.mark.parametrize("groups", [2, 128])
def test_value_and_gradients_are_those_of_the_formula(monkeypatch, groups):
    """However many determinants are held at once; by autograd and by differences."""
    monkeypatch.setattr(rate_reduction, "GROUPS", groups)
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(7, 3, generator=draw, dtype=torch.float64).requires_grad_()
    members = torch.rand(5, 7, generator=draw, dtype=torch.float64).requires_grad_()
    ours, theirs = rate_of_members(z, members, 0.1), plain(z, members, 0.1)
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-9)
    found = torch.autograd.grad(ours, (z, members))
    expected = torch.autograd.grad(theirs, (z, members))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-7, atol=1e-9)
    check = torch.autograd.gradcheck
    assert check(lambda a, b: rate_of_members(a, b, 0.1), (z, members))
    assert check(lambda a: rate(a, 0.1), (z,))
