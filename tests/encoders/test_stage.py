"""The encode stage: same bytes at any number of workers, resumable, label-free."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mmclust.core import shards
from mmclust.core.errors import MmclustError
from mmclust.core.features import read_features
from mmclust.core.io import read_table, write_table
from mmclust.core.manifest import canonical_digest, read_manifest
from mmclust.encoders._stage import encode_benchmark
from tests.conftest import ROOT

SMALL = {
    "hog": {"size": 32, "cell": 8},
    "miniclip": {"dim": 8, "size": 16, "width": 8, "steps": 4, "batch": 16},
}


def encode(root, encoder, out="out", **options):
    encode_benchmark(
        root / "data/benchmarks/tiny/manifest.parquet",
        encoder,
        root / out,
        block=SMALL.get(encoder),
        seed=1,
        **options,
    )
    return {p.name: p.read_bytes() for p in sorted((root / out).iterdir())}


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "ROWS", 10)


ENCODERS = ["hog", "color_histogram", "lsa", "random", "miniclip"]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_features_are_whole_and_in_order(tiny, encoder):
    """Rows fit the manifest, the work folder is gone, labels are not needed."""
    (tiny / "data/benchmarks/tiny/labels.parquet").unlink()
    encode(tiny, encoder)
    manifest = read_manifest(tiny / "data/benchmarks/tiny/manifest.parquet")
    features = read_features(tiny / "out", manifest)
    assert features.views
    assert features.meta["encoder"] == encoder
    assert all(a.dtype == np.float32 for a in features.views.values())
    assert not (tiny / "out.work").exists()
    if encoder == "color_histogram":
        red = features.views["image"][:, 16:32].sum(1)  # bright reds
        assert set(np.argsort(red)[-12:] % 3) == {0}


@pytest.mark.parametrize("encoder", ["hog", "miniclip"])
def test_workers_do_not_change_a_byte(tiny, small_shards, encoder):
    """1, 2 and 7 processes write the same files."""
    one = encode(tiny, encoder, "one", workers=1)
    assert len(one) >= 2
    for workers in (2, 7):
        assert encode(tiny, encoder, f"w{workers}", workers=workers) == one


def test_killed_run_continues_and_ends_the_same(tiny):
    """SIGKILL in the middle; the next run keeps whole shards and ends the same."""
    expected = encode(tiny, "hog", "whole")
    script = (
        "import sys, time, pathlib\n"
        "from mmclust.core import shards\n"
        "from mmclust.encoders import _stage, hog\n"
        "shards.ROWS = 4\n"
        "slow = hog.prepare\n"
        "def prepare(rgb, params):\n"
        "    time.sleep(0.05)\n"
        "    return slow(rgb, params)\n"
        "hog.prepare = prepare\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "_stage.encode_benchmark(root / 'data/benchmarks/tiny/manifest.parquet', "
        f"'hog', root / 'out', block={SMALL['hog']}, seed=1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tiny)], env=environment
    )
    deadline = time.monotonic() + 60
    while len(list(tiny.glob("out.work/*/images.*.npy"))) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = sorted(tiny.glob("out.work/*/images.*.npy"))
    assert 3 <= len(kept) < 9
    assert not (tiny / "out/features.json").exists()
    stamps = {path: path.stat().st_mtime_ns for path in kept}
    seen = []
    original = shards.write_array

    def watched(path, rows):
        seen.append(path)
        original(path, rows)

    shards.ROWS, rows = 4, shards.ROWS
    shards.write_array = watched
    try:
        assert encode(tiny, "hog") == expected
    finally:
        shards.ROWS, shards.write_array = rows, original
    assert len(seen) == 9 - len(stamps)
    assert not set(seen) & set(stamps)


def test_other_params_do_not_find_old_shards(tiny):
    """Unfinished work of other params, data or code is never taken."""
    encode(tiny, "hog")
    SMALL["hog"], before = {"size": 32, "cell": 16}, SMALL["hog"]
    try:
        encode(tiny, "hog")
    finally:
        SMALL["hog"] = before
    meta = json.loads((tiny / "out/features.json").read_text())
    assert meta["dims"] == {"image": 36}


def test_a_damaged_picture_is_named(tiny):
    """A truncated JPEG stops the stage and names file and remedy."""
    picture = tiny / "raw/000000000007.jpg"
    picture.write_bytes(picture.read_bytes()[:300])
    with pytest.raises(MmclustError, match="cannot be decoded") as caught:
        encode(tiny, "hog", workers=2)
    assert "000000000007.jpg" in str(caught.value)
    assert not (tiny / "out").exists()
    picture.unlink()
    with pytest.raises(MmclustError, match="cannot be read"):
        encode(tiny, "hog")


def test_missing_captions_are_refused_by_text_encoders_only(tiny):
    """An image without captions: text encoders refuse, image encoders go on."""
    path = tiny / "data/benchmarks/tiny/manifest.parquet"
    table, meta = read_table(path)
    captions = table["captions"].to_pylist()
    captions[4] = []
    table = table.set_column(
        table.column_names.index("captions"), "captions", [captions]
    )
    write_table(path, table, {**meta, "digest": canonical_digest(meta, table)})
    with pytest.raises(MmclustError, match="1 images have none") as caught:
        encode(tiny, "lsa")
    assert "000000000004" in str(caught.value)
    assert "image.npy" in encode(tiny, "hog")


def test_a_device_that_is_not_there(tiny):
    """Told before any picture is read."""
    with pytest.raises(MmclustError, match="'banana' cannot be used"):
        encode(tiny, "hog", device="banana")
    assert not (tiny / "out.work").exists()


def test_a_benchmark_without_images_says_so(tiny):
    """--annotations-only has nothing to encode; the error says how to go on."""
    path = tiny / "data/benchmarks/tiny/manifest.parquet"
    table, meta = read_table(path)
    at = table.column_names.index("container")
    write_table(path, table.set_column(at, "container", [[None] * 36]), meta)
    with pytest.raises(MmclustError, match="built without images"):
        encode(tiny, "hog")
    shutil.rmtree(tiny / "raw")
    assert "text.npy" in encode(tiny, "lsa")
