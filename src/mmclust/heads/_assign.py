"""Applying a trained head to new pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.decoding import decode
from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file
from mmclust.core.plugins import load, params_of
from mmclust.core.progress import track
from mmclust.core.types import Batch
from mmclust.heads._embeddings import fitted_digest, shared_encoder
from mmclust.heads._rows import read_rows, require_same_space, unit_rows
from mmclust.heads._saved import Prediction, load_head, predict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BLOCK = 256
"""Pictures decoded and encoded at once."""
_DO = "give image files"


def assign_images(
    pictures: Sequence[Path],
    head: Path,
    *,
    seed: int = 0,
    features: Path | None = None,
    device: str = "cpu",
) -> tuple[Prediction, list[list[str]]]:
    """Assign pictures to the clusters of a trained head.

    Parameters
    ----------
    pictures
        Image files.
    head
        ``data/heads/<benchmark>/<head>``, or the folder of ``--save``.
    seed
        Which of the trained heads.
    features
        ``.npy`` (n, d) in place of pictures; needed where the head was trained on
        embeddings of one's own, whose encoder mmclust does not know.
    device
        Where torch runs.

    Returns
    -------
    prediction
        One row per picture.
    names
        Words for each cluster; empty where none are known.

    Raises
    ------
    MmclustError
        When there is no such head, its encoder is gone or other than it was, or a
        file is no picture.
    """
    weights, facts = load_head(head, seed)
    if features is not None:
        rows = read_rows(features)
    elif facts["encoder"] is None:
        raise MmclustError(
            "This head was trained on embeddings of your own",
            where=head,
            expected="embeddings from the same encoder",
            found="pictures",
            do="encode them, and give the array with --image-features",
        )
    else:
        rows = _encode(pictures, head, facts, device)
    require_same_space(facts["dim"], rows.shape[1], "the head")
    names = facts.get("names") or [[]]
    return predict(weights, rows, device=device), names[min(seed, len(names) - 1)]


def _encode(
    pictures: Sequence[Path], head: Path, facts: dict[str, Any], device: str
) -> np.ndarray[Any, Any]:
    """Encode pictures as the benchmark's were: float32 (n, d), unit norm."""
    name = facts["encoder"]
    module = load("encoders", name)
    params = params_of("encoders", name, facts["encoder_params"], f"encoders.{name}")
    encoder = shared_encoder(name, params, head / facts["features"])
    if not encoder.frozen and not encoder.fitted.arrays:
        raise MmclustError(
            "What the head's encoder learned is gone",
            where=head / facts["features"],
            expected="fitted.safetensors",
            found="nothing",
            do=f"encode again: mmclust encode {facts['benchmark']} {name}",
        )
    if facts.get("fitted") not in {None, fitted_digest(encoder.fitted.facts)}:
        raise MmclustError(
            "The head was trained on another fit of its encoder",
            where=head,
            expected=facts["fitted"],
            found=fitted_digest(encoder.fitted.facts),
            do="train it again: mmclust head "
            f"{facts['benchmark']} {facts['head']}",
        )  # fmt: skip
    blocks = []
    starts = range(0, len(pictures), BLOCK)
    for start in track(starts, "pictures", len(starts), "blocks"):
        paths = pictures[start : start + BLOCK]
        ready = np.stack(
            [
                module.prepare(
                    decode(require_file(p, _DO).read_bytes(), str(p)), params
                )
                for p in paths
            ]
        )
        batch = Batch([str(p) for p in paths], [()] * len(paths), ready)
        encode = getattr(module, "encode_image", None)
        blocks.append(
            ready
            if encode is None
            else encode(batch, params, encoder.fitted, device=device)
        )
    return unit_rows(np.concatenate(blocks), pictures[0])
