"""Writers: what a reader meets is whole, or is what was there before."""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
import scipy.io
import torch
from PIL import Image

from mmclust.core import io
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_ids, read_lines


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_failing_block_keeps_what_was_there(tmp_path):
    """An exception while writing leaves the old file and no temporary one."""
    target = tmp_path / "file.json"
    io.write_json(target, {"a": 1})

    def fail():
        with io.writing(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert json.loads(target.read_text()) == {"a": 1}
    assert leftovers(tmp_path) == []


def test_a_file_that_is_missing_elsewhere_is_named(tmp_path):
    """It is not the target that the error is about."""
    with (
        pytest.raises(MmclustError, match=r"found: .*directory: .*gone\.jpg"),
        io.writing(tmp_path / "a.zip") as temporary,
    ):
        temporary.write_bytes((tmp_path / "gone.jpg").read_bytes())


def test_failing_verification_keeps_what_was_there(tmp_path):
    """What does not read back never gets the name."""
    target = tmp_path / "a.npy"
    io.write_array(target, np.arange(3))
    with pytest.raises(MmclustError), io.writing(target, io.read_array) as temporary:
        temporary.write_bytes(b"\x93NUMPY\x01\x00")
    assert io.read_array(target).tolist() == [0, 1, 2]


def test_kill_between_write_and_rename(tmp_path):
    """SIGKILL after the bytes are written and before the rename: the old file."""
    target = tmp_path / "file.txt"
    target.write_bytes(b"old")
    script = f"""
        import os, signal, pathlib
        from mmclust.core import io
        def verify(path):
            os.kill(os.getpid(), signal.SIGKILL)
        with io.writing(pathlib.Path({str(target)!r}), verify=verify) as temporary:
            temporary.write_bytes(b"new")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"old"
    io.write_bytes(target, b"newer")
    assert target.read_bytes() == b"newer"


def test_arrays_come_back_and_are_never_pickled(tmp_path):
    """Arrays round-trip in dtype, shape and value; objects are refused."""
    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    io.write_array(tmp_path / "a.npy", array)
    assert np.array_equal(np.load(tmp_path / "a.npy"), array)
    assert io.read_array(tmp_path / "a.npy").dtype == np.float32
    with pytest.raises(MmclustError, match="objects are never written"):
        io.write_array(tmp_path / "b.npy", np.array([{}], dtype=object))


def cut(path):
    np.save(path, np.zeros((100, 10), np.float32))
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("name", "write", "told"),
    [
        ("a.npy", cut, r"a\.npy is not a readable"),
        ("a.npy", lambda p: np.save(p, np.array([{}])), "Python objects"),
        ("a.csv", lambda p: p.write_text("1,2\n"), r"another kind, named \.csv"),
        ("a.npz", lambda p: np.savez(p, x=np.zeros(3)), "holds several arrays"),
    ],
)
def test_what_is_no_array_is_named(tmp_path, name, write, told):
    """Numpy would take any other file for a pickle."""
    write(tmp_path / name)
    with pytest.raises(MmclustError, match=told) as caught:
        io.read_array(tmp_path / name)
    assert "by numpy.save" in str(caught.value)


def test_json_refuses_what_json_cannot_say(tmp_path):
    """NaN is refused on writing; broken JSON, however deep, and none on reading."""
    with pytest.raises(MmclustError, match="not a number"):
        io.write_json(tmp_path / "a.json", {"acc": float("nan")})
    for text in ("{", "[" * 100_000 + "]" * 100_000):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(MmclustError, match=r"b\.json is not valid JSON"):
            io.read_json(tmp_path / "b.json")
    with pytest.raises(MmclustError, match=r"c\.json is missing"):
        io.read_json(tmp_path / "c.json")


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_read_is_named(tmp_path, monkeypatch, what):
    """Without a traceback; whoever runs the tests may be root, who may read all."""
    path = tmp_path / "a.json"
    path.write_text("{}")

    def refused(*_, **__):
        raise PermissionError(13, os.strerror(13))

    if what == "file":
        monkeypatch.setattr(io.os, "access", lambda *_: False)
    else:
        monkeypatch.setattr(Path, "stat", refused)
    with pytest.raises(MmclustError, match="cannot be read") as told:
        io.read_json(path)
    assert told.value.parts["found"] == "one that you may not read"
    assert "permissions" in told.value.parts["do"]


def test_equal_tables_give_equal_bytes(tmp_path):
    """Parquet files are a function of rows and metadata; metadata comes back."""
    table = pa.table({"a": [1, 2, 3]})
    for name in ("x", "y"):
        io.write_table(tmp_path / name, table, {"b": 1, "a": [2]})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    back, meta = io.read_table(tmp_path / "x")
    assert back["a"].to_pylist() == [1, 2, 3]
    assert meta == {"a": [2], "b": 1}
    (tmp_path / "z").write_bytes(b"PAR1 no")
    with pytest.raises(MmclustError, match="not a readable parquet"):
        io.read_table(tmp_path / "z")


def test_digest_of_does_not_depend_on_key_order():
    """Canonical JSON sorts keys."""
    assert io.digest_of({"a": 1, "b": 2}) == io.digest_of({"b": 2, "a": 1})
    assert io.digest_of({"a": 1}) != io.digest_of({"a": 2})


def opened(write):
    """A writer that gets the open file."""

    def to(path):
        with path.open("wb") as file:
            write(file)

    return to


def by_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", bytes(70_000))


def as_folder(path):
    path.mkdir()
    WRITERS["numpy"](path / "a.npy")


NUMBERS = np.random.default_rng(0).random(9000)
NOISE = Image.fromarray((255 * NUMBERS).astype(np.uint8).reshape(90, 100))
WRITERS = {
    "safetensors": lambda path: safetensors.numpy.save_file({"a": NUMBERS}, path),
    "torch": lambda path: torch.save({"a": torch.from_numpy(NUMBERS)}, path),
    "parquet": lambda path: pq.write_table(pa.table({"a": NUMBERS}), path),
    "numpy": opened(lambda file: np.save(file, NUMBERS)),
    "zip": by_zip,
    "pillow": lambda path: NOISE.save(path, "PNG"),
    "scipy": opened(lambda file: scipy.io.savemat(file, {"a": NUMBERS})),
    "text": lambda path: path.write_text("a" * 100_000),
    "folder": as_folder,
}


@contextlib.contextmanager
def room(n_bytes):
    """No file may grow beyond it, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
def test_whatever_a_library_makes_of_a_full_disk_is_one_error(tmp_path, write):
    """Its own exceptions, with or without the system's number: the same message."""
    write(tmp_path / "first")  # what it imports is read, what it caches is written
    target = tmp_path / "target"
    target.write_bytes(b"before")
    with (
        room(8192),
        pytest.raises(MmclustError, match="Cannot write target") as caught,
        io.writing(target) as temporary,
    ):
        write(temporary)
    assert caught.value.parts["found"] == "File too large"
    assert target.read_bytes() == b"before"
    assert leftovers(tmp_path) == []


HOLD = """
    import pathlib, sys
    from mmclust.core.io import writing
    with writing(pathlib.Path(sys.argv[1])) as temporary:
        temporary.write_text("of the living")
        print(flush=True)
        input()
"""


def test_leftovers_of_the_dead_are_swept_and_the_living_keep_theirs(tmp_path):
    """Files as earlier editions named them, folders; a process that still writes."""
    target = tmp_path / "file.csv"
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), tmp_path / "other.csv"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    holder.stdout.readline()
    (tmp_path / ".file.csv.189ee3c57aac.tmp").write_text("half")
    (tmp_path / ".out.189ee3c57aac.tmp/deep").mkdir(parents=True)
    (tmp_path / ".out.189ee3c57aac.tmp/deep/a").write_text("half")
    (tmp_path / ".mine.tmp").write_text("no name of ours")
    io.write_bytes(target, b"whole")
    living = [name for name in leftovers(tmp_path) if name.startswith(".other.csv.")]
    assert sorted(leftovers(tmp_path)) == sorted([".mine.tmp", *living])
    assert len(living) == 1
    holder.communicate(b"\n")
    assert holder.returncode == 0
    assert (tmp_path / "other.csv").read_text() == "of the living"
    assert leftovers(tmp_path) == [".mine.tmp"]


