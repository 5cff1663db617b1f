"""CIFAR-10 and CIFAR-20 from small files in both official versions."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import tarfile
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.benchmarks import _build, _pixel_arrays
from mmclust.benchmarks._pixel_arrays import read_batch
from mmclust.benchmarks.cifar import cifar10, cifar20
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest, summary_path

# Small files never have the published counts.
build_benchmark = partial(_build.build_benchmark, allow_different=True)
N = 4  # records of a file
VERSIONS = ("python", "binary")
FOLDERS = {
    ("cifar10", "python"): "cifar-10-batches-py",
    ("cifar10", "binary"): "cifar-10-batches-bin",
    ("cifar20", "python"): "cifar-100-python",
    ("cifar20", "binary"): "cifar-100-binary",
}
# The official coarse classes and the fine ones in them, in the data set's own words.
SUPERCLASSES = """
aquatic mammals: beaver dolphin otter seal whale
fish: aquarium_fish flatfish ray shark trout
flowers: orchid poppy rose sunflower tulip
food containers: bottle bowl can cup plate
fruit and vegetables: apple mushroom orange pear sweet_pepper
household electrical devices: clock keyboard lamp telephone television
household furniture: bed chair couch table wardrobe
insects: bee beetle butterfly caterpillar cockroach
large carnivores: bear leopard lion tiger wolf
large man-made outdoor things: bridge castle house road skyscraper
large natural outdoor scenes: cloud forest mountain plain sea
large omnivores and herbivores: camel cattle chimpanzee elephant kangaroo
medium-sized mammals: fox porcupine possum raccoon skunk
non-insect invertebrates: crab lobster snail spider worm
people: baby boy girl man woman
reptiles: crocodile dinosaur lizard snake turtle
small mammals: hamster mouse rabbit shrew squirrel
trees: maple_tree oak_tree palm_tree pine_tree willow_tree
vehicles 1: bicycle bus motorcycle pickup_truck train
vehicles 2: lawn_mower rocket streetcar tank tractor
"""


def records(seed, n=N):
    """Pixels (n, 3072) as the files have them, and the pictures (n, 32, 32, 3)."""
    rgb = np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    planes = [np.concatenate([x[:, :, c].ravel() for c in range(3)]) for x in rgb]
    return np.stack(planes), rgb


def python2_batch(values):
    """Pickle a batch as Python 2 and old numpy wrote it: protocol 2, byte strings."""
    out = io.BytesIO()

    def text(data):
        out.write(b"T" + len(data).to_bytes(4, "little") + data)

    def integer(value):
        out.write(b"J" + value.to_bytes(4, "little", signed=True))

    def array(value):
        out.write(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n")
        out.write(b"(K\0tU\x01b\x87R(")
        integer(1)
        for size in value.shape:
            integer(size)
        out.write(b"\x86cnumpy\ndtype\n")
        text(b"u1")
        out.write(b"K\0K\1\x87R(")
        integer(3)
        text(b"|")
        out.write(b"NNN")
        integer(-1)
        integer(-1)
        out.write(b"K\0tb\x89")
        text(value.tobytes())
        out.write(b"tb")

    out.write(b"\x80\2}(")
    for key, value in values.items():
        text(key.encode())
        if isinstance(value, np.ndarray):
            array(value)
        elif isinstance(value, str):
            text(value.encode())
        else:
            out.write(b"](")
            for item in value:
                integer(item) if isinstance(item, int) else text(item.encode())
            out.write(b"e")
    out.write(b"u.")
    return out.getvalue()


def batch(version, pixels, labels):
    """Write one file; ``labels`` by kind, coarse before fine."""
    if version == "binary":
        columns = [np.array(v, np.uint8)[:, None] for v in labels.values()]
        return np.hstack([*columns, pixels]).tobytes()
    names = {"filenames": [f"{i}.png" for i in range(len(pixels))]}
    return python2_batch({"batch_label": "one", **labels, "data": pixels, **names})


def file_names(name, version):
    if name == "cifar20":
        return {"train": ["train"], "test": ["test"]}
    return {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}


def write_cifar(raw, name, version, packing="unpacked", change=None):
    """Write a data set; return each split's pictures and fine or only labels."""
    files, truth = {}, {}
    for split, names in file_names(name, version).items():
        for i, file in enumerate(names):
            pixels, rgb = records(10 * i + len(split))
            fine = [(7 * i + 3 * j) % 10 for j in range(N)]
            labels = {"labels": fine}
            if name == "cifar20":
                fine = [(11 * j + len(split)) % 100 for j in range(N)]
                coarse = [cifar20.COARSE[f] for f in fine]
                labels = {"coarse_labels": coarse, "fine_labels": fine}
            ending = ".bin" if version == "binary" else ""
            files[file + ending] = batch(version, pixels, labels)
            seen, kinds = truth.get(split, ([], []))
            truth[split] = ([*seen, *rgb], [*kinds, *fine])
    files.update(change or {})
    folder = FOLDERS[name, version]
    raw.mkdir(parents=True, exist_ok=True)
    if packing == "unpacked":
        for file, data in files.items():
            (raw / folder).mkdir(exist_ok=True)
            (raw / folder / file).write_bytes(data)
    elif packing == "loose":
        for file, data in files.items():
            (raw / file).write_bytes(data)
    else:
        archive = folder.replace("batches-py", "python").replace(
            "batches-bin", "binary"
        )
        with tarfile.open(raw / f"{archive}.tar.gz", "w:gz") as tar:
            for file, data in sorted(files.items(), reverse=True):
                info = tarfile.TarInfo(f"{folder}/{file}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return truth


@pytest.mark.parametrize("packing", ["unpacked", "loose", "archive"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["cifar10", "cifar20"])
def test_pictures_and_labels_come_back_exactly(tmp_path, name, version, packing):
    """Every pixel, in file order, whatever the version and packing."""
    truth = write_cifar(tmp_path / "raw", name, version, packing)
    summary = build_benchmark(name, tmp_path / "raw", tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    labels = read_labels(tmp_path / "out/labels.parquet")
    pictures = dict(read_images(manifest, range(len(manifest))))
    classes = dict(zip(labels.image_ids, labels.names, strict=True))
    assert summary["images"] == sum(len(rgb) for rgb, _ in truth.values())
    for split, (rgb, kinds) in truth.items():
        for i, (picture, kind) in enumerate(zip(rgb, kinds, strict=True)):
            image_id = f"{split}_{i:05d}"
            assert np.array_equal(pictures[image_id], picture)
            expected = (
                cifar10.CLASSES[kind]
                if name == "cifar10"
                else cifar20.CLASSES[cifar20.COARSE[kind]]
            )
            assert classes[image_id] == expected
    assert set(manifest.table["width"].to_pylist()) == {32}
    assert set(manifest.table["container"].to_pylist()) == {"images.zip"}


def test_equal_sources_give_equal_bytes(tmp_path):
    """Manifest and pictures, built twice, from folder and archive."""
    for packing in ("unpacked", "archive"):
        write_cifar(tmp_path / packing, "cifar10", "python", packing)
        build_benchmark("cifar10", tmp_path / packing, tmp_path / f"out_{packing}")
    one, two = tmp_path / "out_unpacked", tmp_path / "out_archive"
    for file in ("images.zip", "manifest.parquet", "labels.parquet"):
        assert (one / file).read_bytes() == (two / file).read_bytes()
    assert summary_path(one).read_bytes() == summary_path(two).read_bytes()


def test_the_coarse_table_is_the_official_one():
    """Fine classes are numbered by the alphabet; each is under its superclass."""
    groups = [line.split(": ") for line in SUPERCLASSES.strip().split("\n")]
    assert [name for name, _ in groups] == list(cifar20.CLASSES)
    coarse = {f: i for i, (_, names) in enumerate(groups) for f in names.split()}
    assert len(coarse) == 100
    assert [coarse[f] for f in sorted(coarse)] == list(cifar20.COARSE)


@pytest.mark.parametrize("module", [cifar10, cifar20])
def test_label_ids_are_the_published_ones(module):
    """Labels are written in the order of class names, which is the official one."""
    assert list(module.CLASSES) == sorted(module.CLASSES)


@pytest.mark.parametrize("version", VERSIONS)
def test_coarse_labels_against_the_table_are_refused(tmp_path, version):
    """A file that files apples under fish is no CIFAR-100."""
    pixels, _ = records(0)
    labels = {"coarse_labels": [4, 1, 1, 4], "fine_labels": [0, 1, 0, 0]}
    ending = ".bin" if version == "binary" else ""
    change = {f"test{ending}": batch(version, pixels, labels)}
    write_cifar(tmp_path / "raw", "cifar20", version, change=change)
    message = r"not those of the table[\s\S]*fine label 0 under coarse label 4[\s\S]*"
    with pytest.raises(MmclustError, match=message + r"under 1 in record 2; 1 such"):
        build_benchmark("cifar20", tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("policy", "splits", "fit", "evaluate", "per_class"),
    [
        ("tac", {"train", "test"}, ["train"], ["test"], 6000),
        ("dxmc", {"train", "test"}, ["train"], ["test"], 6000),
        ("all", {"train", "test"}, ["train", "test"], ["train", "test"], 6000),
        ("train", {"train"}, ["train"], ["train"], 5000),
    ],
)
def test_policies_decide_the_roles(tmp_path, policy, splits, fit, evaluate, per_class):
    """In the manifest, the summary, the protocol and the counts that are expected."""
    write_cifar(tmp_path / "raw", "cifar10", "binary")
    params = {"split_policy": policy}
    summary = build_benchmark("cifar10", tmp_path / "raw", tmp_path / "out", params)
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert set(manifest.splits.tolist()) == splits
    assert (manifest.meta["fit"], manifest.meta["evaluate"]) == (fit, evaluate)
    assert f"split_policy {policy}" in summary["protocol"]
    assert summary["notes"]["split_policy"] == policy
    counts = cifar10.expected(cifar10.Params(policy), "train+test")
    assert counts == dict.fromkeys(cifar10.CLASSES, per_class)
    counts = cifar20.expected(cifar20.Params(policy), "train+test")
    assert counts == dict.fromkeys(cifar20.CLASSES, per_class // 2)


def test_one_part_alone_has_all_roles(tmp_path):
    """--split test: what is built is fitted on and reported, and said to be."""
    write_cifar(tmp_path / "raw", "cifar10", "python")
    out = tmp_path / "out"
    options = {"split": "test", "images": False}
    summary = build_benchmark("cifar10", tmp_path / "raw", out, **options)
    assert not (out / "images.zip").exists()
    assert (summary["fit"], summary["evaluate"]) == (["test"], ["test"])
    assert summary["protocol"] == "1, test alone"
    assert summary["splits"] == {"test": N}
    assert set(cifar10.expected(cifar10.Params(), "test").values()) == {1000}


@pytest.mark.parametrize(
    ("split", "policy", "message"),
    [
        (None, "dmxc", "Unknown split_policy 'dmxc'[\\s\\S]*Did you mean 'dxmc'"),
        ("val", "tac", "Unknown split 'val'[\\s\\S]*test, train, train\\+test"),
        ("test", "all", "contradict each other[\\s\\S]*train\\+test"),
        ("test", "train", "contradict each other"),
    ],
)
def test_unknown_and_contradicting_choices_are_refused(
    tmp_path, split, policy, message
):
    """Nothing is guessed."""
    write_cifar(tmp_path / "raw", "cifar10", "binary")
    block = {"split_policy": policy}
    with pytest.raises(MmclustError, match=message):
        build_benchmark(
            "cifar10", tmp_path / "raw", tmp_path / "out", block, split=split
        )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"0 bytes: 0 records"),
        (bytes(3073 * 2 - 1), r"multiple of 3,073 bytes[\s\S]*6,145 bytes: 1 records"),
        (bytes(3074), r"3,074 bytes: 1 records and 1 bytes more"),
        (b"\x0a" + bytes(3072), r"0 to 9[\s\S]*1 others, first 10 in record 0"),
    ],
)
def test_wrong_binary_files_are_refused(tmp_path, data, message):
    """Cut records, records of CIFAR-100, labels that do not exist."""
    change = {"test_batch.bin": data}
    write_cifar(tmp_path / "raw", "cifar10", "binary", change=change)
    with pytest.raises(MmclustError, match=message):
        build_benchmark("cifar10", tmp_path / "raw", tmp_path / "out")


@pytest.mark.parametrize("packing", ["unpacked", "archive"])
def test_missing_files_are_named(tmp_path, packing):
    """A batch that is not there is not made up for by the others."""
    raw = tmp_path / "raw"
    write_cifar(raw, "cifar10", "python")
    folder = raw / "cifar-10-batches-py"
    (folder / "data_batch_3").unlink()
    if packing == "archive":
        with tarfile.open(raw / "cifar-10-python.tar.gz", "w:gz") as tar:
            tar.add(folder, folder.name)
        message = r"lacks files[\s\S]*missing: data_batch_3"
    else:
        message = r"missing[\s\S]*cifar-10-batches-py/ without data_batch_3"
    with pytest.raises(MmclustError, match=message):
        build_benchmark("cifar10", raw, tmp_path / "out")


def test_an_empty_source_says_what_is_wanted(tmp_path):
    """Archives and folders of both versions are named."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(MmclustError, match=r"files of cifar-10-batches-py") as error:
        build_benchmark("cifar10", tmp_path, tmp_path / "out")
    for text in ("cifar-10-python.tar.gz", "cifar-10-batches-bin", "notes.txt"):
        assert text in str(error.value)


class Hostile:
    """What a pickle can do to whoever loads it."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_hostile_pickle_is_not_run(tmp_path, protocol):
    """The name it asks for is told, and its command has not run."""
    flag = tmp_path / "flag"
    content = {"data": Hostile(os.system, f"touch {flag}"), "labels": [0]}
    data = pickle.dumps(content, protocol)
    write_cifar(tmp_path / "raw", "cifar10", "python", change={"data_batch_1": data})
    with pytest.raises(MmclustError, match=r"not run[\s\S]*the name posix\.system"):
        build_benchmark("cifar10", tmp_path / "raw", tmp_path / "out")
    assert not flag.exists()


@pytest.mark.parametrize(
    ("hostile", "name"),
    [
        (Hostile(eval, "1"), "eval"),
        (Hostile(np.load, "x", None, True), "numpy.load"),
        (Hostile(getattr, "x", "upper"), "getattr"),
        (np.array([{}], dtype=object), None),
        (np.zeros((1, 3072), "i1"), None),
        (np.float64(1), "numpy._core.multiarray.scalar"),
    ],
)
def test_only_bytes_are_admitted(hostile, name):
    """Neither other names of numpy nor arrays of other things."""
    data = pickle.dumps({b"data": hostile}, 2)
    with pytest.raises(MmclustError, match=name or r"not CIFAR's[\s\S]*uint8"):
        read_batch(data, "here")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_batches_of_newer_pythons_are_read(protocol, order):
    """Whoever writes the batches anew with today's numpy gets the same pixels."""
    pixels, _ = records(1)
    data = np.asarray(pixels, order=order)
    content = pickle.dumps(
        {b"data": data, "labels": [0, 1, 2, 3], b"batch_label": b""}, protocol
    )
    batch = read_batch(content, "here")
    assert np.array_equal(batch["data"], pixels)
    assert batch["labels"] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "found: +0 bytes: EOFError"),
        (b"<html>not found</html>", "not CIFAR's"),
        (pickle.dumps([1]), "list"),
        (pickle.dumps({b"labels": [1]}), "keys labels, no array"),
        (pickle.dumps({b"data": np.zeros((2, 3073), np.uint8)}), r"\(2, 3073\)"),
        (pickle.dumps({b"data": np.zeros(3072, np.uint8)}), r"shape \(3072,\)"),
        (b"\x80\x02cnumpy\nndarray\n(tR}b.", "not CIFAR's"),
        (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nK\x01\x85R.", "another kind"),
        (b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x03\0\0\0zip\x86R.", "as zip"),
    ],
)
def test_broken_batches_are_explained(data, message):
    """No traceback, whatever the bytes."""
    with pytest.raises(MmclustError, match=message):
        read_batch(data, "here")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], r"a list of 4 whole numbers[\s\S]*found: +3"),
        ([0, 1, 2, 1.5], r"whole numbers[\s\S]*1\.5"),
        ([0, 1, 2, -1], r"0 to 9[\s\S]*first -1 in record 3"),
        ([0, 1, 2, 1 << 80], r"0 to 9"),
        ("abcd", r"found: +0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, labels, message):
    """One whole number in range for each picture."""
    data = pickle.dumps({"data": records(0)[0], "labels": labels})
    write_cifar(tmp_path / "raw", "cifar10", "python", change={"test_batch": data})
    with pytest.raises(MmclustError, match=message):
        build_benchmark("cifar10", tmp_path / "raw", tmp_path / "out", split="test")


@given(st.data())
def test_any_change_of_a_batch_is_read_or_refused(data):
    """One error or a batch: nothing else comes out, and no table of 16 GB is made."""
    content = bytearray(python2_batch({"labels": [1, 2], "data": records(0, 2)[0]}))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 219) | st.integers(0, len(content) - 1))
        content[at] = data.draw(
            st.sampled_from(b"r.tRbQPjhc0(]}") | st.integers(0, 255)
        )
    with contextlib.suppress(MmclustError):
        assert read_batch(bytes(content), "here")["data"].shape[1] == 3072


def test_the_admitted_names_are_few():
    """Exactly those that rebuild one array of bytes; none can do harm."""
    stand_ins = set(_pixel_arrays.ADMITTED.values())
    assert {s.__module__ for s in stand_ins} == {"mmclust.benchmarks._pixel_arrays"}
    assert len(_pixel_arrays.ADMITTED) == 8
