"""ImageNet-10 and ImageNet-Dogs from every form of ImageNet-1K."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest

from mmclust.benchmarks import _build
from mmclust.benchmarks.imagenet_subsets import imagenet10, imagenet_dogs
from mmclust.core.errors import MmclustError
from mmclust.core.images import decode, read_images
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest
from tests.benchmarks import toy_imagenet as toy

# Small files never have the published counts.
build_benchmark = partial(_build.build_benchmark, allow_different=True)
TEN = tuple(imagenet10.CLASSES)


@pytest.fixture(scope="module")
def content():
    return toy.images(TEN)


@pytest.mark.parametrize("form", toy.FORMS)
def test_every_form_gives_the_same_benchmark(tmp_path, content, form):
    """Folders, zips, nested tars, flat val: the same ids, classes and pixels."""
    toy.FORMS[form](tmp_path / "raw", content)
    summary = build_benchmark("imagenet10", tmp_path / "raw", tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    labels = read_labels(tmp_path / "out/labels.parquet")
    pictures = dict(read_images(manifest, range(len(manifest))))
    classes = dict(zip(labels.image_ids, labels.names, strict=True))
    numbers = dict(zip(labels.image_ids, labels.labels.tolist(), strict=True))
    splits = dict(zip(manifest.image_ids, manifest.splits.tolist(), strict=True))
    n_seen = 0
    for split, of in content.items():
        for wnid in TEN:
            for name, data in of[wnid].items():
                image_id = name.removesuffix(".JPEG")
                assert np.array_equal(pictures[image_id], decode(data, name))
                assert classes[image_id] == wnid
                assert numbers[image_id] == TEN.index(wnid)
                assert splits[image_id] == split
                n_seen += 1
    assert n_seen == len(manifest) == 50
    toy.write_folders(tmp_path / "reference", content)
    reference = tmp_path / "reference", tmp_path / "reference_out"
    assert summary["manifest"] == build_benchmark("imagenet10", *reference)["manifest"]
    notes = summary["notes"]
    assert notes["class_names"]["n02085936"] == "Maltese dog"
    assert notes["classes_per_split"]["val"] == dict.fromkeys(TEN, 2)
    assert (summary["fit"], summary["evaluate"]) == (["train"], ["val"])


def test_the_lists_are_those_of_the_release():
    """Sizes, order, and the one class that both have."""
    dogs = tuple(imagenet_dogs.CLASSES)
    assert (len(TEN), len(dogs)) == (10, 15)
    assert list(TEN) == sorted(TEN)
    assert list(dogs) == sorted(dogs)
    assert set(TEN) & set(dogs) == {"n02085936"}


@pytest.mark.parametrize(
    ("policy", "ten", "dogs"),
    [
        ("tac", 13_500, 20_250),
        ("dxmc", 13_500, 19_500),
        ("all", 13_500, 20_250),
        ("train", 13_000, 19_500),
    ],
)
def test_expected_counts_follow_the_policy(policy, ten, dogs):
    """1,300 images to train and 50 to report of each class."""
    for plugin, images in ((imagenet10, ten), (imagenet_dogs, dogs)):
        counts = plugin.expected(plugin.Params(policy), "train+val")
        assert sum(counts.values()) == images


def test_dxmc_fits_and_reports_dogs_on_train(tmp_path):
    """Without val, and under a protocol of its own."""
    toy.write_folders(tmp_path / "raw", toy.images(imagenet_dogs.CLASSES))
    summaries = {}
    for policy in ("tac", "dxmc", "train"):
        folders, options = (
            (tmp_path / "raw", tmp_path / policy),
            {"split_policy": policy},
        )
        summaries[policy] = build_benchmark("imagenet_dogs", *folders, options)
    assert summaries["dxmc"]["splits"] == {"train": 45}
    assert summaries["dxmc"]["fit"] == summaries["dxmc"]["evaluate"] == ["train"]
    assert summaries["tac"]["splits"] == {"train": 45, "val": 30}
    assert len({s["manifest"] for s in summaries.values()}) == 3


def test_names_that_are_not_official_get_their_class(tmp_path, content):
    """So that 0.jpg of two classes are two images."""
    renamed = {
        split: {
            wnid: {f"{i}.jpg": data for i, data in enumerate(files.values())}
            for wnid, files in classes.items()
        }
        for split, classes in content.items()
    }
    toy.write_folders(tmp_path / "raw", renamed)
    summary = build_benchmark("imagenet10", tmp_path / "raw", tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert summary["images"] == 50
    assert "train_n02056570_0" in manifest.image_ids


def test_a_class_without_images_is_named(tmp_path, content):
    """No folder, or an empty one; the forms that are looked for are told."""
    toy.write_folders(tmp_path / "raw", content)
    for path in (tmp_path / "raw/val/n02128757").iterdir():
        path.unlink()
    with pytest.raises(MmclustError, match=r"none of 1 of 10 classes: n02128757"):
        build_benchmark("imagenet10", tmp_path / "raw", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MmclustError, match=r"ILSVRC2012_img_train\.tar[\s\S]*10 of 10"):
        build_benchmark("imagenet10", tmp_path / "empty", tmp_path / "out")


@pytest.mark.parametrize("form", ["folders", "stored", "tars", "flat val"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_empty_images_are_named(tmp_path, content, form, split):
    """An image of no bytes is not built around."""
    name = next(iter(content[split][TEN[0]]))
    of = {**content[split], TEN[0]: {**content[split][TEN[0]], name: b""}}
    toy.FORMS[form](tmp_path / "raw", {**content, split: of})
    with pytest.raises(MmclustError, match=rf"empty[\s\S]*1 empty: .*{name}"):
        build_benchmark("imagenet10", tmp_path / "raw", tmp_path / "out")


def test_an_image_in_two_classes_is_named(tmp_path, content):
    """By its official name, which is unique."""
    toy.write_folders(tmp_path / "raw", content)
    name = next(iter(content["val"][TEN[0]]))
    data = content["val"][TEN[0]][name]
    (tmp_path / "raw/val" / TEN[1] / name).write_bytes(data)
    message = rf"occur twice[\s\S]*{name[:-5]} \({TEN[0]}, {TEN[1]}\)"
    with pytest.raises(MmclustError, match=message):
        build_benchmark("imagenet10", tmp_path / "raw", tmp_path / "out")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"meta.mat": b"not MATLAB's"}, "class list cannot be read"),
        ({"ILSVRC2012_validation_ground_truth.txt": "1\n2\nx\n99\n"},
         r"numbers of meta\.mat in each line[\s\S]*2 other lines: 3, 4"),
        ({"ILSVRC2012_validation_ground_truth.txt": "1\n" * 99},
         r"Validation images are missing[\s\S]*77 missing: ILSVRC2012_val_00000023"),
    ],
)  # fmt: skip
def test_a_damaged_development_kit_is_refused(tmp_path, content, damage, message):
    """Labels of val are nowhere else."""
    toy.write_tars(tmp_path / "raw", content)
    (tmp_path / "raw/ILSVRC2012_devkit_t12.tar.gz").unlink()
    toy.write_kit(tmp_path / "raw", toy.devkit(content) | damage)
    if "77" in message:
        # Class 1 must be one of the ten for its images to be missed.
        first = min(content["val"], key=lambda w: w[::-1])
        assert first in TEN
    with pytest.raises(MmclustError, match=message):
        build_benchmark("imagenet10", tmp_path / "raw", tmp_path / "out")


def test_val_without_its_kit_is_explained(tmp_path, content):
    """The archive and the files in it are named."""
    toy.write_tars(tmp_path / "raw", content)
    (tmp_path / "raw/ILSVRC2012_devkit_t12.tar.gz").unlink()
    message = re.escape("ILSVRC2012_devkit_t12.tar.gz, or unpacked")
    with pytest.raises(MmclustError, match=message):
        build_benchmark("imagenet10", tmp_path / "raw", tmp_path / "out")
