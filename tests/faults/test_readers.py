"""Hostile and damaged files: one message and an end, in every reader of ours."""

import json
import os
import pickle
import struct
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from mmclust.benchmarks._source_files import source_facts
from mmclust.board.contents import manifest_of
from mmclust.cli import app
from mmclust.cli._show import clustering_table, tell_left_out
from mmclust.clusterers._stage import nouns_for
from mmclust.cognition.norms import read_categories, read_ratings
from mmclust.core.errors import MmclustError, visible
from mmclust.core.features import (
    read_features,
    read_meta,
    require_nouns,
    require_sealed,
)
from mmclust.core.io import read_array, read_ids, read_json, read_record, read_table
from mmclust.core.params import read_params
from mmclust.grounding.boxes import outline
from mmclust.heads._rows import n_clusters
from mmclust.heads._saved import load_head
from mmclust.models.hub import load_torch, loading
from mmclust.models.pixels import processor_pixels
from mmclust.retrieval.own_files import names
from mmclust.scoring.columns import read_assignment, read_list, read_values
from mmclust.scoring.record import Record, Score
from mmclust.sources.terms import _accepted
from mmclust.sources.verify import audit
from mmclust.sources.wordnet import write_nouns

DEEP = "[" * 100_000
UNSAFE = ("weights_only", "allow_pickle", "max_header_size", "pickle.load")


def npy(header, body=b""):
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def array_of(descr="'<f4'", shape="(3, 4)"):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return npy(header, b"\0" * 480)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04 no zip",
        pickle.dumps({"a": 1}),
        npy("{'descr': '<f4', 'shape': (3,\n"),
        npy("(((((((\n"),
        npy("(" * 9000 + ")" * 9000 + "\n"),
        npy("-" * 3000 + "1\n"),
        npy("5\n"),
        npy("{1: 2, 'a': 3}\n"),
        npy("{'descr': '<f4', \0 }\n"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"x" * 10,
        b"\x93NUMPY\x03\x00" + struct.pack("<I", 9) + b"{'\xff': 1}",
        array_of(shape="(1000000000000, 4)"),
        array_of(shape="(99999999999999999999999, 4)"),
        array_of(shape="(-3, 4)"),
        array_of(shape="(3.5, 4)"),
        array_of(descr="'banana'"),
        array_of(descr="['a']"),
        array_of(descr="[('a', 'O')]"),
        array_of(descr="'|O'"),
        array_of()[:100],
    ],
)
def test_npy_files(tmp_path, data):
    """Whatever numpy raises; and its advice to load pickles is not passed on."""
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(MmclustError, match=r"not a readable \.npy array") as caught:
        read_array(tmp_path / "x.npy")
    assert not any(word in str(caught.value) for word in UNSAFE)
    assert len(str(caught.value)) < 600


