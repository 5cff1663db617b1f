"""What can go wrong while encoding: killed, full, damaged, misbehaving; all told."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mmclust.core import io, shards
from mmclust.core.errors import MmclustError
from mmclust.encode import engine
from tests.conftest import ROOT
from tests.encode import toys
from tests.encode.staging import encode


@pytest.fixture
def fours(monkeypatch):
    """Nine shards of four."""
    monkeypatch.setattr(shards, "ROWS", 4)
    monkeypatch.setattr(engine, "BATCH", 4)


@pytest.fixture
def toy_encoders(monkeypatch):
    toys.install()
    monkeypatch.setattr(engine, "whole_shards", toys.whole_shards)
    yield
    toys.uninstall()


@contextlib.contextmanager
def slow_driver(root, n_shards):
    """Another process that encodes, with some shards finished."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.encoding", str(root)],
        env=environment,
        cwd=ROOT,
    )
    deadline = time.monotonic() + 60
    try:
        while len(list(root.glob("out/hog.work/*/image.*.json"))) < n_shards:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.fixture
def written(monkeypatch):
    """The shards that this process writes."""
    spans = []
    write = shards.Sharded.write

    def watching(self, span, rows, skipped):
        spans.append(span)
        write(self, span, rows, skipped)

    monkeypatch.setattr(shards.Sharded, "write", watching)
    return spans


def test_a_killed_driver_continues_and_ends_the_same(tiny, fours, written):
    """SIGKILL in the middle; the next run computes what is missing, and no more."""
    expected = encode(tiny, "hog", out="whole")
    with slow_driver(tiny, 3):
        pass
    kept = {p.stem for p in tiny.glob("out/hog.work/*/image.*.json")}
    assert 3 <= len(kept) < 9
    assert not (tiny / "out/hog/features.json").exists()
    written.clear()
    found = encode(tiny, "hog")
    assert found == expected
    assert len(written) == 9 - len(kept)
    assert not kept & {f"image.{start:08d}" for start, _ in written}
    assert not (tiny / "out/hog.work").exists()


def test_two_drivers_do_not_meet(tiny, fours):
    """The second is told who is at work, and harms nothing."""
    with slow_driver(tiny, 1) as process:
        with pytest.raises(MmclustError, match="Another run is at work") as caught:
            encode(tiny, "lsa", "hog")
        assert f"process {process.pid} on" in str(caught.value)
        assert process.wait(timeout=60) == 0
    assert (tiny / "out/hog/features.json").exists()
    assert not (tiny / "out/hog.work").exists()


def test_a_worker_that_dies_twice_is_survived(tiny, fours, toy_encoders, written):
    """Its shard is given to another; every shard is written once."""
    usual = encode(tiny, "toy_bad", out="usual")
    written.clear()
    blocks = {"toy_bad": {"how": "die", "deaths": 2, "folder": str(tiny)}}
    found = encode(tiny, "toy_bad", blocks=blocks, workers=2)
    assert len(list(tiny.glob("*.death"))) == 2
    assert found["toy_bad/image.npy"] == usual["toy_bad/image.npy"]
    assert sorted(written) == [(start, start + 4) for start in range(0, 36, 4)]


def test_a_shard_that_kills_its_workers_is_named(tiny, fours, toy_encoders):
    """With its images; finished shards stay."""
    blocks = {"toy_bad": {"how": "die", "deaths": 99, "folder": str(tiny)}}
    with pytest.raises(MmclustError, match="died 3 times over the same") as caught:
        encode(tiny, "toy_bad", blocks=blocks, workers=2)
    text = str(caught.value)
    assert "rows " in text
    assert "images 0000" in text
    assert "SIGKILL, perhaps for want of memory" in text
    assert not (tiny / "out/toy_bad").exists()


@pytest.mark.parametrize(
    ("content", "workers"),
    [(b"", 1), (b"\xff\xd8\xff", 1), (b"no picture", 1), (None, 1), (None, 2)],
)
def test_a_damaged_picture_is_named(tiny, fours, content, workers):
    """Empty, cut or no picture at all: the file is named, nothing is written."""
    picture = tiny / "raw/000000000007.jpg"
    picture.write_bytes(picture.read_bytes()[:300] if content is None else content)
    with pytest.raises(MmclustError, match="cannot be decoded") as caught:
        encode(tiny, "hog", workers=workers)
    assert "000000000007.jpg" in str(caught.value)
    assert not (tiny / "out/hog").exists()


def test_a_missing_picture_is_never_skipped(tiny):
    """A file that is not there is no damaged picture: something is wrong with data."""
    (tiny / "raw/000000000007.jpg").unlink()
    with pytest.raises(MmclustError, match="cannot be read") as caught:
        encode(tiny, "hog", policy={"corrupt": "skip"})
    assert "000000000007.jpg" in str(caught.value)


@pytest.mark.parametrize(
    ("encoder", "how", "message", "detail"),
    [
        ("toy_bad", "nan", "toy_bad gives NaN", "image 000000000000"),
        ("toy_bad", "shape", "pictures to different shapes", "image 000000000002"),
        ("toy_bad", "whole numbers", "an array of the wrong shape", "int64"),
        ("toy_rows", None, "an array of the wrong shape", "shape (3,"),
    ],
)
def test_an_encoder_that_misbehaves_is_told(
    tiny, fours, toy_encoders, encoder, how, message, detail
):
    """The encoder and, where it is one, the image are named."""
    blocks = {encoder: {"how": how}} if how else None
    with pytest.raises(MmclustError, match=message) as caught:
        encode(tiny, encoder, blocks=blocks)
    assert detail in str(caught.value)
    assert not (tiny / "out" / encoder).exists()


@pytest.mark.parametrize("fails_at", [0, 5, 17, 40])
def test_a_full_disk_leaves_whole_shards(tiny, fours, monkeypatch, fails_at):
    """Told; after room was made, the next run ends with the same bytes."""
    usual = encode(tiny, "hog", out="usual")
    sync, calls = io._sync, []

    def full(path):
        calls.append(path)
        if len(calls) > fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(path)

    with monkeypatch.context() as patch:
        patch.setattr(io, "_sync", full)
        with pytest.raises(MmclustError, match="No space left") as caught:
            encode(tiny, "hog")
    assert "free some space" in str(caught.value)
    assert not (tiny / "out/hog/features.json").exists()
    assert not list(tiny.rglob("*.tmp"))
    assert encode(tiny, "hog") == usual


def test_features_of_a_skipped_image_must_be_named(tiny):
    """NaN that features.json does not name is refused on reading."""
    from mmclust.core.features import read_features, sealed
    from mmclust.core.io import read_json, write_json
    from mmclust.core.manifest import read_manifest
    from tests.encode.staging import manifest_of

    encode(tiny, "hog")
    path = tiny / "out/hog/image.npy"
    rows = np.load(path)
    rows[5] = np.nan
    np.save(path, rows)
    record = path.with_name("features.json")
    write_json(record, read_json(record) | sealed(path.parent, ["image.npy"]))
    with pytest.raises(MmclustError, match="NaN or infinity"):
        read_features(tiny / "out/hog", read_manifest(manifest_of(tiny)))
