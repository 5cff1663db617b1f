"""The embed stage: a pool's images and captions, by an encoder fitted elsewhere."""

import json

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.io import write_table
from mmclust.core.manifest import Row, read_manifest, write_manifest
from mmclust.encode.embed import embed, plan_embedding
from mmclust.encode.engine import Options
from tests.conftest import save_jpeg
from tests.encode.staging import encode_benchmark

SMALL = {"dim": 8, "size": 16, "steps": 5, "batch": 8}


@pytest.fixture
def pool(tmp_path):
    """Seven pictures with two captions each, three without, one training picture."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(11):
        rgb = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
        save_jpeg(tmp_path / f"pool/{i:02}.jpg", rgb)
        words = ("a red square", f"green disc {i % 3}") if i < 7 else ()
        split = "train" if i == 10 else "test"
        rows.append(
            Row(f"{i:02}", tmp_path / "pool", f"{i:02}.jpg", None, None, 40, 30,
                words, split)
        )  # fmt: skip
    folder = tmp_path / "data/benchmarks/toy_fg"
    write_manifest(
        folder / "manifest.parquet", rows, benchmark="toy_fg", protocol="1",
        sources={}, fit=("train",), evaluate=("test",),
    )  # fmt: skip
    import pyarrow as pa

    ids = [f"{i:02}" for i in range(7)]
    plain = pa.table({"image_id": ids, "captions": [["blue bar"]] * 7})
    write_table(folder / "captions_original.parquet", plain, {})
    return folder


@pytest.fixture
def fitted(tiny):
    """What `encode` left of a small miniclip on another benchmark."""
    out = tiny / "data/features/toy/miniclip"
    manifest = next((tiny / "data/benchmarks").glob("*/manifest.parquet"))
    encode_benchmark(manifest, "miniclip", out, block=SMALL, seed=1)
    return out


def embed_pool(pool, fitted, name="miniclip", **changes):
    out = pool.parents[1] / "embeddings/toy_fg" / name
    run = plan_embedding(pool, name, out, fitted=fitted, block=SMALL, seed=1, **changes)
    return out, embed(run)


def test_rows_are_those_of_the_evaluated_images(pool, fitted):
    """The training picture is left out; each caption has a row."""
    out, found = embed_pool(pool, fitted)
    assert found == {"image": 10, "text_main": 14, "text_original": 7}
    meta = json.loads((out / "embeddings.json").read_text())
    assert meta["manifest"] == read_manifest(pool / "manifest.parquet").digest
    assert meta["fitted_on"]["benchmark"] == "toy"
    texts = np.load(out / "text_main.npy")
    norms = np.linalg.norm(texts, axis=1)
    assert norms == pytest.approx(1, abs=1e-5)
    assert not out.with_name("miniclip.work").exists()


def test_equal_captions_have_equal_rows(pool, fitted):
    """To the last bit, so that they tie."""
    out, _ = embed_pool(pool, fitted)
    texts = np.load(out / "text_main.npy")
    assert (texts[::2] == texts[0]).all()
    plain = np.load(out / "text_original.npy")
    assert (plain == plain[0]).all()


def test_workers_do_not_change_a_byte(pool, fitted):
    """One process or two."""
    out, _ = embed_pool(pool, fitted)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    embed_pool(pool, fitted, options=Options(workers=2))
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_an_encoder_that_learns_must_have_learned(pool, tmp_path):
    """It is never fitted on what it will be asked."""
    with pytest.raises(MmclustError, match="was not fitted yet"):
        embed_pool(pool, tmp_path / "nowhere")


def test_encoders_without_single_captions_are_refused(pool, fitted):
    """HOG sees pictures alone."""
    out = pool.parents[1] / "embeddings/toy_fg/hog"
    with pytest.raises(MmclustError, match="does not embed images and single"):
        plan_embedding(pool, "hog", out, fitted=fitted, block=None, seed=1)


def test_a_damaged_picture_stops_it(pool, fitted):
    """A pool without an image would be an easier one."""
    (pool.parents[2] / "pool/03.jpg").write_bytes(b"no picture")
    with pytest.raises(MmclustError, match="cannot be decoded"):
        embed_pool(pool, fitted)
