"""A hand-made COCO with the protocol's traps, in every packing."""

from __future__ import annotations

import json
import zipfile

CATEGORIES = {
    1: ("person", "person"),
    3: ("car", "vehicle"),
    4: ("motorcycle", "vehicle"),
    13: ("stop sign", "outdoor"),
    25: ("giraffe", "animal"),
    77: ("cell phone", "electronic"),
}

# (image id, [(category id, iscrowd)]): ids out of order, as COCO has them.
OBJECTS = [
    (900, [(25, 1)]),  # a crowd alone counts
    (12, [(3, 0), (4, 0)]),  # two categories of one supercategory: out
    (7, [(25, 0), (25, 0)]),  # two of one category: in
    (581929, [(13, 0)]),  # a name with a blank
    (30, []),  # nothing annotated
    (45, [(1, 0), (1, 1)]),
    (46, [(1, 0), (3, 1)]),  # a crowd makes the second category: out
    (101, [(77, 0)]),
    (103, [(3, 0)]),
    (102, [(3, 0)]),
]
COCO_CROSS = {
    "000000000007": "giraffe",
    "000000000045": "person",
    "000000000101": "cell phone",
    "000000000900": "giraffe",
    "000000581929": "stop sign",
}
COCO_ALL_MIN_2 = {
    "000000000007": "giraffe",
    "000000000102": "car",
    "000000000103": "car",
    "000000000900": "giraffe",
}


def instances_content(objects=OBJECTS, categories=CATEGORIES):
    annotations = [
        {"segmentation": [[1.5, 2, 3]], "iscrowd": crowd, "image_id": image_id,
         "category_id": category, "id": 10 * image_id + n}
        for image_id, seen in objects
        for n, (category, crowd) in enumerate(seen)
    ]  # fmt: skip
    images = [
        {"id": i, "file_name": f"{i:012d}.jpg", "width": 64, "height": 48}
        for i, _ in objects
    ]
    # Image 7 says neither its name nor its size.
    images = [{"id": 7} if image["id"] == 7 else image for image in images]
    return {
        "info": {"year": 2017},
        "images": images,
        "annotations": annotations[::-1],
        "categories": [
            {"id": i, "name": name, "supercategory": above}
            for i, (name, above) in categories.items()
        ],
    }


def captions_content(objects=OBJECTS):
    entries = [
        {"image_id": i, "id": 10 * i + n, "caption": f"caption {n} of {i}"}
        for n in range(5)
        for i, _ in objects
    ]
    entries += [
        {"image_id": 101, "id": 5, "caption": "  a sixth,\nin two lines\n"},
        {"image_id": 101, "id": 6, "caption": " \n"},
    ]
    return {"annotations": entries}


def image_bytes(image_id):
    return f"picture {image_id}".encode()


def _zip(path, members, compression):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            # A forced zip64 field is in the local header, not in the central one.
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            with archive.open(info, "w", force_zip64=True) as member:
                member.write(data)


def write_coco(
    raw,
    packing="unpacked",
    *,
    instances=None,
    captions=None,
    images=None,
    split="train2017",
):
    """Write a source: dicts become JSON, bytes stay; ``captions=b""`` leaves it out."""
    raw.mkdir(parents=True, exist_ok=True)
    instances = instances_content() if instances is None else instances
    captions = captions_content() if captions is None else captions
    if images is None:
        images = {f"{i:012d}.jpg": image_bytes(i) for i, _ in OBJECTS}
    contents = {"instances": instances, "captions": captions}
    annotations = {
        f"annotations/{name}_{split}.json": value
        if isinstance(value, bytes)
        else json.dumps(value).encode()
        for name, value in contents.items()
        if value != b""
    }
    pictures = {f"{split}/{name}": data for name, data in images.items()}
    if packing == "unpacked":
        for name, data in (annotations | pictures).items():
            (raw / name).parent.mkdir(exist_ok=True)
            (raw / name).write_bytes(data)
        return raw
    kind = zipfile.ZIP_STORED if packing == "stored" else zipfile.ZIP_DEFLATED
    _zip(raw / "annotations_trainval2017.zip", annotations, kind)
    _zip(raw / f"{split}.zip", pictures, kind)
    return raw
