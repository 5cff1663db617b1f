"""Label-free scores against scikit-learn, and the choice of k."""

import numpy as np
import pytest
from sklearn import metrics

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.seeds import generator
from mmclust.kernels.coding_length import coding_length
from mmclust.scoring import label_free
from mmclust.scoring.label_free import (
    CRITERIA,
    SAMPLE,
    best_k,
    choose_k,
    distances,
    internal_scores,
    sample_rows,
    separation,
    silhouette,
    stability,
)


def groups(n=200, k=4, d=8, spread=0.2, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % k
    noise = spread * rng.standard_normal((n, d))
    return normalised(np.eye(k, d)[labels] + noise).astype(np.float32), labels


@pytest.mark.parametrize("numbers", [1 << 20, 100])
def test_against_scikit_learn(monkeypatch, numbers):
    """Silhouette, Davies–Bouldin and Calinski–Harabasz; a cluster of one counts 0.

    Also where rows are looked at a few at a time.
    """
    monkeypatch.setattr(label_free, "_NUMBERS", numbers)
    rows, labels = groups()
    labels = labels.copy()
    labels[0] = 9
    apart = distances(rows)
    expected = metrics.silhouette_score(rows, labels)
    assert silhouette(apart, labels) == pytest.approx(expected, abs=1e-4)
    found = internal_scores(rows, labels[None], sample=np.arange(200), apart=apart)
    assert found["davies_bouldin"] == pytest.approx(
        metrics.davies_bouldin_score(rows, labels))  # fmt: skip
    assert found["calinski_harabasz"] == pytest.approx(
        metrics.calinski_harabasz_score(rows, labels))  # fmt: skip


@pytest.mark.parametrize("spread", [1e-1, 1e-3, 1e-4])
def test_rows_that_nearly_coincide(spread):
    """Groups within a thousandth of one direction, as of an encoder that collapsed."""
    rows, labels = groups(spread=0.5)
    rows = normalised(10 / spread + rows).astype(np.float32)
    wide = rows.astype(np.float64)
    expected = metrics.silhouette_score(wide, labels)
    assert silhouette(distances(rows), labels) == pytest.approx(expected, abs=1e-4)
    assert separation(rows, labels) == pytest.approx({
        "davies_bouldin": metrics.davies_bouldin_score(wide, labels),
        "calinski_harabasz": metrics.calinski_harabasz_score(wide, labels),
    }, rel=1e-5)  # fmt: skip


def test_noise_is_left_out():
    """As if the images in no cluster were not there; their share is told."""
    rows, labels = groups()
    some = np.where(np.arange(200) < 50, -1, labels)
    found = internal_scores(
        rows, some[None], sample=np.arange(200), apart=distances(rows)
    )
    expected = metrics.silhouette_score(rows[50:], labels[50:])
    assert found["silhouette"] == pytest.approx(expected, abs=1e-4)
    assert found["noise"] == 0.25


@pytest.mark.parametrize("labels", [np.zeros(9, int), np.arange(9), np.full(9, -1)])
def test_where_nothing_can_be_said(labels):
    """One cluster, one cluster per image, noise alone: None, not a number."""
    rows = groups(9)[0]
    found = internal_scores(
        rows, labels[None], sample=np.arange(9), apart=distances(rows)
    )
    for name in ("silhouette", "davies_bouldin", "calinski_harabasz", "stability"):
        assert found[name] is None


def test_stability_is_the_mean_over_pairs():
    """Two equal runs and an unrelated one: a third of the pairs agree."""
    labels = groups()[1]
    other = np.repeat(np.arange(4), 50)
    expected = (1 + 2 * metrics.adjusted_rand_score(labels, other)) / 3
    renamed = (labels + 1) % 4
    assert stability(np.stack([labels, renamed, other])) == pytest.approx(expected)


def test_noise_is_no_cluster_of_stability():
    """By hand: images that either run of a pair leaves out do not count.

    The first two runs agree on what both cluster, images 2 to 5: 1, where noise as a
    cluster would make it .76. The third shares images 2 and 3 with the first, together
    there and apart here: 0. It shares 0, 2 and 3 with the second, {0} {2 3} against
    {0 2} {3}: of 3 pairs each has one together, none in common, 1/3 by chance:
    (0 - 1/3) / (1 - 1/3) = -1/2.
    """
    one = np.array([-1, -1, 0, 0, 1, 1])
    two = np.array([0, -1, 5, 5, 7, 7])
    assert stability(np.stack([one, two])) == 1
    three = np.array([0, 0, 0, 1, -1, -1])
    assert metrics.adjusted_rand_score(one[2:4], three[2:4]) == 0
    assert stability(np.stack([one, three])) == 0
    assert stability(np.stack([one, two, three])) == pytest.approx(1 / 6)
    # One image in common, or none, says nothing; two runs of noise alone neither.
    four = np.array([3, -1, 3, -1, -1, -1])
    assert stability(np.stack([one, four])) is None
    assert stability(np.stack([one, two, four])) == pytest.approx((1 + 0) / 2)
    assert stability(np.full((2, 6), -1)) is None


def test_the_sample_is_seeded_and_bounded():
    """Large sets are sampled, the same for the same seed; small ones are whole."""
    one, two = (sample_rows(5000, generator(1, "s")) for _ in range(2))
    assert np.array_equal(one, two)
    assert len(np.unique(one)) == SAMPLE
    assert sample_rows(7, generator(1, "s")).tolist() == list(range(7))


def kmeans(rows, k):
    from mmclust.kernels.kmeans import kmeans as run

    return run(rows, k, seed=0).labels


@pytest.mark.parametrize("k", [3, 5, 8])
def test_the_number_of_groups_is_found(k):
    """Well separated groups: the silhouette is largest at their number."""
    rows, _ = groups(240, k, 12)
    choice = choose_k(rows, kmeans, rng=generator(0, "k"))
    assert choice.k == k
    assert not choice.at_edge
    assert [tried for tried, _ in choice.curve][:4] == [2, 3, 4, 5]
    assert dict(choice.curve)[k] == max(score for _, score in choice.curve)


@pytest.mark.parametrize("by", ["silhouette", "generalisation", "coding_length"])
def test_every_criterion_finds_separate_groups(by):
    """Tight groups of a hundred: all three choose their number, and draw all curves."""
    rows, _ = groups(600, 6, 8, spread=0.05)
    choice = choose_k(
        rows, kmeans, rng=generator(0, "k"), grid=(4, 5, 6, 8, 12), by=by,
        criteria=CRITERIA,
    )  # fmt: skip
    assert choice.chosen["silhouette"] == choice.chosen["coding_length"] == 6
    # Fewer clusters may be learned as well as the groups: then the smaller k is taken.
    assert choice.k == choice.chosen[by] <= 6
    assert dict(choice.curves["generalisation"])[6] == 1
    assert dict(choice.curves["coding_length"])[6] == pytest.approx(
        coding_length(rows, kmeans(rows, 6)) / 600)  # fmt: skip


def test_the_first_of_equals_is_best():
    """Smallest for the coding length, largest for the others."""
    curve = [(2, 0.5), (3, 0.9), (4, 0.9), (5, 0.5)]
    assert best_k("silhouette", curve) == best_k("generalisation", curve) == 3
    assert best_k("coding_length", curve) == 2


def test_an_edge_is_told():
    """The best of a grid that is too narrow."""
    rows, _ = groups(240, 8, 12)
    assert choose_k(rows, kmeans, rng=generator(0, "k"), grid=(2, 4, 6)).at_edge


def test_no_k_can_be_chosen():
    """Too few images, a useless grid, or nothing that differs: one clear error."""
    rng = generator(0, "k")
    with pytest.raises(MmclustError, match="No k can be chosen for 3 images"):
        choose_k(groups(3)[0], kmeans, rng=rng)
    with pytest.raises(MmclustError, match="k from 2 to 20") as caught:
        choose_k(groups(40)[0], kmeans, rng=rng, grid=(1, 50))
    assert "model.k_grid" in str(caught.value)
    same = np.ones((40, 4), np.float32)
    with pytest.raises(MmclustError, match="all rows fall into one cluster"):
        choose_k(same, lambda rows, _: np.zeros(len(rows), int), rng=rng)
