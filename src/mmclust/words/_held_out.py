"""Images held out of training: figures to tune by, without norms or labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.seeds import generator
from mmclust.words._session import cross_entropy

if TYPE_CHECKING:
    from mmclust.words._session import Session

    Array = np.ndarray[Any, Any]

ROWS = 64
"""Pictures that pass through the network at once."""
FEWEST = 2
"""Held-out images that matching needs."""


def held_out(images: Array, share: float, seed: int) -> Array:
    """Draw the images that are not trained on; the same for all seeds of a run."""
    number = int(share * len(images))
    if share and not FEWEST <= number <= len(images) - FEWEST:
        raise MmclustError(
            "Too few images to hold some out",
            where="words.joint_model.validation",
            expected="a share that leaves at least two images on either side",
            found=f"{share} of {len(images)} images",
        )
    drawn = generator(seed, "validation").permutation(len(images))[:number]
    return np.sort(drawn)


def held_out_figures(session: Session, images: Array) -> dict[str, float]:
    """Judge a model by held-out images and the first caption of each."""
    import torch

    # The first of each image's captions, which lie together.
    first = np.searchsorted(session.at, images)
    session.module.eval()
    with torch.inference_mode():
        logits = np.concatenate(
            [
                session.outputs(first[i : i + ROWS]).cpu().numpy()
                for i in range(0, len(first), ROWS)
            ]
        )
    session.module.train()
    ids, places = session.corpus.tokens_of(first)
    said = session.counts.outputs(ids, places, len(first))
    captions = said >= session.params.text_threshold
    pictures = logits >= session.params.visual_threshold
    own = (pictures != captions).sum(1)
    other = (pictures != np.roll(captions, -1, axis=0)).sum(1)
    return {
        "validation_loss": cross_entropy(logits, captions),
        "validation_matching": float((own < other).mean()),
    }
