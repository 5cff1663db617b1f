"""MSCOCO-FG and Flickr30K-FG: the published structure, and captions that are true."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter, defaultdict

import cv2
import numpy as np
import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.sample.draw import draw
from mmclust.sample.fine_grained import facts
from mmclust.sample.world import RGB


@pytest.fixture(scope="module")
def fine(world):
    folder = world / "fine_grained"
    return {
        name: (
            json.loads((folder / f"{name}_FG_ann.json").read_bytes()),
            np.load(folder / f"{name}_FG_img_filenames.npy", allow_pickle=False),
        )
        for name in ("MSCOCO", "Flickr30K")
    }


@pytest.fixture(scope="module")
def val(world):
    with zipfile.ZipFile(world / "coco2014/annotations_trainval2014.zip") as archive:
        return {
            kind: json.loads(archive.read(f"annotations/{kind}_val2014.json"))
            for kind in ("captions", "instances")
        }


@pytest.mark.parametrize(
    ("name", "stem", "n", "size", "dtype"),
    [
        ("mscoco_fg", "MSCOCO", 120, 750, "<U29"),
        ("flickr30k_fg", "Flickr30K", 60, 412, "<U16"),
    ],
)
def test_structure(fine, world, tmp_path, name, stem, n, size, dtype):
    """Five captions of a query; 5.25 and 5.87 distractors of each; all have pictures.

    Flickr's two files have one order, COCO's do not. A few of COCO's captions are said
    of two images, none of Flickr's.
    """
    pool = fine[stem][1]
    assert pool.dtype.str == dtype
    assert pool[n:].tolist() != sorted(pool[n:].tolist())
    summary = build_benchmark(name, world, tmp_path / "out", allow_different=True)
    notes = summary["notes"]
    assert notes["pool"] == {
        "images": size,
        "queries": n,
        "distractors": size - n,
        "distractors_per_query": {"MSCOCO": 5.25, "Flickr30K": 5.87}[stem],
        "queries_first": True,
        "same_order": stem == "Flickr30K",
    }
    text = notes["text"]
    shared = {"MSCOCO": 4, "Flickr30K": 0}[stem]
    assert (text["shared_strings"], text["shared_captions"]) == (shared, 2 * shared)
    assert text["with_upper_case"] == text["with_final_full_stop"] == 0
    header = (world / f"fine_grained/{stem}_FG_img_filenames.npy").read_bytes()[:8]
    assert header == b"\x93NUMPY\x01\x00"
    both = set(fine["MSCOCO"][1].tolist()) & set(fine["Flickr30K"][1].tolist())
    assert len(both) == 14  # distractors of both pools


def test_ids_are_nobody_elses(world, val):
    """No picture of COCO 2014 or of the unlabeled split is one of COCO 2017's."""
    seen = Counter(image["id"] for image in val["captions"]["images"])
    with zipfile.ZipFile(
        world / "coco2017_unlabeled/image_info_unlabeled2017.zip"
    ) as archive:
        info = json.loads(archive.read("annotations/image_info_unlabeled2017.json"))
    assert len(info["categories"]) == 80
    assert "annotations" not in info
    seen.update(image["id"] for image in info["images"])
    with zipfile.ZipFile(world / "coco2017/annotations_trainval2017.zip") as archive:
        for split in ("train2017", "val2017"):
            content = json.loads(archive.read(f"annotations/captions_{split}.json"))
            seen.update(image["id"] for image in content["images"])
    assert max(seen.values()) == 1


def test_no_two_pictures_show_the_same_but_for_twins(enlarged, streets):
    """Facts are unique over queries and distractors; only shared captions repeat."""
    tests = [p for p in streets if p.split == "test"]
    counts = Counter(facts(p.scene) for p in [*enlarged.val, *enlarged.unlabeled])
    assert Counter(counts.values()) == {1: len(counts) - 4, 2: 4}
    queries = {facts(p.scene) for p in tests}
    assert not queries & set(counts)
    assert len(queries) == len(tests)


def test_near_copies_differ_in_one_or_two_facts(enlarged):
    """The categories stay; colour, number, pattern or place is another."""
    kinds = Counter()
    targets = [p.scene for p in enlarged.val[: len(enlarged.coco.captions)]]
    for at, near in enumerate(p.scene for p in enlarged.unlabeled[:600]):
        target = targets[at % len(targets)]
        pairs = list(zip(target.groups, near.groups, strict=True))
        assert all(a.category == b.category for a, b in pairs)
        different = {
            "place": target.place != near.place,
            "colour": any(
                (a.colour, a.second) != (b.colour, b.second) for a, b in pairs
            ),
            "number": any(a.number != b.number for a, b in pairs),
            "pattern": any(a.texture != b.texture for a, b in pairs),
        }
        assert 1 <= sum(different.values()) <= 2
        kinds.update(kind for kind, is_so in different.items() if is_so)
    assert min(kinds.values()) > 60


