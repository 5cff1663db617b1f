"""From a picture of the plan to a JPEG, its annotations and its captions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.numerics import threads
from mmclust.core.seeds import generator
from mmclust.core.workers import in_order
from mmclust.sources.sample.captions import describe
from mmclust.sources.sample.coco import annotate
from mmclust.sources.sample.paint import paint
from mmclust.sources.sample.scene import arrange, compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmclust.sources.sample.paint import Painted
    from mmclust.sources.sample.plan import Picture
    from mmclust.sources.sample.scene import Scene

JPEG_QUALITY = 85
CHUNK = 32  # pictures handed to a worker at a time
CAPTIONS = 5  # of a picture whose scene is settled; COCO's number varies
SEEN = 0.6  # how much of each thing an exact picture shows, at first
RELAXED = 0.98  # from try to try, so that crowded scenes end, too


@dataclass(frozen=True)
class Drawn:
    """A finished picture and all that is said about it."""

    split: str
    image_id: int
    width: int
    height: int
    jpeg: bytes
    annotations: list[dict[str, Any]]
    captions: list[str]


def draw_all(seed: int, pictures: Iterable[Picture], workers: int) -> Iterator[Drawn]:
    """Yield the drawn pictures in order, the same at any number of workers."""
    source = iter(pictures)
    chunks = iter(lambda: list(islice(source, CHUNK)), [])
    drawn = in_order(
        partial(_draw_some, seed),
        chunks,
        workers,
        describe=lambda chunk: f"pictures {chunk[0].image_id} on",
    )
    for each in drawn:
        yield from each


@threads(1)  # here, too: to hold libraries anew for each picture takes longer than that
def _draw_some(seed: int, pictures: list[Picture]) -> list[Drawn]:
    return [draw(seed, picture) for picture in pictures]


@threads(1)
def draw(seed: int, picture: Picture) -> Drawn:
    """Draw, annotate and describe one picture; it depends on nothing else."""
    import cv2

    rng = generator(seed, "sample", "scene", picture.image_id)
    scene = picture.scene or compose(rng, picture.wanted)
    annotations, seen = None, SEEN
    while annotations is None:  # rarely more than once: something hid a category
        things = arrange(rng, scene)
        painted = paint(rng, scene, things, exact=picture.exact)
        annotations = annotate(scene, painted)
        if picture.exact and annotations and not _shows(painted, scene, seen):
            annotations, seen = None, seen * RELAXED
    _, jpeg = cv2.imencode(
        ".jpg", painted.rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    number = None if picture.scene is None else CAPTIONS
    rng = generator(seed, "sample", "caption", picture.image_id)
    return Drawn(
        picture.split,
        picture.image_id,
        scene.width,
        scene.height,
        jpeg.tobytes(),
        annotations,
        describe(rng, scene, number),
    )


def _shows(painted: Painted, scene: Scene, share: float) -> bool:
    """Say whether every thing can be counted: enough of each is seen."""
    visible = np.array([np.count_nonzero(mask) for _, mask in painted.masks])
    things = sum(group.number for group in scene.groups)
    return len(visible) == things and bool(
        (visible >= share * np.array(painted.whole)).all()
    )
