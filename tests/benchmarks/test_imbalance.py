"""Classes thinned to an exponential profile, before anything is fitted."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mmclust.benchmarks._build import build_benchmark, thin
from mmclust.core.errors import MmclustError
from mmclust.core.manifest import Row
from mmclust.core.params import BuildOptions, Imbalance, build_options
from mmclust.core.types import Built, Objects
from tests.benchmarks.toy_pictures import NAME, install


def built(sizes, splits=("train",), **more):
    """So many images of each class in each split, ids in no order of classes."""
    labels, rows = {}, []
    for split in splits:
        for name, size in sizes.items():
            for i in range(size):
                image_id = f"{split}-{i:04d}-{name}"
                rows.append(Row(image_id, Path("x"), f"{image_id}.jpg", None, None, 9,
                                9, (name,), split))  # fmt: skip
                labels[image_id] = name
    return Built(rows, labels, "1", {}, **more)


def sizes_of(build, split="train"):
    kept = {row.image_id for row in build.rows if row.split == split}
    return Counter(name for i, name in build.labels.items() if i in kept)


def test_the_profile_is_exponential():
    """Of 5 equal classes of 100 at ratio 10: 100, 56, 32, 18, 10."""
    build = thin(built(dict.fromkeys("abcde", 100)), Imbalance(10))
    assert sorted(sizes_of(build).values()) == [10, 18, 32, 56, 100]
    note = build.notes["imbalance"]
    assert (note["ratio"], note["ratio_found"], note["images_before"]) == (10, 10, 500)
    even = built({"a": 7, "b": 7})
    assert thin(even, Imbalance(1)).rows == even.rows


def test_the_order_of_sizes_stays():
    """The largest stays the largest; a class that is small already loses nothing."""
    build = thin(built({"a": 30, "b": 90, "c": 40, "d": 5}), Imbalance(9))
    # By place: b 90, c 90/9^(1/3) = 43 > 40, a 90/9^(2/3) = 20.8, d 10 > 5.
    assert sizes_of(build) == {"b": 90, "c": 40, "a": 21, "d": 5}
    assert build.notes["imbalance"]["ratio_found"] == 18


def test_without_classes_there_is_nothing_to_thin():
    """Said, for a benchmark such as flickr30k."""
    with pytest.raises(MmclustError, match="no classes to thin"):
        thin(replace(built({"a": 3}), labels={}), Imbalance(2))


def test_every_split_has_the_profile():
    """Also a small one, down to one image of a class."""
    both = built(dict.fromkeys("abc", 20), ("train", "test"))
    rows = [row for row in both.rows if row.split == "train" or "000" in row.image_id]
    kept = {row.image_id for row in rows}
    labels = {i: name for i, name in both.labels.items() if i in kept}
    build = thin(replace(both, rows=rows, labels=labels), Imbalance(20))
    assert sorted(sizes_of(build).values()) == [1, 4, 20]
    # 10 of each class in test: 10, 2.2, .5.
    assert sorted(sizes_of(build, "test").values()) == [1, 2, 10]
    assert sizes_of(build).most_common() == [
        (name, 2 * n if n == 10 else n * 2 if n == 2 else n)
        for name, n in sizes_of(build, "test").most_common()]  # fmt: skip


def test_the_seed_draws_and_ratios_nest():
    """The same seed the same images, a larger ratio a part of them; another, others."""
    whole = built(dict.fromkeys("abcd", 40))
    one, again, other = (thin(whole, Imbalance(3, seed)) for seed in (1, 1, 2))
    assert one.rows == again.rows != other.rows
    few = thin(whole, Imbalance(10, 1))
    assert few.labels.keys() < one.labels.keys() < whole.labels.keys()


def test_whatever_a_build_has_is_thinned_alike():
    """Hidden classes, folds, captions, pictures, objects; what has no class stays."""
    whole = built({"a": 8, "b": 8})
    ids = list(whole.labels)
    hidden = {i: whole.labels.pop(i) for i in ids[:4]}
    loose = Row("loose", Path("x"), "loose.jpg", None, None, 9, 9, (), "train")
    build = thin(
        replace(
            whole, rows=[*whole.rows, loose], hidden=hidden,
            folds=dict.fromkeys(ids, 1),
            alternatives={"original": dict.fromkeys(ids, ("x",))},
            pictures=((f"{i}.jpg", i.encode()) for i in [*ids, "loose"]),
            objects=Objects(("a",), ids, ["a"] * 16, [[0, 0, i, i] for i in range(16)],
                            [False] * 16),
        ), Imbalance(4),
    )  # fmt: skip
    kept = {row.image_id for row in build.rows}
    assert len(kept) == 8 + 2 + 1
    assert "loose" in kept
    classed = kept - {"loose"}
    assert build.labels.keys() | build.hidden.keys() == classed
    assert build.folds.keys() == build.alternatives["original"].keys() == classed
    assert {name for name, _ in build.pictures} == {f"{i}.jpg" for i in kept}
    assert [ids[box[2]] for box in build.objects.boxes] == build.objects.image_ids
    assert {*build.objects.image_ids} == classed
    assert len(build.objects.crowd) == len(classed)
    assert build.objects.masks == ()


def test_options_are_read_strictly():
    """The plugin never sees them; a wrong or unknown one is refused."""
    options, own = build_options("toy", {"x": 1, "imbalance": {"ratio": 3}})
    assert options == {"x": 1}
    assert own == BuildOptions(imbalance=Imbalance(3.0, 782))
    assert build_options("toy", {"imbalance": None})[1] == BuildOptions()
    for wrong in ({"ratio": 0.5}, {"ratio": 2, "sed": 1}, {}, 3):
        with pytest.raises(MmclustError, match=r"toy\.imbalance"):
            build_options("toy", {"imbalance": wrong})


def test_a_thinned_build_is_no_published_one(tmp_path, monkeypatch):
    """It says so, with rule and counts; what was thinned is still held to them."""
    raw, out = tmp_path / "raw", tmp_path / "out"
    install(monkeypatch, expected={"a": 3, "b": 3})
    block = {"imbalance": {"ratio": 3}}
    summary = build_benchmark(NAME, raw, out, block)
    assert sorted(summary["per_class"].values()) == [1, 3]
    assert summary["expected"] == {
        "matches": None, "why": "classes were thinned to a ratio of 3"}  # fmt: skip
    assert summary["notes"]["imbalance"]["images_before"] == 6
    install(monkeypatch, expected={"a": 3, "b": 4})
    with pytest.raises(MmclustError, match="does not come out as published"):
        build_benchmark(NAME, raw, out, block)
