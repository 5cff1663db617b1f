"""Each encoder's features, against hand-computed values and stated properties."""

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.fingerprint import code
from mmclust.core.plugins import known, load, names
from mmclust.core.types import Batch, Fitted
from tests.encoders.tiny import options

CAPTIONS = [
    ["a red kite flies", "the red kite"],
    ["a brown dog", "one dog runs on grass"],
    ["a red bus", "some bus on a road"],
    ["two brown dogs and a dog", "a brown dog"],
] * 4


def batch(images=None, captions=CAPTIONS):
    return Batch([f"{i:03d}" for i in range(len(captions))], captions, images)


def test_colour_histogram_by_hand():
    """Two pixels, four bins a channel: shares of pixels, red, green, blue."""
    encoder = load("encoders", "color_histogram")
    rgb = np.array([[[0, 64, 255], [63, 255, 255]]], np.uint8)
    found = encoder.prepare(rgb, options("color_histogram", bins=4))
    assert found.tolist() == [1, 0, 0, 0, 0, 0.5, 0, 0.5, 0, 0, 0, 1]
    assert found.dtype == np.float32
    assert len(encoder.prepare(rgb, options("color_histogram"))) == 96


def test_hog_has_the_published_size_and_sees_edges():
    """324 features by default; vertical and horizontal stripes differ most in
    orientation, and brightness does not matter."""
    encoder, params = load("encoders", "hog"), options("hog")
    stripes = np.zeros((224, 224, 3), np.uint8)
    stripes[:, ::8] = 200
    upright = encoder.prepare(stripes, params)
    lying = encoder.prepare(stripes.transpose(1, 0, 2).copy(), params)
    assert upright.shape == (324,)
    assert upright.dtype == np.float32
    assert upright @ lying < 0.2 * (upright @ upright)
    dimmer = encoder.prepare(stripes // 2, params)
    assert np.allclose(upright, dimmer, atol=0.02)


def test_lsa_equals_a_plain_svd_of_tfidf():
    """Inner products equal those of the best rank-d approximation of TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    encoder, params = load("encoders", "lsa"), options("lsa", dim=3)
    fitted = encoder.fit(batch(), params, seed=1, device="cpu")
    found = encoder.encode_text(batch(), params, fitted, device="cpu")
    documents = [". ".join(c) for c in CAPTIONS]
    tfidf = TfidfVectorizer(stop_words="english").fit_transform(documents).toarray()
    u, s, _ = np.linalg.svd(tfidf, full_matrices=False)
    expected = u[:, :3] * s[:3]
    assert np.allclose(found @ found.T, expected @ expected.T, atol=1e-5)
    assert found.dtype == np.float32


def test_lsa_survives_few_images_and_refuses_few_words():
    """dim shrinks to what the captions hold; captions without words are an error."""
    encoder, params = load("encoders", "lsa"), options("lsa")
    few = batch(captions=CAPTIONS[:3])
    fitted = encoder.fit(few, params, seed=1, device="cpu")
    assert encoder.encode_text(few, params, fitted, device="cpu").shape == (3, 2)
    for captions in ([["the and"]] * 3, [["dog"]] * 3):
        with pytest.raises(MmclustError, match="too few words"):
            encoder.fit(batch(captions=captions), params, seed=1, device="cpu")


def test_random_features_depend_on_id_and_seed_alone():
    """The same image has the same features in any batch, others have others."""
    encoder, params = load("encoders", "random"), options("random", dim=2000)
    fitted = encoder.fit(batch(), params, seed=5, device="cpu")
    whole = encoder.encode_image(batch(), params, fitted, device="cpu")
    part = Batch(["003"], [[]], None)
    alone = encoder.encode_image(part, params, fitted, device="cpu")
    assert np.array_equal(whole[3], alone[0])
    text = encoder.encode_text(part, params, fitted, device="cpu")
    assert abs(np.corrcoef(text[0], alone[0])[0, 1]) < 0.1
    assert whole.std() == pytest.approx(1, abs=0.02)


def scenes(n=48):
    """Pictures of a coloured square with a caption that names the colour."""
    rng = np.random.default_rng(0)
    colours = ("red", "green", "blue")
    pictures = rng.integers(0, 60, (n, 3, 32, 32)).astype(np.uint8)
    for i in range(n):
        pictures[i, i % 3, 8:24, 8:24] = 230
    captions = [
        [f"a {colours[i % 3]} square", f"the {colours[i % 3]} one"] for i in range(n)
    ]
    return batch(pictures, captions)


def test_miniclip_learns_pairs_without_labels():
    """After training, a picture is nearest to captions of its own colour."""
    encoder = load("encoders", "miniclip")
    params = options("miniclip", dim=16, size=32, width=8, steps=60, batch=24)
    fitted = encoder.fit(scenes(), params, seed=3, device="cpu")
    image = encoder.encode_image(scenes(), params, fitted, device="cpu")
    text = encoder.encode_text(scenes(), params, fitted, device="cpu")
    assert image.shape == text.shape == (48, 16)
    assert image.dtype == text.dtype == np.float32
    assert np.linalg.norm(image, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(text, axis=1) == pytest.approx(1, abs=1e-5)
    nearest = (image @ text.T).argmax(1)
    assert np.mean(nearest % 3 == np.arange(48) % 3) > 0.95
    assert fitted.facts["loss"][-1] < 0.8 * fitted.facts["loss"][0]


def test_miniclip_gives_the_same_bytes_for_the_same_seed():
    """Training is a function of data, params and seed, and seeds nothing global."""
    import torch

    encoder = load("encoders", "miniclip")
    params = options("miniclip", dim=16, size=32, width=8, steps=4, batch=24)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    one = encoder.fit(scenes(), params, seed=3, device="cpu")
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(12)
    two = encoder.fit(scenes(), params, seed=3, device="cpu")
    other = encoder.fit(scenes(), params, seed=4, device="cpu")
    assert len(one.arrays) > 10
    for name, array in one.arrays.items():
        assert array.tobytes() == two.arrays[name].tobytes()
    assert any(a.tobytes() != other.arrays[n].tobytes() for n, a in one.arrays.items())


def test_miniclip_trains_on_the_images_that_have_captions():
    """Others, which a fusion of image views lets in, change nothing."""
    encoder, whole = load("encoders", "miniclip"), scenes(12)
    params = options("miniclip", dim=8, size=32, width=8, steps=3, batch=16)
    more = Batch(
        [*whole.image_ids[:5], "bare", *whole.image_ids[5:]],
        [*whole.captions[:5], [], *whole.captions[5:]],
        np.insert(whole.images, 5, 7, axis=0),
    )
    one, two = (encoder.fit(b, params, seed=3, device="cpu") for b in (whole, more))
    assert one.facts == two.facts
    assert all(a.tobytes() == two.arrays[n].tobytes() for n, a in one.arrays.items())


def test_miniclip_needs_pairs_that_share_words():
    """One pair, or captions without a common word, are refused."""
    encoder, params = load("encoders", "miniclip"), options("miniclip", size=32)
    lonely = Batch(["a"], [["a dog", "a dog"]], np.zeros((1, 3, 32, 32), np.uint8))
    strange = Batch(["a", "b"], [["one"], ["two"]], np.zeros((2, 3, 32, 32), np.uint8))
    for each in (lonely, strange):
        with pytest.raises(MmclustError, match="at least two pairs"):
            encoder.fit(each, params, seed=0, device="cpu")


def test_every_encoder_offers_what_the_protocol_says():
    """Each file names its views and a Params with defaults, and can encode them.

    No file imports another, whose edits would then encode both anew.
    """
    listed = known("encoders")
    files = {f"mmclust.encoders.{name}" for name in names("encoders")}
    assert all(files & code(file).keys() == {file} for file in files)
    assert set(listed) >= {"miniclip", "hog", "color_histogram", "lsa", "random"}
    for name in listed:
        module = load("encoders", name)
        assert set(module.VIEWS) <= {"image", "text"}
        assert module.VIEWS
        if name in names("encoders") and not hasattr(module, "completed"):
            assert module.Params() == options(name)
        for view in module.VIEWS:
            prepared = view == "image" and hasattr(module, "prepare")
            assert hasattr(module, f"encode_{view}") or prepared
    assert Fitted().arrays == {}
