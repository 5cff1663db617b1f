"""Parts of grounding: maps, masks, nouns, CLIP, matching, pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmclust.core.errors import MmclustError
from mmclust.core.io import write_array
from mmclust.core.objects import read_objects
from mmclust.grounding.boxes import encode, mask_iou, outline
from mmclust.grounding.captions import (
    matched_pairs,
    matching_figures,
    nouns_of,
    tagged_tokens,
)
from mmclust.grounding.classes import clip_baseline
from mmclust.grounding.draw import draw
from mmclust.grounding.look import Network, read_gold, read_model
from mmclust.models.backbones import classifier, feature_layer, load
from tests.grounding.toy import SIDE, write_benchmark, write_model


@pytest.fixture
def world(tmp_path):
    manifest, _ = write_benchmark(tmp_path)
    folder = write_model(tmp_path, manifest)
    return tmp_path, manifest, read_model(folder)


def test_maps_are_weighted_sums_scaled_and_enlarged(world):
    """sum_k w_ck A_k, min-max, bicubic without aligned corners; outputs alike."""
    _, _, model = world
    pictures = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    network = Network(model, 0)
    outputs = network.outputs(pictures)
    module = load(model.weights(0), "small", 3)
    kept = []
    feature_layer(module).register_forward_hook(lambda *a: kept.append(a[2]))
    values = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        expected = module((values - 0.5) / 0.25)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    small, large = network.maps(1, np.array([2, 0]))
    weight = classifier(module).weight.detach()
    for at, cluster in enumerate((2, 0)):
        plain = sum(weight[cluster, k] * kept[0][1, k] for k in range(weight.shape[1]))
        plain = (plain - plain.min()) / (plain.max() - plain.min())
        np.testing.assert_allclose(small[at], plain, atol=1e-5)
        wide = torch.nn.functional.interpolate(
            plain[None, None], (SIDE, SIDE), mode="bicubic", align_corners=False
        )
        np.testing.assert_allclose(large[at], wide[0, 0], atol=1e-5)
    assert network.maps(0, np.zeros(0, np.int64))[1].shape == (0, SIDE, SIDE)


def test_outlines_are_drawn_on_the_square_input():
    """The right half of a 64 x 48 picture, as polygon and as run lengths."""
    polygon = outline("[[32,0,64,0,64,48,32,48]]", 64, 48, 32, "")
    half = np.zeros((32, 32), bool)
    half[:, 16:] = True
    assert mask_iou([encode(half)], [polygon])[0, 0] == 1
    # Column by column: 32 columns of 48 off, then as many on.
    crowd = outline('{"size":[48,64],"counts":[1536,1536]}', 64, 48, 32, "")
    assert mask_iou([encode(half)], [crowd])[0, 0] == 1
    # A polygon of two points has no area.
    assert mask_iou([encode(half)], [outline("[[0,0,9,9]]", 64, 48, 32, "")])[0, 0] == 0
    assert mask_iou([], [polygon]).shape == (0, 1)


@pytest.mark.parametrize("text", ['"square"', '{"size":[2,2]}', "[[1,2,3,4,5,6,7]]"])
def test_an_outline_in_another_layout_is_refused(text):
    """Named by its image."""
    with pytest.raises(MmclustError, match="not in COCO's layout") as error:
        outline(text, 64, 48, 32, "row 7")
    assert "row 7" in str(error.value)


def test_images_know_their_captions(world):
    """Samples are images with their first caption: p1 with p2, p3 with p4."""
    _, manifest, model = world
    captions = [manifest.captions[row] for row in manifest.evaluate_rows]
    # "A dog." has clusters 0 and 1; "a cat" 1; "A dog" 0 and 1; "a" 1; "dog" 0.
    active = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 0]], bool)
    pairs = matched_pairs(model, 0, captions, active)
    assert pairs["right"].tolist() == [True, False]  # 0 < 1; 2 > 1
    assert pairs["wrong"].tolist() == [False, True]
    rng = np.random.default_rng(0)
    found = matching_figures(model, captions, [active] * 2, n_resamples=100, rng=rng)
    assert found["n_pairs"] == 2
    assert found["accuracy"].mean == found["extended_accuracy"].mean == 0.5
    one = matching_figures(model, [["dog"]], [active[:1]] * 2, n_resamples=9, rng=rng)
    assert one["accuracy"].mean is None
    assert one["accuracy"].note


HEAD = "image_id\tcaption\ttoken\ttag\n"


def test_nouns_are_words_sure_of_a_cluster(world):
    """p1 "A dog .": a (0.3) and dog are taken for nouns; rare (0.02) is not."""
    root, manifest, model = world
    lines = ["p1\t0\ta\tDT", "p1\t0\tdog\tNN", "p1\t0\t.\t.", "p4\t1\tcat\tNN",
             "p4\t1\trare\tNNS", "p0\t0\tignored\tNN"]  # fmt: skip
    path = root / "tags.tsv"
    path.write_text(HEAD + "\n".join(lines) + "\n")
    rows = manifest.evaluate_rows
    tagged = tagged_tokens(str(path), manifest, rows)
    assert tagged[0] == ["a", "dog", ".", "cat", "rare"]
    counts = nouns_of(model, 0, tagged, len(rows))
    assert counts.tolist() == [[1, 1, 0], [0] * 3, [0] * 3, [1, 0, 1], [0] * 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,token\n", "other columns"),
        (HEAD + "p1\tzero\ta\tDT\n", "line of a file of tags is not complete"),
        (HEAD + "p9\t0\ta\tDT\n", "knows none of the captions"),
        (HEAD + "p1\t0\tA\tDT\n", "other tokens than the caption has"),
    ],
)
def test_tags_that_do_not_fit_are_refused(world, text, message):
    """Each with the line or the image."""
    root, manifest, _ = world
    (root / "tags.tsv").write_text(text)
    with pytest.raises(MmclustError, match=message):
        tagged_tokens(str(root / "tags.tsv"), manifest, manifest.evaluate_rows)


def test_a_tagger_that_is_not_installed_is_named(world):
    """No download behind the user's back."""
    _, manifest, _ = world
    with pytest.raises(MmclustError, match="spaCy model that is not installed"):
        tagged_tokens("xx_no_such_model", manifest, manifest.evaluate_rows)


