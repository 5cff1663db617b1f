"""The classical encoders, against hand-computed values and independent libraries."""

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.plugins import load
from mmclust.core.types import Batch, Fitted
from tests.encoders.tiny import options


def prepare(name, rgb, **block):
    return load("encoders", name).prepare(rgb, options(name, **block))


def picture(seed=0, size=(120, 160)):
    """Smooth noise with some sharp squares: keypoints, edges and textures."""
    import cv2

    rng = np.random.default_rng(seed)
    rgb = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), dtype=np.uint8), (9, 9), 0)
    for _ in range(8):
        y, x = rng.integers(0, size[0] - 20), rng.integers(0, size[1] - 20)
        rgb[y : y + 15, x : x + 15] = rng.integers(0, 256, 3)
    return rgb


@pytest.mark.parametrize(("points", "radius"), [(8, 1.0), (8, 2.0), (300, 2.0), (4, 1)])
@pytest.mark.parametrize("levels", [2, 4, 256])
def test_lbp_patterns_are_those_of_scikit_image(points, radius, levels):
    """Pixel for pixel, with few grey levels (many ties), many, and none at all."""
    feature = pytest.importorskip("skimage.feature")
    rng = np.random.default_rng(levels)
    noise = (rng.integers(0, levels, (60, 52)) * (256 // levels)).astype(np.uint8)
    for grey in (noise, np.full((40, 40), 77, np.uint8)):
        found = load("encoders", "lbp").patterns(grey, points, radius)
        expected = feature.local_binary_pattern(grey, points, radius, "uniform")
        assert np.array_equal(found, expected)


def test_lbp_counts_patterns_of_each_cell():
    """10 features that sum to 1; per cell with a grid, whose mean is the whole."""
    whole = prepare("lbp", picture())
    cells = prepare("lbp", picture(), grid=4).reshape(16, 10)
    assert whole.shape == (10,)
    assert whole.dtype == np.float32
    assert whole.sum() == pytest.approx(1)
    assert cells.sum(axis=1) == pytest.approx(1)
    assert cells.mean(axis=0) == pytest.approx(whole, abs=1e-6)
    many = prepare("lbp", picture(), points=300)  # more than a byte counts
    assert many.shape == (302,)
    assert many.sum() == pytest.approx(1)


def test_canny_measures_edges_where_they_are():
    """A bright square in the upper left eighth: edges in its cells alone."""
    rgb = np.zeros((224, 224, 3), np.uint8)
    rgb[6:20, 6:20] = 255
    found = prepare("canny", rgb).reshape(8, 8)
    assert found.dtype == np.float32
    assert found[0, 0] > 0.05
    assert found.sum() == found[0, 0]
    assert prepare("canny", picture(), grid=4).shape == (16,)


@pytest.mark.parametrize("name", ["canny", "lbp"])
def test_grids_must_tile_the_image(name):
    """A grid that does not divide the image is refused by name."""
    with pytest.raises(MmclustError, match="must tile the image") as caught:
        prepare(name, picture(), size=100, grid=3)
    assert "size 100, grid 3" in str(caught.value)
    assert f"encoders.{name}" in str(caught.value)


def test_sift_is_the_mean_descriptor_of_each_quadrant():
    """Against a loop over OpenCV's own keypoints; 512 features."""
    import cv2

    rgb = picture()
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (224, 224), interpolation=cv2.INTER_AREA)
    points, descriptors = cv2.SIFT_create().detectAndCompute(grey, None)
    expected = []
    for below in (False, True):
        for right in (False, True):
            inside = [
                d
                for p, d in zip(points, descriptors, strict=True)
                if (p.pt[1] >= 112, p.pt[0] >= 112) == (below, right)
            ]
            expected.append(np.mean(inside, axis=0) if inside else np.zeros(128))
    found = prepare("sift", rgb)
    assert found.shape == (512,)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.concatenate(expected), abs=1e-3)
    assert not prepare("sift", np.full((50, 50, 3), 9, np.uint8)).any()


def bag(n=6, **block):
    encoder, params = load("encoders", "sift_bow"), options("sift_bow", **block)
    images = np.stack([encoder.prepare(picture(i), params) for i in range(n)])
    ids = [f"{i}" for i in range(n)]
    return encoder, params, Batch(ids, [()] * n, images)


def test_sift_bow_counts_the_nearest_words():
    """A histogram of nearest words by brute force, at unit norm; blocks agree."""
    encoder, params, batch = bag(words=8, keypoints=40)
    assert batch.images.shape == (6, 40, 128)
    fitted = encoder.fit(batch, params, seed=3, device="cpu")
    found = encoder.encode_image(batch, params, fitted, device="cpu")
    words = fitted.arrays["words"]
    for image, row in zip(batch.images, found, strict=True):
        here = image[image.any(axis=1)].astype(float)
        nearest = ((here[:, None] - words) ** 2).sum(-1).argmin(1)
        counts = np.bincount(nearest, minlength=8)
        assert row == pytest.approx(counts / np.linalg.norm(counts), abs=1e-6)
    part = Batch(["5"], [()], batch.images[5:])
    alone = encoder.encode_image(part, params, fitted, device="cpu")
    assert alone.tobytes() == found[5:].tobytes()
    again = encoder.fit(batch, params, seed=3, device="cpu")
    assert again.arrays["words"].tobytes() == words.tobytes()


