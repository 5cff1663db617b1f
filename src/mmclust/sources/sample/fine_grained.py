"""The files of the fine-grained benchmarks, and of the sources that they need."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import write_array, write_bytes
from mmclust.core.seeds import generator
from mmclust.sources.sample.coco import annotation_files, file_name, image_info
from mmclust.sources.sample.enlarged import UNLABELED, VAL
from mmclust.sources.sample.pack import write_archive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.sources.sample.draw import Drawn
    from mmclust.sources.sample.enlarged import Enlarged

# Of the images of COCO 2014 that are no queries: the Karpathy splits they are in.
OTHER_SPLITS = ("val", "restval")


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


def write_coco2014(out: Path, seed: int, drawn: Sequence[Drawn]) -> list[Path]:
    """Write the queries' pictures, boxes and original captions."""
    order = generator(seed, "sample", "order", VAL)
    members = {
        f"annotations/{name}": json.dumps(content).encode()
        for name, content in annotation_files(seed, VAL, drawn, order).items()
    }
    archive = out / "annotations_trainval2014.zip"
    return [
        write_archive(archive, dict(sorted(members.items())), stored=False),
        _write_images(out, VAL, drawn),
    ]


def write_unlabeled(out: Path, seed: int, drawn: Sequence[Drawn]) -> list[Path]:
    """Write the distractors' pictures."""
    name = f"image_info_{UNLABELED}"
    info = json.dumps(image_info(seed, UNLABELED, drawn)).encode()
    members = {f"annotations/{name}.json": info}
    return [
        write_archive(out / f"{name}.zip", members, stored=False),
        _write_images(out, UNLABELED, drawn),
    ]


def write_karpathy(
    out: Path, val: Sequence[Drawn], flickr: Sequence[Drawn], n_queries: int
) -> list[Path]:
    """Write the Karpathy splits of both data sets."""
    others = len(OTHER_SPLITS)
    splits = ["test"] * n_queries
    splits += [OTHER_SPLITS[i % others] for i in range(len(val) - n_queries)]
    coco = _karpathy(val, splits, first=1)
    for picture, image in zip(val, coco, strict=True):
        image["filepath"], image["cocoid"] = VAL, picture.image_id
        image["filename"] = file_name(VAL, picture.image_id)
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


def _write_images(out: Path, split: str, drawn: Sequence[Drawn]) -> Path:
    jpegs = {f"{split}/{file_name(split, d.image_id)}": d.jpeg for d in drawn}
    members = {f"{split}/": b"", **dict(sorted(jpegs.items()))}
    return write_archive(out / f"{split}.zip", members, stored=True)
