"""aligned: two frozen encoders, and projections learnt on pairs."""

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.plugins import instance_of
from mmclust.core.types import Batch
from mmclust.encoders import aligned

WORDS = ("red", "green", "blue")


class Letters:
    """A stand-in for a text encoder that learns nothing: counts of letters."""

    VIEWS = ("text",)

    @staticmethod
    def encode_captions(captions, *_, **__):
        rows = [[text.count(chr(97 + i)) for i in range(26)] for text in captions]
        return np.array(rows, np.float32).reshape(-1, 26)


@pytest.fixture
def encoder(monkeypatch):
    """Colours of pictures, letters of captions: 8 features in common."""
    found = instance_of(
        "encoders", "own",
        {"is": "aligned", "image": {"color_histogram": {"bins": 4}}, "text":
         {"minilm": None}, "dim": 8, "steps": 120, "batch": 16},
        "encoders.own",
    )  # fmt: skip
    real = aligned._member
    monkeypatch.setattr(
        aligned, "_member",
        lambda params, view: real(params, view) if view == "image" else _Text(),
    )  # fmt: skip
    return found.options


class _Text:
    name, module, options = "letters", Letters, None


def pairs(n=48, seed=0):
    rng = np.random.default_rng(seed)
    pictures = []
    for i in range(n):
        rgb = rng.integers(0, 90, (20, 24, 3), dtype=np.uint8)
        rgb[..., i % 3] += 150
        pictures.append(rgb)
    captions = [
        [f"a {WORDS[i % 3]} thing", f"one {WORDS[i % 3]} box"] for i in range(n)
    ]
    return pictures, captions


def batch_of(encoder, n=48, seed=0):
    pictures, captions = pairs(n, seed)
    ready = np.stack([aligned.prepare(rgb, encoder) for rgb in pictures])
    return Batch([str(i) for i in range(n)], captions, ready)


def test_words_meet_the_pictures_that_they_are_said_of(encoder):
    """New pictures are nearest to their own word; no label was seen."""
    fitted = aligned.fit(batch_of(encoder), encoder, seed=1, device="cpu")
    assert fitted.facts["loss"][-1] < fitted.facts["loss"][0]
    new = batch_of(encoder, 9, seed=1)
    images = aligned.encode_image(new, encoder, fitted, device="cpu")
    words = aligned.encode_captions(
        [f"a {word} thing" for word in WORDS], encoder, fitted, device="cpu"
    )
    assert (images @ words.T).argmax(1).tolist() == [0, 1, 2] * 3
    assert np.linalg.norm(images, axis=1) == pytest.approx(1, abs=1e-5)
    texts = aligned.encode_text(new, encoder, fitted, device="cpu")
    assert texts.shape == images.shape == (9, 8)


def test_the_same_seed_gives_the_same_bytes(encoder):
    """And another seed others."""
    batch = batch_of(encoder)
    first, again, other = (
        aligned.fit(batch, encoder, seed=s, device="cpu").arrays["image"].tobytes()
        for s in (1, 1, 2)
    )
    assert first == again != other


def test_pictures_without_captions_are_left_out_of_the_fit(encoder):
    """One pair is too few."""
    batch = batch_of(encoder, 4)
    bare = Batch(batch.image_ids, [["a red box"], [], [" "], []], batch.images)
    with pytest.raises(MmclustError, match="at least two pictures with captions"):
        aligned.fit(bare, encoder, seed=1, device="cpu")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"image": {"miniclip": None}}, "one encoder of images, which learns nothing"),
        ({"image": {"hog": None, "lbp": None}}, "hog, lbp"),
        ({"text": {"lsa": None}}, "one encoder of texts, which learns nothing"),
        ({"text": {"hogg": None}}, "Did you mean 'hog'"),
    ],
)
def test_encoders_that_do_not_fit(block, message):
    """Each view has one encoder, which learns nothing; options of each are checked."""
    with pytest.raises(MmclustError, match=message):
        instance_of("encoders", "aligned", block, "encoders.aligned")
