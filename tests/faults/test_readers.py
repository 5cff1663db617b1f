"""Hostile and damaged files: one message and an end, in every reader of ours."""

import json
import os
import pickle
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from mmclust.cli import app
from mmclust.cli._show import clustering_table, visible
from mmclust.cognition.norms import read_categories, read_ratings
from mmclust.core.errors import MmclustError
from mmclust.core.ids import read_ids
from mmclust.core.io import read_array, read_json, read_table
from mmclust.core.params import read_params
from mmclust.grounding.boxes import outline
from mmclust.kernels.hub import loading
from mmclust.kernels.torch_file import load_torch
from mmclust.report.leaderboard_records import Names, parse_file
from mmclust.report.leaderboard_snapshots import _manifest
from mmclust.retrieval.task import names
from mmclust.scoring.columns import read_assignment
from mmclust.scoring.word_columns import read_list, read_values

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

    monkeypatch.setattr(np, "load", load)
    with pytest.raises(MmclustError, match=r"not enough memory to read x\.npy"):
        read_array(tmp_path / "x.npy")


def test_json_nested_without_end(tmp_path):
    """Files, metadata of tables, metrics and summaries of commits, outlines."""
    (tmp_path / "x.json").write_text(DEEP)
    with pytest.raises(MmclustError, match="nested too deep"):
        read_json(tmp_path / "x.json")
    table = pa.table({"a": [1]}).replace_schema_metadata({"mmclust": DEEP})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(MmclustError, match="nested too deep"):
        read_table(tmp_path / "x.parquet")
    path = "metrics/clustering/toy.json"
    numbers, why = parse_file(path, DEEP.encode(), Names())
    assert numbers == {}
    assert "nested too deep" in why[0]
    assert _manifest(DEEP.encode()) == ""
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
    number = {"acc": 0.5, "acc_low": 0.4, "acc_high": 0.6}
    record = {
        k.replace("acc", m): v for m in ("acc", "nmi", "ari") for k, v in number.items()
    }
    clustering_table(bad, {bad: {"image": {"kmeans": {**record, "k": 2}}}})
    printed = capsys.readouterr().out
    assert "\x1b[2J" not in printed
    assert "[bold]" in printed
    assert "\u202e" not in printed
    (tmp_path / "params.yaml").write_text(f"seed: {json.dumps(bad)}")
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(app, ["build", "coco_cross"]).exception
    assert "U+001B" in str(error)
    assert "\x1b" not in str(error)
