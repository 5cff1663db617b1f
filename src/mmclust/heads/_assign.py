"""Applying a trained head to new pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.decoding import decode
from mmclust.core.errors import MmclustError
from mmclust.core.io import file_digest, require_file
from mmclust.core.plugins import load, params_of
from mmclust.core.progress import track
from mmclust.core.types import Batch, Fitted
from mmclust.heads._embeddings import read_fitted, require_maker
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
    """Assign pictures to the clusters of a trained head."""
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
    again = f"train it again: mmclust head {facts['benchmark']} {facts['head']}"
    made = {"params": facts["encoder_params"], "model": facts["model"]}
    require_maker(name, params, made, "The head's images", head, again)
    fitted = _fitted(head, facts, again)
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
            ready if encode is None else encode(batch, params, fitted, device=device)
        )
    return unit_rows(np.concatenate(blocks), pictures[0])


def _fitted(head: Path, facts: dict[str, Any], again: str) -> Fitted:
    """Return what the head's encoder learned, if it is still what it was."""
    folder, learned = head / facts["features"], facts["fitted"]
    if not learned:
        return Fitted()
    for name, digest in learned.items():
        path = folder / name
        encode = f"encode again: mmclust encode {facts['benchmark']} {facts['encoder']}"
        found = file_digest(require_file(path, encode))
        if found != digest:
            raise MmclustError(
                "The head was trained on another fit of its encoder",
                where=path,
                expected=f"sha256 {digest}",
                found=f"sha256 {found}",
                do=again,
            )
    return read_fitted(folder)
