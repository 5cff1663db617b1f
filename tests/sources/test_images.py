"""`data.images`: only the pictures that the named benchmarks take are fetched."""

from __future__ import annotations

import hashlib
import json
import zipfile

import pytest
import yaml

from tests.faults.files import serving_files

CATEGORIES = ["pizza", "clock", "zebra"]
JPEG = b"\xff\xd8 picture %d \xff\xd9"


def annotations(kind):
    """Six images: pizza, clock, zebra, pizza, clock and zebra, nothing."""
    shown = {1: [0], 2: [1], 3: [2], 4: [0], 5: [1, 2]}
    images = [
        {"id": i, "file_name": f"{i:012d}.jpg", "width": 9, "height": 9}
        for i in range(1, 7)
    ]
    if kind == "captions":
        each = [{"id": i, "image_id": i, "caption": "a thing"} for i in range(1, 7)]
        return {"images": images, "annotations": each}
    boxes = [
        {"id": 10 * i + c, "image_id": i, "category_id": c + 1, "iscrowd": 0,
         "bbox": [0, 0, 1, 1], "area": 1}
        for i, categories in shown.items() for c in categories
    ]  # fmt: skip
    names = [{"id": i + 1, "name": name} for i, name in enumerate(CATEGORIES)]
    return {"images": images, "annotations": boxes, "categories": names}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A small COCO 2017 on a local server, registered as upstream."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = tmp_path / "site"
    site.mkdir()
    with zipfile.ZipFile(site / "annotations_trainval2017.zip", "w") as archive:
        for kind in ("instances", "captions"):
            text = json.dumps(annotations(kind))
            archive.writestr(f"annotations/{kind}_train2017.json", text)
    for split in ("train2017", "val2017"):
        with zipfile.ZipFile(site / f"{split}.zip", "w") as archive:
            for i in range(1, 7):
                archive.writestr(f"{split}/{i:012d}.jpg", JPEG % i)
    (tmp_path / "data").mkdir()
    with serving_files(site) as (_, url):
        files = {
            path.name: {
                "url": f"{url}/{path.name}",
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "optional": "ann" not in path.name,
                "contains": {"annotations/*.json": 2}
                if "ann" in path.name
                else {f"{path.stem}/*.jpg": 6},
            }
            for path in sorted(site.iterdir())
        }
        registry = yaml.safe_dump({"coco2017": {"files": files}}, sort_keys=False)
        (tmp_path / "data/sources.yaml").write_text(registry)
        yield tmp_path


def params(root, images):
    values = {
        "data": {"mirror": "upstream", "images": images},
        "benchmarks": {
            "coco_cross": {"allow_different": True},
            "coco_all": {"min_images": 1},
        },
    }
    (root / "params.yaml").write_text(yaml.safe_dump(values))


@pytest.mark.parametrize(
    ("images", "ids"),
    [(["coco_cross"], [1, 2, 4]), (["coco_cross", "coco_all"], [1, 2, 3, 4])],
)
def test_only_what_benchmarks_take(images, ids, repository, run_mmclust):
    """Their pictures alone, from the annotations; the benchmark builds from them."""
    params(repository, images)
    done = run_mmclust("fetch", "coco2017", cwd=repository)
    assert done.returncode == 0, done.stderr
    assert f"crc32 verified, {len(ids)} of 6: a part" in done.stdout
    assert "data/raw/coco2017/val2017.zip: not fetched" in done.stdout
    with zipfile.ZipFile(repository / "data/raw/coco2017/train2017.zip") as archive:
        assert archive.namelist() == [f"train2017/{i:012d}.jpg" for i in ids]
    built = run_mmclust("build", "coco_cross", cwd=repository)
    assert built.returncode == 0, built.stderr
    assert "coco_cross: 3 images, 2 classes" in built.stdout
    again = run_mmclust("fetch", "coco2017", "--repair", cwd=repository)
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout


def test_all_is_the_default(repository, run_mmclust):
    """`all` fetches the archives whole, also when asked for on the command line."""
    params(repository, ["coco_cross"])
    done = run_mmclust("fetch", "coco2017", "--images", "all", cwd=repository)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("sha256 verified") == 3


def test_unknown_words_are_refused(repository, run_mmclust):
    """Neither `all` nor a list; a benchmark that does not exist."""
    params(repository, "some")
    done = run_mmclust("fetch", "coco2017", cwd=repository)
    assert done.returncode == 1
    assert "data.images is neither all nor a list" in done.stderr
    params(repository, "all")
    done = run_mmclust("fetch", "coco2017", "--images", "coco_crss", cwd=repository)
    assert done.returncode == 1
    assert "Did you mean 'coco_cross'?" in done.stderr
