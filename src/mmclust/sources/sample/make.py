"""Draw the whole world and pack it as the publishers do."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

from mmclust.core.io import write_bytes
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.sources.sample import fine_grained, flickr, pascal
from mmclust.sources.sample.coco import annotation_files, file_name
from mmclust.sources.sample.draw import draw_all
from mmclust.sources.sample.enlarged import QUERIES, plan_enlarged
from mmclust.sources.sample.norms import write_norms
from mmclust.sources.sample.nouns import write_nouns
from mmclust.sources.sample.pack import registry, write_archive
from mmclust.sources.sample.plan import TRAIN, VAL, plan
from mmclust.sources.sample.world import MIN_IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from mmclust.sources.sample.draw import Drawn

ANNOTATIONS = "annotations_trainval2017.zip"
ALL = (
    "coco2017",
    "coco2017_unlabeled",
    "coco2014",
    "karpathy_splits",
    pascal.SOURCE,
    flickr.HUB,
    flickr.PUBLISHER,
    "fine_grained",
    "wordnet",
    "norms",
)
"""The sources of the world, in the registry's order."""
SHOWN_BY = {
    "karpathy_splits": ("coco2014", flickr.HUB),
    flickr.PUBLISHER: (flickr.HUB,),
}
"""Of sources that show, or say something of, others' pictures: whose."""
PROTOCOLS = {"coco2017": {"coco_all.min_images": MIN_IMAGES}}


def make_sample(
    out: Path,
    seed: int,
    workers: int,
    n_images: int | None = None,
    sources: Collection[str] | None = None,
) -> int:
    """Write the built-in mirror: the sources' files, and their registry."""
    coco = plan(seed, n_images)
    part = 1.0 if n_images is None else min(1.0, n_images / len(plan(seed)))
    pages = pascal.plan_pascal(seed, _some(pascal.EACH, part))
    splits = {split: _some(n, part) for split, n in flickr.SPLITS.items()}
    streets = flickr.plan_flickr(seed, splits)
    tests = [picture for picture in streets if picture.split == "test"]
    fine = plan_enlarged(seed, tests, _some(QUERIES, part))

    plans = {
        "coco2017": coco,
        pascal.SOURCE: pages,
        flickr.HUB: streets,
        "coco2014": fine.val,
        "coco2017_unlabeled": fine.unlabeled,
    }
    asked = [name for name in ALL if sources is None or name in sources]
    needed = {of for name in asked for of in SHOWN_BY.get(name, (name,))}
    plans = {name: each for name, each in plans.items() if name in needed}
    pictures = [picture for each in plans.values() for picture in each]
    drawn = track(draw_all(seed, pictures, workers), "Drawing", len(pictures))
    done = iter(list(drawn))
    of = {name: list(islice(done, len(each))) for name, each in plans.items()}
    writers: dict[str, Callable[[Path], list[Path]]] = {
        "coco2017": lambda to: write_coco2017(to, seed, of["coco2017"]),
        "coco2017_unlabeled": lambda to: fine_grained.write_unlabeled(
            to, seed, of["coco2017_unlabeled"]
        ),
        "coco2014": lambda to: fine_grained.write_coco2014(to, seed, of["coco2014"]),
        "karpathy_splits": lambda to: fine_grained.write_karpathy(
            to, of["coco2014"], of[flickr.HUB], fine.n_queries
        ),
        pascal.SOURCE: lambda to: pascal.write_pascal(to, seed, of[pascal.SOURCE]),
        flickr.HUB: lambda to: flickr.write_hub(to, of[flickr.HUB]),
        flickr.PUBLISHER: lambda to: flickr.write_publisher(to, of[flickr.HUB]),
        "fine_grained": lambda to: fine_grained.write_fine_grained(to, fine),
        "wordnet": write_nouns,
        "norms": lambda to: write_norms(to, seed),
    }
    files = {name: writers[name](out / name) for name in asked}
    write_bytes(out / "registry.yaml", registry(seed, files, PROTOCOLS).encode())
    return len(pictures)


def _some(number: int, part: float) -> int:
    return max(1, round(number * part))


def write_coco2017(out: Path, seed: int, drawn: Sequence[Drawn]) -> list[Path]:
    """Write COCO 2017's three archives."""
    paths = []
    members: dict[str, bytes] = {}
    for split in (TRAIN, VAL):
        mine = [d for d in drawn if d.split == split]
        jpegs = {f"{split}/{file_name(split, d.image_id)}": d.jpeg for d in mine}
        paths.append(
            write_archive(
                out / f"{split}.zip", {f"{split}/": b"", **jpegs}, stored=True
            )
        )
        order = generator(seed, "sample", "order", split)
        for name, content in annotation_files(seed, split, mine, order).items():
            members[f"annotations/{name}"] = json.dumps(content).encode()
    everything = dict(sorted(members.items()))
    return [*paths, write_archive(out / ANNOTATIONS, everything, stored=False)]
