"""The encode stage: same bytes however it is run, label-free, each picture once."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

from mmclust.core import images, numerics, shards
from mmclust.core.errors import MmclustError
from mmclust.core.features import read_features
from mmclust.core.io import read_table, write_table
from mmclust.core.manifest import canonical_digest, read_manifest
from mmclust.encode import engine, stage
from mmclust.encoders import miniclip
from tests.encode.staging import (
    SMALL,
    arrays,
    encode,
    encode_benchmark,
    manifest_of,
    without_captions,
)

ENCODERS = ["hog", "color_histogram", "lsa", "random", "miniclip"]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_features_are_whole_and_in_order(tiny, encoder):
    """Rows fit the manifest, the work folder is gone, labels are not needed."""
    (tiny / "data/benchmarks/tiny/labels.parquet").unlink()
    encode_benchmark(
        manifest_of(tiny), encoder, tiny / "out", block=SMALL.get(encoder), seed=1
    )
    features = read_features(tiny / "out", read_manifest(manifest_of(tiny)))
    assert features.views
    assert features.meta["encoder"] == encoder
    assert all(a.dtype == np.float32 for a in features.views.values())
    assert not (tiny / "out.work").exists()
    assert len(features.kept(np.arange(36))) == 36
    if encoder == "color_histogram":
        red = features.views["image"][:, 16:32].sum(1)  # bright reds
        assert set(np.argsort(red)[-12:] % 3) == {0}


def test_workers_do_not_change_a_byte(tiny, small_shards, monkeypatch):
    """1, 2 and 7 processes write the same files."""
    one = encode(tiny, "hog", "miniclip", out="one", workers=1)
    monkeypatch.setattr(stage, "SHARDS", 1)  # what learned is encoded by all, too
    assert len(one) >= 2
    for workers in (2, 7):
        out = f"w{workers}"
        assert encode(tiny, "hog", "miniclip", out=out, workers=workers) == one


def test_workers_do_not_change_a_byte_of_a_model(tiny, small_shards, toy_encoders):
    """A torch model in this process or in two of its own."""
    one = encode(tiny, "toy_model", out="one", workers=1)
    assert encode(tiny, "toy_model", out="two", workers=2) == one


def test_shard_size_does_not_change_a_byte(tiny, toy_encoders, monkeypatch):
    """Batches begin at the same rows and have the same shape in shards of any size."""
    monkeypatch.setattr(engine, "BATCH", 8)
    whole = encode(tiny, "toy_model", "miniclip", out="whole")
    for rows in (1, 8, 16, 20):
        monkeypatch.setattr(shards, "ROWS", rows)
        found = encode(tiny, "toy_model", "miniclip", out=f"of{rows}")
        assert found == whole


def test_together_is_one_by_one_and_decodes_once(tiny, small_shards, monkeypatch):
    """Several encoders: the bytes of each alone, and one decoding of each picture."""
    alone = {}
    for encoder in ENCODERS:
        alone |= encode(tiny, encoder, out="alone")
    decoded = []
    decode = images.decode

    def counting(data, where):
        decoded.append(where)
        return decode(data, where)

    monkeypatch.setattr(images, "decode", counting)
    assert encode(tiny, *ENCODERS, out="together") == alone
    assert len(decoded) == len(set(decoded)) == 36


def test_pixels_are_kept_for_encoders_that_learn_alone(
    tiny, small_shards, toy_encoders, monkeypatch
):
    """A model without training gets its pictures shard by shard, never from disk."""
    written = set()
    write = shards.Sharded.write

    def watching(self, span, rows, skipped):
        written.add((self.path.parent.parent.name, self.path.stem))
        write(self, span, rows, skipped)

    monkeypatch.setattr(shards.Sharded, "write", watching)
    encode(tiny, "toy_model", "miniclip")
    assert ("miniclip.work", "prepared") in written
    assert {n for e, n in written if e == "toy_model.work"} == {"image", "text"}


def test_the_batch_size_changes_the_last_bits_at_most(tiny, toy_encoders):
    """Within 1e-5 of the largest value; recorded for models, and not for the rest."""
    usual = encode(tiny, "toy_model", "hog", out="usual")
    other = encode(tiny, "toy_model", "hog", out="other", batch_size=3)
    manifest = read_manifest(manifest_of(tiny))
    one, two = (
        read_features(tiny / out / "toy_model", manifest).views["image"]
        for out in ("usual", "other")
    )
    assert np.abs(one - two).max() <= 1e-5 * np.abs(one).max()
    assert json.loads(other["toy_model/features.json"])["batch_size"] == 3
    assert "batch_size" not in json.loads(usual["toy_model/features.json"])
    assert other["hog/features.json"] == usual["hog/features.json"]
    assert other["hog/image.npy"] == usual["hog/image.npy"]


def test_fast_numerics_are_recorded(tiny, monkeypatch):
    """Beside the features, so that shards of both are never joined."""
    usual = encode(tiny, "hog", out="usual")
    monkeypatch.setenv("MKL_CBWR", "AUTO")
    fast = encode(tiny, "hog", out="fast")
    assert json.loads(fast["hog/features.json"])["numerics"] == "fast"
    if numerics.possible() and not os.environ.get(numerics.VARIABLE):
        assert "numerics" not in json.loads(usual["hog/features.json"])
        assert fast["hog/image.npy"] == usual["hog/image.npy"]


def test_decoders_feed_models_on_accelerators(
    tiny, small_shards, toy_encoders, monkeypatch
):
    """Two model processes beside two that decode: the same rows, no scratch left."""
    usual = encode(tiny, "toy_model", "hog", "miniclip", out="usual")
    monkeypatch.setattr(stage, "SHARDS", 1)
    monkeypatch.setattr(engine.Options, "accelerated", True)
    found = encode(
        tiny,
        "toy_model",
        "hog",
        "miniclip",
        out="fed",
        devices=("cpu", "cpu"),
        workers=2,
        batch_size=4,
    )
    assert arrays(found) == arrays(usual)
    assert not list(tiny.glob("fed/*.work"))


def test_decoders_end_before_the_folder_that_they_write_to(
    tiny, small_shards, toy_encoders, monkeypatch
):
    """Also when a model fails: else what they write last would stay in memory."""
    private, alive = engine.private, []

    @contextlib.contextmanager
    def watched(path):
        with private(path) as folder:
            try:
                yield folder
            finally:
                alive.extend(multiprocessing.active_children())

    monkeypatch.setattr(engine, "private", watched)
    monkeypatch.setattr(engine.Options, "accelerated", True)
    blocks = {"toy_bad": {"how": "whole numbers"}}
    with pytest.raises(MmclustError, match="an array of the wrong shape"):
        encode(tiny, "toy_bad", blocks=blocks, workers=2, batch_size=4)
    assert [process.pid for process in alive] == []


def test_the_identity_of_a_model_is_recorded(tiny, toy_encoders):
    """What `identity` gives is in features.json."""
    meta = json.loads(encode(tiny, "toy_model")["toy_model/features.json"])
    assert meta["model"]["revision"] == "3"


def test_other_params_do_not_find_old_shards(tiny):
    """Unfinished work of other params, data or code is never taken."""
    encode(tiny, "hog")
    files = encode(tiny, "hog", blocks={"hog": {"size": 32, "cell": 16}})
    assert json.loads(files["hog/features.json"])["dims"] == {"image": 36}


def test_missing_captions_are_refused_by_text_encoders_only(tiny):
    """An image without captions: text encoders refuse, image encoders go on."""
    without_captions(tiny, 4)
    with pytest.raises(MmclustError, match="1 images have none") as caught:
        encode(tiny, "lsa")
    assert "000000000004" in str(caught.value)
    assert "encode.missing_captions: skip" in str(caught.value)
    assert "hog/image.npy" in encode(tiny, "hog")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devices": ("banana",)}, "'banana' cannot be used"),
        ({"engine": "rai"}, "Unknown engine 'rai'"),
        ({"precision": "int8"}, "Unknown precision 'int8'"),
        ({"devices": ("cpu", "cuda:0")}, "Devices of several kinds"),
    ],
)
def test_options_are_checked_before_any_picture_is_read(tiny, options, message):
    """A device, engine or precision that is not there is told at once."""
    with pytest.raises(MmclustError, match=message):
        encode(tiny, "hog", **options)
    assert not (tiny / "out").exists()


def test_a_benchmark_without_images_says_so(tiny):
    """--annotations-only has nothing to encode; the error says how to go on."""
    path = manifest_of(tiny)
    table, meta = read_table(path)
    at = table.column_names.index("container")
    write_table(path, table.set_column(at, "container", [[None] * 36]), meta)
    with pytest.raises(MmclustError, match="built without images"):
        encode(tiny, "hog", policy={"corrupt": "skip"})
    assert "lsa/text.npy" in encode(tiny, "lsa")


def test_a_killed_group_leaves_nothing_in_memory(tmp_path):
    """Not even the folder that held the pictures on their way to models."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from mmclust.encode.engine import removed_after_us\n"
        "folder = pathlib.Path(sys.argv[1]) / 'user/prepared'\n"
        "folder.mkdir(parents=True)\n"
        "(folder / 'hog.npy').touch()\n"
        "with removed_after_us(folder):\n"
        "    os.killpg(0, signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, tmp_path]
    ended = subprocess.run(command, check=False, start_new_session=True)
    assert ended.returncode == -signal.SIGKILL
    for _ in range(100):
        time.sleep(0.1)
        if not (tmp_path / "user").exists():
            break
    assert not (tmp_path / "user").exists()


def test_what_learns_reads_pictures_from_the_file(tiny, monkeypatch):
    """Of rows that lie together none is copied; of others those alone are given."""
    fit, given = miniclip.fit, []

    def fitted(batch, *arguments, **options):
        given.append(batch)
        return fit(batch, *arguments, **options)

    monkeypatch.setattr(miniclip, "fit", fitted)
    encode(tiny, "miniclip", out="whole")
    assert isinstance(given[0].images, np.memmap)
    path = manifest_of(tiny)
    table, meta = read_table(path)
    split = ["test" if row % 3 == 1 else "train" for row in range(len(table))]
    at = table.schema.get_field_index("split")
    table = table.set_column(at, "split", pa.array(split, table["split"].type))
    meta = {**meta, "fit": ["train"]}
    write_table(path, table, {**meta, "digest": canonical_digest(meta, table)})
    rows = read_manifest(path).fit_rows
    assert 1 < len(rows) < len(table)
    encode(tiny, "miniclip", out="part")
    assert np.array_equal(given[1].images, given[0].images[rows])
    assert given[1].image_ids == [given[0].image_ids[row] for row in rows]