def test_parquet_files(tmp_path):
    """Bytes changed and files cut at random: the table, or one error."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"word": ["a", "b"] * 50, "x": [1, 2] * 50}), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    failed = 0
    for trial in range(200):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 20)):
            data[rng.integers(len(data))] = rng.integers(256)
        if trial % 4 == 0:
            data = data[: rng.integers(len(data))]
        path.write_bytes(data)
        try:
            read_table(path)
        except MmclustError as error:
            failed += error.what == "x.parquet is not a readable parquet file"
    assert failed > 150


def test_memory_that_does_not_suffice_is_not_the_files_fault(tmp_path, monkeypatch):
    """Neither a parquet file nor an array is then called unreadable."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1]}), path)

    def read(*_, **__):
        raise pa.ArrowMemoryError("malloc of size 4096 failed")

    monkeypatch.setattr(pq.ParquetFile, "read", read)
    with pytest.raises(MmclustError, match=r"not enough memory to read x\.parquet"):
        read_table(path)
    np.save(tmp_path / "x.npy", np.zeros(3))

    def load(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(np.lib.format, "open_memmap", load)
    with pytest.raises(MmclustError, match=r"not enough memory to read x\.npy"):
        read_array(tmp_path / "x.npy")


def test_json_nested_without_end(tmp_path):
    """Files, metadata of tables, summaries of commits, outlines."""
    (tmp_path / "x.json").write_text(DEEP)
    with pytest.raises(MmclustError, match="nested too deep"):
        read_json(tmp_path / "x.json")
    table = pa.table({"a": [1]}).replace_schema_metadata({"mmclust": DEEP})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(MmclustError, match="nested too deep"):
        read_table(tmp_path / "x.parquet")
    assert manifest_of(DEEP.encode()) == ""
    with pytest.raises(MmclustError, match="COCO's layout"):
        outline(DEEP, 10, 10, 5, "x")


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize("text", [LAUGHS, "model: &a {k: *a}", "a: " + DEEP])
@pytest.mark.parametrize("read", [read_params, read_categories])
def test_yaml_that_explodes_or_recurses(tmp_path, read, text):
    """Params, presets (the same reader) and norms."""
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(MmclustError, match="not valid YAML"):
        read(tmp_path / "x.yaml")


READERS = {
    "json": read_json,
    "npy": read_array,
    "parquet": read_table,
    "yaml": read_params,
    "norms.yaml": read_categories,
    "ratings.txt": read_ratings,
    "ids.txt": lambda path: read_ids(path, 3),
    "names.txt": lambda path: names(path, 3),
    "words.txt": read_list,
    "labels.csv": lambda path: read_assignment(path, "label"),
    "labels.npy": lambda path: read_assignment(path, "label"),
    "words.csv": lambda path: read_values(path, "cluster"),
    "words.parquet": lambda path: read_values(path, "cluster"),
    "model.pt": load_torch,
}


@pytest.mark.parametrize("name", READERS)
def test_pipes_and_devices_are_not_opened(tmp_path, name):
    """Reading a pipe that nobody writes to never ends."""
    path = tmp_path / f"x.{name}"
    os.mkfifo(path)
    with pytest.raises(MmclustError, match="a pipe, a socket or a device"):
        READERS[name](path)


class _Runs:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("inside", ["code", "array", "set", "deep"])
def test_pickles_of_other_things(tmp_path, protocol, inside):
    """Nothing is run, and torch's advice to run it is not passed on."""
    ran = tmp_path / "ran"
    what = {"code": _Runs(str(ran)), "array": np.zeros(3), "set": {1}}.get(inside)
    path = tmp_path / "x.pt"
    data = b"\x80\x02" + b"]" * 100_000 if inside == "deep" else b""
    path.write_bytes(data or pickle.dumps({"a": what}, protocol))
    with pytest.raises(MmclustError) as caught:
        load_torch(path)
    with pytest.raises(MmclustError) as other, loading("x"):
        torch.load(path, weights_only=True)
    for message in (str(caught.value), str(other.value)):
        assert not any(word in message for word in UNSAFE)
        assert "\x1b" not in message
    assert not ran.exists()


def test_what_a_terminal_would_obey_is_spelt_out(tmp_path, monkeypatch, capsys):
    """Names in metrics and commits, notes of published numbers, values of YAML."""
    bad = "a\x1b[2J\x9b\u202e[bold]b"
    assert visible(bad) == r"a\x1b[2J\x9b\u202e[bold]b"
    assert visible("é 👩\u200d🔬\n\t") == "é 👩\u200d🔬\n\t"
    scores = [Score(bad, "image", "kmeans", m, 0.5, k=2) for m in ("acc", "nmi", "ari")]
    clustering_table(bad, Record(tuple(scores)))
    printed = capsys.readouterr().out
    assert "\x1b[2J" not in printed
    assert "[bold]" in printed
    assert "\u202e" not in printed
    (tmp_path / "params.yaml").write_text(f"seed: {json.dumps(bad)}")
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(app, ["build", "coco_cross"]).exception
    assert "U+001B" in str(error)
    assert "\x1b" not in str(error)


MANIFEST = SimpleNamespace(benchmark="b", digest="y", image_ids=[])


def _read_nouns(folder):
    return write_nouns(folder / "raw", folder / "out.csv")


def _clustered(k):
    return SimpleNamespace(model=SimpleNamespace(k=k, encoder="miniclip"))


META = {"encoder": "hog", "benchmark": "b", "manifest": "x", "images": 1, "dims": {}}
NOUNS = {"manifest": "x", "encoder": "hog"}
SOURCE = {"mirror": "sample", "files": {}}
RECORDS = {
    "features": ("features.json", META, lambda f: read_features(f, MANIFEST)),
    "of a fit": ("features.json", META, read_meta),
    "told": (
        "features.json", {"encoder": "hog", "benchmark": "b"}, tell_left_out
    ),
    "nouns": ("nouns.json", NOUNS, lambda f: require_nouns(f, None, MANIFEST)),
    "names": ("nouns.json", {"manifest": "x"}, lambda f: nouns_for(f, None, None)),
    "chosen k": (
        "data/clusters/b/k/miniclip.json", {"k": 3},
        lambda f: n_clusters(_clustered("auto"), f, "b"),
    ),
    "head": ("head.json", {"head": "tac", "seeds": 1}, load_head),
    "audit": (
        "source.json", SOURCE,
        lambda f: audit(SimpleNamespace(name="toy", files={}), f, f, deep=False),
    ),
    "word list": ("raw/source.json", {"mirror": "sample"}, _read_nouns),
    "pixels": (
        "preprocessor_config.json", {"image_mean": [], "image_std": []},
        processor_pixels,
    ),
}  # fmt: skip
WITHOUT_KEYS = {
    "classes": (
        "data/benchmarks/b.json",
        lambda f: n_clusters(_clustered(None), f, "b"),
    ),
    "source": ("source.json", source_facts),
    "terms": ("terms.json", lambda f: _accepted(f / "terms.json")),
}


@pytest.mark.parametrize("reader", [*RECORDS, *WITHOUT_KEYS])
@pytest.mark.parametrize("value", [[], "text", 5, None, "missing"])
def test_records_of_another_shape(reader, value, tmp_path):
    """One message that names the file, from every reader of a record of ours."""
    if reader in WITHOUT_KEYS:
        if value == "missing":
            pytest.skip("it demands no key")
        (name, read), known = WITHOUT_KEYS[reader], {}
    else:
        name, known, read = RECORDS[reader]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    for lacking in known if value == "missing" else [""]:
        content = value
        if value == "missing":
            content = {key: known[key] for key in known if key != lacking}
        (tmp_path / name).write_text(json.dumps(content))
        with pytest.raises(MmclustError) as caught:
            read(tmp_path)
        what = "is not a record" if value != "missing" else f"does not say {lacking}"
        assert caught.value.what.startswith(f"{tmp_path.joinpath(name).name} {what}")
        assert caught.value.parts["where"] == tmp_path / name
        assert caught.value.parts["expected"]
        assert caught.value.parts["do"]


@pytest.mark.parametrize("reader", RECORDS)
def test_a_key_of_another_type_is_named(reader, tmp_path):
    """With what it should be, and what it is."""
    name, known, read = RECORDS[reader]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    for key, right in known.items():
        for wrong in (None, True, 2.5, {} if isinstance(right, list) else []):
            (tmp_path / name).write_text(json.dumps({**known, key: wrong}))
            with pytest.raises(MmclustError, match=f"does not say {key} as it"):
                read(tmp_path)


def test_what_a_record_need_not_say(tmp_path):
    """A key that may be absent or null is held to its type all the same."""
    path = tmp_path / "a.json"
    for value in (None, 3):
        path.write_text(json.dumps({"n": value, "other": []}))
        assert read_record(path, {}, n=int)["n"] == value
    for value in (True, "3", 3.5):
        path.write_text(json.dumps({"n": value}))
        with pytest.raises(MmclustError, match="does not say n as it must"):
            read_record(path, {}, n=int)


@pytest.mark.parametrize("digests", [[], "text", 5, None])
def test_digests_that_are_no_object(digests, tmp_path):
    """Whatever a record gives as sha256, files it does not name are refused."""
    (tmp_path / "a.npy").write_bytes(b"a")
    with pytest.raises(MmclustError, match=r"r\.json does not say sha256"):
        require_sealed(tmp_path, "r.json", {"sha256": digests}, ["a.npy"], "again")


def test_a_record_of_another_shape_ends_a_command(tiny, run_mmclust):
    """With exit code 1 and no traceback."""
    folder = tiny / "data/features/coco_cross/hog"
    folder.mkdir(parents=True)
    (tiny / "data/benchmarks/tiny").rename(tiny / "data/benchmarks/coco_cross")
    (folder / "features.json").write_text("[]")
    (tiny / "params.yaml").write_text("encoders: {hog: {}}\nmodel: {encoder: hog}\n")
    done = run_mmclust("cluster", "coco_cross", "hog", cwd=tiny)
    assert done.returncode == 1, done.stderr
    assert "features.json is not a record" in done.stderr
    assert "Traceback" not in done.stderr
