"""The noun space: by hand, against dense formulas, and what cannot be."""

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.core import plugins
from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.params import NounsParams
from mmclust.core.plugins import Instance
from mmclust.core.types import Fitted
from mmclust.heads import _space as module
from mmclust.heads._embeddings import SharedEncoder, word_embeddings
from mmclust.heads._nouns import noun_space, read_vocabulary, unique
from mmclust.heads._rows import read_rows
from mmclust.heads._space import (
    CENTRES,
    choose_nouns,
    classify_nouns,
    counterparts,
    image_centres,
    mean_directions,
    n_centres,
)
from mmclust.sources.wordnet import SHA256
from tests.conftest import ROOT


def rows(n, d=8, seed=0):
    made = np.random.default_rng(seed).standard_normal((n, d))
    return normalised(made.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "images", "classes"),
    [("CIFAR-10", 50_000, 10), ("CIFAR-20", 50_000, 20), ("STL-10", 5_000, 10),
     ("ImageNet-10", 13_000, 10), ("ImageNet-Dogs", 19_500, 15), ("DTD", 3_760, 47),
     ("UCF101", 9_537, 101), ("ImageNet", 1_281_167, 1000)],
)  # fmt: skip
def test_the_rule_of_centres_gives_the_published_table(name, images, classes):
    """Spec section 4.1; DXMC's own three follow no rule, so the table has them."""
    assert n_centres(images, classes, name, "rule") == n_centres(
        1, 1, name, "published"
    )


def test_centres_that_follow_no_rule():
    """Tiny-ImageNet is rounded up; CUB has fewer than its classes; AID is 33."""
    table = [CENTRES[n] for n in ("tinyimagenet", "cub200", "aid")]
    assert table == [334, 39, 33]
    assert n_centres(468, 10, "coco_cross", 25) == 25
    assert n_centres(20, 10, "x", "rule") == 20
    with pytest.raises(MmclustError, match="no number of centres for coco_cross"):
        n_centres(468, 10, "coco_cross", "published")


def test_wordnets_nouns_where_they_lie_on_disk():
    """Spec section 2: rows, distinct strings, first words, digest."""
    path = ROOT / "data/vocabulary/WordNetNouns.csv"
    vocabulary = read_vocabulary(path) if path.exists() else None
    if vocabulary is None or len(vocabulary.words) < 100_000:
        pytest.skip("WordNet's nouns are not here, or are the sample's")
    assert vocabulary.digest == SHA256
    assert len(vocabulary.words) == 146_347
    assert len(unique(vocabulary.words)[0]) == 119_034
    assert vocabulary.words[:3] == ["entity", "physical_entity", "abstraction"]


def test_reading_vocabularies(tmp_path):
    """Rows are kept as they are: repeats, underscores, capitals, nan and null."""
    path = tmp_path / "nouns.csv"
    path.write_text('word,definition\nnan,"a, b"\nliving_thing,x\nnan,y\nnull,\n')
    vocabulary = read_vocabulary(path)
    assert vocabulary.words == ["nan", "living_thing", "nan", "null"]
    assert vocabulary.definitions == ["a, b", "x", "y", ""]
    assert vocabulary.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert unique(vocabulary.words) == (["nan", "living_thing", "null"], [0, 1, 0, 2])
    words = tmp_path / "words.txt"
    words.write_text("dog\nhot dog\nDog\n")
    assert read_vocabulary(words).words == ["dog", "hot dog", "Dog"]


def test_vocabularies_that_will_not_do(tmp_path):
    """Blank words are named by line: dropping one would shift the embeddings."""
    words = tmp_path / "w.txt"
    words.write_text("dog\n\ncat\n  \n")
    with pytest.raises(MmclustError, match=r"blank words\n.*line 2, 4\n"):
        read_vocabulary(words)
    words.write_text("")
    with pytest.raises(MmclustError, match="The vocabulary is empty"):
        read_vocabulary(words)
    words.write_bytes(b"caf\xe9\n")
    with pytest.raises(MmclustError, match="must be UTF-8"):
        read_vocabulary(words)
    with pytest.raises(MmclustError, match=r"mmclust vocabulary"):
        read_vocabulary(tmp_path / "none.csv")
    table = tmp_path / "t.csv"
    table.write_text("noun\ndog\n")
    with pytest.raises(MmclustError, match="no column 'word'"):
        read_vocabulary(table)


