"""Sentence-image matching: whether an image shares more with its own caption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.tokens import tokenize
from mmclust.scoring.caption_clusters import caption_indicators, sentence_matching
from mmclust.scoring.intervals import intervals

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


def matching_record(
    model: Model,
    captions: Sequence[Sequence[str]],
    active: Sequence[Array],
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return accuracy and extended accuracy, means over runs.

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
        ``sentence_matching_pairs``, ``_accuracy`` and ``_extended_accuracy`` with
        ``_low`` and ``_high``; null and ``_why`` where there is no pair.
    """
    runs = [matched_pairs(model, s, captions, each) for s, each in enumerate(active)]
    n_pairs = len(runs[0]["right"])
    name = "sentence_matching"
    record: dict[str, Any] = {f"{name}_pairs": n_pairs}
    values = {
        f"{name}_accuracy": np.stack([run["right"] for run in runs]),
        f"{name}_extended_accuracy": np.stack([~run["wrong"] for run in runs]),
    }
    if not n_pairs:
        why = "fewer than two images have a caption"
        return record | dict.fromkeys(values) | {f"{k}_why": why for k in values}
    draws = rng.integers(n_pairs, size=(n_resamples, n_pairs))
    scores = {key: each.mean(axis=1) for key, each in values.items()}
    resampled = {
        key: np.stack([each[:, rows].mean(axis=1) for rows in draws])
        for key, each in values.items()
    }
    for key, (low, high) in intervals(scores, resampled, n_pairs).items():
        record |= {
            key: round(float(scores[key].mean()), 6),
            f"{key}_low": round(low, 6),
            f"{key}_high": round(high, 6),
        }
    return record
