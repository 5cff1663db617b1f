"""CPP: clusters by a code that is long over all images and short within clusters.

A network learns two directions for each image, one that codes it (Z) and one that says
which images belong together (C). Memberships come from a doubly stochastic plan between
images, so that k is needed at the end alone: the images to be scored are clustered by
themselves, on the graph of their memberships. No label is read; the authors' code
prints accuracies of training batches, and says of no step that it is the result.

Source: Chu et al., Image Clustering via the Principle of Rate Reduction in the Age of
Pretrained Models, ICLR 2024 (arXiv 2306.05272), and the settings of its released code.

Shapes: n images; m of a batch; k clusters; d features; p numbers of a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.core.types import HeadInputs, Trained
from mmclust.heads._networks import EPS, MOMENTUM, is_buffer, uniform
from mmclust.heads._rows import require_at_most, require_batch
from mmclust.heads._train import draws
from mmclust.kernels.coding_length import coding_length
from mmclust.kernels.kmeans import kmeans, require_k
from mmclust.kernels.products import product
from mmclust.kernels.rate_reduction import rate, rate_of_members

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from mmclust.heads._networks import Weights

    Array = np.ndarray[Any, Any]

VIEW = "image"
READS = ("spaces",)
MOST, ROWS = 15_000, 2048
"""Images of which all pairs are held; rows that pass through the network at once."""
HALVES = 5
"""Half-steps of Sinkhorn's algorithm: rows first and last."""
DENSE = 1000
"""Rows up to which all eigenvectors come from a dense solver."""


@dataclass(frozen=True)
class Params:
    """As published for CIFAR-10, whose temperature is used for all sets."""

    epochs: Positive = 15
    """Passes over the images."""
    batch: Annotated[int, Meta(ge=2)] = 1024
    """Images in a batch, each of which is a cluster's member to all others."""
    warm_up: Annotated[int, Meta(ge=0)] = 50
    """Steps in which codes are spread out before there are clusters; the released code
    takes one more than it is told."""
    learning_rate: PositiveFloat = 0.0001
    """Of gradient descent with a momentum of 0.9."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0001
    """A part of the gradient (L2) of the network and of the layer of codes."""
    cluster_decay: Annotated[float, Meta(ge=0)] = 0.005
    """The same of the layer of clusters."""
    temperature: PositiveFloat = 0.175
    """Of memberships (η); published: .13 for CIFAR-20, .1 for CIFAR-100, .12 for
    ImageNet."""
    gamma: PositiveFloat = 1.0
    """Weight of the clusters' own code lengths."""
    sharpness: Annotated[float, Meta(ge=0)] = 0.05
    """Weight of half the squared memberships."""
    precision: PositiveFloat = 0.1
    """To which codes are described (ε)."""
    hidden: Positive = 4096
    """Width of the two hidden layers; published: 2048 for ImageNet."""
    dim: Positive = 128
    """Numbers of a code; published: 1024 for ImageNet."""
    one_head: bool = False
    """Whether codes say which images belong together, too; published for ImageNet."""
    n_init: Positive = 10
    """Starts of the k-means at the end."""
    k_grid: tuple[Annotated[int, Meta(ge=2)], ...] = ()
    """Numbers of clusters, of which each seed takes the one with the smallest coding
    length of its codes, on the images fitted on; none: as many as asked. Published: 5,
    8, 9, 10, 15, 20, 30, 50."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """Which images are clustered: those of the benchmark's protocol, or those fitted
    on."""


def train(
    inputs: HeadInputs,
    n_clusters: int,
    params: Params,
    *,
    seeds: Sequence[int],
    device: str = "cpu",
) -> list[Trained]:
    """Train the network of each seed; k is kept for the end."""
    import torch

    rows = np.array(inputs.spaces[0], np.float32)
    require_batch(params.batch, len(rows))
    steps = params.epochs * (len(rows) // params.batch)
    if steps < params.warm_up and not params.one_head:
        raise MmclustError(
            f"All {steps} steps of cpp are warm-up: it would learn no clusters",
            where="warm_up (heads.cpp in params.yaml, or --set warm_up=…)",
            expected=f"at most {steps}, better a tenth of it",
            found=params.warm_up,
            do="lower warm_up or batch, or raise epochs",
        )
    images = torch.from_numpy(rows).to(device)
    return [_train(images, n_clusters, params, seed) for seed in seeds]


def predict(
    weights: dict[str, Any], inputs: HeadInputs, params: Params, *, device: str = "cpu"
) -> Array:
    """Cluster all rows together: 1 for each row's cluster, float32 (n, k)."""
    import torch

    rows = np.array(inputs.spaces[0], np.float32)
    k, seed = (int(weights[name]) for name in ("n_clusters", "seed"))
    require_k(k, len(rows))
    require_at_most(MOST, len(rows), "cpp")
    net = {name: torch.tensor(w).to(device) for name, w in weights.items()}
    _, found = _encoded(net, torch.from_numpy(rows).to(device), params)
    labels = spectral(found, (k,), seed, params.n_init)[k]
    return np.asarray(np.eye(k, dtype=np.float32)[labels])


