"""A device that is no CPU, where there is none: kernels and heads run on it.

    python elsewhere.py

Run in a process of its own: torch is told of the device once and for all. Tensors
there lie in memory as ever, but refuse to meet tensors of the CPU, as on a GPU, and to
be float64, as on Apple's. What comes out is compared with the CPU's.
"""

from __future__ import annotations

from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from mmclust.core.features import normalised
from mmclust.core.plugins import load, names
from mmclust.core.types import HeadInputs
from mmclust.heads._inputs import GivenNouns
from mmclust.heads._space import classify_nouns, counterparts
from mmclust.heads._stage import run_head
from mmclust.kernels.kmeans import kmeans
from mmclust.kernels.nearest_centroids import nearest_centroids
from mmclust.kernels.nearest_neighbors import nearest_neighbors
from mmclust.retrieval.ranks import rank_embeddings
from tests.heads.planted import SHORT

THERE = "elsewhere:0"
FREE = ("copy_", "_to_copy", "to")
"""What takes tensors of both devices."""
INDEXED = ("index", "index_put_", "index_put", "_index_put_impl_")
"""What takes rows there and indices of the CPU, but not the other way round."""
SMALL = {
    "tac": {"epochs": 2, "batch": 20, "n_neighbors": 5, "hidden": 8},
    "dxmc": {
        "epochs": 2,
        "batch": 20,
        "n_neighbors": 5,
        "hidden": 8,
        "instance_hidden": 8,
        "instance_dim": 8,
    },
    "turtle": {"steps": 4, "batch": 30},
    **SHORT,
}


class There(torch.Tensor):
    """A tensor of the other device; ``inner`` has its numbers."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), dtype=inner.dtype,
            storage_offset=inner.storage_offset(), device=THERE,
        )  # fmt: skip

    def __init__(self, inner):
        self.inner = inner

    def tolist(self):
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class Elsewhere(TorchDispatchMode):
    """Sees every operation, those that make tensors there too."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _run(func, args, kwargs):
    given, shape = tree_flatten((args, kwargs))
    there = [each for each in given if isinstance(each, There)]
    here = [
        each
        for each in given
        if isinstance(each, torch.Tensor) and not isinstance(each, There)
    ]
    name = func._schema.name.partition("::")[2]
    if name in INDEXED:
        here = [] if isinstance(args[0], There) or not there else here
    apart = any(each.dim() for each in here) and name not in FREE
    assert not (there and apart), f"{func} of tensors on two devices"
    asked = next((each for each in given if isinstance(each, torch.device)), None)
    stays = bool(there) if asked is None else asked.type != "cpu"
    if name == "copy_":
        stays = isinstance(args[0], There)
    plain = [
        each.inner if isinstance(each, There)
        else torch.device("cpu") if isinstance(each, torch.device) else each
        for each in given
    ]  # fmt: skip
    inputs, options = tree_unflatten(plain, shape)
    found = func(*inputs, **options)
    if not stays:
        return found
    for each in tree_flatten(found)[0]:
        wide = isinstance(each, torch.Tensor) and each.dtype == torch.float64
        assert not wide, f"{func} gives float64"
    made = tree_map(lambda t: There(t) if isinstance(t, torch.Tensor) else t, found)
    if not there or name in FREE[1:]:
        return made
    return return_and_correct_aliasing(func, args, kwargs, made)


@contextmanager
def elsewhere():
    """Let ``THERE`` be a device."""
    make = torch.tensor

    def tensor(values, dtype=None, device=None):
        made = make(values, dtype=dtype)
        return made if device is None else made.to(device)

    # Neither reaches the operations that are seen.
    plain = patch("torch.tensor", tensor), patch("torch.inference_mode", torch.no_grad)
    with Elsewhere(), plain[0], plain[1]:
        yield


def both(run):
    """Return what a function of a device gives on the CPU, and there."""
    here = run("cpu")
    with elsewhere():
        return here, run(THERE)


def refusals():
    """What a GPU, or Apple's, would refuse is refused here."""
    one = torch.ones(2, 2)
    with elsewhere():
        for run in (lambda: one.to(THERE) @ one, lambda: one.to(THERE).double()):
            try:
                run()
            except AssertionError:
                continue
            raise AssertionError


def kernels(rows):
    """k-means as good as the CPU's; all that is decided by the rows alone equal."""
    for options in ({}, {"spherical": True}, {"init": "random"}):
        one, two = both(
            lambda d, o=options: kmeans(rows, 4, seed=1, n_init=20, device=d, **o)
        )
        ours, theirs = (((rows - f.centroids[f.labels]) ** 2).sum() for f in (one, two))
        assert abs(ours - theirs) < 0.02 * ours
    own = np.arange(len(rows))[:, None]
    for run in (
        lambda d: nearest_neighbors(rows, 7, device=d),
        lambda d: nearest_centroids(rows, rows[:5], device=d),
        lambda d: rank_embeddings(rows, rows, own, top_k=3, device=d).top,
        lambda d: classify_nouns(rows, rows[:4], dtype="float32", device=d)[0],
    ):
        one, two = both(run)
        assert np.array_equal(one, two)
    one, two = both(lambda d: counterparts(rows, rows[:9], device=d))
    assert np.abs(one - two).max() < 1e-5


def heads(rows):
    """Every head, of each kind; what is trained comes out as on the CPU."""
    words = [f"w{i}" for i in range(20)]
    nouns = GivenNouns(words, np.arange(20), rows[:4], (rows[:20],))
    inputs = HeadInputs(rows, rows[::-1].copy(), (rows,), nouns)
    assert len(names("heads")) >= len(SMALL)
    for name in names("heads"):
        module = load("heads", name)
        if hasattr(module, "offers"):
            continue
        params = module.Params(**SMALL.get(name, {}))
        one, two = both(
            lambda d, m=module, p=params: run_head(m, p, inputs, inputs, 3, [1, 2], [d])
        )
        assert one[1].shape == two[1].shape
        if one[2] is not None:
            assert np.abs(one[2] - two[2]).max() < 1e-3, name


if __name__ == "__main__":
    backend_registration._setup_privateuseone_for_python_backend("elsewhere")
    drawn = np.random.default_rng(0).standard_normal((60, 6))
    refusals()
    kernels(normalised(drawn.astype(np.float32)))
    heads(normalised(drawn.astype(np.float32)))
