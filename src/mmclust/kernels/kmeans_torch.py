"""Lloyd's algorithm in torch, for accelerators; see :func:`kernels.kmeans.kmeans`."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.seeds import derive
from mmclust.kernels.nearest_centroids import repeated_rows, scores_on
from mmclust.kernels.products import on

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

Array = np.ndarray[Any, Any]

BLOCK = 1 << 16
"""Rows whose distances are held at once."""


def starts_on(
    device: str, rows: Array, n_clusters: int, seed: int, init: str, most: int
) -> tuple[torch.Tensor, Iterator[torch.Tensor]]:
    """Return the rows to train on, and starts without end.

    Every random number is drawn on the CPU.
    """
    import torch

    points = on(device, rows)
    draw = torch.Generator().manual_seed(derive(seed, "kmeans", "torch"))
    if most < len(rows):
        points = points[torch.randperm(len(rows), generator=draw)[:most].to(device)]
    return points, (_start(points, n_clusters, each, draw) for each in repeat(init))


def lloyd(
    points: torch.Tensor, centroids: torch.Tensor, *, max_iter: int, spherical: bool
) -> tuple[float, torch.Tensor]:
    """Return the objective of the last assignment that improved, its centroids."""
    from torch.nn.functional import normalize

    last, kept = float("inf"), centroids
    for _ in range(max_iter):
        if spherical:
            centroids = normalize(centroids, dim=1)
        labels, costs = _assign(points, centroids, spherical=spherical)
        # On the CPU: not every accelerator has float64.
        loss = float(costs.cpu().numpy().sum(dtype=np.float64))
        if last - loss <= 0:
            break
        last, kept = loss, centroids
        centroids = _means(points, labels, costs, len(centroids))
    return last, kept


def _assign(
    points: torch.Tensor, centroids: torch.Tensor, *, spherical: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each row's nearest centroid, up to rounding, and its cost.

    Of centroids that coincide, it is the lowest.
    """
    import torch

    again = torch.from_numpy(repeated_rows(centroids.cpu().numpy())[0])
    again = again.to(points.device)
    labels, costs = [], []
    for block in torch.split(points, BLOCK):
        scores = scores_on(block, centroids, spherical=spherical)
        scores[:, again] = -torch.inf
        best, label = scores.max(1)
        labels.append(label)
        costs.append(-best if spherical else block.square().sum(1) - 2 * best)
    return torch.cat(labels), torch.cat(costs)


def _means(
    points: torch.Tensor, labels: torch.Tensor, costs: torch.Tensor, n_clusters: int
) -> torch.Tensor:
    """Return each cluster's mean; empty ones take the rows that fit worst."""
    import torch
    from torch.nn.functional import one_hot

    sums = points.new_zeros(n_clusters, points.shape[1])
    # Adding by index has no fixed order on a GPU; a product of matrices has.
    parts = zip(torch.split(points, BLOCK), torch.split(labels, BLOCK), strict=True)
    for block, label in parts:
        sums += one_hot(label, n_clusters).to(block.dtype).T @ block
    counts = torch.bincount(labels, minlength=n_clusters)
    means = sums / counts.clamp(min=1)[:, None]
    empty = torch.nonzero(counts == 0)[:, 0]
    worst = costs.argsort(descending=True, stable=True)[: len(empty)]
    means[empty] = points[worst]
    return means


def _start(
    points: torch.Tensor, n_clusters: int, init: str, draw: torch.Generator
) -> torch.Tensor:
    """Draw rows: all alike, or each in proportion to its distance (k-means++).

    Distances are added up on the CPU: a GPU does it in any order.
    """
    import torch

    n = len(points)
    if init == "random":
        return points[torch.randperm(n, generator=draw)[:n_clusters].to(points.device)]
    uniform = torch.rand(n_clusters, generator=draw, dtype=torch.float64)
    row = int(uniform[0] * n)
    chosen, nearest = [row], None
    for number in uniform[1:].tolist():
        distance = (points - points[row]).square().sum(1)
        nearest = distance if nearest is None else torch.minimum(nearest, distance)
        reach = nearest.cpu().numpy().cumsum(dtype=np.float64)
        row = min(int(reach.searchsorted(number * reach[-1], side="right")), n - 1)
        chosen.append(row)
    return points[torch.tensor(chosen, device=points.device)]
