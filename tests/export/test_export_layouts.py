"""csv, mat and hf: what other programs read back is what was built."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from mmclust.benchmarks._build import build_benchmark
from mmclust.core.errors import MmclustError
from mmclust.core.features import write_features
from mmclust.core.manifest import read_manifest
from mmclust.export import layouts
from mmclust.export.stage import export_benchmark
from tests.benchmarks.toy_pictures import NAME, install, jpeg, picture

CAPTIONS = ["one", 'two,\n"three"']
SPLITS = {"p1": "val", "p4": "test", "p5": "test"}
LABELS = {
    "p0": "stop sign", "p1": "bird", "p2": "ape", "p3": "bird", "p4": "ape",
    "p5": "stop sign",
}  # fmt: skip
HIDDEN = {"p4": "ape", "p5": "stop sign"}


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Build six pictures in three splits and three classes."""

    def run(**options):
        given = {"splits": SPLITS, "labels": LABELS} | options
        install(monkeypatch, **given)
        build_benchmark(NAME, tmp_path / "raw", tmp_path / "built")
        return read_manifest(tmp_path / "built/manifest.parquet")

    return run


@pytest.fixture
def export(tmp_path):
    """Export what was built, with features of these encoders."""

    def run(layout, *encoders):
        features = {name: tmp_path / name for name in encoders}
        (done,) = export_benchmark(
            NAME, tmp_path / "built", layout, tmp_path / "out", features
        )
        return done

    return run


@pytest.fixture
def encode(tmp_path):
    """Write features of numbers that are hard to print."""

    def run(manifest, name, *views, dim=3):
        rng = np.random.default_rng(len(name))
        bits = rng.integers(0, 2**31, (len(manifest), dim), dtype=np.uint32)
        array = bits.view(np.float32)
        array = np.where(np.isfinite(array), array, 0).astype(np.float32)
        array[0] = [1 / 3, -1e-45, 16_777_217][:dim]
        given = {view: array + np.float32(i) for i, view in enumerate(views)}
        write_features(tmp_path / name, given, {"encoder": name}, manifest)
        return given

    return run


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_is_a_table_of_all_rows(build, export, tmp_path):
    """Captions are JSON, so that anything in them comes back."""
    build(hidden=HIDDEN)
    done = export("csv")
    assert (done.target, done.written) == (tmp_path / "out/csv/images.csv", True)
    rows = rows_of(done.target)
    assert list(rows[0]) == ["image_id", "split", "label", "label_name", "captions"]
    said = [(r["image_id"], r["split"], r["label"], r["label_name"]) for r in rows]
    assert said == [
        ("p0", "train", "2", "stop sign"),
        ("p1", "val", "1", "bird"),
        ("p2", "train", "0", "ape"),
        ("p3", "train", "1", "bird"),
        ("p4", "test", "", ""),
        ("p5", "test", "", ""),
    ]
    assert all(json.loads(row["captions"]) == CAPTIONS for row in rows)
    assert export("csv").written is False


def test_csv_without_classes_has_empty_labels(build, export):
    """And needs no images."""
    build(labels={})
    rows = rows_of(export("csv").target)
    assert {row["label"] for row in rows} == {""}


def test_feature_csv_reads_back_bit_by_bit(build, export, encode, tmp_path):
    """A file for each view and split; hidden labels have no column."""
    manifest = build(hidden=HIDDEN)
    arrays = encode(manifest, "both", "image", "text")
    done = export("csv", "both")
    assert done.target == tmp_path / "out/csv/both"
    files = sorted(
        p.relative_to(done.target).as_posix() for p in done.target.rglob("*.*")
    )
    assert files == [
        f"{view}/{split}.csv"
        for view in ("image", "text")
        for split in ("test", "train", "val")
    ]
    for view, array in arrays.items():
        read = {}
        for split in ("train", "val", "test"):
            rows = rows_of(done.target / view / f"{split}.csv")
            labels = ["id"] if split == "test" else ["id", "label"]
            assert list(rows[0]) == [*labels, "f0", "f1", "f2"]
            read |= {r["id"]: [r[f"f{i}"] for i in range(3)] for r in rows}
        back = np.array([read[i] for i in manifest.image_ids]).astype(np.float32)
        assert back.tobytes() == array.tobytes()
    train = rows_of(done.target / "image/train.csv")
    assert [(r["id"], r["label"]) for r in train] == [
        ("p0", "2"), ("p2", "0"), ("p3", "1"),
    ]  # fmt: skip
    assert export("csv", "both").written is False


