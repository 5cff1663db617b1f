"""Which pictures the world has: a list that strains the protocols' rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.core.seeds import generator
from mmclust.sources.sample.scene import Wanted
from mmclust.sources.sample.world import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from mmclust.sources.sample.scene import Scene

TRAIN, VAL = "train2017", "val2017"
MIXED = {TRAIN: 370, VAL: 60}  # pictures of two to four categories
EMPTY = {TRAIN: 16, VAL: 4}  # pictures without any annotation
VAL_ALONE = 236
LAST_ID = 581_929  # the highest of COCO 2017
# COCO marks large groups as a crowd. The protocols count them as evidence, so some
# pictures fall out of COCO-cross only for a crowd at their edge.
CROWD_ALONE, CROWD_BESIDE = 0.02, 0.15


@dataclass(frozen=True)
class Picture:
    """One image to draw.

    Parameters
    ----------
    split
        Where it belongs.
    image_id
        Unique in its source; its randomness derives from it.
    wanted
        The categories it must show, if ``scene`` leaves that open.
    scene
        What it shows, where that is settled before it is drawn.
    exact
        Whether all that the scene says must be seen: each thing, and its colour.
    """

    split: str
    image_id: int
    wanted: tuple[Wanted, ...] = ()
    scene: Scene | None = None
    exact: bool = False


def plan(seed: int, n_images: int | None = None) -> list[Picture]:
    """List the pictures of the world, sorted by image id."""
    rng = generator(seed, "sample", "plan")
    wanted = [(split, scene) for split in MIXED for scene in _scenes(rng, split)]
    ids = rng.choice(LAST_ID, len(wanted), replace=False) + 1
    chosen = rng.permutation(len(wanted))[:n_images]
    pictures = [
        Picture(wanted[i][0], int(image_id), wanted[i][1])
        for i, image_id in zip(chosen, ids, strict=False)
    ]
    return sorted(pictures, key=lambda picture: picture.image_id)


def _scenes(rng: np.random.Generator, split: str) -> Iterator[tuple[Wanted, ...]]:
    for category in _alone(rng, split):
        yield (Wanted(category, crowd=bool(rng.random() < CROWD_ALONE)),)
    everyone = list(CATEGORIES)
    for number in range(MIXED[split]):
        # Every category gets its turn to be the subject.
        if number % len(everyone) == 0:
            turns = rng.permutation(everyone)
        yield _mixed(rng, int(turns[number % len(everyone)]))
    yield from ((),) * EMPTY[split]


def _alone(rng: np.random.Generator, split: str) -> list[int]:
    """Return the categories of the pictures that show only one."""
    by_count = [c.id for c in CATEGORIES.values() for _ in range(c.alone)]
    if split == TRAIN:
        return by_count
    return [int(i) for i in rng.choice(by_count, VAL_ALONE, replace=False)]


def _mixed(rng: np.random.Generator, subject: int) -> tuple[Wanted, ...]:
    """Give a subject one to three companions, mostly from the same places."""
    others = companions(rng, subject, int(rng.integers(1, 4)))
    beside = (Wanted(c, crowd=bool(rng.random() < CROWD_BESIDE)) for c in others)
    return (Wanted(subject), *beside)


def companions(rng: np.random.Generator, subject: int, number: int) -> list[int]:
    """Return what else may be in a picture, mostly from the subject's places."""
    places = set(CATEGORIES[subject].places)
    near = [c.id for c in CATEGORIES.values() if places & set(c.places)]
    drawn: list[int] = []
    for _ in range(number):
        options = near if rng.random() < 0.8 else list(CATEGORIES)  # noqa: PLR2004
        drawn.append(int(rng.choice(options)))
    others = [c for c in dict.fromkeys(drawn) if c != subject]
    return others or [next(c for c in near if c != subject)]
