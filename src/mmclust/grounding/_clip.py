"""The CLIP baseline: classes whose prompt is similar enough to the image.

Source: Berger et al. (NAACL 2022); prompts "a photo of a <name>", threshold chosen for
micro F1 on the training part, each image once per caption.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.io import file_digest, read_array
from mmclust.scoring.micro import set_counts
from mmclust.scoring.record import Score
from mmclust.scoring.threshold import PUBLISHED, best_threshold

if TYPE_CHECKING:
    from mmclust.core.manifest import Manifest
    from mmclust.grounding._gold import Gold

Array = np.ndarray[Any, Any]


def clip_baseline(
    images: str, classes: str, manifest: Manifest, gold: Gold
) -> tuple[dict[str, Array], list[Score]]:
    """Classify the evaluated images by cosine similarity with prompts.

    Parameters
    ----------
    images, classes
        ``.npy`` of float (N, d) and (k, d), rows in manifest order and in that of
        ``gold.classes``.
    manifest, gold
        The benchmark.

    Returns
    -------
    counts : dict
        ``clip`` (threshold chosen here) and ``clip_published_threshold``: int64
        (1, n, 3).
    facts : list of Score
        The thresholds, the F1 where it was chosen, and the files' digests.

    Raises
    ------
    MmclustError
        When a file is missing or of another shape, or holds NaN.
    """
    pictures = _read(images, "clip_images", len(manifest))
    prompts = _read(classes, "clip_classes", len(gold.classes))
    if pictures.shape[1] != prompts.shape[1]:
        raise MmclustError(
            "CLIP's images and classes are not of one space",
            where=f"{images}, {classes}",
            expected="as many columns",
            found=f"{pictures.shape[1]} and {prompts.shape[1]}",
        )
    similar = normalised(pictures) @ normalised(prompts).T
    right = gold.instances > 0
    fit, rows = manifest.fit_rows, manifest.evaluate_rows
    captions = np.array([len(each) for each in manifest.captions])[fit]
    times = np.broadcast_to(captions[:, None], right[fit].shape)
    threshold, f1 = best_threshold(similar[fit], right[fit], times)
    counts = {
        name: set_counts(similar[rows] >= value, right[rows])[None]
        for name, value in (
            ("clip", threshold),
            ("clip_published_threshold", PUBLISHED),
        )
    }
    files = f"images {file_digest(Path(images))}, classes {file_digest(Path(classes))}"
    facts = {
        ("clip", "threshold"): (threshold, files),
        ("clip", "threshold_train_f1"): (f1, ""),
        ("clip_published_threshold", "threshold"): (PUBLISHED, ""),
    }
    return counts, [
        Score("", "", *name, value, n_seeds=1, note=note)
        for name, (value, note) in facts.items()
    ]


def _read(path: str, key: str, n: int) -> Array:
    array = np.asarray(read_array(Path(path)), np.float32)
    if array.ndim != 2 or len(array) != n or not np.isfinite(array).all():  # noqa: PLR2004
        raise MmclustError(
            "CLIP's embeddings do not fit the benchmark",
            where=f"grounding.{key}: {path}",
            expected=f"finite numbers, {n:,} rows",
            found=f"shape {array.shape}",
            do="encode the benchmark's images, and the prompts of its one-word names",
        )
    return array
