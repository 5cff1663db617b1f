"""`mmclust score retrieval` on files: joined by name, and the acceptance tests."""

import json
import unicodedata

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.manifest import Row, write_manifest
from mmclust.retrieval.own_files import (
    Embedded,
    caption_order,
    score_embeddings,
    score_matrix,
)
from mmclust.retrieval.task import read_task
from tests.retrieval.toy import unit, write_features, write_pool


@pytest.fixture
def pool(tmp_path):
    """A benchmark of 20 + 30 images, and embeddings in an order of their own."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "toy_fg"
    queries, others = write_pool(folder)
    images = unit(rng, 50)
    names = queries + others
    captions = [f"{q}#{j}" for q in queries for j in range(5)]
    texts = unit(rng, 100) + 0.6 * np.repeat(images[:20], 5, axis=0)
    order, turn = rng.permutation(50), rng.permutation(100)
    return {
        "folder": folder,
        "plain": (images, texts),
        "images": Embedded(*write_features(
            tmp_path, "x", [names[i] + ".jpg" for i in order], images[order])),
        "texts": Embedded(*write_features(
            tmp_path, "y", [captions[i] for i in turn], texts[turn])),
        "missing": tmp_path / "missing.txt",
    }  # fmt: skip


def score(pool, **changes):
    given = {"originals": None, "cosine": False, **changes}
    return score_embeddings(
        pool["folder"],
        given.pop("images", pool["images"]),
        given.pop("texts", pool["texts"]),
        n_resamples=100,
        seed=1,
        missing=pool["missing"],
        **given,
    )


def test_rows_are_joined_by_name(pool):
    """Shuffled files give what the arrays give in the benchmark's order."""
    images, texts = pool["plain"]
    scores = texts @ images.T
    own = np.repeat(np.arange(20), 5)
    right = scores[np.arange(100), own]
    found = score(pool)
    rank = 1 + (scores > right[:, None]).sum(1)
    assert found["t2i_r1"] == pytest.approx((rank == 1).mean())
    assert found["t2i_mean_rank"] == pytest.approx(rank.mean())
    small = 1 + (scores[:, :20] > right[:, None]).sum(1)
    assert found["old_pool_t2i_r5"] == pytest.approx((small <= 5).mean())
    best = np.array([right[own == i].max() for i in range(20)])
    i2t = 1 + (scores[:, :20] > best).sum(0)
    assert found["i2t_r1"] == pytest.approx((i2t == 1).mean())
    assert found["old_pool_i2t_r1"] == found["i2t_r1"]
    assert found["n_pool"] == 50
    assert found["old_pool_n_pool"] == 20
    assert found["rows_at_unit_norm"] is False
    assert all(np.isfinite(v) for v in found.values() if isinstance(v, float))


def test_cosine_scales_rows_first(pool):
    """Longer captions rank alike; longer images do not."""
    images, texts = pool["plain"]
    scores = (texts / np.linalg.norm(texts, axis=1, keepdims=True)) @ images.T
    right = scores[np.arange(100), np.repeat(np.arange(20), 5)]
    found = score(pool, cosine=True)
    assert found["t2i_mean_rank"] == pytest.approx(
        (1 + (scores > right[:, None]).sum(1)).mean()
    )
    assert found["similarity"] == "cosine"


def test_captions_may_be_named_by_image_alone(pool, tmp_path):
    """The next caption of that image each time."""
    names = [f"COCO_val2014_{i:012d}.jpg" for i in range(20) for _ in range(5)]
    texts = Embedded(*write_features(tmp_path, "z", names, pool["plain"][1]))
    assert score(pool, texts=texts) == score(pool)


@pytest.mark.parametrize("form", ["{}.jpg#{}", "val2014/{}.jpg#{}", "{}#{}", "{}_{}"])
def test_numbers_of_captions_hold_in_any_order(pool, tmp_path, form):
    """A file name before the number does not make the caption's place its number."""
    rng = np.random.default_rng(7)
    texts = unit(rng, 100)
    names = np.array(
        [form.format(f"COCO_val2014_{i:012d}", j) for i in range(20) for j in range(5)]
    )
    turn = rng.permutation(100)
    plain = Embedded(*write_features(tmp_path, "a", names, texts))
    mixed = Embedded(*write_features(tmp_path, "b", names[turn], texts[turn]))
    found = score(pool, texts=mixed)
    assert found == score(pool, texts=plain)
    # Recall hardly sees a swap of two captions of one image; the rows do.
    task = read_task(pool["folder"])
    captions = task.captions["main"]
    order = caption_order(
        names[turn].tolist(), captions, task, tmp_path / "b.txt", tmp_path / "missing"
    )
    np.testing.assert_array_equal(texts[turn][order], texts)


