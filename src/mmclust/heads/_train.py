"""Training the heads: index gathers on one device, seeds side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.numerics import threads
from mmclust.core.progress import track
from mmclust.core.seeds import derive
from mmclust.core.types import Trained
from mmclust.heads._networks import Items, is_buffer
from mmclust.heads._rows import require_batch
from mmclust.kernels.nearest_neighbors import nearest_neighbors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch

    from mmclust.core.types import HeadInputs

    Array = np.ndarray[Any, Any]
    Weights = dict[str, torch.Tensor]
    Terms = dict[str, torch.Tensor]

SMALL = 1 << 23
"""Products of a layer's matrix and a batch below which a CPU, too, trains seeds side
by side: calling an operation costs more than its arithmetic there."""
GROUP = 5
"""Seeds that lie side by side on a CPU; groups run in processes of their own."""


@dataclass(frozen=True)
class Recipe:
    """What a head trains, and how.

    ``start(draw)`` gives the first weights of one seed; ``objective(weights, items)``
    the terms of the loss, each (s,), of which ``loss`` is minimised. Of ``params`` are
    read ``epochs``, ``batch``, ``learning_rate``, ``n_neighbors`` and ``hidden``.
    """

    start: Callable[[torch.Generator], Weights]
    objective: Callable[[Weights, Items], Terms]
    params: Any


def group_size(params: Any, dim: int) -> int:
    """Return how many seeds a CPU trains in one pass; sizes alone decide."""
    return GROUP if params.batch * dim * params.hidden <= SMALL else 1


def prepare(
    inputs: HeadInputs, params: Any, *, device: str = "cpu"
) -> tuple[Array, Array, Array, Array]:
    """Return counterparts, images, and the rows near each: by text, and by image.

    float32 (n, d) at unit norm, and int64 (n, n_neighbors).
    """
    require_batch(params.batch, len(inputs))
    by_text, by_image = (
        nearest_neighbors(rows, params.n_neighbors, device=device)
        for rows in (inputs.text, inputs.image)
    )
    return inputs.text, inputs.image, by_text, by_image


@threads(1)
def train(
    recipe: Callable[[int, int, Any], Recipe],
    given: Sequence[Array],
    n_clusters: int,
    params: Any,
    *,
    seeds: Sequence[int],
    device: str = "cpu",
) -> list[Trained]:
    """Train one head per seed, all in one pass; the last epoch is the result.

    ``recipe`` is the head's, ``given`` what :func:`prepare` returns.
    """
    import torch

    from mmclust.kernels.adam import Adam

    text, image = (
        torch.from_numpy(np.ascontiguousarray(rows)).to(device) for rows in given[:2]
    )
    near = [torch.from_numpy(rows) for rows in given[2:]]
    made = recipe(image.shape[1], n_clusters, params)
    params, order = made.params, draws(seeds, "order")
    weights = stacked([made.start(draw) for draw in draws(seeds, "weights")], device)
    learnt = [w.requires_grad_() for name, w in weights.items() if not is_buffer(name)]
    optimizer = Adam(learnt, params.learning_rate, betas=(0.9, 0.99))
    curves: list[list[dict[str, float]]] = [[] for _ in seeds]
    for _ in track(range(params.epochs), "head", params.epochs, "epochs"):
        sums: Terms = {}
        for batch in epoch(order, near, params.batch):
            at, beside, around = (rows.to(device) for rows in batch)
            items = Items(text[at], image[at], text[beside], image[around])
            terms = made.objective(weights, items)
            optimizer.zero_grad()
            terms["loss"].sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            for name, term in terms.items():
                sums[name] = sums.get(name, 0) + term.detach()
        steps = len(image) // params.batch
        means = {name: (total / steps).tolist() for name, total in sums.items()}
        for i, curve in enumerate(curves):
            curve.append({name: values[i] for name, values in means.items()})
    final = {name: w.detach().cpu().numpy() for name, w in weights.items()}
    return [
        Trained({name: w[i].copy() for name, w in final.items()}, curve)
        for i, curve in enumerate(curves)
    ]


def draws(seeds: Sequence[int], what: str) -> list[torch.Generator]:
    """Return a stream of random numbers of each seed, for one purpose."""
    import torch

    return [torch.Generator().manual_seed(derive(s, "head", what)) for s in seeds]


def stacked(each: Sequence[Weights], device: Any) -> Weights:
    """Lay the weights of several seeds side by side, seeds first."""
    import torch

    return {name: torch.stack([w[name] for w in each]).to(device) for name in each[0]}


def epoch(
    draws: Sequence[torch.Generator],
    near: Sequence[torch.Tensor],
    batch: int,
    *,
    drop_last: bool = True,
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield the rows of each batch of an epoch, for s seeds, and neighbours of each.

    All rows in random order, the last incomplete batch dropped or not; for each anchor
    one neighbour by each table (``near``, int64 (n, j) each), uniformly, anew. int64
    (s, batch): the rows, and one more for each table.
    """
    import torch

    n = len(near[0])
    used = n - n % batch if drop_last else n
    streams = []
    for draw in draws:
        rows = torch.randperm(n, generator=draw)[:used]
        picks = [
            table[rows, torch.randint(table.shape[1], rows.shape, generator=draw)]
            for table in near
        ]
        streams.append(torch.stack([rows, *picks]))
    together = torch.stack(streams, dim=1)  # (1 + tables, s, rows)
    for start in range(0, used, batch):
        yield tuple(together[:, :, start : start + batch])
