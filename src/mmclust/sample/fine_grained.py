"""The fine-grained benchmarks: scenes, near copies, captions, pools, and their files.

Every fact of such a scene can be seen. Near copies differ in one or two facts. The
captions name colours, patterns, numbers and places, and are true. Flickr30K shows such
scenes, too, in both of its layouts: the publisher's two archives, and the hub's.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import write_array, write_bytes, write_csv, writing
from mmclust.core.seeds import generator
from mmclust.sample.coco import (
    LAST_ID,
    UNLABELED,
    VAL_2014,
    file_name,
    plan,
    write_archive,
)
from mmclust.sample.draw import Picture
from mmclust.sample.scene import SIZES
from mmclust.sample.world import (
    CATEGORIES,
    EXACT_ALONE,
    EXACT_NOUNS,
    EXACT_NUMBERS,
    EXACT_PAIRS,
    EXACT_PATTERNS,
    EXACT_PLACES,
    PHRASES,
    RGB,
    Group,
    Scene,
    article,
    pick,
    plural,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from mmclust.sample.draw import Drawn

MOST = 4  # things in a picture, so that they can be counted
ALONE_SHARE = 0.4  # how many pictures show one kind of thing
COUNTS = (0.5, 0.27, 0.15, 0.08)
PATTERNED = 0.35
OWN_COLOUR = 0.4
FAR = 120.0  # between two colours of which one is not taken for the other
SEVERAL = 0.2  # how many near copies differ in two facts
# Categories whose colour covers most of them.
COLOURED = {c.name: c for c in CATEGORIES.values() if c.name in EXACT_NOUNS}
# Places that are told apart at a glance stand for those that are not.
SEEN_AS = {"park": "field", "kitchen": "room"}
OUTSIDE = ("street", "field", "savanna", "beach", "water", "snow")
INSIDE = ("table", "room", "bathroom")
INDOORS = {"kitchen", "food", "furniture", "electronic", "appliance", "indoor"}
NUMBER = 5  # captions of a picture
TRIES = 40
# What the writer of a caption cares to mention.
COLOUR, PATTERN, SECOND, PLACE, BOTH = 0.93, 0.85, 0.7, 0.9, 0.9


def fine_scene(rng: np.random.Generator, subjects: Sequence[str] = ()) -> Scene:
    """Compose a scene of one or two groups of things."""
    names = list(subjects) or [pick(rng, list(COLOURED))]
    first = COLOURED[names[0]]
    if not subjects and rng.random() > ALONE_SHARE:
        inside = first.supercategory in INDOORS
        near = [
            n for n, c in COLOURED.items() if (c.supercategory in INDOORS) == inside
        ]
        names.append(pick(rng, [n for n in near if n != first.name]))
    groups: list[Group] = []
    for name in names:
        left = MOST - sum(g.number for g in groups) - (len(names) - len(groups) - 1)
        groups.append(_group(rng, name, left))
    options = [SEEN_AS.get(p, p) for p in first.places]
    options = [p for p in options if p in EXACT_PLACES] or list(_places(groups))
    width, height = SIZES[rng.integers(len(SIZES))]
    return Scene(width, height, pick(rng, options), tuple(groups))


def _group(rng: np.random.Generator, name: str, most: int) -> Group:
    category = COLOURED[name]
    own = [c for c in category.colours if rng.random() < OWN_COLOUR]
    colour = pick(rng, own or list(RGB))
    texture = pick(rng, list(EXACT_PATTERNS)) if rng.random() < PATTERNED else "plain"
    number = min(most, 1 + int(rng.choice(len(COUNTS), p=COUNTS)))
    second = pick(rng, _far(colour)) if name == "person" else ""
    return Group(category, colour, texture, number, second=second)


def vary(rng: np.random.Generator, scene: Scene) -> Scene:
    """Return a near copy: another colour, number, place or pattern."""
    for _ in range(1 + int(rng.random() < SEVERAL)):
        change = (_recoloured, _recoloured, _recounted, _moved, _patterned)
        scene = change[rng.integers(len(change))](rng, scene)
    width, height = SIZES[rng.integers(len(SIZES))]
    return replace(scene, width=width, height=height)


def facts(scene: Scene) -> tuple[object, ...]:
    """Return what is to be seen; scenes with equal facts cannot be told apart."""
    groups = (
        (g.category.id, g.colour, g.texture, g.number, g.second) for g in scene.groups
    )
    return (scene.place, *sorted(groups))


def _recoloured(rng: np.random.Generator, scene: Scene) -> Scene:
    """Change a colour, or let two groups exchange theirs, which is harder to see."""
    colours = [g.colour for g in scene.groups]
    if len(set(colours)) > 1 and rng.random() < 0.4:  # noqa: PLR2004
        pairs = zip(scene.groups, colours[::-1], strict=True)
        return replace(scene, groups=tuple(replace(g, colour=c) for g, c in pairs))
    at = int(rng.integers(len(scene.groups)))
    group = scene.groups[at]
    if group.second and rng.random() < 0.5:  # noqa: PLR2004
        return _with(scene, at, replace(group, second=pick(rng, _far(group.second))))
    return _with(scene, at, replace(group, colour=pick(rng, _far(group.colour))))


def _recounted(rng: np.random.Generator, scene: Scene) -> Scene:
    at = int(rng.integers(len(scene.groups)))
    group = scene.groups[at]
    most = MOST - sum(g.number for g in scene.groups) + group.number
    numbers = [n for n in range(1, max(most, 2) + 1) if n != group.number]
    return _with(scene, at, replace(group, number=int(rng.choice(numbers))))


def _moved(rng: np.random.Generator, scene: Scene) -> Scene:
    return replace(
        scene, place=pick(rng, [p for p in _places(scene.groups) if p != scene.place])
    )


def _patterned(rng: np.random.Generator, scene: Scene) -> Scene:
    at = int(rng.integers(len(scene.groups)))
    group = scene.groups[at]
    texture = pick(rng, list(EXACT_PATTERNS)) if group.texture == "plain" else "plain"
    return _with(scene, at, replace(group, texture=texture))


def _with(scene: Scene, at: int, group: Group) -> Scene:
    return replace(scene, groups=(*scene.groups[:at], group, *scene.groups[at + 1 :]))


def _places(groups: Sequence[Group]) -> tuple[str, ...]:
    return INSIDE if groups[0].category.supercategory in INDOORS else OUTSIDE


def _far(colour: str) -> list[str]:
    """Return the colours that are not taken for this one."""
    here = np.array(RGB[colour])
    return [n for n, rgb in RGB.items() if np.linalg.norm(np.array(rgb) - here) > FAR]


def finer(
    rng: np.random.Generator, scene: Scene, taken: AbstractSet[str]
) -> tuple[str, ...]:
    """Return five captions that tell a scene from its near copies."""
    # The writers of one picture agree on its nouns.
    nouns = [pick(rng, EXACT_NOUNS[group.category.name]) for group in scene.groups]
    said: list[str] = []
    spare: list[str] = []
    for _ in range(TRIES):
        caption = _caption(rng, scene, nouns)
        (spare if caption in taken or caption in said else said).append(caption)
        if len(said) == NUMBER:
            break
    return (*said, *spare)[:NUMBER]


def _caption(rng: np.random.Generator, scene: Scene, nouns: list[str]) -> str:
    order = rng.permutation(len(scene.groups))
    if rng.random() > BOTH:
        order = order[:1]
    things = [_thing(rng, scene.groups[i], nouns[i]) for i in order]
    place = pick(rng, EXACT_PLACES[scene.place]) if rng.random() < PLACE else ""
    a, b = things[0], things[-1]
    text = pick(rng, EXACT_ALONE if len(things) == 1 else EXACT_PAIRS)
    said = text.format(a=a, b=b, place=place, is_="is" if a[0] == "a" else "are")
    return " ".join(said.split()).removesuffix(" seen").removesuffix(" can be")


def _thing(rng: np.random.Generator, group: Group, noun: str) -> str:
    """Return for instance ``"two spotted red buses"``."""
    words = [group.colour] if rng.random() < COLOUR else []
    after = ""
    if group.texture != "plain" and rng.random() < PATTERN:
        before, after = EXACT_PATTERNS[group.texture]
        if rng.random() < 0.7:  # noqa: PLR2004
            words, after = [before, *words], ""
    if group.category.name == "person":
        return _dressed(rng, group, noun, words, after)
    return f"{_counted(rng, group, ' '.join([*words, noun]))} {after}".strip()


def _counted(rng: np.random.Generator, group: Group, noun: str) -> str:
    if group.number == 1:
        return article(noun)
    return f"{pick(rng, EXACT_NUMBERS[group.number])} {plural(noun)}"


def _dressed(
    rng: np.random.Generator, group: Group, noun: str, shirt: list[str], after: str
) -> str:
    """Return for instance ``"a man in a striped red shirt and blue trousers"``."""
    one = group.number == 1
    who = _counted(rng, group, noun)
    wear = []
    if shirt or after:
        top = " ".join([*shirt, "shirt"])
        wear.append(f"{article(top) if one else top + 's'} {after}".strip())
    if rng.random() < SECOND:
        wear.append(f"{group.second} {pick(rng, ('trousers', 'pants'))}")
    return f"{who} in {' and '.join(wear)}" if wear else who


HUB, PUBLISHER = "flickr30k", "flickr30k_publisher"
FOLDER = "flickr30k-images"
SPLITS = {"train": 300, "val": 40, "test": 60}
IDS = (36_979, 8_254_992_500)  # the range of Flickr30K's
EPOCH = 1_504_224_000  # the date of archives, as tar counts
PEOPLE = 0.92  # how many pictures show people
GROUPS = (0.2, 0.2, 0.6)  # people alone, two groups of them, people and things
ELSEWHERE = 0.6  # how often people are not where they usually are
ANYWHERE = ("street", "field", "beach", "snow", "water", "savanna", "room")


def plan_flickr(seed: int, splits: dict[str, int]) -> list[Picture]:
    """List the pictures in the order of the files, which is that of their names."""
    rng = generator(seed, "sample", "plan", HUB)
    order = rng.permutation([s for s, n in splits.items() for _ in range(n)])
    ids: set[int] = set()
    while len(ids) < len(order):
        ids.add(int(rng.integers(*IDS)))
    pictures = []
    shown: set[tuple[object, ...]] = set()
    for image_id, split in zip(sorted(ids, key=str), order, strict=True):
        exact = bool(split == "test")
        scene = _new(shown if exact else set(), partial(_street, rng))
        shown.add(facts(scene))
        pictures.append(Picture(str(split), image_id, scene=scene, exact=exact))
    return pictures


def _street(rng: np.random.Generator) -> Scene:
    kind = rng.choice(len(GROUPS), p=GROUPS)
    who = ["person", "person"][: 1 + int(kind == 1)]
    things = [pick(rng, PHRASES["street_things"])] if kind > 1 else []
    if rng.random() > PEOPLE:
        who, things = [], [pick(rng, PHRASES["street_things"])]
    scene = fine_scene(rng, [*who, *things])
    if who and rng.random() < ELSEWHERE:
        scene = replace(scene, place=pick(rng, ANYWHERE))
    return scene


def write_hub(out: Path, drawn: Sequence[Drawn]) -> list[Path]:
    """Write the hub's layout."""
    rows = []
    first = 0
    for number, picture in enumerate(drawn):
        sentids = list(range(first, first := first + len(picture.captions)))
        raw, name = json.dumps(picture.captions), f"{picture.image_id}.jpg"
        rows.append((raw, json.dumps(sentids), picture.split, name, number))
    table = out / "flickr_annotations_30k.csv"
    write_csv(table, [("raw", "sentids", "split", "filename", "img_id"), *rows])
    return [write_archive(out / f"{FOLDER}.zip", _images(drawn), stored=True), table]


