"""The stages nouns and head on a small benchmark; and heads by hand."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from mmclust.clusterers._stage import nouns_for
from mmclust.core.clusters import read_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.features import read_features
from mmclust.core.io import read_json, read_table
from mmclust.core.manifest import read_manifest
from mmclust.core.numerics import in_use
from mmclust.core.params import ModelParams, NounsParams, Params
from mmclust.core.plugins import instance_of
from mmclust.heads import _train
from mmclust.heads._embeddings import shares_space
from mmclust.heads._files import assign_images, load_head
from mmclust.heads._nouns import nouns_of_benchmark
from mmclust.heads._stage import head_of_benchmark
from tests.encode.staging import encode_benchmark

MINICLIP = {"dim": 8, "size": 16, "width": 8, "steps": 20, "batch": 12}
TAC = {"epochs": 2, "batch": 12, "hidden": 8, "n_neighbors": 5}
WORDS = "square\ndisc\nbar\nred\ngreen\nblue\ngrey\nnoise\nred square\nblue bar\n"


def settings(**changes):
    return Params(
        seed=5,
        encoders={"miniclip": MINICLIP, "hog": {}},
        heads={"tac": TAC, "dxmc": {**TAC, "instance_hidden": 8, "instance_dim": 8}},
        nouns=NounsParams(vocabulary="words.txt", centres=4),
        model=ModelParams(n_seeds=2, benchmarks=("tiny",), **changes),
    )


@pytest.fixture
def ready(tiny):
    """Features, nouns, no labels."""
    (tiny / "words.txt").write_text(WORDS)
    manifest = tiny / "data/benchmarks/tiny/manifest.parquet"
    (tiny / "data/benchmarks/tiny/labels.parquet").unlink()
    out = tiny / "data/features/tiny/miniclip"
    encode_benchmark(manifest, "miniclip", out, block=MINICLIP, seed=5)
    nouns_of_benchmark(tiny, "tiny", settings())
    return tiny


def contents(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_nouns_are_words_that_people_can_read(ready):
    """Words, centres, ranks; a counterpart for every image; the same bytes again."""
    folder = ready / "data/nouns/tiny"
    table, _ = read_table(folder / "nouns.parquet")
    words = WORDS.split("\n")
    rows = table["row"].to_pylist()
    assert table["word"].to_pylist() == [words[r] for r in rows]
    assert rows == sorted(rows)
    assert np.load(folder / "nouns.npy").shape == (len(rows), 8)
    text = np.load(folder / "counterparts.npy")
    assert text.shape == (36, 8)
    assert np.linalg.norm(text, axis=1) == pytest.approx(1, abs=1e-5)
    facts = read_json(folder / "nouns.json")
    assert facts["centres"] == 4
    assert facts["vocabulary"]["distinct"] == 10
    first = contents(folder)
    nouns_of_benchmark(ready, "tiny", settings())
    assert contents(folder) == first


@pytest.mark.parametrize("head", ["tac", "dxmc"])
def test_a_trained_head(ready, head):
    """Clusters with confidence, weights, curves; the same at any workers."""
    found = head_of_benchmark(ready, "tiny", head, settings())
    assert found.labels.shape == (2, 36)
    assert found.confidence.min() >= 1 / 3 - 1e-6
    path = ready / f"data/clusters/tiny/heads/{head}.parquet"
    (read,), ids, meta = read_clusters(path)
    assert (read.clusterer, read.view, read.k, len(ids)) == (head, "image", 3, 36)
    assert np.array_equal(read.labels, found.labels)
    assert np.array_equal(read.confidence, found.confidence)
    assert meta["params"]["batch"] == 12
    with (ready / f"plots/heads/tiny_{head}.csv").open() as file:
        curve = list(csv.DictReader(file))
    assert [(r["epoch"], r["seed"]) for r in curve] == [
        ("1", "0"), ("2", "0"), ("1", "1"), ("2", "1"),
    ]  # fmt: skip
    folder = ready / f"data/heads/tiny/{head}"
    names = read_json(folder / "head.json")["names"]
    assert len(names) == 2
    assert set(names[0][0]) <= set(WORDS.split("\n"))
    first = contents(folder), path.read_bytes()
    head_of_benchmark(ready, "tiny", head, settings(), workers=2)
    assert (contents(folder), path.read_bytes()) == first


def test_a_head_in_processes(ready, monkeypatch):
    """Nets too large to train side by side: one process per seed, the same bytes."""
    monkeypatch.setattr(_train, "SMALL", 0)
    one = head_of_benchmark(ready, "tiny", "tac", settings())
    two = head_of_benchmark(ready, "tiny", "tac", settings(), workers=2)
    assert np.array_equal(one.labels, two.labels)
    # With fast numerics MKL may round by where in memory a matrix lies.
    near = 0 if in_use() == "portable" else 1e-3
    np.testing.assert_allclose(one.confidence, two.confidence, rtol=0, atol=near)


@pytest.mark.parametrize(
    "head", ["concat_kmeans", "image_kmeans", "counterpart_kmeans"]
)
def test_training_free(ready, head):
    """Clusters of every seed, no weights, a curve without rows."""
    found = head_of_benchmark(ready, "tiny", head, settings())
    assert found.labels.shape == (2, 36)
    assert found.confidence is None
    assert (ready / f"plots/heads/tiny_{head}.csv").read_text() == "epoch,seed,loss\n"
    with pytest.raises(MmclustError, match="There is no trained head"):
        load_head(ready / f"data/heads/tiny/{head}")


def test_heads_and_nouns_of_other_images(ready):
    """Stale files are refused: another manifest, other features, another encoder."""
    out = ready / "data/features/tiny/miniclip"
    manifest = ready / "data/benchmarks/tiny/manifest.parquet"
    encode_benchmark(manifest, "miniclip", out, block=MINICLIP, seed=6)
    with pytest.raises(MmclustError, match="chosen for features other than these"):
        head_of_benchmark(ready, "tiny", "tac", settings())


def test_k_and_batch_in_the_pipeline(ready):
    """model.k: 1, 37; a batch that is too large."""
    with pytest.raises(MmclustError, match="single cluster"):
        head_of_benchmark(ready, "tiny", "tac", settings(k=1))
    for head in ("tac", "concat_kmeans"):
        with pytest.raises(MmclustError, match="Cannot make 37 clusters of 36"):
            head_of_benchmark(ready, "tiny", head, settings(k=37))
    large = replace(settings(), heads={"tac": {}})
    with pytest.raises(
        MmclustError, match="A batch of 512 cannot be drawn from 36"
    ) as e:
        head_of_benchmark(ready, "tiny", "tac", large)
    assert "lower the batch, for instance to 9 " in str(e.value)
    assert not (ready / "data/heads").exists()


def test_an_encoder_without_words(ready):
    """Heads need images and words in one space."""
    folder = ready / "data/features/tiny/hog"
    manifest = ready / "data/benchmarks/tiny/manifest.parquet"
    encode_benchmark(manifest, "hog", folder, block=None, seed=1)
    with pytest.raises(MmclustError, match="no shared space of images and words"):
        nouns_of_benchmark(ready, "tiny", settings(encoder="hog", heads=("tac",)))


@pytest.mark.parametrize(
    ("name", "shared"),
    [("miniclip", True), ("clip", True), ("hog", False), ("caption_sbert", False),
     ("resnet50_caption_sbert", False)],
)  # fmt: skip
def test_which_encoders_share_a_space(name, shared):
    """One of captions alone has texts, and no images to put beside them."""
    assert shares_space(instance_of("encoders", name, None, name)) is shared


def test_no_nouns_where_no_head_asks_and_no_encoder_can(ready):
    """The stage runs for every benchmark; a head that comes later says what to do."""
    without = settings(encoder="hog", heads=())
    facts = nouns_of_benchmark(ready, "tiny", without)
    assert facts["nouns"] == 0
    assert read_json(ready / "data/nouns/tiny/nouns.json") == facts
    manifest = read_manifest(ready / "data/benchmarks/tiny/manifest.parquet")
    features = read_features(ready / "data/features/tiny/miniclip", manifest)
    assert nouns_for(ready / "data/nouns/tiny", features, manifest) is None
    with pytest.raises(MmclustError, match="an encoder other than these") as e:
        head_of_benchmark(ready, "tiny", "tac", settings())
    assert "mmclust nouns tiny" in str(e.value)


def test_assigning_pictures(ready):
    """The benchmark's own pictures get the clusters they have, with names."""
    found = head_of_benchmark(ready, "tiny", "tac", settings())
    head = ready / "data/heads/tiny/tac"
    pictures = sorted((ready / "raw").glob("*.jpg"))
    for seed in range(2):
        again, names = assign_images(pictures, head, seed=seed)
        assert np.array_equal(again.labels, found.labels[seed])
        assert again.confidence == pytest.approx(found.confidence[seed], abs=1e-5)
        assert len(names) == 3
    with pytest.raises(MmclustError, match="no trained head of seed 2"):
        assign_images(pictures, head, seed=2)
    (ready / "note.jpg").write_text("not a picture")
    with pytest.raises(MmclustError, match="A picture cannot be opened"):
        assign_images([ready / "note.jpg"], head)
    manifest = ready / "data/benchmarks/tiny/manifest.parquet"
    out = ready / "data/features/tiny/miniclip"
    encode_benchmark(manifest, "miniclip", out, block=MINICLIP, seed=6)
    with pytest.raises(MmclustError, match="another fit of its encoder"):
        assign_images(pictures, head)
