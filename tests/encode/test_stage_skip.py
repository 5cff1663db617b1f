"""Images that are skipped: named, NaN, and left out of all that follows."""

import json

import numpy as np
import pytest

from mmclust.clusterers._stage import cluster_benchmark
from mmclust.core.clusters import read_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.features import read_features
from mmclust.core.manifest import read_manifest
from mmclust.core.params import ModelParams, Params, ScoreParams
from mmclust.scoring.stage import score_benchmark
from tests.encode.staging import encode, manifest_of, without_captions


def damage(root, *rows):
    for row in rows:
        picture = root / f"raw/{row:012d}.jpg"
        picture.write_bytes(picture.read_bytes()[:300])


def test_a_corrupt_picture_is_skipped_and_named(tiny, small_shards):
    """NaN, never zeros; the others have the bytes they always have."""
    encode(tiny, "hog", "miniclip", "lsa", out="whole")
    damage(tiny, 0, 7)
    skip = {"corrupt": "skip"}
    files = encode(tiny, "hog", "miniclip", "lsa", policy=skip)
    manifest = read_manifest(manifest_of(tiny))
    found = read_features(tiny / "out/hog", manifest)
    whole = read_features(tiny / "whole/hog", manifest)
    others = found.kept(np.arange(36))
    assert found.skipped.tolist() == [0, 7]
    assert np.isnan(found.views["image"][[0, 7]]).all()
    assert np.array_equal(found.views["image"][others], whole.views["image"][others])
    skipped = json.loads(files["hog/features.json"])["skipped"]["image"]
    assert list(skipped) == ["000000000000", "000000000007"]
    assert "do not decode" in skipped["000000000007"]
    pairs = read_features(tiny / "out/miniclip", manifest)
    assert np.isnan(pairs.views["image"][7]).all()
    assert np.isfinite(pairs.views["text"]).all()
    assert pairs.skipped.tolist() == [0, 7]
    assert "skipped" not in json.loads(files["lsa/features.json"])
    assert encode(tiny, "hog", "miniclip", out="two", policy=skip, workers=2) == {
        name: data for name, data in files.items() if not name.startswith("lsa")
    }


def test_images_without_captions_are_skipped_by_text_encoders(tiny, small_shards):
    """The text view alone has no row; whole shards without captions, too."""
    without_captions(tiny, 4, *range(8, 16))
    files = encode(tiny, "lsa", "miniclip", "hog", policy={"missing_captions": "skip"})
    manifest = read_manifest(manifest_of(tiny))
    for encoder in ("lsa", "miniclip"):
        found = read_features(tiny / "out" / encoder, manifest)
        assert found.skipped.tolist() == [4, *range(8, 16)]
        assert np.isnan(found.views["text"][found.skipped]).all()
    assert np.isfinite(found.views["image"]).all()
    skipped = json.loads(files["lsa/features.json"])["skipped"]
    assert skipped["text"]["000000000004"] == "it has no caption"
    assert "skipped" not in json.loads(files["hog/features.json"])


def test_nothing_left_to_encode(tiny):
    """All pictures corrupt: an error, not an empty result."""
    damage(tiny, *range(36))
    for encoder in ("hog", "miniclip"):
        with pytest.raises(MmclustError, match=r"nothing to (encode|fit on)"):
            encode(tiny, encoder, policy={"corrupt": "skip"})
    assert not (tiny / "out/hog/features.json").exists()


def test_skipped_images_are_left_out_downstream(tiny, small_shards):
    """Clusters and scores of one encoder are of the images it has, others' of all."""
    damage(tiny, 0, 7)
    out = tiny / "data/features/tiny"
    skip = {"corrupt": "skip"}
    encode(tiny, "hog", "lsa", out=out.relative_to(tiny), policy=skip)
    params = Params(
        encoders={"hog": None, "lsa": None},
        model=ModelParams(clusterers=("kmeans",), encoder="hog", n_seeds=2),
        score=ScoreParams(n_resamples=100),
    )
    clusters = tiny / "data/clusters/tiny"
    for encoder in ("hog", "lsa"):
        cluster_benchmark("tiny", encoder, params, tiny)
    _, ids, meta = read_clusters(clusters / "hog.parquet")
    assert len(ids) == 34
    assert meta["skipped"] == ["000000000000", "000000000007"]
    record, _ = score_benchmark("tiny", params, tiny)
    assert record.mean(("hog", "image", "kmeans"), "n_samples") == 34
    assert record.mean(("lsa", "text", "kmeans"), "n_samples") == 36
    meta_of_other = read_clusters(clusters / "lsa.parquet")[2]
    assert "skipped" not in meta_of_other


def test_policies_are_read_strictly(tiny, run_mmclust):
    """A policy that is not known is refused by its key."""
    (tiny / "params.yaml").write_text("encode: {corrupt: ignore}\n")
    ended = run_mmclust("encode", "coco_cross", "hog", cwd=tiny)
    assert ended.returncode == 1
    assert "encode.corrupt" in ended.stderr
    assert "fail or skip" in ended.stderr
