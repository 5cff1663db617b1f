"""STL-10 from small files in the official binary format."""

from __future__ import annotations

import tarfile
from functools import partial

import numpy as np
import pytest

from mmclust.benchmarks import _build
from mmclust.benchmarks.pixel_arrays import stl10
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest

# Small files never have the published counts.
build_benchmark = partial(_build.build_benchmark, allow_different=True)
COUNTS = {"train": 3, "test": 5}


def write_stl10(raw, packing="unpacked", change=None):
    """Write the files; return each split's pictures and labels (from 0)."""
    files, truth = {}, {}
    for split, n in COUNTS.items():
        rng = np.random.default_rng(n)
        rgb = rng.integers(0, 256, (n, 96, 96, 3), dtype=np.uint8)
        kinds = rng.integers(0, 10, n)
        # "The images are stored in column-major order, one channel at a time."
        columns = b"".join(x[:, :, c].tobytes("F") for x in rgb for c in range(3))
        files[f"{split}_X.bin"] = columns
        files[f"{split}_y.bin"] = (kinds + 1).astype(np.uint8).tobytes()
        truth[split] = (rgb, kinds)
    files["unlabeled_X.bin"] = bytes(96 * 96 * 3)
    files["class_names.txt"] = "".join(f"{name}\n" for name in stl10.CLASSES).encode()
    files.update(change or {})
    folder = raw / "stl10_binary"
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if packing == "archive":
        with tarfile.open(raw / "stl10_binary.tar.gz", "w:gz") as tar:
            tar.add(folder, folder.name)
        for name in files:
            (folder / name).unlink()
        folder.rmdir()
    return truth


@pytest.mark.parametrize("packing", ["unpacked", "archive"])
def test_pictures_and_labels_come_back_exactly(tmp_path, packing):
    """Columns become rows, labels from 1 become the alphabet's."""
    truth = write_stl10(tmp_path / "raw", packing)
    summary = build_benchmark("stl10", tmp_path / "raw", tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    labels = read_labels(tmp_path / "out/labels.parquet")
    pictures = dict(read_images(manifest, range(len(manifest))))
    classes = dict(zip(labels.image_ids, labels.names, strict=True))
    for split, (rgb, kinds) in truth.items():
        for i, (picture, kind) in enumerate(zip(rgb, kinds, strict=True)):
            assert np.array_equal(pictures[f"{split}_{i:05d}"], picture)
            assert classes[f"{split}_{i:05d}"] == stl10.CLASSES[kind]
    assert summary["splits"] == {"test": 5, "train": 3}
    assert (summary["fit"], summary["evaluate"]) == (["train"], ["test"])
    assert not any("unlabeled" in name for name in summary["sources"])


def test_expected_counts_are_the_publisher_s():
    """500 and 800 of each class; 13,000 together, as older papers have it."""
    tac = stl10.expected(stl10.Params(), "train+test")
    assert sum(tac.values()) == 13_000
    assert set(stl10.expected(stl10.Params("train"), "train+test").values()) == {500}
    assert set(stl10.expected(stl10.Params(), "test").values()) == {800}
    assert list(stl10.CLASSES) == sorted(stl10.CLASSES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_X.bin": bytes(27_647)}, r"multiple of 27,648 bytes[\s\S]*27,647"),
        ({"train_y.bin": b"\1\2"}, r"3 bytes, one for each picture[\s\S]*2 bytes"),
        ({"train_y.bin": b"\0\1\2"}, r"0 to 9[\s\S]*first -1 in record 0"),
        ({"test_y.bin": b"\1\2\3\4\x0b"}, r"0 to 9[\s\S]*first 10 in record 4"),
        ({"class_names.txt": b"cat\ndog\n"}, r"class names are others[\s\S]*cat, dog"),
    ],
)
def test_wrong_files_are_refused(tmp_path, change, message):
    """Cut records, missing labels, labels from 0."""
    write_stl10(tmp_path / "raw", change=change)
    with pytest.raises(MmclustError, match=message):
        build_benchmark("stl10", tmp_path / "raw", tmp_path / "out")


def test_the_file_of_class_names_is_optional(tmp_path):
    """Names are the protocol's; the file is compared where it is there."""
    write_stl10(tmp_path / "raw")
    (tmp_path / "raw/stl10_binary/class_names.txt").unlink()
    raw = tmp_path / "raw/stl10_binary"
    assert build_benchmark("stl10", raw, tmp_path / "out")["images"] == 8
