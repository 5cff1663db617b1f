"""Shards count by their sidecars, and a damaged one is never merged."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mmclust.core import shards
from mmclust.core.errors import MmclustError
from mmclust.core.shards import Sharded, clear, locked, ranges
from tests.conftest import ROOT

ORIGIN = {"manifest": "m", "params": "p"}


@pytest.fixture
def array(tmp_path, monkeypatch):
    """Twelve rows in shards of four; row i holds i."""
    monkeypatch.setattr(shards, "ROWS", 4)
    return Sharded(tmp_path / "image.npy", 12, 1, ORIGIN)


def fill(array, *starts):
    for start in starts:
        rows = np.arange(start, start + 4, dtype=np.float32)[:, None]
        array.write((start, start + 4), rows, {f"id{start}": "why"})


def test_ranges_cover_all_rows_in_whole_batches():
    """Every row once; borders are multiples of the batch; one batch at least."""
    for n_rows, batch in ((1, 1), (256, 32), (1000, 48), (1000, 300), (513, 256)):
        found = ranges(n_rows, batch)
        rows = [row for start, stop in found for row in range(start, stop)]
        assert rows == list(range(n_rows))
        assert all(start % batch == 0 for start, _ in found)
        assert all(stop - start <= max(256, batch) for start, stop in found)


def test_shards_in_any_order_merge_in_row_order(array):
    """And leave nothing behind but the array and what was skipped."""
    fill(array, 8, 0, 4)
    array.merge()
    merged, skipped = array.read()
    assert merged[:, 0].tolist() == list(range(12))
    assert skipped == {"id0": "why", "id4": "why", "id8": "why"}
    assert {p.name for p in array.path.parent.iterdir()} == {"image.npy", "image.json"}
    assert array.merged
    assert array.unfinished() == []


def test_only_whole_shards_of_this_origin_count(array):
    """No sidecar, another origin, changed bytes: computed again."""
    fill(array, 0, 4, 8)
    assert array.unfinished() == []
    other = Sharded(array.path, 12, 1, {"manifest": "m", "params": "q"})
    assert len(other.unfinished()) == 3
    array.path.with_name("image.00000000.json").unlink()
    part = array.path.with_name("image.00000004.npy")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert array.unfinished() == [(0, 4), (4, 8)]


def test_a_merged_array_of_another_origin_does_not_count(array, monkeypatch):
    """Nor does one that a kill left beside the record of the array before it."""
    fill(array, 0, 4, 8)
    array.merge()
    origin = {"manifest": "m", "params": "q"}
    for other in (replace(array, n_rows=8), replace(array, origin=origin)):
        assert not other.merged
        assert len(other.unfinished()) == other.n_rows // 4
    fill(other, 0, 4, 8)
    monkeypatch.setattr(shards, "write_json", lambda *_: 1 / 0)  # the array is there
    with pytest.raises(ZeroDivisionError):
        other.merge()
    assert not array.merged
    assert not other.merged


def test_merging_names_and_removes_a_damaged_shard(array):
    """The next run computes it alone."""
    fill(array, 0, 4, 8)
    part = array.path.with_name("image.00000004.npy")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(MmclustError, match=r"rows 4 to 7 is not what its sidecar"):
        array.merge()
    assert not array.merged
    assert array.unfinished() == [(4, 8)]


def test_shards_must_fit_each_other(array):
    """Another width is refused, by rows."""
    fill(array, 0, 4)
    array.write((8, 12), np.zeros((4, 2), np.float32), {})
    with pytest.raises(MmclustError, match="rows 8 to 11 does not fit") as caught:
        array.merge()
    assert "shape [2]" in str(caught.value)


HOLD = """
import pathlib, sys, time
from mmclust.core.shards import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_holder_is_named_and_its_death_frees_the_lock(tmp_path):
    """Process and machine are in the message; after SIGKILL the lock is taken over."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "w"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    with (
        pytest.raises(MmclustError, match="Another run is at work") as caught,
        locked(tmp_path / "w"),
    ):
        pass
    assert f"process {process.pid} on " in str(caught.value)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert (tmp_path / "w/lock").exists()
    with locked(tmp_path / "w"):
        clear(tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    """Told, with the path."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(MmclustError, match="cannot be locked"),
        locked(tmp_path / "file/w"),
    ):
        pass
