"""imagenet30 and food30: draws, splits, hidden labels."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.benchmarks.thirty import food30, imagenet30
from mmclust.core.errors import MmclustError
from mmclust.core.images import decode, read_images
from mmclust.core.labels import HIDDEN, read_labels
from mmclust.core.manifest import read_manifest
from tests.benchmarks import toy_imagenet as toy
from tests.benchmarks.toy_captions import pack

DISHES = ("apple_pie", "pizza", "sushi")
BLOCK = {"classes": list(DISHES), "images_per_class": 10}


def dishes(n=14):
    return {
        f"images/{dish}/{1000 * k + i}.jpg": toy.jpeg(1000 * k + i)
        for k, dish in enumerate([*DISHES, "waffles"])
        for i in range(n)
    }


def write_food(raw, packing="unpacked", files=None, order=0):
    """Write Food-101 in some order of files."""
    files = list((dishes() if files is None else files).items())
    random.Random(order).shuffle(files)
    if packing == "unpacked":
        pack(raw / "food-101", "", dict(files), "unpacked")
    else:
        listed = {f"food-101/{name}": data for name, data in files}
        listed["food-101/meta/classes.txt"] = b"apple_pie\n"
        pack(raw, "food-101", listed, "tar.gz")


def drawn(out):
    manifest = read_manifest(out / "manifest.parquet")
    return dict(zip(manifest.image_ids, manifest.splits.tolist(), strict=True))


@pytest.mark.parametrize("packing", ["unpacked", "archive"])
def test_a_build_deals_every_class_the_same_shares(tmp_path, packing):
    """60/20/20 of each class; fitted on train, reported on val, test labels hidden.

    The pictures of a .tar.gz are put beside the manifest, byte by byte.
    """
    write_food(tmp_path / "raw", packing)
    summary = build_benchmark("food30", tmp_path / "raw", tmp_path / "out", BLOCK)
    assert summary["per_class"] == dict.fromkeys(DISHES, 10)
    assert (summary["fit"], summary["evaluate"]) == (["train"], ["val"])
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert (tmp_path / "out/images.zip").exists() == (packing == "archive")
    files = dishes()
    for image_id, rgb in read_images(manifest, range(30)):
        dish, _, number = image_id.rpartition("_")
        data = files[f"images/{dish}/{number}.jpg"]
        assert np.array_equal(rgb, decode(data, image_id))
    split = drawn(tmp_path / "out")
    dealt = Counter((i.rpartition("_")[0], part) for i, part in split.items())
    shares = {"train": 6, "val": 2, "test": 2}
    assert dealt == {(d, s): n for d in DISHES for s, n in shares.items()}
    path = tmp_path / "out/labels.parquet"
    shown, revealed = read_labels(path), read_labels(path, reveal=True)
    for i, label, name in zip(shown.image_ids, shown.labels, shown.names, strict=True):
        assert (label == HIDDEN) == (name == "") == (split[i] == "test")
    assert revealed.names == [i.rpartition("_")[0] for i in revealed.image_ids]
    assert set(revealed.labels.tolist()) == {0, 1, 2}


def test_the_draw_does_not_depend_on_the_order_of_files(tmp_path):
    """Nor on the packing, nor on which other classes are drawn."""
    for order, packing in enumerate(("unpacked", "archive")):
        raw = tmp_path / f"raw{order}"
        write_food(raw, packing, order=order)
        build_benchmark("food30", raw, tmp_path / f"o{order}", BLOCK)
    assert drawn(tmp_path / "o0") == drawn(tmp_path / "o1")
    alone = BLOCK | {"classes": ["sushi"]}
    build_benchmark("food30", tmp_path / "raw0", tmp_path / "alone", alone)
    every = drawn(tmp_path / "o0")
    assert drawn(tmp_path / "alone") == {
        i: split for i, split in every.items() if i.startswith("sushi_")
    }
    again = BLOCK | {"seed": 783}
    build_benchmark("food30", tmp_path / "raw0", tmp_path / "again", again)
    assert drawn(tmp_path / "again") != every


def test_imagenet30_draws_from_train(tmp_path):
    """Official tars; ids are ImageNet's own, and val is not touched."""
    wnids = list(imagenet30.CLASSES)[:3]
    toy.write_tars(tmp_path / "raw", toy.images(wnids, n_train=12, n_val=1))
    block = {"classes": wnids, "images_per_class": 10, "evaluate": ["test"]}
    summary = build_benchmark("imagenet30", tmp_path / "raw", tmp_path / "out", block)
    assert summary["splits"] == {"test": 6, "train": 18, "val": 6}
    assert summary["evaluate"] == ["test"]
    assert summary["notes"]["class_names"]["n01443537"] == "goldfish"
    assert all(i.startswith("n") for i in drawn(tmp_path / "out"))
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert len(list(read_images(manifest, range(30)))) == 30


@pytest.mark.parametrize("module", [imagenet30, food30])
def test_defaults_are_the_sheet_s(module):
    """Thirty classes of 500: 9,000, 3,000 and 3,000, seed 782."""
    params = module.Params()
    assert len(set(params.classes)) == 30
    assert params.sizes == {"train": 300, "val": 100, "test": 100}
    assert params.seed == 782
    counts = module.expected(params, module.DEFAULT_SPLIT)
    assert counts == dict.fromkeys(params.classes, 500)
    other = module.Params(images_per_class=499)
    assert module.expected(other, module.DEFAULT_SPLIT) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images_per_class": 15}, r"at least 15 each[\s\S]*apple_pie 14, pizza 14"),
        ({"images_per_class": 0}, r"out of range[\s\S]*>= 1"),
        ({"classes": ["piza"]}, r"no such class[\s\S]*Did you mean 'pizza'"),
        ({"classes": ["pizza", "pizza"]}, r"each class once[\s\S]*pizza"),
        ({"classes": []}, r"option classes[\s\S]*at least one"),
        ({"fractions": [0.6, 0.2, 0.1]}, r"option fractions[\s\S]*sum to 1"),
        ({"fractions": [1.2, -0.4, 0.2]}, r"option fractions"),
        ({"fractions": [0.5, 0.5]}, r"wrong type"),
        ({"evaluate": ["dev"]}, r"option evaluate[\s\S]*train, val, test"),
        ({"evaluate": []}, r"option evaluate"),
    ],
)
def test_options_are_checked(tmp_path, change, message):
    """Too few images name their classes; the rest names the option."""
    write_food(tmp_path / "raw")
    with pytest.raises(MmclustError, match=message):
        build_benchmark("food30", tmp_path / "raw", tmp_path / "out", BLOCK | change)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("packing", ["unpacked", "archive"])
def test_empty_and_missing_pictures_are_explained(tmp_path, packing):
    """An empty file is named; so is a source without pictures."""
    files = dishes() | {"images/pizza/1003.jpg": b""}
    write_food(tmp_path / "raw", packing, files)
    with pytest.raises(MmclustError, match=r"empty[\s\S]*pizza/1003\.jpg"):
        build_benchmark("food30", tmp_path / "raw", tmp_path / "out", BLOCK)
    (tmp_path / "bare").mkdir()
    with pytest.raises(MmclustError, match=r"food-101\.tar\.gz, or unpacked"):
        build_benchmark("food30", tmp_path / "bare", tmp_path / "out", BLOCK)


@pytest.mark.parametrize("name", ["food30", "imagenet30"])
def test_other_parts_are_refused(tmp_path, name):
    """What is drawn from is fixed."""
    with pytest.raises(MmclustError, match="Unknown split 'test'"):
        build_benchmark(name, tmp_path, tmp_path / "out", split="test")
