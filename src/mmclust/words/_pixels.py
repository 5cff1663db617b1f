"""Pictures as the visual network sees them, each decoded once for all epochs and seeds.

Square by bilinear resizing (Pillow's, the aspect ratio is not kept), without
augmentation; Berger et al. (NAACL 2022), spec 1.3. Grey pictures, which the published
selection leaves out, become RGB with three equal channels.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.images import Images
from mmclust.core.manifest import PLACES, read_manifest
from mmclust.core.progress import track
from mmclust.core.shards import Sharded
from mmclust.core.workers import LocalWorker, run_tasks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from mmclust.core.manifest import Manifest

    Array = np.ndarray[Any, Any]

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def resized(
    manifest: Manifest, rows: Array, side: int, work: Path, *, workers: int = 1
) -> Array:
    """Decode and resize pictures (distinct rows) into uint8 (n, 3, side, side).

    A killed run is continued; what is done is not done again. The file, mapped, takes
    3 side² bytes for each picture, and while it is put together twice that.
    """
    origin = {"manifest": manifest.digest, "side": str(side)}
    sharded = Sharded(array_of(work, side), len(rows), 1, origin)
    setup = partial(_decoder, manifest.folder / "manifest.parquet", rows, side)
    spans = sharded.unfinished()
    if workers > 1 and len(spans) > 1:
        starts = [partial(LocalWorker, setup)] * min(workers, len(spans))
        done = run_tasks(starts, spans, describe=lambda s: f"pictures {s[0]} on")
    else:
        decode = setup()
        done = ((span, decode(span)) for span in spans)
    for span, pictures in track(done, "decode", len(spans), "shards"):
        sharded.write(span, pictures, {})
    sharded.merge()
    return sharded.read()[0]


def array_of(work: Path, side: int) -> Path:
    """Return where :func:`resized` puts its array."""
    return work / f"pixels-{side}.npy"


def _decoder(path: Path, rows: Array, side: int) -> Callable[[Any], Array]:
    """Return the function that decodes a shard."""
    from PIL import Image

    images = Images(read_manifest(path, PLACES))

    def run(span: tuple[int, int]) -> Array:
        made = np.empty((span[1] - span[0], 3, side, side), np.uint8)
        for i, row in enumerate(rows[slice(*span)].tolist()):
            picture = Image.fromarray(images.read(row))
            small = picture.resize((side, side), Image.Resampling.BILINEAR)
            made[i] = np.asarray(small).transpose(2, 0, 1)
        return made

    return run


def normalised(pictures: Array, device: str) -> torch.Tensor:
    """Turn uint8 (b, 3, side, side) into float32 on a device, by :data:`MEAN`."""
    import torch

    shape = (1, 3, 1, 1)
    values = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).float()
    mean = torch.tensor(MEAN, device=device).view(shape)
    return (values / 255 - mean) / torch.tensor(STD, device=device).view(shape)
