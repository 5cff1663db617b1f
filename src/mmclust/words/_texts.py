"""Words by the text encoders of checkpoints: what BERT, CLIP and SBERT share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.models.hub import identity
from mmclust.words._listed import learn_by, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from mmclust.core.types import Corpus, Learned, Run

Array = np.ndarray[Any, Any]

BATCH = 256


def learn_from(
    kind: str,
    embed: Callable[[Sequence[str], Any, str], Array],
    corpus: Corpus,
    params: Any,
    run: Run,
) -> Learned:
    """Cluster the listed words by the vectors that ``embed`` gives: float32 (n, d)."""
    rows = listed(corpus, params.word_list, run.root)
    vectors = embed(
        [corpus.words[i] for i in rows], params, run.device.partition(",")[0]
    )
    made = identity(params.model, params.revision)
    return learn_by(kind, corpus, rows, vectors, params, run, **made)


def by_length(
    tokens: Sequence[Sequence[int]], run: Callable[[torch.Tensor], torch.Tensor]
) -> Array:
    """Run texts of one length together, so that nothing is padded: float32 (n, d).

    ``run`` turns ids, int64 (b, length), into (b, d).
    """
    import torch

    lengths = np.array([len(ids) for ids in tokens])
    found: dict[int, Array] = {}
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        for start in range(0, len(same), BATCH):
            at = same[start : start + BATCH]
            with torch.inference_mode():
                rows = run(torch.tensor([list(tokens[i]) for i in at]))
            found |= zip(at.tolist(), rows.float().cpu().numpy(), strict=True)
    return np.stack([found[i] for i in range(len(tokens))])