def test_things_can_be_counted(enlarged, val):
    """Each query's annotations are as many as its scene, and so its captions, says."""
    counts = defaultdict(Counter)
    for annotation in val["instances"]["annotations"]:
        counts[annotation["image_id"]][annotation["category_id"]] += 1
    for picture in enlarged.val:
        expected = Counter()
        for group in picture.scene.groups:
            expected[group.category.id] += group.number
        assert counts[picture.image_id] == expected


def test_finer_captions_say_more(fine, val):
    """Colours stand in most of them, and in few of the original ones."""
    colours = re.compile(rf"\b({'|'.join(RGB)})\b")
    fine_texts = [text for five in fine["MSCOCO"][0].values() for text in five]
    coarse = [a["caption"].lower() for a in val["captions"]["annotations"]]
    finer = np.mean([bool(colours.search(text)) for text in fine_texts])
    original = np.mean([bool(colours.search(text)) for text in coarse])
    assert finer > 0.9
    assert original < 0.6
    words = np.mean([len(text.split()) for text in fine_texts])
    assert 8 < words < 14


def test_captions_are_true_of_their_scenes(fine, streets):
    """Colours and places that are named are the picture's; nothing else is said."""
    tests = [p for p in streets if p.split == "test"]
    for picture in tests:
        scene = picture.scene
        mine = {c for g in scene.groups for c in (g.colour, g.second) if c}
        place = {"field": {"green"}, "water": {"blue"}, "snow": {"white"}}
        allowed = mine | place.get(scene.place, set())
        for text in fine["Flickr30K"][0][str(picture.image_id)]:
            assert set(re.findall(rf"\b(?:{'|'.join(RGB)})\b", text)) <= allowed


def test_karpathy_splits_name_the_same(world, val, fine):
    """Queries are the test split; sentences are the caption files' own, by id."""
    with zipfile.ZipFile(world / "karpathy_splits/caption_datasets.zip") as archive:
        coco, flickr = (
            json.loads(archive.read(f"dataset_{name}.json"))
            for name in ("coco", "flickr30k")
        )
    assert (coco["dataset"], flickr["dataset"]) == ("coco", "flickr30k")
    tests = {i["filename"] for i in coco["images"] if i["split"] == "test"}
    assert tests == {f"{stem}.jpg" for stem in fine["MSCOCO"][0]}
    assert {i["split"] for i in coco["images"]} == {"test", "val", "restval"}
    by_id = {a["id"]: a for a in val["captions"]["annotations"]}
    for image in coco["images"]:
        assert image["filepath"] == "val2014"
        assert image["filename"] == f"COCO_val2014_{image['cocoid']:012d}.jpg"
        assert image["sentids"] == [s["sentid"] for s in image["sentences"]]
        for sentence in image["sentences"]:
            annotation = by_id[sentence["sentid"]]
            assert annotation["caption"] == sentence["raw"]
            assert annotation["image_id"] == image["cocoid"]
            assert " ".join(sentence["tokens"]) == re.sub(
                r"[^a-z0-9 ]", "", sentence["raw"].lower()
            )
    tests = [i for i in flickr["images"] if i["split"] == "test"]
    assert [i["filename"].removesuffix(".jpg") for i in tests] == list(
        fine["Flickr30K"][0]
    )


def test_colours_can_be_told_apart(enlarged):
    """Of all colours the one that captions name is nearest to a plain thing's."""
    names, hits = list(RGB), []
    table = np.array(list(RGB.values()), float)
    big = {"bus", "truck", "suitcase", "apple", "frisbee", "elephant", "bear", "cow"}
    for picture in enlarged.unlabeled:
        group = picture.scene.groups[0]
        alone = len(picture.scene.groups) == 1 and group.texture == "plain"
        if not alone or group.category.name not in big:
            continue
        done = draw(782, picture)
        image = cv2.imdecode(np.frombuffer(done.jpeg, np.uint8), 1)[..., ::-1]
        largest = max(done.annotations, key=lambda a: a["area"])
        mask = np.zeros(image.shape[:2], np.uint8)
        polygons = [np.array(s).reshape(-1, 2) for s in largest["segmentation"]]
        cv2.fillPoly(mask, [np.round(p).astype(np.int32) for p in polygons], 1)
        colour = np.median(image[mask > 0], axis=0)
        nearest = np.argmin(np.linalg.norm(table - colour, axis=1))
        hits.append(names[nearest] == group.colour)
    assert len(hits) > 20
    assert np.mean(hits) > 0.9
