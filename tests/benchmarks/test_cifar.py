"""CIFAR-10 and CIFAR-20 from small files in both official versions."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import tarfile
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.benchmarks import _build, _pickled_batches
from mmclust.benchmarks._pickled_batches import read_batch
from mmclust.benchmarks.pixel_arrays import cifar10, cifar20
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


class Python2Pickler(pickle._Pickler):
    """Writes text as Python 2 did: strings of bytes."""

    def save_text(self, text):
        data = text.encode("latin1") if isinstance(text, str) else text
        self.write(b"T" + len(data).to_bytes(4, "little") + data)

    dispatch: ClassVar = pickle._Pickler.dispatch | {str: save_text, bytes: save_text}


def python2_batch(values):
    """Pickle a batch as Python 2 and old numpy wrote it: protocol 2, byte strings."""
    out = io.BytesIO()
    Python2Pickler(out, 2).dump(values)
    return out.getvalue().replace(b"numpy._core.", b"numpy.core.")


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


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["cifar10", "cifar20"])
def test_pictures_and_labels_come_back_exactly(tmp_path, name, version):
    """Every pixel, in file order, and the same bytes whatever the packing."""
    written = []
    for packing in ("unpacked", "loose", "archive"):
        raw, out = tmp_path / packing, tmp_path / f"out_{packing}"
        truth = write_cifar(raw, name, version, packing)
        build_benchmark(name, raw, out)
        files = sorted(path for path in out.iterdir() if path.suffix != ".md")
        contents = {path.name: path.read_bytes() for path in files}
        written.append((contents, summary_path(out).read_bytes()))
    assert written[0] == written[1] == written[2]
    manifest = read_manifest(out / "manifest.parquet")
    labels = read_labels(out / "labels.parquet")
    pictures = dict(read_images(manifest, range(len(manifest))))
    classes = dict(zip(labels.image_ids, labels.names, strict=True))
    assert len(pictures) == sum(len(rgb) for rgb, _ in truth.values())
    for split, (rgb, kinds) in truth.items():
        for i, (picture, kind) in enumerate(zip(rgb, kinds, strict=True)):
            image_id = f"{split}_{i:05d}"
            assert np.array_equal(pictures[image_id], picture)
            coarse = kind if name == "cifar10" else cifar20.COARSE[kind]
            module = cifar10 if name == "cifar10" else cifar20
            assert classes[image_id] == module.CLASSES[coarse]
    assert set(manifest.table["width"].to_pylist()) == {32}
    assert set(manifest.table["container"].to_pylist()) == {"images.zip"}


def test_the_coarse_table_is_the_official_one():
    """Fine classes are numbered by the alphabet; each is under its superclass."""
    groups = [line.split(": ") for line in SUPERCLASSES.strip().split("\n")]
    assert [name for name, _ in groups] == list(cifar20.CLASSES)
    coarse = {f: i for i, (_, names) in enumerate(groups) for f in names.split()}
    assert len(coarse) == 100
    for names in (cifar10.CLASSES, cifar20.CLASSES):  # so are the ids of labels
        assert list(names) == sorted(names)
    assert [coarse[f] for f in sorted(coarse)] == list(cifar20.COARSE)


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


def test_missing_files_are_named(tmp_path):
    """A batch that is not there, in a folder or an archive; archives and folders."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(MmclustError, match=r"files of cifar-10-batches-py") as error:
        build_benchmark("cifar10", tmp_path, tmp_path / "out")
    for text in ("cifar-10-python.tar.gz", "cifar-10-batches-bin", "notes.txt"):
        assert text in str(error.value)
    raw = tmp_path / "raw"
    write_cifar(raw, "cifar10", "python")
    folder = raw / "cifar-10-batches-py"
    (folder / "data_batch_3").unlink()
    with pytest.raises(MmclustError, match=f"{folder.name}/ without data_batch_3"):
        build_benchmark("cifar10", raw, tmp_path / "out")
    with tarfile.open(raw / "cifar-10-python.tar.gz", "w:gz") as tar:
        tar.add(folder, folder.name)
    with pytest.raises(MmclustError, match=r"lacks files[\s\S]*missing: data_batch_3"):
        build_benchmark("cifar10", raw, tmp_path / "out")