def encoder_of(monkeypatch, **offers):
    """An encoder that is one function; with ``fit`` its words are not kept."""
    plugin = SimpleNamespace(__name__="mmclust.encoders.random", **offers)
    monkeypatch.setattr(plugins, "load", lambda *_: plugin)
    return SharedEncoder(Instance("encoders", "toy", "random", NounsParams()), Fitted())


def test_prompts_are_averaged_as_published_or_normalised(tmp_path, monkeypatch):
    """By hand: two templates, vectors of length 1 and 3."""
    table = {"a x": [1, 0], "b x": [0, 3], "a y_z": [2, 0], "b y_z": [2, 0]}
    params = NounsParams(templates=("a {}", "b {}"))

    seen = []

    def embed(texts, *_params, **_device):
        seen.extend(texts)
        return np.array([table.get(t, [0, 0]) for t in texts], np.float32)

    encoder = encoder_of(monkeypatch, embed_texts=embed, fit=None)
    found = word_embeddings(["x", "y_z"], encoder, params, tmp_path)
    assert found.tolist() == [[0.5, 1.5], [2, 0]]
    unit = replace(params, prompt_normalisation=True)
    found = word_embeddings(["x", "y_z"], encoder, unit, tmp_path)
    assert found.tolist() == [[0.5, 0.5], [1, 0]]
    seen.clear()
    blank = NounsParams(templates=("a {}",), underscores="blank")
    word_embeddings(["y_z"], encoder, blank, tmp_path)
    assert seen == ["a y z"]
    assert not [*tmp_path.iterdir()]


def test_each_string_is_encoded_once_and_kept_for_frozen_encoders(
    tmp_path, monkeypatch
):
    """A second benchmark finds the embeddings; other templates do not."""
    calls = []

    def embed(texts, *_params, **_device):
        calls.append(len(texts))
        return rows(len(texts), seed=len(texts))

    encoder = encoder_of(monkeypatch, encode_captions=embed)
    words = [f"w{i}" for i in range(600)]
    one = word_embeddings(words, encoder, NounsParams(), tmp_path)
    assert sum(calls) == 600 * 7
    again = word_embeddings(words, encoder, NounsParams(), tmp_path)
    assert sum(calls) == 600 * 7
    assert np.array_equal(one, again)
    word_embeddings(words, encoder, NounsParams(templates=("{}",)), tmp_path)
    assert sum(calls) == 600 * 8
    with pytest.raises(MmclustError, match="no place for the word"):
        word_embeddings(words, encoder, NounsParams(templates=("dog",)), tmp_path)


def test_nouns_are_shared_among_centres_not_centres_among_nouns():
    """Reverse classification: softmax over centres, against the dense formula."""
    nouns, centres = rows(500), rows(7, seed=1)
    scores = nouns.astype(np.float64) @ centres.T
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    classes, confidence = classify_nouns(nouns, centres, dtype="float32")
    assert np.array_equal(classes, shares.argmax(axis=1))
    assert confidence == pytest.approx(shares.max(axis=1), rel=1e-5)
    classes, confidence = classify_nouns(nouns, centres, dtype="float16")
    rounded = shares.astype(np.float16)
    assert (classes == rounded.argmax(axis=1)).mean() > 0.99
    assert np.array_equal(confidence, confidence.astype(np.float16))


def test_float16_ties_go_to_the_lowest_centre():
    """Two centres closer than float16 can tell: the first wins either way."""
    near = normalised(np.array([[1, 0, 0], [1, 1e-4, 0]], np.float32))
    noun = normalised(np.array([[1, 1, 0]], np.float32))
    exact = classify_nouns(noun, near, dtype="float32")[0]
    rounded = classify_nouns(noun, near, dtype="float16")[0]
    assert (exact.tolist(), rounded.tolist()) == ([1], [0])


