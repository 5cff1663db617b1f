"""Flickr30K-FG: fine-grained captions of Flickr30K's 1,000 test images, a larger pool.

5,000 captions; 6,867 images, of which 5,867 are distractors without captions, taken
from COCO's unlabeled images: they differ from the queries in source and style. The
original captions, where a file of Flickr30K is there, go beside the manifest.

Source: Chen, Yao and Jin, SIGIR 2023 (arXiv 2304.10824).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from mmclust.benchmarks._caption_files import captions_and_splits
from mmclust.benchmarks._fine_grained import (
    Originals,
    build_fine_grained,
    first_five,
    read_fine_grained,
)
from mmclust.benchmarks._splits import NoParams as Params
from mmclust.benchmarks._splits import splits_of
from mmclust.benchmarks.flickr30k import FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.core.types import Built

SOURCES = (
    "fine_grained",
    "flickr30k",
    "flickr30k_publisher",
    "karpathy_splits",
    "coco2017_unlabeled",
)
LISTS = ("fine_grained",)
DEFAULT_SPLIT = "test"
QUERIES, IMAGES = 1_000, 6_867


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the size of the pool, as published."""
    del params, split
    return {"": IMAGES}


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Join captions and pool by name."""
    del params
    splits_of(split, ["test"])
    read = partial(read_fine_grained, "Flickr30K", re.compile(r"\d+"))
    published = QUERIES, IMAGES
    return build_fine_grained(
        raw, SOURCES, read, FOLDER, _originals, published, images=images
    )


def _originals(folders: Sequence[Path], stems: Sequence[str]) -> Originals:
    """Read Flickr30K's own captions of the query images, whichever file has them."""
    files = captions_and_splits(folders)
    if not files:
        return Originals(None)
    texts = files[0]
    captions = {stem: texts.captions[stem] for stem in stems if stem in texts.captions}
    return first_five(captions, texts.name, texts.digest)