def test_the_four_settings(pool, tmp_path):
    """Plain and finer captions, with and without added images."""
    rng = np.random.default_rng(3)
    names = [f"COCO_val2014_{i:012d}#{j}" for i in range(20) for j in range(5)]
    plain = Embedded(*write_features(tmp_path, "o", names, unit(rng, 100)))
    found = score(pool, originals=plain)
    keys = ["rsum", "old_pool_rsum", "old_captions_rsum", "old_captions_old_pool_rsum"]
    values = [found[key] for key in keys]
    assert len(set(values)) == 4
    assert found["old_captions_i2t_r1"] == found["old_captions_old_pool_i2t_r1"]
    assert values[1] >= values[0]
    assert values[3] >= values[2]


def test_a_matrix_of_scores(pool, tmp_path):
    """Rows and columns in any order; the same figures as from embeddings."""
    images, texts = pool["plain"]
    rng = np.random.default_rng(5)
    turn, order = rng.permutation(100), rng.permutation(50)
    np.save(tmp_path / "s.npy", (texts @ images.T)[np.ix_(turn, order)])
    names = [f"COCO_val2014_{i:012d}" for i in range(20)]
    others = [f"{i:012d}" for i in range(30)]
    captions = [f"{n}#{j}" for n in names for j in range(5)]
    (tmp_path / "i.txt").write_text("\n".join(np.array(names + others)[order]))
    (tmp_path / "t.txt").write_text("\n".join(np.array(captions)[turn]))
    found = score_matrix(
        pool["folder"], tmp_path / "s.npy", tmp_path / "i.txt", tmp_path / "t.txt",
        n_resamples=100, seed=1, missing=pool["missing"],
    )  # fmt: skip
    ours = score(pool)
    assert {k: found[k] for k in found if k != "similarity"} == {
        k: ours[k] for k in found if k != "similarity"
    }


def test_captions_of_several_images_are_counted(tmp_path):
    """What a shared caption costs: its queries cannot all succeed at 1."""
    shared = {
        "COCO_val2014_000000000000": ("a cat", "b0", "c0", "d0", "e0"),
        "COCO_val2014_000000000001": ("a cat", "b1", "c1", "d1", "e1"),
    }
    queries, others = write_pool(tmp_path / "toy", texts=shared, original=False)
    rng = np.random.default_rng(0)
    images = unit(rng, 50)
    texts = np.repeat(images[:20], 5, axis=0)
    texts[5] = texts[0]  # the same words, the same embedding
    names = [f"{q}#{j}" for q in queries for j in range(5)]
    found = score_embeddings(
        tmp_path / "toy",
        Embedded(*write_features(tmp_path, "x", queries + others, images)),
        Embedded(*write_features(tmp_path, "y", names, texts)),
        cosine=False, n_resamples=100, seed=0, missing=tmp_path / "m.txt",
    )  # fmt: skip
    assert found["shared_captions"] == 1
    assert found["shared_caption_queries"] == 2
    assert found["t2i_r1"] == 0.99
    assert found["shared_caption_cost_t2i_r1"] == 0.01
    assert found["i2t_r1"] == 1.0
    assert found["i2t_tied_queries"] == 1  # image 0: the caption of image 1