@given(st.integers(0, 1000), st.integers(1, 60), st.integers(1, 5))
def test_the_top_nouns_of_each_centre(seed, n, top):
    """Against a loop with masks, as the released code has it; ties: lowest row."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 6, n)
    confidence = rng.integers(0, 4, n).astype(np.float32)
    chosen = choose_nouns(classes, confidence, top)
    expected = set()
    for centre in range(6):
        mine = [i for i in range(n) if classes[i] == centre]
        expected |= set(sorted(mine, key=lambda i: (-confidence[i], i))[:top])
    assert chosen.rows.tolist() == sorted(expected)
    assert np.array_equal(chosen.centres, classes[chosen.rows])
    for centre in np.unique(chosen.centres):
        mine = chosen.centres == centre
        assert sorted(chosen.ranks[mine]) == list(range(mine.sum()))


def test_counterparts_are_weighted_means(monkeypatch):
    """The dense formula, and the same in many blocks."""
    images, nouns = rows(50), rows(20, seed=1)
    scores = images.astype(np.float64) @ nouns.T / 0.005
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected = normalised(shares / shares.sum(axis=1, keepdims=True) @ nouns)
    found = counterparts(images, nouns)
    assert found == pytest.approx(expected, abs=1e-4)
    monkeypatch.setattr(module, "NUMBERS", 60)
    assert counterparts(images, nouns) == pytest.approx(found, abs=1e-5)


def test_centres_are_means_of_all_their_images():
    """Recomputed from assignments; not the centroids of the sample."""
    images = rows(400)
    params = NounsParams(max_points_per_centroid=10, noun_softmax_dtype="float32")
    centres, labels = image_centres(images, 5, params, seed=1)
    for centre in range(5):
        mean = images[labels == centre].mean(axis=0)
        assert centres[centre] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_a_centre_without_images_is_left_out():
    """Two distinct images, four clusters: no NaN poisons the others."""
    images = np.repeat(np.eye(2, 3, dtype=np.float32), 20, axis=0)
    centres, labels = image_centres(images, 4, NounsParams(), seed=1)
    assert np.isfinite(centres).all()
    assert len(centres) == len(np.unique(labels)) <= 4
    assert np.isfinite(mean_directions(images, labels, len(centres))).all()


def space(words, k=3, n=60, **changes):
    embeddings = rows(len(words), seed=3)
    params = NounsParams(**changes)
    place = np.arange(len(words))
    return noun_space(rows(n), embeddings, place, words, k, params, seed=1)


def test_repeated_words_take_several_places_or_one():
    """As published every row counts; deduplicated, the first row of each word."""
    distinct = [f"w{i}" for i in range(30)]
    embeddings = rows(30, seed=3)
    place = np.repeat(np.arange(30), 3)
    words = [distinct[i] for i in place]
    both = [
        noun_space(
            rows(60), embeddings, place, words, 3,
            NounsParams(deduplicate_nouns=once), seed=1,
        )
        for once in (False, True)
    ]  # fmt: skip
    names = [[words[r] for r in each.chosen.rows] for each in both]
    assert len(set(names[0])) < len(names[0])
    assert len(set(names[1])) == len(names[1]) == 15
    assert all(row % 3 == 0 for row in both[1].chosen.rows)


def test_a_centre_without_nouns_keeps_none():
    """All nouns point the same way: one centre has them all, and it is counted."""
    words = ["a", "b", "c", "d"]
    embeddings = np.repeat(rows(1, seed=5), 4, axis=0)
    found = noun_space(
        rows(60), embeddings, np.arange(4), words, 3, NounsParams(), seed=1
    )
    assert found.facts["centres_without_nouns"] == 2
    assert found.chosen.rows.tolist() == [0, 1, 2, 3]


def test_fewer_nouns_or_images_than_centres():
    """Said before any work is done; repeats count once where they are merged."""
    with pytest.raises(MmclustError, match="fewer nouns than image centres") as told:
        space(["a", "b"], k=3)
    assert told.value.parts["expected"] == "at least 3 nouns"
    assert told.value.parts["found"] == 2
    with pytest.raises(MmclustError, match="fewer nouns than image centres"):
        space(["a", "a", "a"], k=3, deduplicate_nouns=True)
    with pytest.raises(MmclustError, match="fewer images than image centres"):
        space([f"w{i}" for i in range(9)], k=8, n=5)


def test_embeddings_that_will_not_do(tmp_path):
    """NaN and zero rows are named; float16 is welcome."""
    path = tmp_path / "x.npy"
    array = rows(5)
    np.save(path, array.astype(np.float16))
    assert read_rows(path) == pytest.approx(array, abs=2e-3)
    array[3] = 0
    np.save(path, array)
    with pytest.raises(MmclustError, match=r"all zeros(.|\n)*row 3"):
        read_rows(path)
    array[2, 1] = np.nan
    np.save(path, array)
    with pytest.raises(MmclustError, match=r"NaN or infinity(.|\n)*row 2"):
        read_rows(path)
    with pytest.raises(MmclustError, match="wrong number of rows"):
        read_rows(path, 6)
