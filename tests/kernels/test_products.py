"""Products on numpy's library are torch's, with torch's gradients."""

import pytest
import torch

from mmclust.kernels.kmeans_torch import starts_on
from mmclust.kernels.products import linear, product


def pair(seed=0):
    draw = torch.Generator().manual_seed(seed)
    a = torch.randn(3, 5, 7, generator=draw, dtype=torch.float64)
    return a, torch.randn(3, 7, 4, generator=draw, dtype=torch.float64)


def test_a_product_is_torchs():
    """Of stacks, of transposed views, and of expanded ones."""
    a, b = pair()
    assert torch.allclose(product(a, b), a @ b)
    assert torch.allclose(product(b.mT, a.mT), (a @ b).mT)
    one = a[:1].expand(3, 5, 7)
    assert torch.allclose(product(one, b), one @ b)
    assert product(a.float(), b.float()).dtype == torch.float32


def test_its_gradients_are_those_of_finite_differences():
    """To both sides, and where one side alone is learnt."""
    a, b = (each.requires_grad_() for each in pair())
    assert torch.autograd.gradcheck(product, (a, b))
    assert torch.autograd.gradcheck(lambda x: product(x, b.detach()), (a,))
    assert torch.autograd.gradcheck(lambda x: product(a.detach(), x), (b,))
    gram = torch.autograd.gradcheck(lambda x: product(x, x.mT), (a,))
    assert gram


def test_a_linear_layer_adds_its_bias():
    """As torch's own of each seed."""
    weight, columns = pair(1)
    bias = torch.arange(15, dtype=torch.float64).view(3, 5)
    found = linear(weight, columns, bias)
    for i in range(3):
        expected = torch.nn.functional.linear(columns[i].T, weight[i], bias[i]).T
        assert torch.allclose(found[i], expected)


def test_k_means_on_a_device_turns_short_products_off_before_it_trains():
    """Which an environment may have turned on."""
    torch.backends.cuda.matmul.allow_tf32 = True
    starts_on("cpu:0", torch.eye(4).numpy(), 2, 0, "random", 4)
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.gpu
def test_on_a_gpu_it_is_torchs_own():
    """No copy to the CPU."""
    a, b = (each.cuda() for each in pair())
    assert torch.equal(product(a, b), a @ b)
