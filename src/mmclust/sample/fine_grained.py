"""The fine-grained benchmarks: queries, their near copies, the pools; their files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import write_array, write_bytes
from mmclust.core.seeds import generator
from mmclust.sample.coco import LAST_ID, UNLABELED, VAL_2014, file_name, plan
from mmclust.sample.draw import Picture
from mmclust.sample.fine_scenes import facts, fine_scene, finer, vary
from mmclust.sample.pack import write_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mmclust.sample.draw import Drawn
    from mmclust.sample.scene import Scene

QUERIES = 120  # of COCO-FG; those of Flickr30K-FG are Flickr30K's test images
COCO_FACTOR, FLICKR_FACTOR = 5.25, 5.87  # distractors per query, as published
OTHERS = 12  # images of either split that no pool names
TWINS = 30  # one query in so many has a twin, which shares a caption with it
SHARED = 0.04  # how many distractors of Flickr30K-FG are COCO-FG's, too
# Of the images of COCO 2014 that are no queries: the Karpathy splits they are in.
OTHER_SPLITS = ("val", "restval")


@dataclass(frozen=True)
class Fine:
    """One of the two benchmarks."""

    captions: dict[str, tuple[str, ...]]
    """By stem of the file name, in the order of the file."""
    pool: list[str]
    """File names: the queries', then the distractors'."""


@dataclass(frozen=True)
class Enlarged:
    """Everything the two benchmarks need."""

    coco: Fine
    flickr: Fine
    """The benchmarks."""
    val: list[Picture]
    """Pictures of COCO 2014: the queries, and a few that are none."""
    unlabeled: list[Picture]
    """Pictures of the unlabeled split: distractors, and a few that are none."""
    n_queries: int
    """How many of ``val`` are queries; they come first."""


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
    val = _pictures(VAL_2014, [*queries, *others[:OTHERS]], ids)
    unlabeled = _pictures(UNLABELED, [*near, *near_flickr, *others[OTHERS:]], ids)
    names = [file_name(UNLABELED, p.image_id) for p in unlabeled]
    shared = [names[i] for i in rng.permutation(len(near))[:n_shared]]
    own = names[len(near) : len(near) + len(near_flickr)]
    stems = [
        file_name(VAL_2014, p.image_id).removesuffix(".jpg") for p in val[:n_queries]
    ]
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


def write_fine_grained(out: Path, plan: Enlarged) -> list[Path]:
    """Write the publisher's four files: captions and pools, no images."""
    paths = []
    for name, fine in (("MSCOCO", plan.coco), ("Flickr30K", plan.flickr)):
        paths.append(out / f"{name}_FG_ann.json")
        write_bytes(paths[-1], json.dumps(fine.captions).encode())
    for name, fine in (("MSCOCO", plan.coco), ("Flickr30K", plan.flickr)):
        paths.append(out / f"{name}_FG_img_filenames.npy")
        write_array(paths[-1], np.array(fine.pool))
    return paths


def write_karpathy(
    out: Path, val: Sequence[Drawn], flickr: Sequence[Drawn], n_queries: int
) -> list[Path]:
    """Write the Karpathy splits of both data sets."""
    others = len(OTHER_SPLITS)
    splits = ["test"] * n_queries
    splits += [OTHER_SPLITS[i % others] for i in range(len(val) - n_queries)]
    coco = _karpathy(val, splits, first=1)
    for picture, image in zip(val, coco, strict=True):
        image["filepath"], image["cocoid"] = VAL_2014, picture.image_id
        image["filename"] = file_name(VAL_2014, picture.image_id)
    flickr30k = _karpathy(flickr, [picture.split for picture in flickr], first=0)
    members = {
        f"dataset_{name}.json": json.dumps({"images": images, "dataset": name}).encode()
        for name, images in (("coco", coco), ("flickr30k", flickr30k))
    }
    return [write_archive(out / "caption_datasets.zip", members, stored=False)]


def _karpathy(
    drawn: Sequence[Drawn], splits: Sequence[str], first: int
) -> list[dict[str, Any]]:
    """Return the records of images, with captions numbered from ``first``."""
    images = []
    for number, (picture, split) in enumerate(zip(drawn, splits, strict=True)):
        sentids = range(first, first := first + len(picture.captions))
        sentences = [
            {
                "tokens": re.findall(r"[a-z0-9]+", caption.lower()),
                "raw": caption,
                "imgid": number,
                "sentid": sentid,
            }
            for sentid, caption in zip(sentids, picture.captions, strict=True)
        ]
        images.append(
            {
                "filename": f"{picture.image_id}.jpg",
                "imgid": number,
                "sentences": sentences,
                "split": split,
                "sentids": list(sentids),
            }
        )
    return images
