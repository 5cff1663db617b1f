"""The built-in world: COCO's formats, the protocols' counts, the same bytes."""

from __future__ import annotations

import json
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from mmclust.benchmarks.coco_single_category import coco_all, coco_cross
from mmclust.core.io import digest_of
from mmclust.core.registry import read_registry
from mmclust.sample.coco import LISTED, plan
from mmclust.sample.draw import run_lengths
from mmclust.sample.make import make_sample
from mmclust.sample.world import CATEGORIES, MIN_IMAGES, plural

# Of the captions of val2017 before other sources were drawn, seed 782.
CAPTIONS_DIGEST = "51b227f882085f93182551d18bbf4156fbb59acc3f46cf23f34de2fcd4b189da"
SHARED = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture(scope="module")
def annotations(world):
    with zipfile.ZipFile(world / "coco2017/annotations_trainval2017.zip") as archive:
        return {
            Path(name).stem: json.loads(archive.read(name))
            for name in archive.namelist()
        }


def _single(instances):
    """Image ids by their only category's name, as the protocols count."""
    names = {c["id"]: c["name"] for c in instances["categories"]}
    seen = defaultdict(set)
    for annotation in instances["annotations"]:
        seen[annotation["image_id"]].add(names[annotation["category_id"]])
    return {image: next(iter(each)) for image, each in seen.items() if len(each) == 1}


def test_same_bytes_at_any_number_of_workers(tmp_path):
    """One and two workers write identical archives; another seed does not."""
    for name, seed, workers in (("one", 5, 1), ("two", 5, 2), ("other", 6, 1)):
        assert 90 < make_sample(tmp_path / name, seed, workers, n_images=40) < 140
    registries = [(tmp_path / n / "registry.yaml") for n in ("one", "two", "other")]
    one, two, other = (path.read_text() for path in registries)
    assert one == two
    assert one != other
    for path in (tmp_path / "one").rglob("*.*"):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert twin.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("asked", [["karpathy_splits", "fine_grained"], ["norms"], []])
def test_a_source_is_the_same_whatever_else_is_drawn(asked, tmp_path):
    """Only what is asked for is written, and it has the bytes that it has among all."""
    make_sample(tmp_path / "all", 5, 2, n_images=12)
    drawn = make_sample(tmp_path / "some", 5, 2, n_images=12, sources=[*asked, "cifar"])
    assert (drawn > 0) is ("karpathy_splits" in asked)
    made = {path.name for path in (tmp_path / "some").iterdir()}
    assert made == {*asked, "registry.yaml"}
    for path in (tmp_path / "some").glob("*/*"):
        twin = tmp_path / "all" / path.relative_to(tmp_path / "some")
        assert twin.read_bytes() == path.read_bytes()
    assert read_registry(tmp_path / "some/registry.yaml").keys() == set(asked)


def test_other_sources_leave_this_one_alone(annotations):
    """What is drawn beside COCO 2017 never shifts its random numbers."""
    captions = annotations["captions_val2017"]["annotations"]
    assert digest_of(captions) == CAPTIONS_DIGEST


@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_images_lie_stored_and_match_their_records(world, annotations, split):
    """Members are uncompressed JPEGs of the size their record says, one each."""
    import cv2

    records = annotations[f"instances_{split}"]["images"]
    expected = {f"{split}/{r['id']:012d}.jpg": r for r in records}
    with zipfile.ZipFile(world / f"coco2017/{split}.zip") as archive:
        infos = [i for i in archive.infolist() if not i.is_dir()]
        assert {i.compress_type for i in infos} == {zipfile.ZIP_STORED}
        assert {i.filename for i in infos} == set(expected)
        for info in infos[::25]:
            image = cv2.imdecode(np.frombuffer(archive.read(info), np.uint8), 1)
            record = expected[info.filename]
            assert image.shape == (record["height"], record["width"], 3)
            assert record["file_name"] == info.filename.partition("/")[2]


