"""MSCOCO-FG: fine-grained captions of COCO's 5,000 test images, an enlarged pool.

25,000 captions; 31,244 images, of which 26,244 are distractors without captions. The
original captions, where COCO 2014's annotations are there, go beside the manifest.

Source: Chen, Yao and Jin, SIGIR 2023 (arXiv 2304.10824).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from mmclust.benchmarks._coco_annotations import read_captions
from mmclust.benchmarks._fine_grained import (
    Originals,
    build_fine_grained,
    first_five,
    read_fine_grained,
)
from mmclust.benchmarks._source_files import look_for
from mmclust.benchmarks._splits import NoParams as Params
from mmclust.benchmarks._splits import splits_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.core.types import Built

SOURCES = ("fine_grained", "coco2014", "coco2017_unlabeled")
LISTS = ("fine_grained",)
DEFAULT_SPLIT = "test"
QUERIES, IMAGES = 5_000, 31_244
STEM = "COCO_val2014_"
ANNOTATIONS = "annotations_trainval2014.zip"
CAPTIONS = "annotations/captions_val2014.json"


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the size of the pool, as published."""
    del params, split
    return {"": IMAGES}


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Join captions and pool by name."""
    del params
    splits_of(split, ["test"])
    read = partial(read_fine_grained, "MSCOCO", re.compile(STEM + r"\d{12}"))
    published = QUERIES, IMAGES
    return build_fine_grained(
        raw, SOURCES, read, "val2014", _originals, published, images=images
    )


def _originals(folders: Sequence[Path], stems: Sequence[str]) -> Originals:
    found = look_for(folders, ANNOTATIONS, CAPTIONS)
    if found is None:
        return Originals(None)
    by_id = {int(stem.removeprefix(STEM)): stem for stem in stems}
    read, _, digest = read_captions(found, set(by_id))
    captions = {stem: read[i] for i, stem in by_id.items() if i in read}
    return first_five(captions, CAPTIONS, digest)
