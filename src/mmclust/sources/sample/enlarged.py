"""The plan of the fine-grained benchmarks: queries, their near copies, the pools."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from mmclust.core.seeds import generator
from mmclust.sources.sample.coco import file_name
from mmclust.sources.sample.fine import facts, fine_scene, vary
from mmclust.sources.sample.finer import finer
from mmclust.sources.sample.plan import LAST_ID, Picture, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from mmclust.sources.sample.scene import Scene

VAL, UNLABELED = "val2014", "unlabeled2017"
QUERIES = 120  # of COCO-FG; those of Flickr30K-FG are Flickr30K's test images
COCO_FACTOR, FLICKR_FACTOR = 5.25, 5.87  # distractors per query, as published
OTHERS = 12  # images of either split that no pool names
TWINS = 30  # one query in so many has a twin, which shares a caption with it
SHARED = 0.04  # how many distractors of Flickr30K-FG are COCO-FG's, too


@dataclass(frozen=True)
class Fine:
    """One of the two benchmarks.

    Parameters
    ----------
    captions
        By stem of the file name, in the order of the file.
    pool
        File names: the queries', then the distractors'.
    """

    captions: dict[str, tuple[str, ...]]
    pool: list[str]


@dataclass(frozen=True)
class Enlarged:
    """Everything the two benchmarks need.

    Parameters
    ----------
    coco, flickr
        The benchmarks.
    val
        Pictures of COCO 2014: the queries, and a few that are none.
    unlabeled
        Pictures of the unlabeled split: distractors, and a few that are none.
    n_queries
        How many of ``val`` are queries; they come first.
    """

    coco: Fine
    flickr: Fine
    val: list[Picture]
    unlabeled: list[Picture]
    n_queries: int


def plan_enlarged(seed: int, flickr: Sequence[Picture], n_queries: int) -> Enlarged:
    """Plan both benchmarks."""
    rng = generator(seed, "sample", "plan", "fine_grained")
    used = {facts(p.scene) for p in flickr if p.scene is not None}
    queries = [_new(used, partial(fine_scene, rng)) for _ in range(n_queries)]
    n_twins = max(1, n_queries // TWINS)
    queries[-n_twins:] = [_turned(scene) for scene in queries[:n_twins]]
    near = _near(rng, queries, COCO_FACTOR, used)
    tests = [p.scene for p in flickr if p.scene is not None]
    n_shared = round(SHARED * FLICKR_FACTOR * len(tests))
    near_flickr = _near(rng, tests, FLICKR_FACTOR, used, less=n_shared)
    others = [_new(used, partial(fine_scene, rng)) for _ in range(2 * OTHERS)]

    ids = _free_ids(seed, rng, len(queries) + len(near) + len(near_flickr) + 2 * OTHERS)
    val = _pictures(VAL, [*queries, *others[:OTHERS]], ids)
    unlabeled = _pictures(UNLABELED, [*near, *near_flickr, *others[OTHERS:]], ids)
    names = [file_name(UNLABELED, p.image_id) for p in unlabeled]
    shared = [names[i] for i in rng.permutation(len(near))[:n_shared]]
    own = names[len(near) : len(near) + len(near_flickr)]
    stems = [file_name(VAL, p.image_id).removesuffix(".jpg") for p in val[:n_queries]]
    coco = _fine(rng, stems, queries, names[: len(near)], n_twins)
    by_name = _fine(rng, [str(p.image_id) for p in flickr], tests, [*own, *shared], 0)
    return Enlarged(_reordered(rng, coco), by_name, val, unlabeled, n_queries)


def _new(used: set[tuple[object, ...]], compose: Callable[[], Scene]) -> Scene:
    """Return a scene with facts that no other picture has."""
    while facts(scene := compose()) in used:
        continue
    used.add(facts(scene))
    return scene


def _turned(scene: Scene) -> Scene:
    """Return a scene of the same facts, which will be drawn anew."""
    return replace(scene, width=scene.height, height=scene.width)


def _near(
    rng: np.random.Generator,
    targets: Sequence[Scene],
    factor: float,
    used: set[tuple[object, ...]],
    less: int = 0,
) -> list[Scene]:
    """Return near copies of every target, ``factor`` of each on average."""
    each, total = int(factor), round(factor * len(targets)) - less
    turns = [*range(len(targets))] * each
    more = rng.permutation(len(targets))[: max(0, total - len(turns))]
    copies = (partial(vary, rng, targets[at]) for at in [*turns, *more])
    return [_new(used, copy) for copy in islice(copies, total)]


def _free_ids(seed: int, rng: np.random.Generator, number: int) -> list[int]:
    """Return ids that no picture of COCO 2017 has, in no order."""
    taken = {picture.image_id for picture in plan(seed)}
    drawn = rng.permutation(LAST_ID)[: number + len(taken)] + 1
    return [int(i) for i in drawn if int(i) not in taken][:number]


def _pictures(split: str, scenes: Sequence[Scene], ids: list[int]) -> list[Picture]:
    """Give each scene an id, which is taken off the list."""
    return [Picture(split, ids.pop(), scene=scene, exact=True) for scene in scenes]


def _fine(
    rng: np.random.Generator,
    stems: Sequence[str],
    scenes: Sequence[Scene],
    distractors: Sequence[str],
    n_twins: int,
) -> Fine:
    captions: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for stem, scene in zip(stems, scenes, strict=True):
        captions[stem] = finer(rng, scene, taken)
        taken.update(captions[stem])
    # The first and the last queries show the same; one caption says so.
    for one, twin in zip(stems[:n_twins], stems[len(stems) - n_twins :], strict=True):
        captions[twin] = (captions[one][0], *captions[twin][1:])
    order = rng.permutation(len(distractors))
    pool = [f"{stem}.jpg" for stem in stems] + [distractors[i] for i in order]
    return Fine(captions, pool)


def _reordered(rng: np.random.Generator, fine: Fine) -> Fine:
    """Put queries in different orders in the two files, as published for COCO."""
    stems = list(fine.captions)
    first = [f"{stems[i]}.jpg" for i in rng.permutation(len(stems))]
    order = [stems[i] for i in rng.permutation(len(stems))]
    return Fine({s: fine.captions[s] for s in order}, first + fine.pool[len(stems) :])