def test_all_categories_and_the_protocols_counts(annotations):
    """Exactly the 43 categories pass, 37 do not, and COCO-cross has its ten."""
    train = annotations["instances_train2017"]
    assert {a["category_id"] for a in train["annotations"]} == set(CATEGORIES)
    assert len({c["supercategory"] for c in train["categories"]}) == 12
    counts = Counter(_single(train).values())
    kept = {name for name, n in counts.items() if n >= MIN_IMAGES}
    assert kept == coco_all.PUBLISHED.keys() > coco_cross.PUBLISHED.keys()
    assert counts["umbrella"] == MIN_IMAGES  # the threshold is inclusive
    assert sum(counts[name] for name in coco_cross.PUBLISHED) == 468
    assert sum(counts[name] for name in kept) == 1878
    assert any(0 < counts[c.name] < MIN_IMAGES for c in CATEGORIES.values())


def test_crowds_decide_about_some_images(annotations):
    """Some images have one category only if crowds are, wrongly, left out."""
    train = annotations["instances_train2017"]
    plain = [a for a in train["annotations"] if not a["iscrowd"]]
    without = _single({**train, "annotations": plain})
    assert set(without) - set(_single(train))


def test_pycocotools_reads_masks_that_agree_with_boxes(world, annotations, tmp_path):
    """An independent reader finds each mask in its box, to half a pixel on average."""
    from pycocotools.coco import COCO

    path = tmp_path / "instances.json"
    path.write_text(json.dumps(annotations["instances_val2017"]))
    reader = COCO(path)
    found = reader.loadAnns(reader.getAnnIds())
    assert len(found) > 300
    assert any(a["iscrowd"] for a in found)
    off = []
    for annotation in found:
        mask = reader.annToMask(annotation)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        x, y, width, height = annotation["bbox"]
        corners = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        off.append(np.abs(np.subtract(corners, [x, y, x + width, y + height])))
        assert annotation["area"] <= width * height
    # Sharp tips, thinner than a pixel, reach into the box and not into the mask.
    assert np.mean(off) < 0.5
    assert np.percentile(off, 99.5) < 2.5
    assert np.max(off) < 6


def test_every_image_has_at_least_five_captions(annotations):
    """Five captions each, a handful six or seven; ids are unique."""
    for split in ("train2017", "val2017"):
        content = annotations[f"captions_{split}"]
        counts = Counter(a["image_id"] for a in content["annotations"])
        assert set(counts) == {image["id"] for image in content["images"]}
        assert set(counts.values()) <= {5, 6, 7}
        assert counts.most_common(1)[0][1] > 5
        assert len({a["id"] for a in content["annotations"]}) == sum(counts.values())


def test_text_is_imperfect(annotations):
    """Captions name the category often, but by no means always."""
    single = _single(annotations["instances_train2017"])
    said = [
        single[a["image_id"]] in a["caption"].lower()
        for a in annotations["captions_train2017"]["annotations"]
        if a["image_id"] in single
    ]
    assert 0.2 < np.mean(said) < 0.7


def test_ids_are_unique_and_sorted():
    """Both splits share one space of ids; a smaller world is as scattered."""
    ids = [picture.image_id for picture in plan(1)]
    assert ids == sorted(set(ids))
    assert len(plan(1, 30)) == 30


def test_run_lengths_by_hand():
    """Runs go down the columns and begin with zeros, as COCO defines."""
    mask = np.array([[1, 0, 0], [1, 1, 0]], bool)  # columns: 11, 01, 00
    assert run_lengths(mask) == [0, 2, 1, 1, 2]
    assert run_lengths(~mask) == [2, 1, 1, 2]


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("bus", "buses"), ("sheep", "sheep"), ("toy", "toys"), ("pony", "ponies"),
        ("bow tie", "bow ties"), ("bench", "benches"), ("person", "people"),
        ("piece of food", "pieces of food"), ("stuffed animal", "stuffed animals"),
    ],
)  # fmt: skip
def test_plurals(noun, expected):
    """Plurals are English."""
    assert plural(noun) == expected


def test_category_table_is_the_publishers():
    """Ids, names and supercategories are COCO's own."""
    path = SHARED / "coco_categories.json"
    if not path.is_file():
        pytest.skip("the shared data is not here")
    expected = json.loads(path.read_text())
    assert expected == LISTED
