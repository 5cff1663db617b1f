"""Ranks on an accelerator: the same counts, in full float32 precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

Array = np.ndarray[Any, Any]

ROWS = 2048
"""Queries per block: 2,048 against 31,244 candidates are 256 MB of scores."""


def ranks_on(
    device: str,
    queries: Array,
    candidates: Array,
    positives: Array,
    ends: Sequence[int],
    top_k: int,
    repeated: tuple[Array, Array],
) -> tuple[Array, Array, Array, Array, Array]:
    """Return the fields of :class:`mmclust.kernels.ranks.Ranks`."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    pool = torch.from_numpy(np.array(candidates, np.float32)).to(device)
    double, first = (torch.from_numpy(rows).to(device) for rows in repeated)
    greater, equal, own, top, top_scores = [], [], [], [], []
    for start in range(0, len(queries), ROWS):
        rows = slice(start, start + ROWS)
        query = torch.from_numpy(np.array(queries[rows], np.float32)).to(device)
        scores = query @ pool.T
        scores[:, double] = scores[:, first]
        at = torch.from_numpy(np.array(positives[rows], np.int64)).to(device)
        right = scores.gather(1, at.clamp(min=0)).masked_fill(at < 0, torch.nan)
        own.append(right)
        counts = [_counts(scores[:, :end], right) for end in ends]
        greater.append(torch.stack([more for more, _ in counts]))
        held = [((at >= 0) & (at < end)).long() for end in ends]
        ties = [same - mine for (_, same), mine in zip(counts, held, strict=True)]
        equal.append(torch.stack(ties))
        best, values = _best(scores[:, : ends[-1]], min(top_k, ends[-1]))
        top.append(best)
        top_scores.append(values)
    return (
        torch.cat(greater, 1).cpu().numpy(),
        torch.cat(equal, 1).cpu().numpy(),
        torch.cat(own).cpu().numpy(),
        torch.cat(top).cpu().numpy(),
        torch.cat(top_scores).cpu().numpy(),
    )


def _best(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the k best of each row and their scores, equal ones by position.

    ``topk`` cuts equal scores apart anywhere; it only says where the cut is.
    """
    import torch

    if not k:
        return scores.new_zeros(len(scores), 0, dtype=torch.int64), scores[:, :0]
    bar = scores.topk(k).values.amin(1, keepdim=True)
    above, level = scores > bar, scores == bar
    room = k - above.sum(1, keepdim=True)
    kept = above | (level & (level.cumsum(1, dtype=torch.int32) <= room))
    columns = kept.nonzero()[:, 1].reshape(len(scores), k)
    values = scores.gather(1, columns)
    order = torch.argsort(values, dim=1, descending=True, stable=True)
    return columns.gather(1, order), values.gather(1, order)


def _counts(
    scores: torch.Tensor, right: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Count scores above, and equal to, each column of ``right``: (b, p) each."""
    import torch

    columns = torch.split(right, 1, dim=1)  # one at a time: a block is large enough
    more = torch.cat([(scores > bar).sum(1, keepdim=True) for bar in columns], 1)
    least = torch.cat([(scores >= bar).sum(1, keepdim=True) for bar in columns], 1)
    return more, least - more