def test_blocks_give_the_bytes_of_the_whole_array(tmp_path):
    """As numpy saves it."""
    whole = np.arange(24, dtype=np.float32).reshape(6, 4)
    io.write_blocks(
        tmp_path / "a.npy", whole.dtype, whole.shape, [whole[:2], whole[2:]]
    )
    np.save(tmp_path / "b.npy", whole)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\r\nb", ["a", "b"]),
        (b"a\rb\n\n", ["a", "b", ""]),
        ("a\u2028b\x1cc\n".encode(), ["a\u2028b\x1cc"]),
        (b"", []),
    ],
)
def test_lines_end_where_lines_of_a_file_end(tmp_path, data, lines):
    """At line ends alone; a byte order mark is no part of the first."""
    (tmp_path / "x").write_bytes(data)
    assert read_lines(tmp_path / "x", "") == lines


def test_ids_that_are_not_utf8_are_refused(tmp_path):
    """Not replaced by signs that several of them would share."""
    path = tmp_path / "ids.txt"
    path.write_bytes(b"a\ncaf\xe9\n")
    with pytest.raises(MmclustError, match=r"line 2[\s\S]*0xe9"):
        read_ids(path, 2)
    path.write_text("a\na\n")
    with pytest.raises(MmclustError, match="1 different"):
        read_ids(path, 2)
    assert read_ids(None, 2) == ["0", "1"]


def test_blocks_of_a_mapped_file_are_let_go(tmp_path):
    """All rows come once, in order, and few of their pages stay in memory."""
    rows = np.arange(1 << 23, dtype=np.float32).reshape(-1, 64)  # 32 MiB
    io.write_array(tmp_path / "rows.npy", rows)

    def held():
        found = re.search(r"RssFile:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) / 1024

    if not Path("/proc/self/status").is_file():
        pytest.skip("reads memory from /proc")
    mapped, before = io.read_array(tmp_path / "rows.npy"), held()
    place = 0
    for block in io.in_blocks(mapped, 1 << 18):  # 1 MiB
        assert np.array_equal(block, rows[place : place + len(block)])
        place += len(block)
    assert place == len(rows)
    assert held() - before < 8
    assert mapped.sum(dtype=np.float64) == rows.sum(dtype=np.float64)
    assert held() - before > 24


def test_blocks_of_little():
    """Of no rows none; rows longer than a block come one at a time."""
    assert list(io.in_blocks(np.zeros((0, 3)))) == []
    assert [len(block) for block in io.in_blocks(np.zeros((3, 9)), 4)] == [1, 1, 1]
