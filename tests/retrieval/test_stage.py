"""The stage over several encoders: one record, the first one as what is beaten."""

import json

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.features import sealed
from mmclust.core.manifest import read_manifest
from mmclust.retrieval._stage import retrieve_benchmark
from mmclust.scoring.record import path_of, read
from tests.retrieval.toy import unit, write_pool


def embed(root, name, noise, seed=1):
    """Captions beside their images, so far off."""
    rng = np.random.default_rng(0)
    images, noises = unit(rng, 50), np.random.default_rng(seed)
    folder = root / "data/embeddings/toy_fg" / name
    folder.mkdir(parents=True)
    manifest = read_manifest(root / "data/benchmarks/toy_fg/manifest.parquet")
    asking = [row for row, texts in enumerate(manifest.captions) if texts]
    own = np.repeat(images[asking], 5, axis=0)
    np.save(folder / "image.npy", images)
    for kind in ("main", "original"):
        texts = own + noise * noises.standard_normal(own.shape)
        np.save(folder / f"text_{kind}.npy", texts.astype(np.float32))
    files = ["image.npy", "text_main.npy", "text_original.npy"]
    facts = {"encoder": name, "manifest": manifest.digest, **sealed(folder, files)}
    (folder / "embeddings.json").write_text(json.dumps(facts))


@pytest.fixture
def root(tmp_path):
    write_pool(tmp_path / "data/benchmarks/toy_fg")
    for name, noise in (("near", 0.1), ("far", 1.0), ("lost", 9.0)):
        embed(tmp_path, name, noise)
    return tmp_path


def run(root, *encoders):
    return retrieve_benchmark(
        root, "toy_fg", encoders, n_resamples=200, seed=1, top_k=3
    )


def test_encoders_are_compared_with_the_first(root):
    """Paired over 20 images; settings by themselves; a few means for DVC."""
    run(root, "near", "far", "lost")
    record = read(path_of(root, "retrieve", "toy_fg"))
    settings = {key[1] for key in record.methods()}
    assert settings == {"main", "old_pool", "old_captions", "old_captions_old_pool"}
    first = record.get(("near", "main", ""), "rsum")
    assert (first.versus, first.p, first.n_seeds) == ("", None, 1)
    lost = record.get(("lost", "main", ""), "rsum")
    assert lost.versus == "near main"
    assert lost.diff == pytest.approx(lost.mean - first.mean, abs=1e-5)
    assert lost.p < 0.001
    assert lost.p_holm == pytest.approx(2 * lost.p, rel=0.01)
    assert lost.low <= lost.mean <= lost.high
    means = root / "metrics/retrieve/toy_fg"
    assert sorted(path.stem for path in means.iterdir()) == ["far", "lost", "near"]
    assert set(json.loads((means / "far.json").read_text())) == {"t2i_r1", "rsum"}


def test_an_encoder_that_is_no_longer_asked_for_leaves_nothing(root):
    run(root, "near", "far")
    run(root, "far")
    for folder in ("data/retrieval", "plots/retrieval", "metrics/retrieve"):
        assert not list((root / folder).rglob("near*"))
    assert {key[0] for key in read(path_of(root, "retrieve", "toy_fg")).methods()} == {
        "far"
    }


def test_one_embedding_twice_has_no_p_value(root):
    """Zero spread is said, not taken for certainty."""
    embed(root, "again", 0.1)
    again = run(root, "near", "again").get(("again", "main", ""), "rsum")
    assert (again.diff, again.p, again.note) == (0, None, "nothing varies")


def test_without_an_encoder_there_is_nothing_to_score(root):
    with pytest.raises(MmclustError, match="no encoder to retrieve with"):
        run(root)