def test_feature_csv_shows_single_hidden_labels_as_empty(
    build, export, encode, tmp_path
):
    """In a split of both kinds; ids with commas are quoted."""
    files = {"a,b": jpeg(picture(9))}
    manifest = build(hidden={"p0": "ape"}, files=files)
    encode(manifest, "one", "image")
    done = export("csv", "one")
    rows = rows_of(done.target / "image/train.csv")
    labels = {row["id"]: row["label"] for row in rows}
    assert labels["p0"] == ""
    assert labels["p2"] == "0"
    assert "a,b" in labels


def test_mat_is_as_the_spec_says(build, export, encode, tmp_path):
    """Rows by class folder, then id; Y from 1; label_mapping rows [id, name]."""
    manifest = build()
    arrays = encode(manifest, "both", "image", "text")
    done = export("mat", "both")
    assert done.target == tmp_path / f"out/{NAME}_both.mat"
    content = loadmat(done.target)
    assert {k for k in content if not k.startswith("__")} == {
        "X1", "X2", "Y", "label_mapping",
    }  # fmt: skip
    order = ["p2", "p4", "p1", "p3", "p0", "p5"]
    rows = [manifest.image_ids.index(i) for i in order]
    assert content["Y"].tolist() == [[1], [1], [2], [2], [3], [3]]
    assert content["Y"].dtype.kind == "i"
    for name, view in (("X1", "image"), ("X2", "text")):
        assert content[name].dtype == np.float32
        assert (content[name] == arrays[view][rows]).all()
    mapping = [(int(i[0, 0]), str(name[0])) for i, name in content["label_mapping"]]
    assert mapping == [(1, "ape"), (2, "bird"), (3, "stop sign")]
    ids = done.target.with_suffix(".ids.txt").read_text().split()
    assert ids == order
    head = done.target.read_bytes()[:128]
    assert head.startswith(b"MATLAB 5.0 MAT-file, written by mmclust ")
    assert b"20" not in head  # no date
    assert head[124:] == b"\x00\x01IM"


def test_mat_has_no_line_for_an_id_of_two(build, export, encode, tmp_path):
    """Ids that would shift all lines after theirs are refused."""
    manifest = build(files={"a\nb": jpeg(picture(9))}, labels=LABELS | {"a\nb": "ape"})
    encode(manifest, "pixels", "image", "text")
    with pytest.raises(MmclustError, match=r"line breaks[\s\S]*'a\\nb'"):
        export("mat", "pixels")


def test_mat_takes_a_view_from_each_of_two_encoders(build, export, encode, tmp_path):
    """Images from one and texts from another, and nothing twice."""
    manifest = build()
    arrays = {
        "pixels": encode(manifest, "pixels", "image"),
        "words": encode(manifest, "words", "text"),
    }
    done = export("mat", *arrays)
    assert done.target.name == f"{NAME}_pixels_words.mat"
    rows = [2, 4, 1, 3, 0, 5]
    content = loadmat(done.target)
    assert (content["X2"] == arrays["words"]["text"][rows]).all()
    with pytest.raises(MmclustError, match=r"one encoder for the text[\s\S]*none"):
        export("mat", "pixels")
    encode(manifest, "both", "image", "text")
    with pytest.raises(MmclustError, match="image: pixels, both"):
        export("mat", "pixels", "both")


def test_mat_and_raw_need_every_class(build, export, encode, tmp_path):
    """Hidden classes and no classes: refused, with what to use instead."""
    manifest = build(hidden=HIDDEN)
    encode(manifest, "both", "image", "text")
    refusal = r"class of every image[\s\S]*2 of 6 images[\s\S]*csv"
    for asked in (("mat", "both"), ("raw",)):
        with pytest.raises(MmclustError, match=refusal):
            export(*asked)
    build(labels={})
    with pytest.raises(MmclustError, match="6 of 6 images without"):
        export("raw")
    assert not (tmp_path / "out").exists()


def test_arrays_beyond_the_format_are_refused(
    build, export, encode, tmp_path, monkeypatch
):
    """MATLAB v5 has four bytes for a length."""

    encode(build(), "both", "image", "text")
    monkeypatch.setattr(layouts, "MOST", 70)
    with pytest.raises(MmclustError, match=r"too large[\s\S]*X1[\s\S]*72 bytes"):
        export("mat", "both")


def test_skipped_images_are_left_out(build, export, encode, tmp_path, monkeypatch):
    """A row without features is no row of zeros."""
    encode(build(), "both", "image", "text")

    def all_but_one(content, features):
        assert list(features)
        return [0, 1, 3, 4, 5]

    monkeypatch.setattr(layouts, "_kept_rows", all_but_one)
    done = export("mat", "both")
    assert loadmat(done.target)["X1"].shape == (5, 3)
    done = export("csv", "both")
    assert [r["id"] for r in rows_of(done.target / "text/train.csv")] == ["p0", "p3"]