def write_publisher(out: Path, drawn: Sequence[Drawn]) -> list[Path]:
    """Write the publisher's layout of the same pictures and captions."""
    lines = "".join(
        f"{picture.image_id}.jpg#{number}\t{caption}\n"
        for picture in drawn
        for number, caption in enumerate(picture.captions)
    )
    return [
        write_tar(out / f"{FOLDER}.tar.gz", _images(drawn)),
        write_tar(out / "flickr30k.tar.gz", {"results_20130124.token": lines.encode()}),
    ]


def _images(drawn: Sequence[Drawn]) -> dict[str, bytes]:
    jpegs = {f"{FOLDER}/{picture.image_id}.jpg": picture.jpeg for picture in drawn}
    return {f"{FOLDER}/": b"", **jpegs}


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a tar compressed with gzip; a name that ends in ``/`` is a folder."""
    with (
        writing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=EPOCH) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, content in members.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            folder = name.endswith("/")
            info.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
            info.mode, info.mtime = 0o755 if folder else 0o644, EPOCH
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


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
    pool: list[str]  # file names: the queries', then the distractors'


@dataclass(frozen=True)
class Enlarged:
    """Everything the two benchmarks need."""

    coco: Fine
    flickr: Fine  # the benchmarks
    val: list[Picture]  # pictures of COCO 2014: the queries, then a few that are none
    unlabeled: list[Picture]
    """Pictures of the unlabeled split: distractors, and a few that are none."""


def plan_enlarged(seed: int, flickr: Sequence[Picture], n_queries: int) -> Enlarged:
    """Plan both benchmarks."""
    rng = generator(seed, "sample", "plan", "fine_grained")
    used = {facts(p.scene) for p in flickr if p.scene is not None}
    queries = [_new(used, partial(fine_scene, rng)) for _ in range(n_queries)]
    n_twins = max(1, n_queries // TWINS)
    # Of the same facts, and drawn anew.
    turned = [replace(q, width=q.height, height=q.width) for q in queries[:n_twins]]
    queries[-n_twins:] = turned
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
    return Enlarged(_reordered(rng, coco), by_name, val, unlabeled)


def _new(used: set[tuple[object, ...]], compose: Callable[[], Scene]) -> Scene:
    """Return a scene with facts that no other picture has."""
    while facts(scene := compose()) in used:
        continue
    used.add(facts(scene))
    return scene


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
    captions, pools = [], []
    for name, fine in (("MSCOCO", plan.coco), ("Flickr30K", plan.flickr)):
        captions.append(out / f"{name}_FG_ann.json")
        write_bytes(captions[-1], json.dumps(fine.captions).encode())
        pools.append(out / f"{name}_FG_img_filenames.npy")
        write_array(pools[-1], np.array(fine.pool))
    return [*captions, *pools]


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
            {"tokens": re.findall(r"[a-z0-9]+", caption.lower()), "raw": caption,
             "imgid": number, "sentid": sentid}
            for sentid, caption in zip(sentids, picture.captions, strict=True)
        ]  # fmt: skip
        images.append(
            {"filename": f"{picture.image_id}.jpg", "imgid": number,
             "sentences": sentences, "split": split, "sentids": list(sentids)}
        )  # fmt: skip
    return images
