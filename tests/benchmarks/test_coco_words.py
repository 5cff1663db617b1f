"""COCO's captioned images with objects: the published filter, boxes, bad input."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from mmclust.benchmarks._build import build_benchmark
from mmclust.core.errors import MmclustError
from mmclust.core.manifest import read_manifest, read_summary
from mmclust.core.objects import read_objects

CATEGORIES = ["person", "car", "stop sign", "dog"]
# Image: mode, captions, objects (category, box, crowd).
TRAIN = {
    1: ("RGB", ["A dog."], [("dog", [1.9, 2.9, 10.2, 5.05], 0)]),
    2: ("RGB", ["Nothing is boxed here."], []),
    3: ("L", ["A grey dog."], [("dog", [0, 0, 5, 5], 0)]),
    4: ("RGB", ["A dog at a sign."], [("dog", [0, 0, 5, 5], 0),
                                      ("stop sign", [1, 1, 2, 2], 0)]),
    5: ("L", ["A grey sign."], [("stop sign", [0, 0, 5, 5], 0)]),
    6: ("RGB", [], [("dog", [0, 0, 5, 5], 0)]),
    7: ("RGB", [" People \n", "  "], [("person", [0, 0, 30.5, 20], 1)]),
}  # fmt: skip
VAL = {
    9: ("RGB", ["Two dogs.", "Dogs"], [("dog", [3, 3, 4, 4], 0),
                                       ("car", [1, 1, 2, 2], 0),
                                       ("dog", [0.5, 0.5, 0.6, 0.4], 0)]),
    8: ("P", ["A palette."], [("dog", [3, 3, 4, 4], 0)]),
}  # fmt: skip


def picture(mode):
    file = io.BytesIO()
    Image.new(mode, (32, 24)).save(file, "PNG" if mode == "P" else "JPEG")
    return file.getvalue()


def write(raw, year="2014", **parts):
    prefix = "COCO_{part}2014_" if year == "2014" else ""
    for part, images in ({"train": TRAIN, "val": VAL} | parts).items():
        name = prefix.format(part=part) + "{:012d}.jpg"
        listed = [{"id": i, "file_name": name.format(i), "width": 32, "height": 24}
                  for i in images]  # fmt: skip
        boxes = [
            {"image_id": i, "category_id": 10 + CATEGORIES.index(c), "bbox": b,
             "iscrowd": crowd, "segmentation": [[1, 1, 2, 1.5, 2, 2]]}
            for i, (_, _, objects) in images.items() for c, b, crowd in objects
        ]  # fmt: skip
        names = [{"id": 10 + at, "name": n} for at, n in enumerate(CATEGORIES)]
        captions = [{"image_id": i, "caption": c}
                    for i, (_, texts, _) in images.items() for c in texts]  # fmt: skip
        contents = {
            "instances": {"images": listed, "categories": names, "annotations": boxes},
            "captions": {"annotations": captions},
        }
        for kind, content in contents.items():
            path = raw / f"annotations/{kind}_{part}{year}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        for i, (mode, _, _) in images.items():
            path = raw / f"{part}{year}" / name.format(i)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture(mode))
    return raw


def built(tmp_path, options=None, **more):
    raw = write(tmp_path / "raw", (options or {}).get("source", "coco2014")[4:])
    out = tmp_path / "out"
    summary = build_benchmark("coco_words", raw, out, options, **more)
    return summary, read_manifest(out / "manifest.parquet"), out


def test_the_filter_drops_by_the_first_rule(tmp_path):
    """No object, then grey, then several words: 5 is grey and has two words."""
    summary, manifest, _ = built(tmp_path)
    assert manifest.image_ids == [
        "COCO_train2014_000000000001",
        "COCO_train2014_000000000007",
        "COCO_val2014_000000000009",
    ]
    assert manifest.splits.tolist() == ["train", "train", "val"]
    assert manifest.fit_rows.tolist() == [0, 1]
    assert manifest.evaluate_rows.tolist() == [2]
    assert summary["notes"]["dropped"] == {
        "train": {"no_object": 1, "greyscale": 2, "name_of_several_words": 1},
        "val": {"no_object": 0, "greyscale": 1, "name_of_several_words": 0},
    }
    assert summary["notes"]["captioned_images"] == {"train": 6, "val": 2}
    assert summary["notes"]["categories_of_several_words"] == ["stop sign"]
    assert summary["expected"]["why"] == "split or options are not the protocol's"


def test_captions_are_untouched_and_blank_ones_go(tmp_path):
    """White space is part of a caption: the tokenizer makes words of it."""
    summary, manifest, _ = built(tmp_path)
    assert manifest.captions == [["A dog."], [" People \n"], ["Two dogs.", "Dogs"]]
    assert summary["notes"]["empty_captions_dropped"] == 1


def test_boxes_are_truncated_and_keep_the_order(tmp_path):
    """int(x), int(y), int(x + w), int(y + h): 1.9 + 10.2 = 12.1 gives 12."""
    _, _, out = built(tmp_path)
    objects = read_objects(out / "objects.parquet")
    assert objects.categories == tuple(CATEGORIES)
    assert objects.names == ["dog", "person", "dog", "car", "dog"]
    assert objects.boxes.tolist() == [
        [1, 2, 12, 7], [0, 0, 30, 20], [3, 3, 7, 7], [1, 1, 3, 3], [0, 0, 1, 0],
    ]  # fmt: skip
    assert objects.boxes.dtype == np.int32
    assert objects.crowd.tolist() == [False, True, False, False, False]
    outline = "[[1.0,1.0,2.0,1.5,2.0,2.0]]"
    assert objects.masks == ["", "", outline, outline, outline]
    assert objects.image_ids[-1] == "COCO_val2014_000000000009"


def test_without_the_filter_every_captioned_image_stays(tmp_path):
    """2017 has other file names; the published counts can be compared then."""
    options = {"filter": "none", "source": "coco2017", "masks": False}
    with pytest.raises(MmclustError, match="does not come out as published"):
        built(tmp_path, options)
    summary, manifest, out = built(tmp_path, options, allow_different=True)
    assert manifest.image_ids == [f"{i:012d}" for i in (1, 2, 3, 4, 5, 7, 8, 9)]
    assert "dropped" not in summary["notes"]
    assert set(read_objects(out / "objects.parquet").masks) == {""}


def test_without_pictures_grey_ones_stay_and_the_notes_say_so(tmp_path):
    """Counting by annotations alone is possible, and is not the published filter."""
    summary, manifest, _ = built(tmp_path, images=False)
    assert [i[-1] for i in manifest.image_ids] == ["1", "3", "7", "8", "9"]
    assert "not applied" in summary["notes"]["greyscale_rule"]
    assert summary["notes"]["dropped"]["train"]["greyscale"] == 0


def test_one_part_alone(tmp_path):
    """``--split val`` needs no training files."""
    summary, _, _ = built(tmp_path, split="val")
    assert summary["splits"] == {"val": 1}


def test_other_benchmarks_have_no_objects(tmp_path, coco):
    """Reading them says what is lacking."""
    out = tmp_path / "out"
    build_benchmark("coco_cross", coco(), out)
    assert not (out / "objects.parquet").exists()
    with pytest.raises(MmclustError, match="does not say what is where"):
        read_objects(out / "objects.parquet")
    assert read_summary(out)["images"] == 5


def test_nothing_left_is_an_error(tmp_path):
    """Images without boxes fall to the filter; none left is told."""
    raw = write(tmp_path / "raw", train={2: TRAIN[2]}, val={2: TRAIN[2]})
    with pytest.raises(MmclustError, match="No image is left"):
        build_benchmark("coco_words", raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_part_that_is_missing_is_named(tmp_path):
    """The sample's COCO 2014 has no train part."""
    raw = write(tmp_path / "raw")
    (raw / "annotations/captions_train2014.json").unlink()
    with pytest.raises(MmclustError, match=r"captions_train2014\.json is missing"):
        build_benchmark("coco_words", raw, tmp_path / "out")


def test_parts_must_agree_on_categories(tmp_path):
    """A class's number is its position in the list, so the lists must be one."""
    raw = write(tmp_path / "raw")
    path = raw / "annotations/instances_val2014.json"
    content = json.loads(path.read_text())
    content["categories"].append({"id": 99, "name": "bat"})
    path.write_text(json.dumps(content))
    with pytest.raises(MmclustError, match="do not list the same categories"):
        build_benchmark("coco_words", raw, tmp_path / "out")