def test_published_size_with_random_and_oracle_scores(tmp_path):
    """5,000 x 5 captions and 31,244 images: chance, and 600 for the oracle."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "mscoco_fg"
    queries, others = write_pool(folder, 5000, 26_244, original=False)
    images = unit(rng, 31_244)
    names = [f"{q}#{j}" for q in queries for j in range(5)]
    x = Embedded(*write_features(tmp_path, "x", queries + others, images))
    arguments = {"cosine": False, "n_resamples": 100, "seed": 0}
    arguments["missing"] = tmp_path / "missing.txt"
    y = Embedded(*write_features(tmp_path, "y", names, unit(rng, 25_000)))
    found = score_embeddings(folder, x, y, **arguments)
    assert found["chance_i2t_r1"] == 0.0002
    assert found["i2t_r10"] == pytest.approx(0.002, abs=0.002)
    assert found["t2i_r10"] == pytest.approx(10 / 31_244, abs=4e-4)
    assert found["t2i_median_rank"] == pytest.approx(15_622, rel=0.05)
    oracle = np.repeat(images[:5000], 5, axis=0)
    y = Embedded(*write_features(tmp_path, "y", names, oracle))
    found = score_embeddings(folder, x, y, **arguments)
    assert found["rsum"] == 600.0
    assert found["rsum_pessimistic"] == 600.0
    assert found["old_pool_rsum"] == 600.0


def test_missing_names_are_listed(pool, tmp_path):
    """All of them, in a file; the message shows the first."""
    images, texts = pool["plain"]
    names = [f"COCO_val2014_{i:012d}" for i in range(1, 20)]
    names += [f"{i:012d}" for i in range(30)]
    fewer = Embedded(*write_features(tmp_path, "f", names, images[1:]))
    with pytest.raises(MmclustError, match="images of the pool are missing") as error:
        score(pool, images=fewer)
    assert "1 missing: COCO_val2014_000000000000" in str(error.value)
    assert pool["missing"].read_text() == "COCO_val2014_000000000000\n"
    names = [f"COCO_val2014_{i:012d}#{j}" for i in range(20) for j in range(5)][:-2]
    short = Embedded(*write_features(tmp_path, "g", names, texts[:-2]))
    with pytest.raises(MmclustError, match="captions are missing"):
        score(pool, texts=short)
    assert pool["missing"].read_text().splitlines() == [
        "COCO_val2014_000000000019#3",
        "COCO_val2014_000000000019#4",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("elsewhere.jpg", "match nothing"),
        ("COCO_val2014_000000000003", "occur twice"),
        ("", "do not go together"),
    ],
)
def test_bad_image_names(pool, tmp_path, name, text):
    """Unknown, twice, empty."""
    names = [f"COCO_val2014_{i:012d}" for i in range(20)]
    names += [f"{i:012d}" for i in range(29)] + [name]
    bad = Embedded(*write_features(tmp_path, "b", names, pool["plain"][0]))
    with pytest.raises(MmclustError, match=text):
        score(pool, images=bad)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda rows: rows[:, :8], "different dimension"),
        (lambda rows: np.where(np.arange(100)[:, None] == 7, np.nan, rows), "NaN"),
        (lambda rows: rows * (np.arange(100)[:, None] != 7), "zero everywhere"),
        (lambda rows: rows[:-1], "do not go together"),
    ],
)
def test_bad_embeddings(pool, tmp_path, change, text):
    """Each is one clear error that names the file."""
    names = [f"COCO_val2014_{i:012d}#{j}" for i in range(20) for j in range(5)]
    bad = Embedded(*write_features(tmp_path, "n", names, change(pool["plain"][1])))
    with pytest.raises(MmclustError, match=text) as error:
        score(pool, texts=bad)
    assert "n." in str(error.value)


def test_an_added_image_may_be_zero(pool, tmp_path):
    """Of products as given it scores 0; a query or a cosine cannot be of zeros."""
    images, texts = pool["plain"]
    ids = [f"COCO_val2014_{i:012d}" for i in range(20)] + [
        f"{i:012d}" for i in range(30)
    ]
    zero = np.arange(50)[:, None] >= 20
    given = Embedded(*write_features(tmp_path, "z", ids, np.where(zero, 0, images)))
    scores = texts @ np.where(zero, 0, images).T
    own = scores[np.arange(100), np.repeat(np.arange(20), 5)]
    rank = 1 + (scores > own[:, None]).sum(1)
    assert score(pool, images=given)["t2i_mean_rank"] == pytest.approx(rank.mean())
    with pytest.raises(MmclustError, match="zero everywhere") as error:
        score(pool, images=given, cosine=True)
    assert "row 20" in str(error.value)
    zero = np.arange(50)[:, None] == 3
    given = Embedded(*write_features(tmp_path, "z", ids, np.where(zero, 0, images)))
    with pytest.raises(MmclustError, match="zero everywhere"):
        score(pool, images=given)


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float64])
def test_score_files_of_any_numbers(pool, tmp_path, kind):
    """An oracle's whole numbers; and doubles are not rounded to ties."""
    ids = pool["images"].ids.read_text().split()
    texts = pool["texts"].ids.read_text().split()
    right = [[t.split("#")[0] == i.removesuffix(".jpg") for i in ids] for t in texts]
    scores = np.array(right).astype(kind)
    if kind is np.float64:
        scores = 1 + 1e-12 * scores
    np.save(tmp_path / "s.npy", scores)
    found = score_matrix(
        pool["folder"],
        tmp_path / "s.npy",
        pool["images"].ids,
        pool["texts"].ids,
        n_resamples=100,
        seed=1,
        missing=pool["missing"],
    )
    assert found["rsum"] == found["rsum_pessimistic"] == 600


def test_a_number_beyond_the_captions_is_unknown(pool, tmp_path):
    """Captions are numbered from 0."""
    names = [f"COCO_val2014_{i:012d}#{j + 1}" for i in range(20) for j in range(5)]
    bad = Embedded(*write_features(tmp_path, "n", names, pool["plain"][1]))
    with pytest.raises(MmclustError, match="match nothing"):
        score(pool, texts=bad)


