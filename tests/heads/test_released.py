"""The noun space beside the released code's own steps, in half precision throughout."""

import faiss
import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmclust.core.params import NounsParams
from mmclust.core.types import HeadInputs
from mmclust.heads import concat_kmeans
from mmclust.heads._rows import unit_rows
from mmclust.heads._space import (
    choose_nouns,
    classify_nouns,
    counterparts,
    image_centres,
)

DIM, KINDS, N, WORDS, CENTRES = 512, 10, 1500, 4000, 30


@pytest.fixture(scope="module")
def embedded():
    """Images and words as CLIP has them: narrow cones, not at unit norm."""
    rng = np.random.default_rng(0)
    cones, centres = rng.standard_normal((2, DIM)), rng.standard_normal((KINDS, DIM))
    sides = []
    for cone, n, length in zip(cones, (N, WORDS), (10, 8), strict=True):
        rows = 0.8 * cone + 0.35 * centres[rng.integers(KINDS, size=n)]
        rows += 0.45 * rng.standard_normal((n, DIM))
        sides.append(rows / np.linalg.norm(rows, axis=1, keepdims=True) * length)
    images, words = sides
    words[500:600] = words[:100]  # WordNet's list repeats words
    return images.astype(np.float16), words


def half(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_faiss(rows, k, starts):
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    solver = faiss.Kmeans(rows.shape[1], k, niter=300, nredo=starts, spherical=True)
    solver.train(rows)
    return solver.index.search(rows, 1)[1][:, 0]


def released(images, words):
    """Spec sections 4 and 5 step by step, ties by the lowest row."""
    v = torch.from_numpy(half(images))
    t = torch.from_numpy(half(words)).half()
    labels = torch.from_numpy(by_faiss(v.numpy(), CENTRES, 10))
    centres = torch.stack([v[labels == c].mean(0) for c in range(CENTRES)])
    shares = torch.softmax(normalize(centres, dim=1) @ t.T, 0).float().numpy()
    classes, confidence = shares.argmax(0), shares.max(0)
    kept = []
    for c in range(CENTRES):
        mine = np.flatnonzero(classes == c)
        kept += mine[np.argsort(-confidence[mine], kind="stable")[:5]].tolist()
    kept.sort()
    mixed = torch.softmax(v @ t[kept].T / 0.005, 1) @ t[kept]
    return classes, kept, normalize(mixed, dim=1).float().numpy()


def test_the_same_nouns_and_counterparts_from_the_same_files(embedded):
    """With faiss's own seed: every class, every noun, counterparts to half's eps."""
    images, words = embedded
    classes, kept, text = released(images, words)
    rows, nouns = unit_rows(images, "x"), unit_rows(words, "t")
    assert np.array_equal(rows, half(images).astype(np.float32))
    params = NounsParams(faiss_seed=1234)
    found, confidence = classify_nouns(
        nouns, image_centres(rows, CENTRES, params, seed=7)[0]
    )
    chosen = choose_nouns(found, confidence, 5)
    assert (found == classes).mean() > 0.999  # sums of products in another order
    assert len(set(chosen.rows.tolist()) ^ set(kept)) <= 2
    mine = counterparts(rows, nouns[kept], dtype="float16")
    # A processor that rounds one cosine otherwise moves a few weights by a tenth.
    apart = np.abs(mine - text)
    assert (apart < 5e-4).mean() > 0.9999
    assert apart.max() < 2e-3
    exact = counterparts(rows, nouns[kept])
    assert (exact * mine).sum(axis=1).min() > 0.999


def test_concat_kmeans_is_the_released_call(embedded):
    """Training-free TAC with faiss's seed: the same labels, not just as good ones."""
    images, _ = embedded
    v = half(images).astype(np.float32)
    params = concat_kmeans.Params(faiss_seed=1234)
    found = concat_kmeans.cluster(
        HeadInputs(v, v[::-1]), KINDS, params, seed=5, device="cpu"
    )
    expected = by_faiss(np.hstack([v, v[::-1]]), KINDS, 20)
    assert (found == expected).mean() > 0.99


def test_lengths_that_float16_cannot_square_are_left_to_float32():
    """Neither vanishing nor infinite squares cost a row its direction."""
    rows = np.random.default_rng(1).standard_normal((4, 8))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for length in (1e-3, 3e3):
        found = unit_rows((unit * length).astype(np.float16), "x")
        assert found == pytest.approx(unit, abs=2e-3)
        assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(4), abs=1e-6)
