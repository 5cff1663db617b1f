"""Encoders of captions, against libraries of their own and hand-computed values."""

import dataclasses

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.plugins import load
from mmclust.core.types import Batch, Fitted
from tests.encoders import tiny
from tests.encoders.tiny import options

CAPTIONS = [["a red dog", " ", "on grass"], ["the bus"], [], ["what is it " * 30]]


def texts(captions):
    return Batch([f"{i}" for i in range(len(captions))], captions, None)


def encode(name, captions, params, fitted=None):
    encode_text = load("encoders", name).encode_text
    return encode_text(texts(captions), params, fitted or Fitted(), device="cpu")


@pytest.fixture(scope="module")
def sbert(tmp_path_factory):
    return tiny.sbert(tmp_path_factory.mktemp("sbert") / "model")


def unit(row):
    return row / (np.linalg.norm(row) + 1e-10)


def test_sbert_is_the_mean_of_the_librarys_embeddings(sbert):
    """Each caption through SentenceTransformer.encode; blank ones do not count."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(sbert), device="cpu")
    found = encode("sbert", CAPTIONS, options("sbert", model=str(sbert)))
    for row, captions in zip(found, CAPTIONS, strict=True):
        each = [unit(model.encode(text)) for text in captions if text.strip()]
        expected = unit(np.mean(each, axis=0)) if each else np.zeros(32)
        assert row == pytest.approx(expected, abs=1e-5)
    assert found.dtype == np.float32
    joined = encode("sbert", CAPTIONS, options("sbert", model=str(sbert), joined=True))
    expected = unit(model.encode("a red dog. on grass"))
    assert joined[0] == pytest.approx(expected, abs=1e-5)


def test_sbert_does_not_depend_on_the_block(sbert):
    """The same bytes in one block and in several, captions of many lengths."""
    params = options("sbert", model=str(sbert))
    captions = [["a dog " * (i % 9 + 1), "the bus"] for i in range(40)]
    whole = encode("sbert", captions, params)
    parts = [encode("sbert", captions[a : a + 16], params) for a in (0, 16, 32)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_caption_sbert_is_sbert_on_made_captions(sbert):
    """Only the default of `captions` differs."""
    ours, theirs = options("caption_sbert"), options("sbert")
    assert dataclasses.asdict(ours) == {
        **dataclasses.asdict(theirs),
        "captions": "blip",
    }
    params = options("caption_sbert", model=str(sbert))
    made = encode("caption_sbert", CAPTIONS, params)
    assert np.array_equal(
        made, encode("sbert", CAPTIONS, options("sbert", model=str(sbert)))
    )
    assert load("encoders", "caption_sbert").identity(params)["revision"] == "local"


def test_captions_alone_are_unit_rows(sbert):
    """encode_captions, which retrieval uses: in order, none for none."""
    params, encode_captions = (
        options("sbert", model=str(sbert)),
        load("encoders", "sbert").encode_captions,
    )
    rows = encode_captions(["a dog", "the bus"], params, Fitted(), device="cpu")
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-6)
    assert rows[1] == pytest.approx(encode("sbert", [["the bus"]], params)[0])
    assert encode_captions([], params, Fitted(), device="cpu").shape == (0, 32)


def test_miniclip_embeds_captions_alone():
    """The mean of encode_captions' rows, at unit norm, is encode_text's row."""
    module = load("encoders", "miniclip")
    params = options("miniclip", dim=8, size=16, width=8, steps=2, batch=4)
    captions = [["a red dog", "one dog"], ["a blue bus", "the red bus"]] * 4
    images = np.zeros((8, 3, 16, 16), np.uint8)
    batch = Batch([str(i) for i in range(8)], captions, images)
    fitted = module.fit(batch, params, seed=1, device="cpu")
    rows = module.encode_captions(captions[1], params, fitted, device="cpu")
    text = module.encode_text(batch, params, fitted, device="cpu")
    assert rows.shape == (2, 8)
    assert text[1] == pytest.approx(unit(rows.mean(axis=0)), abs=1e-5)


def test_tfidf_is_scikit_learns_on_joined_captions():
    """Vocabulary and weights of the rows to fit on, applied to all."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    captions = [["a red dog", "the dog"], ["a blue bus"], ["red kites", "dogs"], ["a"]]
    module, params = load("encoders", "tfidf"), options("tfidf", max_words=4)
    fitted = module.fit(texts(captions[:3]), params, seed=0, device="cpu")
    found = encode("tfidf", captions, params, fitted)
    documents = [". ".join(c) for c in captions]
    oracle = TfidfVectorizer(max_features=4, stop_words="english").fit(documents[:3])
    assert fitted.facts["vocabulary"] == oracle.get_feature_names_out().tolist()
    assert found == pytest.approx(oracle.transform(documents).toarray())
    assert found.dtype == np.float32
    assert not found[3].any()
    with pytest.raises(MmclustError, match="too few words for tfidf"):
        module.fit(texts([["the and"]]), params, seed=0, device="cpu")


VECTORS = """dog 1 2 3
. . . 9 9 9
bus 3 2 1
Dog 7 7 7
dog 8 8 8
ab 0 0 3
"""


@pytest.mark.parametrize("head", ["", "6 3\n"])
def test_word_vectors_by_hand(tmp_path, head):
    """GloVe's form and fastText's: means over all known words, not normalised."""
    file = tmp_path / "vectors.txt"
    file.write_text(head + VECTORS)
    params = options("word_vectors", file=str(file))
    captions = [["A DOG, a dog!", "bus2 unknown"], ["a x"], ["ab-dog_s"], []]
    found = encode("word_vectors", captions, params)
    dog, bus, ab = np.array([[1, 2, 3], [3, 2, 1], [0, 0, 3]])
    assert found.tolist() == [
        ((2 * dog + bus) / 3).astype(np.float32).tolist(),
        [0, 0, 0],
        ab.tolist(),
        [0, 0, 0],
    ]
    assert load("encoders", "word_vectors").identity(params)["model"] == "vectors.txt"


def test_words_are_gensims():
    """Lower case, letters of any alphabet, 2 to 15 of them, no leading underscore."""
    words_of = load("encoders", "word_vectors").words_of
    text = "Über-große 3dogs x _y a_b cafés " + "z" * 15 + " " + "q" * 16
    assert words_of([text]) == ["über", "große", "dogs", "a_b", "cafés", "z" * 15]


def test_word_vectors_say_what_the_file_is_not(tmp_path):
    """Missing, or no vectors: the error says what to download."""
    (tmp_path / "prose.txt").write_text("It was a dark night.\nAnd it rained a lot.\n")
    (tmp_path / "empty.txt").write_text("")
    for name, message in (
        ("none.txt", "none.txt is missing"),
        ("prose.txt", "prose.txt is not a text file of word vectors"),
        ("empty.txt", "empty.txt is not a text file of word vectors"),
    ):
        params = options("word_vectors", file=str(tmp_path / name))
        with pytest.raises(MmclustError, match=message) as caught:
            encode("word_vectors", [["dog"]], params)
        assert "glove.6B.300d.txt" in str(caught.value)
