"""What `mmclust export` writes is read back as a folder: images, captions, classes."""

from __future__ import annotations

import shutil

import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_files
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest
from mmclust.export.stage import export_benchmark
from tests.benchmarks.toy_pictures import NAME, install

SPLITS = {"p1": "val", "p3": "test", "p4": "test"}


def content(folder):
    """Return bytes, captions, class and split of each image by id."""
    manifest = read_manifest(folder / "manifest.parquet")
    labels = read_labels(folder / "labels.parquet")
    classes = dict(zip(labels.image_ids, labels.names, strict=True))
    files = dict(read_files(manifest, range(len(manifest))))
    return {
        image_id: (files[row], captions, classes.get(image_id), split)
        for row, (image_id, captions, split) in enumerate(
            zip(
                manifest.image_ids,
                manifest.captions,
                manifest.splits.tolist(),
                strict=True,
            )
        )
    }


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """Build a toy, write it in a layout, and return where it was built."""

    def write(layout, **options):
        install(monkeypatch, splits=SPLITS, **options)
        build_benchmark(NAME, tmp_path / "source", tmp_path / "built")
        export_benchmark(NAME, tmp_path / "built", layout, tmp_path)
        return tmp_path / "built"

    return write


@pytest.mark.parametrize("folder", ["hf", "hf/imagefolder"])
@pytest.mark.parametrize("labels", [None, {}])
def test_hf_comes_back(exported, tmp_path, folder, labels):
    """Ids, too: metadata.parquet has them. Splits are those of its folders."""
    before = content(exported("hf", labels=labels))
    summary = build_benchmark("folder", tmp_path / folder, tmp_path / "again")
    assert content(tmp_path / "again") == before
    assert (summary["fit"], summary["evaluate"]) == (["train"], ["test"])


def test_csv_beside_its_pictures_comes_back(exported, tmp_path):
    """images.csv says id, split, class and captions; the pictures bear the ids."""
    before = content(exported("csv"))
    (tmp_path / "mine").mkdir()
    shutil.copytree(tmp_path / "source/pictures", tmp_path / "mine/deep/er")
    shutil.copy(tmp_path / "csv/images.csv", tmp_path / "mine")
    build_benchmark("folder", tmp_path / "mine", tmp_path / "again")
    assert content(tmp_path / "again") == before


def test_raw_comes_back(exported, tmp_path):
    """Its folders are the classes; ids have the class before them, splits are gone."""
    before = content(exported("raw", captions=("one", "two, three")))
    by_folder = {"labels": "folders"}
    build_benchmark("folder", tmp_path / "raw", tmp_path / "again", by_folder)
    assert content(tmp_path / "again") == {
        f"{label}/{image_id}": (data, captions, label, "train")
        for image_id, (data, captions, label, _) in before.items()
    }


def test_hidden_classes_do_not_come_back_as_a_class(exported, tmp_path):
    """The rest is refused, or built without classes; no class is made up."""
    before = content(exported("hf", hidden={"p3": "a", "p4": "b"}))
    with pytest.raises(MmclustError, match=r"no label[\s\S]*2 of 6"):
        build_benchmark("folder", tmp_path / "hf", tmp_path / "again")
    build_benchmark("folder", tmp_path / "hf", tmp_path / "again", {"labels": "none"})
    assert {i: each[:2] for i, each in content(tmp_path / "again").items()} == {
        i: each[:2] for i, each in before.items()
    }
