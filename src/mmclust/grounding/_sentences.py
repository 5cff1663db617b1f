"""Sentence-image matching: whether an image shares more with its own caption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.tokens import tokenize
from mmclust.scoring.caption_clusters import caption_indicators, sentence_matching
from mmclust.scoring.sampled import Sampled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.grounding._model import Model

Array = np.ndarray[Any, Any]


def matched_pairs(
    model: Model, seed: int, captions: Sequence[Sequence[str]], active: Array
) -> dict[str, Array]:
    """Match images with captions; a sample is an image with its first caption.

    Images without caption are left out. Pairs are consecutive ones in manifest order.

    Parameters
    ----------
    model, seed
        Whose words.
    captions
        Of each of n images.
    active
        bool (n, C): the images' clusters.
    """
    have = np.array([bool(each) for each in captions], bool)
    first = tokenize([each[0] for each in captions if each], lemmas=model.lemmas)
    place = {word: at for at, word in enumerate(model.words.words)}
    ids = [[place.get(token, -1) for token in tokens] for tokens in first]
    found = caption_indicators(
        ids,
        model.words.clusters[seed],
        model.confidence(seed),
        float(model.facts["text_threshold"]),
    )
    indicators = np.zeros((len(found), model.clusters), bool)
    indicators[:, : found.shape[1]] = found
    return sentence_matching(active[have], indicators)


def matching_figures(
    model: Model,
    captions: Sequence[Sequence[str]],
    active: Sequence[Array],
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the figures of sentence-image matching.

    Parameters
    ----------
    model
        Whose words.
    captions
        Of each of n images.
    active
        Of each run, bool (n, C).
    n_resamples, rng
        Of the bootstrap over pairs.

    Returns
    -------
    dict
        ``n_pairs``, ``accuracy`` and ``extended_accuracy``, sampled over pairs; null
        where there is no pair.
    """
    runs = [matched_pairs(model, s, captions, each) for s, each in enumerate(active)]
    n_pairs = len(runs[0]["right"])
    values = {
        "accuracy": np.stack([run["right"] for run in runs]),
        "extended_accuracy": np.stack([~run["wrong"] for run in runs]),
    }
    draws: Any = rng.integers(n_pairs, size=(n_resamples, n_pairs)) if n_pairs else []
    figures: dict[str, Any] = {"n_pairs": n_pairs}
    for name, each in values.items():
        scores = each.mean(axis=1) if n_pairs else np.array([])
        drawn = [each[:, rows].mean(axis=1) for rows in draws]
        resampled = np.stack(drawn) if drawn else None
        figures[name] = Sampled(
            scores, resampled, n_pairs, limits=(0.0, 1.0),
            why="fewer than two images have a caption",
        )  # fmt: skip
    return figures