def test_sift_bow_keeps_the_strongest_and_samples(monkeypatch):
    """Fewer keypoints are a prefix of more; a picture without any is zeros."""
    encoder, params, batch = bag(words=4, keypoints=10, sample=20)
    more = np.stack([prepare("sift_bow", picture(i), keypoints=30) for i in range(6)])
    assert np.array_equal(more[:, :10], batch.images)
    fitted = encoder.fit(batch, params, seed=3, device="cpu")
    assert fitted.facts == {"descriptors": 20}
    monkeypatch.setattr(encoder, "_PART", 2)  # looked through two at a time
    streamed = encoder.fit(batch, params, seed=3, device="cpu")
    assert streamed.arrays["words"].tobytes() == fitted.arrays["words"].tobytes()
    with pytest.raises(MmclustError, match="more words than descriptors"):
        encoder.fit(batch, options("sift_bow", sample=3), seed=3, device="cpu")
    blank = Batch(["b"], [()], np.zeros((1, 10, 128), np.uint8))
    assert not encoder.encode_image(blank, params, fitted, device="cpu").any()
    with pytest.raises(MmclustError, match="too few keypoints"):
        encoder.fit(blank, params, seed=3, device="cpu")


def test_hog_blocks_are_a_parameter():
    """(cells - block + 1)² · block² · bins features."""
    assert prepare("hog", picture(), size=64, cell=16, block=3).shape == (4 * 81,)
    assert prepare("hog", picture(), size=64, cell=32, block=1).shape == (36,)
    with pytest.raises(MmclustError, match="HOG cells must tile") as caught:
        prepare("hog", picture(), size=64, cell=32, block=3)
    assert "size 64, cell 32, block 3" in str(caught.value)


def test_classical_joins_five_encoders_at_equal_weight():
    """1,006 features: each member as it is alone, at unit norm."""
    encoder, params = load("encoders", "classical"), options("classical")
    rgb = picture()
    packed = encoder.prepare(rgb, params)
    batch = Batch(["a"], [()], packed[None])
    (found,) = encoder.encode_image(batch, params, Fitted(), device="cpu")
    alone = [
        prepare(n, rgb) for n in ("sift", "hog", "color_histogram", "canny", "lbp")
    ]
    expected = np.concatenate([a / np.linalg.norm(a) for a in alone])
    assert packed.dtype == np.uint8
    assert found.shape == (1006,)
    assert found == pytest.approx(expected, abs=1e-6)


def test_classical_takes_its_members_options():
    """encoders.classical.lbp.grid is lbp's grid; an unknown option is refused."""
    params = options("classical", lbp={"grid": 2})
    packed = load("encoders", "classical").prepare(picture(), params)
    batch = Batch(["a"], [()], packed[None])
    encode = load("encoders", "classical").encode_image
    assert encode(batch, params, Fitted(), device="cpu").shape == (1, 1036)
    with pytest.raises(MmclustError, match=r"encoders\.classical.lbp\.grod"):
        options("classical", lbp={"grod": 2})


def test_fuse_joins_any_members_and_fits_those_that_learn():
    """sift_bow learns inside a fusion what it learns alone with that seed."""
    from mmclust.core.seeds import derive

    encoder = load("encoders", "fuse")
    block = {"words": 5, "keypoints": 30}
    params = options("fuse", members={"canny": {"grid": 2}, "sift_bow": block},
                     views=["image", "image"])  # fmt: skip
    assert params.views == ("image",)
    rows = np.stack([encoder.prepare(picture(i), params) for i in range(4)])
    batch = Batch(list("abcd"), [()] * 4, rows)
    fitted = encoder.fit(batch, params, seed=7, device="cpu")
    found = encoder.encode_image(batch, params, fitted, device="cpu")
    alone, own, inner = bag(4, **block)
    learned = alone.fit(inner, own, seed=derive(7, "sift_bow"), device="cpu")
    expected = alone.encode_image(inner, own, learned, device="cpu")
    assert list(fitted.arrays) == ["sift_bow/words"]
    assert found.shape == (4, 9)
    assert found[:, 4:] == pytest.approx(expected, abs=1e-6)
    assert np.linalg.norm(found[:, :4], axis=1) == pytest.approx(1)


def test_fuse_says_what_it_cannot_join():
    """No member, an unknown one, one that reads captions, an unknown option."""
    encoder, rgb = load("encoders", "fuse"), picture()
    for members, message in (
        ({}, "No encoder is named to fuse"),
        ({"hogg": {}}, "Unknown encoder 'hogg'"),
        ({"lsa": {}}, "lsa does not look at images"),
        ({"hog": {"cel": 8}}, "Unknown key 'encoders.fuse.members.hog.cel'"),
    ):
        with pytest.raises(MmclustError, match=message):
            encoder.prepare(rgb, options("fuse", members=members))