PIXELS, _ = records(0)
APPLES = {"coarse_labels": [4, 1, 1, 4], "fine_labels": [0, 1, 0, 0]}
UNLIKE = "table.*fine label 0 under coarse label 4.*under 1 in record 2; 1 such"


def labelled(labels):
    return pickle.dumps({"data": PIXELS, "labels": labels})


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        # Cut records, records of CIFAR-100, labels that do not exist.
        ("test_batch.bin", b"", "0 bytes: 0 records"),
        ("test_batch.bin", bytes(6145), "multiple of 3,073 .*6,145 bytes: 1 records"),
        ("test_batch.bin", bytes(3074), "3,074 bytes: 1 records and 1 bytes more"),
        ("test_batch.bin", b"\x0a" + bytes(3072), "0 to 9.*1 others, first 10 in rec"),
        # One whole number in range for each picture.
        ("test_batch", labelled([0, 1, 2]), "a list of 4 whole numbers.*found: +3"),
        ("test_batch", labelled([0, 1, 2, 1.5]), r"whole numbers.*1\.5"),
        ("test_batch", labelled([0, 1, 2, -1]), "0 to 9.*first -1 in record 3"),
        ("test_batch", labelled([0, 1, 2, 1 << 80]), "0 to 9"),
        ("test_batch", labelled("abcd"), "found: +0"),
        # A file that files apples under fish is no CIFAR-100.
        ("test", batch("python", PIXELS, APPLES), UNLIKE),
        ("test.bin", batch("binary", PIXELS, APPLES), UNLIKE),
    ],
)
def test_wrong_files_are_refused(tmp_path, file, data, message):
    """In either version; nothing is written."""
    name = "cifar10" if "batch" in file else "cifar20"
    version = "binary" if file.endswith(".bin") else "python"
    write_cifar(tmp_path / "raw", name, version, change={file: data})
    with pytest.raises(MmclustError, match=f"(?s){message}"):
        build_benchmark(name, tmp_path / "raw", tmp_path / "out", split="test")
    assert not (tmp_path / "out").exists()


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


def data_of(value):
    return pickle.dumps({b"data": value}, 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        # Neither other names of numpy nor arrays of other things are admitted.
        (data_of(Hostile(eval, "1")), "eval"),
        (data_of(Hostile(np.load, "x", None, True)), "numpy.load"),
        (data_of(Hostile(getattr, "x", "upper")), "getattr"),
        (data_of(np.array([{}], dtype=object)), r"not CIFAR's[\s\S]*uint8"),
        (data_of(np.zeros((1, 3072), "i1")), r"not CIFAR's[\s\S]*uint8"),
        (data_of(np.float64(1)), "numpy._core.multiarray.scalar"),
        # No traceback, whatever the bytes.
        (b"", "found: +0 bytes: EOFError"),
        (b"<html>not found</html>", "not CIFAR's"),
        (pickle.dumps([1]), "list"),
        (pickle.dumps({b"labels": [1]}), "keys labels, no array"),
        (data_of(np.zeros((2, 3073), np.uint8)), r"\(2, 3073\)"),
        (data_of(np.zeros(3072, np.uint8)), r"shape \(3072,\)"),
        (b"\x80\x02cnumpy\nndarray\n(tR}b.", "not CIFAR's"),
        (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nK\x01\x85R.", "another kind"),
        (b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x03\0\0\0zip\x86R.", "as zip"),
    ],
)
def test_batches_that_are_not_cifars_are_explained(data, message):
    """What they ask for, or what they are."""
    with pytest.raises(MmclustError, match=message):
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
    stand_ins = set(_pickled_batches.ADMITTED.values())
    assert {s.__module__ for s in stand_ins} == {"mmclust.benchmarks._pickled_batches"}
    assert len(_pickled_batches.ADMITTED) == 8
