"""Nouns for embeddings of one's own, from file to file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import file_digest, write_array
from mmclust.core.seeds import derive
from mmclust.heads._centres import n_centres
from mmclust.heads._nouns import noun_space, texts_for, write_space
from mmclust.heads._rows import read_rows, require_same_space
from mmclust.heads._vocabulary import read_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import NounsParams


def nouns_of_files(
    image_features: Path,
    nouns_features: Path,
    words: Path,
    out: Path,
    *,
    params: NounsParams,
    k: int,
    test_image_features: Path | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, Any]:
    """Choose nouns for one's own embeddings; see :func:`write_space` for the files."""
    images = read_rows(image_features)
    vocabulary = read_vocabulary(words)
    embeddings = read_rows(nouns_features, len(vocabulary.words))
    require_same_space(images.shape[1], embeddings.shape[1], "nouns")
    test = None if test_image_features is None else read_rows(test_image_features)
    if test is not None:
        require_same_space(images.shape[1], test.shape[1], "further images")
    space = noun_space(
        images,
        embeddings,
        np.arange(len(embeddings)),
        vocabulary.words,
        n_centres(len(images), k, "", params.centres),
        params,
        seed=derive(seed, "nouns"),
        device=device,
    )
    if test is not None:
        others = texts_for(test, space, params, device)
        write_array(out / "test_counterparts.npy", others)
    text = texts_for(images, space, params, device)
    meta = {"image_features": file_digest(image_features), "seed": seed}
    return write_space(out, space, vocabulary, params, text, meta)