def choose_k(
    weights: Weights, images: torch.Tensor, params: Params, seed: int
) -> dict[int, float]:
    """Return the coding length of Z, in nats, with each k of the grid.

    Of at most :data:`MOST` images, drawn by the seed.
    """
    kept = np.arange(len(images))
    if len(kept) > MOST:
        kept = generator(seed, "images").choice(len(images), MOST, replace=False)
    tried = sorted({k for k in params.k_grid if k <= len(kept) // 2})
    if not tried:
        raise MmclustError(
            f"No k can be chosen for {len(kept)} images",
            where="k_grid (heads.cpp in params.yaml, or --set k_grid=…)",
            expected=f"a k from 2 to {len(kept) // 2} (half the images)",
            found=", ".join(map(str, params.k_grid)),
        )
    z, members = _encoded(weights, images[kept], params)
    found = spectral(members, tried, seed, params.n_init)
    return {k: coding_length(z, found[k], params.precision) for k in tried}


def _encoded(
    weights: Weights, images: torch.Tensor, params: Params
) -> tuple[Array, Array]:
    """Return Z and the memberships of all images together: (n, p), (n, n)."""
    import torch

    with torch.inference_mode():
        parts = [
            codes(weights, block, params, training=False)
            for block in torch.split(images, ROWS)
        ]
        z, c = (torch.cat(each) for each in zip(*parts, strict=True))
        members = memberships(c, params.temperature)
    return z.cpu().numpy(), members.cpu().numpy()


def first_weights(dim: int, params: Params, draw: torch.Generator) -> Weights:
    """Return first weights of the trunk and of the layers of codes and clusters."""
    import torch

    h, p = params.hidden, params.dim
    layers = {"0": (h, dim), "1": (h, h), "z": (p, h)}
    if not params.one_head:
        layers["c"] = p, h
    weights = {}
    for name, (outputs, inputs) in layers.items():
        weights[f"{name}.weight"] = uniform((outputs, inputs), inputs, draw)
        weights[f"{name}.bias"] = uniform((outputs,), inputs, draw)
    weights |= {"norm.weight": torch.ones(h), "norm.bias": torch.zeros(h)}
    return weights | {"norm.mean": torch.zeros(h), "norm.var": torch.ones(h)}


def codes(
    weights: Weights, rows: torch.Tensor, params: Params, *, training: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Z and C of (n, d) rows, at unit norm: (n, p) each."""
    from torch.nn.functional import batch_norm, normalize

    def layer(name: str, x: torch.Tensor) -> torch.Tensor:
        return product(x, weights[f"{name}.weight"].T) + weights[f"{name}.bias"]

    mean, var, gain, bias = (
        weights[f"norm.{part}"] for part in ("mean", "var", "weight", "bias")
    )
    inner = layer("0", rows)
    inner = batch_norm(inner, mean, var, gain, bias, training, MOMENTUM, EPS)
    inner = layer("1", inner.relu()).relu()
    z = normalize(layer("z", inner), dim=1)
    return z, z if params.one_head else normalize(layer("c", inner), dim=1)


def memberships(c: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return how much each row belongs with each: (m, m), rows in sum 1.

    Sinkhorn's algorithm on |C Cᵀ| / η, in logarithms, to equal shares; no gradient
    flows through what scales the columns. The last half-step is a softmax of rows.
    """
    import torch

    scores = product(c, c.T).abs() / temperature
    with torch.no_grad():
        columns = torch.zeros_like(scores[:1])
        for _ in range(HALVES // 2):
            rows = -(scores + columns).logsumexp(1, keepdim=True)
            columns = -(scores + rows).logsumexp(0, keepdim=True)
    return (scores + columns).softmax(1)


def objective(z: torch.Tensor, members: torch.Tensor, params: Params) -> torch.Tensor:
    """Return -R(Z) + γ R_c(Z, Π) + the weighted half of ‖Π‖².

    A group is a column of Π, as in the released code: rows are all in sum 1, columns
    nearly so.
    """
    groups = members.T.contiguous()
    parts = params.gamma * rate_of_members(z, groups, params.precision)
    size = params.sharpness * (members * members).sum() / 2
    return parts - rate(z, params.precision) + size


def spectral(
    members: Array, ks: Sequence[int], seed: int, n_init: int
) -> dict[int, Array]:
    """Cluster (n, n) memberships by the eigenvectors of their Laplacian: int32 (n,).

    Into each of several numbers of clusters, ascending. The released code gives the
    solver memberships as they are, not quite symmetric; here both halves' mean.
    """
    n = len(members)
    trivial = {k: np.arange(n, dtype=np.int32) % k for k in ks if k in (1, n)}
    wanted = [k for k in ks if k not in trivial]
    if not wanted:
        return trivial
    from scipy.sparse.csgraph import laplacian
    from scipy.sparse.linalg import eigsh

    graph = (members + members.T).astype(np.float64) / 2
    shifted = -laplacian(graph, normed=True)
    shifted.flat[:: n + 1] += 2
    if n <= DENSE:
        vectors = np.linalg.eigh(shifted)[1]
    else:
        start = generator(seed, "eigenvectors").standard_normal(n)
        vectors = eigsh(shifted, wanted[-1], which="LA", v0=start)[1]
    return trivial | {
        k: kmeans(normalised(vectors[:, -k:]), k, seed=seed, n_init=n_init).labels
        for k in wanted
    }


def _train(images: torch.Tensor, n_clusters: int, params: Params, seed: int) -> Trained:
    import torch

    from mmclust.kernels.sgd import Sgd

    (draw,), (order,) = draws([seed], "weights"), draws([seed], "order")
    start = first_weights(images.shape[1], params, draw)
    weights = {name: w.to(images.device) for name, w in start.items()}
    groups: tuple[list[torch.Tensor], ...] = ([], [])
    for name, w in weights.items():
        if not is_buffer(name):
            groups[name.startswith("c.")].append(w.requires_grad_())
    rate_of, decays = params.learning_rate, (params.weight_decay, params.cluster_decay)
    pairs = zip(groups, decays, strict=True)
    optimisers = [Sgd(group, rate_of, penalty=decay) for group, decay in pairs]
    curve, done, steps = [], 0, len(images) // params.batch
    for _ in track(range(params.epochs), "cpp", params.epochs, "epochs"):
        rows = torch.randperm(len(images), generator=order)
        total = 0.0
        for at in torch.split(rows, params.batch)[:steps]:
            z, c = codes(weights, images[at.to(images.device)], params, training=True)
            if done < params.warm_up:
                loss = -rate(z, params.precision)
            else:
                loss = objective(z, memberships(c, params.temperature), params)
            for each in optimisers:
                each.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            for each in optimisers:
                each.step()
            total += float(loss.detach())
            done += 1
            if done == params.warm_up and not params.one_head:
                weights["c.weight"].data.copy_(weights["z.weight"])
                weights["c.bias"].data.copy_(weights["z.bias"])
        curve.append({"loss": total / steps})
    kept = {name: w.detach().cpu().numpy().copy() for name, w in weights.items()}
    if params.k_grid:
        lengths = choose_k(weights, images, params, seed)
        n_clusters = min(lengths, key=lambda k: lengths[k])
        kept |= {
            "k_grid": np.array([*lengths]),
            "lengths": np.array([*lengths.values()]),
        }
    kept |= {"n_clusters": np.array(n_clusters), "seed": np.array(seed)}
    return Trained(kept, curve)
