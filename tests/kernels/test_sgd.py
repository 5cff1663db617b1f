"""SGD against torch's own."""

import numpy as np
import pytest
import torch

from mmclust.kernels.sgd import Sgd
from tests.kernels.test_adam import run, weights


@pytest.mark.parametrize("penalty", [0.01, 0.0])
def test_sgd_is_torchs(penalty):
    """Also where a parameter has a gradient in some steps only, or in none."""
    ours, theirs = weights(), weights()
    run(Sgd(ours, 0.1, penalty), ours, range(20))
    other = torch.optim.SGD(theirs, 0.1, momentum=0.9, weight_decay=penalty)
    run(other, theirs, range(20))
    for one, torchs in zip(ours, theirs, strict=True):
        assert np.allclose(one.detach(), torchs.detach(), rtol=1e-5, atol=1e-6)
    assert torch.equal(ours[3].detach(), weights()[3].detach())
    assert not torch.equal(ours[1].detach(), weights()[1].detach())
