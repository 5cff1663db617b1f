"""The two COCO protocols, by hand, against plain Python, and at full scale."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import tempfile
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmclust.benchmarks import _coco_annotations
from mmclust.benchmarks._build import build_benchmark
from mmclust.benchmarks.coco_single_category import coco_all, coco_cross
from mmclust.core.archives import Found
from mmclust.core.errors import MmclustError
from tests.benchmarks.toy_coco import (
    COCO_ALL_MIN_2,
    COCO_CROSS,
    instances_content,
)

SHARED = Path(__file__).parents[2] / "../shared/data"
DATA = Path(__file__).parents[1] / "data"
FULL = DATA / "coco2017_category_sets.csv.gz"
MINI = SHARED / "coco_mini"


def labels_of(plugin, raw, **params):
    built = plugin.build(raw, plugin.Params(**params), split="train2017", images=True)
    return built.labels


def test_cross_keeps_one_category_per_image(coco):
    """Crowds count, supercategories do not, and only the ten classes stay."""
    assert labels_of(coco_cross, coco()) == COCO_CROSS


def test_all_keeps_categories_with_exactly_the_threshold(coco):
    """Two of two stay; what fell is counted; the ten classes play no part."""
    raw = coco()
    assert labels_of(coco_all, raw, min_images=2) == COCO_ALL_MIN_2
    params = coco_all.Params(min_images=2)
    notes = coco_all.build(raw, params, split="train2017", images=True).notes
    assert notes["dropped_categories"] == {"cell phone": 1, "person": 1, "stop sign": 1}
    assert next(iter(notes["single_category_per_class"].items())) == ("car", 2)
    counted = [notes[f"images_{what}"] for what in ("listed", "annotated")]
    assert counted == [10, 9]
    assert notes["images_single_category"] == 7
    assert notes["annotations"] == 13


def test_the_threshold_is_taken_before_image_files_are_looked_at(coco):
    """A category whose files are missing is an error, not a category dropped."""
    images = {"000000000007.jpg": b"x", "000000000900.jpg": b"x"}
    with pytest.raises(MmclustError, match="2 missing: 000000000102, 000000000103"):
        labels_of(coco_all, coco(images=images), min_images=2)


TWO = '{"protocol": {"coco_all.min_images": 2}}'


@pytest.mark.parametrize("facts", ["", "{}", TWO])
def test_the_default_threshold_is_the_protocols_or_the_sources(coco, facts):
    """Without min_images it is 100, unless source.json asks for fewer."""
    raw = coco()
    if facts:
        (raw / "source.json").write_text(facts)
    if facts == TWO:
        assert labels_of(coco_all, raw) == COCO_ALL_MIN_2
        return
    with pytest.raises(MmclustError, match="at least 100 single-category images"):
        labels_of(coco_all, raw)


def test_two_ids_of_one_name_are_one_category(coco):
    """The rule goes by name: an image with both ids shows one category."""
    content = instances_content(
        [(7, [(25, 0), (26, 0)])],
        {25: ("giraffe", "animal"), 26: ("giraffe", "animal")},
    )
    assert labels_of(coco_cross, coco(instances=content)) == {"000000000007": "giraffe"}


@given(st.data())
def test_any_source_agrees_with_plain_python(data):
    """The array code chooses what sets of names and a loop choose."""
    names = st.sampled_from([*list(coco_cross.PUBLISHED)[:4], "car", "dog"])
    categories = data.draw(st.dictionaries(st.integers(1, 90), names, min_size=1))
    ids = data.draw(st.lists(st.integers(0, 10**12 - 1), unique=True, min_size=1))
    entries = data.draw(
        st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(sorted(categories))))
    )
    least = data.draw(st.integers(1, 4))
    seen = defaultdict(set)
    for image_id, category_id in entries:
        seen[image_id].add(categories[category_id])
    single = {i: min(found) for i, found in seen.items() if len(found) == 1}
    counts = Counter(single.values())
    expected = {
        coco_cross: {i for i, n in single.items() if n in coco_cross.PUBLISHED},
        coco_all: {i for i, n in single.items() if counts[n] >= least},
    }
    content = {
        "images": [{"id": i} for i in ids],
        "categories": [{"id": i, "name": name} for i, name in categories.items()],
        "annotations": [{"image_id": i, "category_id": c} for i, c in entries],
    }
    with tempfile.TemporaryDirectory() as folder:
        write_instances(Path(folder), "train2017", content)
        for plugin, chosen in expected.items():
            if chosen:
                params = plugin.Params(*([least] if plugin is coco_all else []))
                built = plugin.build(
                    Path(folder), params, split="train2017", images=False
                )
                assert built.labels == {f"{i:012d}": single[i] for i in chosen}
                assert len(built.rows) == len(chosen)


def write_instances(raw, split, content):
    path = raw / f"annotations/instances_{split}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The true category sets of all of COCO 2017 as instances files."""
    names = json.loads((DATA / "coco_categories.json").read_text(encoding="utf-8"))
    images = defaultdict(list)
    annotations = defaultdict(list)
    with gzip.open(FULL, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            categories = [int(category) for category in row["category_ids"].split()]
            for _ in range(int(row["images"])):
                image_id = len(images[row["split"]]) + 1
                image_id += 1_000_000 * (row["split"] == "val2017")
                images[row["split"]].append({"id": image_id})
                annotations[row["split"]] += [
                    {"image_id": image_id, "category_id": c} for c in categories
                ]
    raw = tmp_path_factory.mktemp("coco2017")
    for split, entries in images.items():
        content = {
            "images": entries,
            "annotations": annotations[split],
            "categories": names,
        }
        write_instances(raw, split, content)
    return raw


@pytest.mark.parametrize(
    ("plugin", "name", "images"),
    [(coco_cross, "coco_cross", 7_429), (coco_all, "coco_all", 23_189)],
)
def test_full_scale_counts_are_the_published_ones(full, tmp_path, plugin, name, images):
    """On the true category sets of train2017 every count is the papers'."""
    summary = build_benchmark(name, full, tmp_path / name, images=False)
    assert summary["images"] == images
    assert summary["per_class"] == plugin.PUBLISHED
    assert summary["notes"]["images_single_category"] == 24_186
    classes = len(plugin.PUBLISHED)
    assert summary["expected"] == {
        "matches": True,
        "images": images,
        "classes": classes,
    }


@pytest.mark.parametrize(
    ("split", "splits"),
    [("val2017", {"val": 312}), ("train2017+val2017", {"train": 7_429, "val": 312})],
)
def test_other_splits_give_other_counts(full, tmp_path, split, splits):
    """Only train2017 agrees with the papers; nothing is compared elsewhere."""
    summary = build_benchmark("coco_cross", full, tmp_path, split=split, images=False)
    assert summary["splits"] == splits
    assert summary["expected"]["matches"] is None


def test_another_threshold_is_not_compared(full, tmp_path):
    """With min_images 110 one category less than published is no failure."""
    summary = build_benchmark(
        "coco_all", full, tmp_path, {"min_images": 110}, images=False
    )
    assert summary["n_classes"] == 42
    assert "umbrella" in summary["notes"]["dropped_categories"]
    assert summary["expected"]["matches"] is None


def test_mini_coco_is_read_as_published(tmp_path):
    """The publisher's real files: 15 of the 80 train images have one category."""
    if not MINI.is_dir():
        pytest.skip("coco_mini is not on this machine")
    summary = build_benchmark("coco_all", MINI, tmp_path, {"min_images": 1})
    assert summary["images"] == 15
    assert summary["captions"] == 75
    assert summary["notes"]["images_annotated"] == 80
    val = build_benchmark(
        "coco_all", MINI, tmp_path, {"min_images": 1}, split="val2017"
    )
    assert val["images"] == 8


TEXTS = st.sampled_from(
    ["", "}, {", '"annotations": [', "]}", '\\"', "\u00e9 {", "[[1, 2], {}], "]
)
ENTRIES = st.fixed_dictionaries(
    {
        "image_id": st.integers(0, 9),
        "caption": TEXTS,
        "category_id": st.integers(0, 9),
        "segmentation": st.one_of(
            st.just({"counts": [1, 2], "size": [3, 4]}),
            st.just([[1.5, 2.0]]),
            st.just([{"a": 1}, {"b": 2}]),
        ),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_pieces_of_a_file_are_what_json_reads(monkeypatch, data):
    """At any size of a piece, order of keys, spacing, and text that looks like JSON."""
    content = {
        "info": {data.draw(TEXTS): data.draw(TEXTS)},
        "annotations": data.draw(st.lists(ENTRIES, max_size=8)),
        "images": [{"id": i, "file_name": data.draw(TEXTS)} for i in range(2)],
        "categories": [{"id": i, "name": data.draw(TEXTS)} for i in range(3)],
    }
    keys = data.draw(st.permutations(list(content)))
    between = data.draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", " : ")]))
    text = json.dumps({key: content[key] for key in keys}, separators=between).encode()
    monkeypatch.setattr(_coco_annotations, "PIECE", data.draw(st.integers(1, 300)))

    def take(entries):
        return [(e.image_id, e.caption) for e in entries]

    with tempfile.TemporaryDirectory() as folder:
        found = Found(Path(folder, "x.json"))
        found.path.write_bytes(text)
        lists, pieces, digest = _coco_annotations.decode_file(
            found, _coco_annotations._Caption, take
        )
    assert digest == hashlib.sha256(text).hexdigest()
    expected = [(e["image_id"], e["caption"]) for e in content["annotations"]]
    assert list(chain.from_iterable(pieces)) == expected
    assert [(i.id, i.file_name) for i in lists["images"]] == [
        (i["id"], i["file_name"]) for i in content["images"]
    ]
    names = [category["name"] for category in content["categories"]]
    assert [category.name for category in lists["categories"]] == names


def test_a_file_in_cocos_order_is_never_whole_in_memory(tmp_path, monkeypatch):
    """Its entries come in pieces, those of crowds too; keys given twice do not."""
    monkeypatch.setattr(_coco_annotations, "PIECE", 200)
    content = instances_content()
    content["annotations"][3]["segmentation"] = {"counts": [1], "size": [2, 3]}
    found = Found(tmp_path / "x.json")
    sizes = []
    for text, whole in (
        (json.dumps(content), False),
        (json.dumps(content)[:-1] + ', "annotations": []}', True),
    ):
        found.path.write_text(text)
        decoded = _coco_annotations.decode_file(found, _coco_annotations._Instance, len)
        sizes.append(decoded[1])
        assert (len(decoded[1]) == 1) == whole
    assert [sum(each) for each in sizes] == [len(content["annotations"]), 0]


@given(
    st.lists(st.integers(0, 50), unique=True),
    st.integers(0, 10**11),
    st.integers(0, 50),
    st.data(),
)
def test_positions_are_those_of_list_index(known, shift, wanted, data):
    """For small ids (table) and large ones (search) alike; -1 marks what is unknown."""
    known = [i + shift for i in known]
    ids = data.draw(st.lists(st.sampled_from(known))) if known else []
    array = np.array(known, np.int64)
    where = "image", Found(Path("x.json"))
    found = _coco_annotations.positions(array, np.array(ids, np.int64), *where)
    assert found.tolist() == [known.index(i) for i in ids]
    assert found.dtype == np.int64
    wanted += shift
    rows = _coco_annotations._lookup(array, np.array([wanted], np.int64))
    assert rows.tolist() == [known.index(wanted) if wanted in known else -1]