def test_the_clip_threshold_is_chosen_on_the_training_part(world):
    """The one training image is a dog, at cosine 1: that is the threshold."""
    root, manifest, _ = world
    folder = root / "data/benchmarks/coco_words"
    gold = read_gold(read_objects(folder / "objects.parquet"), manifest)
    dog, cat = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    images = np.concatenate([3 * dog, dog, cat, dog, cat, cat]).astype(np.float32)
    write_array(root / "i.npy", images)
    write_array(root / "c.npy", np.concatenate([dog, cat]).astype(np.float32))
    files = str(root / "i.npy"), str(root / "c.npy")
    counts, facts = clip_baseline(*files, manifest, gold)
    said = {(score.method, score.metric): score.mean for score in facts}
    assert said["clip", "threshold"] == said["clip", "threshold_train_f1"] == 1
    # p1 dog right; p2 cat right; p3 shows nothing; p4 nothing; p5 is a dog.
    assert counts["clip"].tolist() == [
        [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 1]]
    ]
    write_array(root / "i.npy", images[:4])
    with pytest.raises(MmclustError, match="do not fit the benchmark"):
        clip_baseline(*files, manifest, gold)
    write_array(root / "i.npy", images)
    write_array(root / "c.npy", np.ones((2, 3), np.float32))
    with pytest.raises(MmclustError, match="not of one space"):
        clip_baseline(*files, manifest, gold)


def test_a_picture_is_drawn_with_its_clusters(world):
    """By id, with objects, and from a file; the same both times but for these."""
    root, _, model = world
    benchmark = root / "data/benchmarks/coco_words"
    drawn = draw("p1", root / "a.png", model.folder, benchmark)
    outputs = [output for *_, output in drawn]
    assert outputs == sorted(outputs, reverse=True)
    with Image.open(root / "a.png") as page:
        columns = min(3, 1 + len(drawn))
        assert page.width == columns * 336
        first = np.asarray(page.convert("RGB"))
    Image.new("RGB", (40, 30), "red").save(root / "mine.jpg")
    draw(str(root / "mine.jpg"), root / "b.jpg", model.folder, benchmark, most=1)
    draw("p1", root / "a.png", model.folder, benchmark)
    with Image.open(root / "a.png") as page:
        np.testing.assert_array_equal(np.asarray(page.convert("RGB")), first)


@pytest.mark.parametrize(
    ("image", "out", "seed", "message"),
    [
        ("p99", "a.png", 0, "no such picture"),
        ("p1", "a.tiff", 0, "cannot be written"),
        ("p1", "a.png", 2, "has no run 2"),
    ],
)
def test_what_cannot_be_drawn_is_said(world, image, out, seed, message):
    """Nothing is written."""
    root, _, model = world
    benchmark = root / "data/benchmarks/coco_words"
    with pytest.raises(MmclustError, match=message):
        draw(image, root / out, model.folder, benchmark, seed=seed)
    assert not (root / out).exists()