def test_options_that_make_no_sense_are_refused(build, export, encode, tmp_path):
    """Features where there is no place, or none where they are needed."""
    manifest = build()
    encode(manifest, "one", "image")
    with pytest.raises(MmclustError, match=r"hf has no place[\s\S]*--as csv or --as m"):
        export("hf", "one")
    with pytest.raises(MmclustError, match=r"mat needs features[\s\S]*miniclip"):
        export("mat")
    with pytest.raises(MmclustError, match=r"features\.json is missing"):
        export("csv", "other")
    (tmp_path / "built/README.md").unlink()
    with pytest.raises(
        MmclustError, match=r"README\.md is missing[\s\S]*build it again"
    ):
        export("hf")


def test_a_failed_export_leaves_nothing(build, export, tmp_path):
    """Nor does it touch what is there."""
    build()
    (tmp_path / "raw/pictures/p3.jpg").unlink()
    with pytest.raises(MmclustError, match=r"cannot be read[\s\S]*p3\.jpg"):
        export("hf")
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "out/csv").mkdir()
    (tmp_path / "out/csv/images.csv").write_text("mine")
    with pytest.raises(MmclustError, match=r"is taken[\s\S]*1 differ"):
        export("csv")
    assert (tmp_path / "out/csv/images.csv").read_text() == "mine"


def test_hf_files_are_as_described(build, export, tmp_path):
    """Folders by split, captions and labels beside; parquet with the same bytes."""
    import pyarrow.parquet as pq

    build(hidden=HIDDEN)
    done = export("hf")
    folder = done.target / "imagefolder"
    rows = pq.read_table(folder / "test/metadata.parquet").to_pylist()
    assert rows == [
        {"file_name": f"{i}.jpg", "image_id": i, "captions": CAPTIONS, "label": None}
        for i in ("p4", "p5")
    ]
    image = folder / "validation/p1.jpg"
    assert image.samefile(tmp_path / "raw/pictures/p1.jpg")
    table = pq.read_table(done.target / "data/validation-00000-of-00001.parquet")
    (row,) = table.to_pylist()
    assert row["image"] == {"bytes": image.read_bytes(), "path": "p1.jpg"}
    assert (row["image_id"], row["captions"], row["label"]) == ("p1", CAPTIONS, 1)
    card = (done.target / "README.md").read_text(encoding="utf-8")
    assert "path: data/validation-*" in card
    assert "thumbnails" not in card
    assert export("hf").written is False


@pytest.mark.parametrize("classes", [True, False])
def test_the_datasets_library_reads_it_back(
    build, export, tmp_path, monkeypatch, classes
):
    """As an image folder, as parquet, and as a repository."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    build(**({"hidden": HIDDEN} if classes else {"labels": {}}))
    done = export("hf")
    images, parquet, repository = (
        datasets.load_dataset(*read, cache_dir=str(tmp_path / "cache"))
        for read in (
            ("imagefolder", None, str(done.target / "imagefolder")),
            ("parquet", None, str(done.target / "data")),
            (str(done.target),),
        )
    )
    for each in (images, parquet, repository):
        assert {split: len(rows) for split, rows in each.items()} == {
            "train": 3, "validation": 1, "test": 2,
        }  # fmt: skip
        row = each["validation"][0]
        assert (row["image_id"], row["captions"]) == ("p1", CAPTIONS)
        with Image.open(tmp_path / "raw/pictures/p1.jpg") as original:
            assert (np.asarray(row["image"]) == np.asarray(original)).all()
        assert ("label" in row) is classes
    if classes:
        assert images["train"]["label"][:] == ["stop sign", "ape", "bird"]
        feature = repository["train"].features["label"]
        assert feature.names == ["ape", "bird", "stop sign"]
        assert repository["train"]["label"][:] == [2, 0, 1]
        assert repository["test"]["label"][:] == [-1, -1]


def test_parquet_is_written_in_files_and_groups(build, export, tmp_path, monkeypatch):
    """Several files and row groups of a split keep their order."""
    import pyarrow.parquet as pq

    monkeypatch.setattr(layouts, "ROWS", 2)
    monkeypatch.setattr(layouts, "GROUP", 1)
    build(splits={})
    done = export("hf")
    paths = sorted((done.target / "data").iterdir())
    assert [p.name for p in paths][:2] == [
        "train-00000-of-00003.parquet", "train-00001-of-00003.parquet",
    ]  # fmt: skip
    ids = [i for p in paths for i in pq.read_table(p)["image_id"].to_pylist()]
    assert ids == [f"p{i}" for i in range(6)]
