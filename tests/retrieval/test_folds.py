"""The five-fold variant: each fold by itself, then the mean."""

import numpy as np
import pyarrow as pa
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.io import write_table
from mmclust.retrieval.own_files import Embedded, score_embeddings
from mmclust.retrieval.task import MatrixScorer, evaluate, read_task
from mmclust.scoring.intervals import flat
from tests.retrieval.toy import unit, write_features, write_pool


def write_folds(folder, fold_of):
    table = {
        "image_id": pa.array(list(fold_of), pa.string()),
        "fold": pa.array(list(fold_of.values()), pa.int32()),
    }
    write_table(folder / "folds.parquet", pa.table(table), {})


def score(task, scores):
    scores = np.asarray(scores, np.float32)
    scorer = MatrixScorer(scores, *map(np.arange, scores.shape))
    figures = evaluate(task, "main", scorer, n_resamples=100, seed=1).figures
    return {name: flat(each) for name, each in figures.items()}


@pytest.fixture
def four(tmp_path):
    """Four images in two folds, not in the order of their names; a caption each."""
    queries, _ = write_pool(tmp_path, n=4, added=0, per_image=1, original=False)
    write_folds(tmp_path, dict(zip(queries, (1, 0, 0, 1), strict=True)))
    return read_task(tmp_path)


def test_by_hand(four):
    """Images 1 and 2 are fold 0; 0 and 3 fold 1. Rows are captions.

    Caption 0's own image scores 5, image 3 scores 6: second in its fold, although
    image 1 scores more still. Caption 3 is first in its fold, third in the whole.
    """
    scores = [[5, 9, 1, 6],
              [0, 4, 3, 0],
              [8, 2, 7, 8],
              [1, 8, 8, 7]]  # fmt: skip
    found = score(four, scores)
    whole, folds = found["main"], found["fold_1k"]
    # Text to image, all four: ranks 3, 1, 3, 3. In folds: 2 | 1, 1 | 1.
    assert whole["t2i_r1"] == 0.25
    assert folds["t2i_r1"] == pytest.approx(((1 + 1) / 2 + (0 + 1) / 2) / 2)
    assert folds["t2i_mean_rank"] == pytest.approx((1 + 1.5) / 2)
    # Image to text, columns: image 0: caption 2 beats its own; 1: 0 and 3 do; 2: 3
    # does; 3: 2 does. In folds: 0 before 3's 1; 1 before 2's 2; 2 before 1's 3; 3's 7
    # before 0's 6.
    assert whole["i2t_r1"] == 0.0
    assert folds["i2t_r1"] == 1.0
    assert folds["rsum"] == pytest.approx(100 * (3 + 0.75 + 2))
    assert (folds["n_folds"], folds["n_pool"], folds["n_images"]) == (2, 2, 4)
    assert folds["chance_t2i_r1"] == 0.5
    assert folds["chance_i2t_r1"] == 0.5


def test_mean_over_folds_of_different_size(tmp_path):
    """Folds weigh alike: 1 of 1 and 1 of 3 make two thirds."""
    queries, _ = write_pool(tmp_path, n=4, added=0, per_image=1, original=False)
    write_folds(tmp_path, dict(zip(queries, (0, 1, 1, 1), strict=True)))
    scores = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]])
    folds = score(read_task(tmp_path), scores)["fold_1k"]
    assert folds["t2i_r1"] == pytest.approx((1 + 1 / 3) / 2, abs=1e-6)
    assert folds["n_pool"] == 2.0


def test_against_plain_loops(tmp_path):
    """Five folds, five captions each, embeddings in files in an order of their own."""
    rng = np.random.default_rng(0)
    queries, _ = write_pool(tmp_path, n=50, added=0, original=False)
    fold = rng.permutation(50) % 5
    write_folds(tmp_path, dict(zip(queries, fold.tolist(), strict=True)))
    images = unit(rng, 50)
    texts = unit(rng, 250) + 0.4 * np.repeat(images, 5, axis=0)
    turn = rng.permutation(250)
    captions = np.array([f"{q}.jpg#{j}" for q in queries for j in range(5)])
    found = score_embeddings(
        tmp_path,
        Embedded(*write_features(tmp_path, "x", queries, images)),
        Embedded(*write_features(tmp_path, "y", captions[turn], texts[turn])),
        cosine=False,
        n_resamples=100,
        seed=1,
        missing=tmp_path / "missing.txt",
    )
    i2t, t2i = [], []
    for f in range(5):
        mine = np.flatnonzero(fold == f)
        rows = np.concatenate([np.arange(5 * i, 5 * i + 5) for i in mine])
        scores = texts[rows] @ images[mine].T
        own = np.repeat(np.arange(len(mine)), 5)
        right = scores[np.arange(len(rows)), own]
        t2i.append(1 + (scores > right[:, None]).sum(1))
        best = [right[own == i].max() for i in range(len(mine))]
        i2t.append(1 + (scores > best).sum(0))
    for name, ranks in (("i2t", i2t), ("t2i", t2i)):
        for k in (1, 5, 10):
            mean = np.mean([(rank <= k).mean() for rank in ranks])
            key = f"fold_1k_{name}_r{k}"
            assert found[key] == pytest.approx(mean, abs=1e-6)
            assert found[f"{key}_low"] <= found[key] <= found[f"{key}_high"]
        median = np.mean([np.median(rank) for rank in ranks])
        assert found[f"fold_1k_{name}_median_rank"] == pytest.approx(median)
    assert found["fold_1k_n_pool"] == 10
    assert found["fold_1k_t2i_r1"] > found["t2i_r1"]


def test_benchmarks_without_folds_have_no_such_figures(tmp_path):
    """The stage's empty table is none."""
    write_pool(tmp_path, n=2, added=1, original=False)
    write_folds(tmp_path, {})
    found = score(read_task(tmp_path), np.ones((10, 3)))
    assert set(found) == {"main", "old_pool"}


def test_folds_of_other_images_are_refused(tmp_path):
    """They belong to another build."""
    write_pool(tmp_path, n=2, added=0, original=False)
    write_folds(tmp_path, {"COCO_val2014_000000000000": 0, "elsewhere": 1})
    with pytest.raises(MmclustError, match=r"does not have[\s\S]*elsewhere"):
        read_task(tmp_path)
