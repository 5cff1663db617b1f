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
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.sources.sample.draw import Drawn

ANNOTATIONS = "annotations_trainval2017.zip"
PROTOCOLS = {"coco2017": {"coco_all.min_images": MIN_IMAGES}}


def make_sample(out: Path, seed: int, workers: int, n_images: int | None = None) -> int:
    """Write the built-in mirror: the sources' files, and their registry.

    Parameters
    ----------
    out
        The folder; one folder per source and ``registry.yaml`` are written into it.
    seed
        Another seed draws another world.
    workers
        Processes; any number gives the same bytes.
    n_images
        Draw only so many of COCO 2017's pictures, and as small a part of the other
        sources', for tests; all (about 2,700, and 1,750) by default.

    Returns
    -------
    int
        How many pictures were drawn.

    Raises
    ------
    MmclustError
        When a file cannot be written.
    """
    coco = plan(seed, n_images)
    part = 1.0 if n_images is None else min(1.0, n_images / len(plan(seed)))
    pages = pascal.plan_pascal(seed, _some(pascal.EACH, part))
    splits = {split: _some(n, part) for split, n in flickr.SPLITS.items()}
    streets = flickr.plan_flickr(seed, splits)
    tests = [picture for picture in streets if picture.split == "test"]
    fine = plan_enlarged(seed, tests, _some(QUERIES, part))

    plans = (coco, pages, streets, fine.val, fine.unlabeled)
    pictures = [picture for each in plans for picture in each]
    drawn = track(draw_all(seed, pictures, workers), "Drawing", len(pictures))
    done = iter(list(drawn))
    photos, sentences, scenes, val, unlabeled = (
        list(islice(done, len(each))) for each in plans
    )
    karpathy = out / "karpathy_splits"
    files = {
        "coco2017": write_coco2017(out / "coco2017", seed, photos),
        "coco2017_unlabeled": fine_grained.write_unlabeled(
            out / "coco2017_unlabeled", seed, unlabeled
        ),
        "coco2014": fine_grained.write_coco2014(out / "coco2014", seed, val),
        "karpathy_splits": fine_grained.write_karpathy(
            karpathy, val, scenes, fine.n_queries
        ),
        pascal.SOURCE: pascal.write_pascal(out / pascal.SOURCE, seed, sentences),
        flickr.HUB: flickr.write_hub(out / flickr.HUB, scenes),
        flickr.PUBLISHER: flickr.write_publisher(out / flickr.PUBLISHER, scenes),
        "fine_grained": fine_grained.write_fine_grained(out / "fine_grained", fine),
        "wordnet": write_nouns(out / "wordnet"),
        "norms": write_norms(out / "norms", seed),
    }
    write_bytes(out / "registry.yaml", registry(seed, files, PROTOCOLS).encode())
    return len(pictures)


def _some(number: int, part: float) -> int:
    return max(1, round(number * part))


def write_coco2017(out: Path, seed: int, drawn: Sequence[Drawn]) -> list[Path]:
    """Write COCO 2017's three archives.

    Parameters
    ----------
    out
        The folder of the source.
    seed
        Of the sample.
    drawn
        The pictures of :func:`mmclust.sources.sample.plan.plan`, in its order.

    Returns
    -------
    list of Path
        ``train2017.zip``, ``val2017.zip`` and the annotations.
    """
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