def test_without_captions_nothing_is_asked(tmp_path, pool):
    """A pool of images alone is refused; so are originals that were not built."""
    write_pool(tmp_path / "bare", n=0, original=False)
    with pytest.raises(MmclustError, match="no captions to retrieve with"):
        score({**pool, "folder": tmp_path / "bare"})
    write_pool(tmp_path / "plain", original=False)
    with pytest.raises(MmclustError, match="without its original captions"):
        score({**pool, "folder": tmp_path / "plain"}, originals=pool["texts"])


def test_the_command(pool, tmp_path, run_mmclust):
    """As a user runs it; the JSON is flat."""
    found = run_mmclust(
        "score", "retrieval", "--benchmark", pool["folder"],
        "--image-features", pool["images"].features, "--image-ids", pool["images"].ids,
        "--text-features", pool["texts"].features, "--text-ids", pool["texts"].ids,
        "--out", "out/metrics.json", "--resamples", 100, cwd=tmp_path,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert "RSUM" in found.stdout
    assert "inner products were ranked" in found.stdout
    record = json.loads((tmp_path / "out/metrics.json").read_text())
    assert all(not isinstance(value, dict) for value in record.values())
    assert record["t2i_r1"] == score(pool)["t2i_r1"]


def test_the_command_asks_for_what_is_lacking(pool, tmp_path, run_mmclust):
    """Usage errors have code 2; a file that is not there has code 1."""
    common = ["score", "retrieval", "--benchmark", pool["folder"], "--out", "m.json",
              "--image-ids", pool["images"].ids,
              "--text-ids", pool["texts"].ids]  # fmt: skip
    assert run_mmclust(*common, cwd=tmp_path).returncode == 2
    gone = run_mmclust(
        *common, "--image-features", "a.npy", "--text-features", "b.npy", cwd=tmp_path
    )
    assert gone.returncode == 1
    assert "a.npy" in gone.stderr


def test_names_in_another_unicode_form_are_found(tmp_path):
    """Composed in the benchmark, decomposed in the list of names, and the other way."""
    rng = np.random.default_rng(0)
    images, texts = unit(rng, 3), unit(rng, 3)
    plain = ["café", "naïve", "a"]
    found = []
    for ours, theirs in (("NFC", "NFC"), ("NFC", "NFD"), ("NFD", "NFC")):
        names = [unicodedata.normalize(ours, name) for name in plain]
        given = [unicodedata.normalize(theirs, name) for name in plain]
        rows = [
            Row(n, None, f"{n}.jpg", None, None, None, None, ("x",), "test")
            for n in names
        ]
        folder = tmp_path / f"{ours}_{theirs}"
        write_manifest(
            folder / "manifest.parquet", rows, benchmark="b", protocol="1", sources={}
        )
        x = write_features(folder, "x", [f"{n}.jpg" for n in given], images)
        y = write_features(folder, "y", [f"{n}#0" for n in given], texts)
        found.append(score({"folder": folder, "images": Embedded(*x),
                            "texts": Embedded(*y),
                            "missing": tmp_path / "missing.txt"}))  # fmt: skip
    assert found[0] == found[1] == found[2]


def test_a_baseline_of_other_rows(pool, tmp_path):
    """Paired over query images; of a matrix likewise."""
    images, texts = pool["images"].features, pool["texts"].features
    rows = np.load(texts)
    worse = tmp_path / "worse.npy"
    noise = np.random.default_rng(5).standard_normal(rows.shape)
    np.save(worse, (rows + 3 * noise).astype(np.float32))
    found = score(pool, baseline=(images, worse))
    theirs = score(pool, texts=Embedded(worse, pool["texts"].ids))
    assert found["rsum_diff"] == pytest.approx(found["rsum"] - theirs["rsum"], abs=1e-5)
    assert 0 < found["rsum_diff_p"] < 0.05
    same = score(pool, baseline=(images, texts))
    assert same["rsum_diff_p"] is None
    assert same["rsum_diff_why"] == "nothing varies"
    matrices = {}
    for name, each in (("mine", rows), ("theirs", np.load(worse))):
        matrices[name] = tmp_path / f"{name}.npy"
        np.save(matrices[name], each @ np.load(images).T)
    record = score_matrix(
        pool["folder"], matrices["mine"], pool["images"].ids, pool["texts"].ids,
        baseline=matrices["theirs"], n_resamples=100, seed=1, missing=pool["missing"],
    )  # fmt: skip
    assert record["rsum_diff"] == pytest.approx(found["rsum_diff"], abs=1e-3)
