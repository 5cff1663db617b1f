"""ACC, NMI, ARI, purity and F1 against hand-computed cases and scikit-learn."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    f1_score,
    normalized_mutual_info_score,
    v_measure_score,
)

from mmclust.core.errors import MmclustError
from mmclust.scoring import clustering
from mmclust.scoring.clustering import (
    ami,
    ari,
    contingency,
    matching,
    nmi,
    resampled_tables,
    scores,
)

LABELS = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.integers(0, 6), min_size=n, max_size=n) for _ in range(2)]
    )
)


def brute_force_acc(table):
    """Try every one-to-one matching."""
    k, c = table.shape
    if k > c:
        return brute_force_acc(table.T)
    ways = itertools.permutations(range(c), k)
    return (
        max(sum(table[i, j] for i, j in enumerate(way)) for way in ways) / table.sum()
    )


def test_a_case_computed_by_hand():
    """Six images, three clusters, two classes: 4/6 by matching, purity 5/6."""
    true = np.array(["cat", "cat", "cat", "dog", "dog", "dog"])
    pred = np.array([7, 7, 1, 1, 3, 3])
    table = contingency(true, pred)
    assert table.tolist() == [[1, 1], [0, 2], [2, 0]]
    assert scores(table)["acc"] == pytest.approx(4 / 6)
    assert scores(table)["purity"] == pytest.approx(5 / 6)
    assert matching(table).tolist() == [-1, 1, 0]
    # Pairs together in both: 1 + 1 = 2; by clusters 3, by classes 6, of 15.
    assert ari(table) == pytest.approx((2 - 18 / 15) / (4.5 - 18 / 15))


@given(LABELS)
def test_against_independent_implementations(labels):
    """Equal to scikit-learn and to trying every matching, for any labels."""
    true, pred = map(np.array, labels)
    table = contingency(true, pred)
    expected_nmi = normalized_mutual_info_score(true, pred)
    assert nmi(table) == pytest.approx(expected_nmi, abs=1e-9)
    assert nmi(table) == pytest.approx(v_measure_score(true, pred), abs=1e-9)
    assert ari(table) == pytest.approx(adjusted_rand_score(true, pred), abs=1e-9)
    assert scores(table)["acc"] == pytest.approx(brute_force_acc(table))
    most = sum(max(row) for row in table.tolist())
    assert scores(table)["purity"] == pytest.approx(most / len(true))


@given(LABELS)
def test_ami_against_scikit_learn(labels):
    """Equal for any labels; 1 where every image is by itself in both."""
    true, pred = map(np.array, labels)
    found = ami(contingency(true, pred))
    single = len(set(true.tolist())) == len(set(pred.tolist())) == len(true)
    expected = 1.0 if single else adjusted_mutual_info_score(true, pred)
    assert found == pytest.approx(expected, abs=1e-9)
    assert ami(np.eye(5, dtype=int)) == 1


@given(LABELS, st.randoms())
def test_names_of_labels_do_not_matter(labels, random):
    """Renaming clusters and classes changes no score."""
    true, pred = map(np.array, labels)
    names = list(range(100, 107))
    random.shuffle(names)
    before = scores(contingency(true, pred))
    after = scores(contingency(np.array(names)[true], np.array(names)[pred]))
    for name, value in before.items():
        assert after[name] == pytest.approx(value, abs=1e-12)


def test_stacks_of_tables_equal_single_tables():
    """Leading axes are only a way to save time."""
    rng = np.random.default_rng(0)
    tables = rng.integers(0, 9, (2, 3, 4, 5))
    stacked = scores(tables)
    for i, j in itertools.product(range(2), range(3)):
        for name, value in scores(tables[i, j]).items():
            assert stacked[name][i, j] == pytest.approx(value)


@pytest.mark.parametrize(
    ("true", "pred", "expected"),
    [
        ([0, 0, 0], [0, 0, 0], (1, 1, 1, 1, 1)),
        ([0, 1, 2], [2, 0, 1], (1, 1, 1, 1, 1)),
        ([0, 0, 1, 1], [0, 0, 0, 0], (0.5, 0, 0, 0.5, 1 / 3)),
        ([0, 0, 0, 0], [0, 1, 2, 3], (0.25, 0, 0, 1, 0.4)),
        ([0], [5], (1, 1, 1, 1, 1)),
    ],
)
def test_extreme_partitions(true, pred, expected):
    """One cluster, one class, singletons: defined, and as scikit-learn has it."""
    found = scores(contingency(np.array(true), np.array(pred)))
    assert [float(v) for v in found.values()] == pytest.approx(list(expected))


def test_no_cluster_is_matched_to_a_class_it_does_not_hold():
    """The last class left over is no name for a cluster without an image of it."""
    assert matching(np.array([[5, 0], [3, 0]])).tolist() == [0, -1]


def test_lengths_must_agree():
    """Arrays of different length, or of none, are refused."""
    for true, pred in (([0], [0, 1]), ([], [])):
        with pytest.raises(MmclustError, match="of the same images"):
            contingency(np.array(true), np.array(pred))


@pytest.mark.parametrize(
    ("pred", "expected"),
    [
        ((1, 1, 1, 0, 1, 2, 2, 2, 0, 0, 0, 2), (75.00, 49.95, 36.18)),
        # No sample in cluster 0: the reference release shifts ids and prints 16.67.
        ((1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2), (66.67, None, None)),
        # An id as large as K or larger is a cluster like any other.
        ((7, 7, 7, 4, 7, 9, 9, 9, 4, 4, 4, 9), (75.00, 49.95, 36.18)),
    ],
)
def test_check_values_of_the_specification(pred, expected):
    """TAC and DXMC, section 10: 0 five times, 1 four times, 2 three times."""
    true = np.repeat([0, 1, 2], [5, 4, 3])
    table = contingency(true, np.array(pred))
    for score, percent in zip(("acc", "nmi", "ari"), expected, strict=True):
        if percent is not None:
            assert 100 * scores(table)[score] == pytest.approx(percent, abs=0.005)


def test_what_chance_gives():
    """Ten classes of equal size: ACC from 1/k upwards, more for few rows; ARI 0."""
    rng, found = np.random.default_rng(0), {}
    for n in (100, 10_000):
        tables = [contingency(np.arange(n) % 10, rng.integers(0, 10, n))
                  for _ in range(20)]  # fmt: skip
        each = [scores(table) for table in tables]
        assert min(own["acc"] for own in each) > 0.1
        found[n] = [np.mean([own[name] for own in each]) for name in ("acc", "ari")]
    assert found[100][0] > 0.17
    assert found[10_000][0] < 0.12
    assert abs(found[100][1]) < 0.01
    assert abs(found[10_000][1]) < 0.0005


@given(LABELS)
def test_f1_is_that_of_relabelled_predictions(labels):
    """Equal to scikit-learn's macro F1 once clusters carry their classes' names."""
    # Of several matchings with the same accuracy both take the one with the best F1.
    true, pred = map(np.array, labels)
    table = contingency(true, pred)
    classes, clusters = np.unique(true), np.unique(pred)
    renamed = dict(zip(clusters, matching(table), strict=True))
    named = [classes[m] if (m := renamed[c]) >= 0 else -1 for c in pred]
    expected = f1_score(true, named, labels=classes, average="macro", zero_division=0)
    assert scores(table)["f1"] == pytest.approx(expected)


def test_noise_stands_for_no_class():
    """Nine images: noise holds most of class 1, and wins nothing by it."""
    true = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
    pred = np.array([0, 0, 0, -1, -1, -1, 1, 1, 1])
    table = contingency(true, pred)
    found = scores(table, noise=True)
    assert found["acc"] == pytest.approx(5 / 9)  # 3 of class 0, 2 of class 2
    assert found["purity"] == pytest.approx(5 / 9)
    assert found["f1"] == pytest.approx((1 + 0 + 4 / 5) / 3)
    assert matching(table, noise=True).tolist() == [-1, 0, 2]
    assert found["nmi"] == pytest.approx(normalized_mutual_info_score(true, pred))
    assert found["ari"] == pytest.approx(adjusted_rand_score(true, pred))
    assert scores(table)["acc"] == pytest.approx(8 / 9)  # were it a cluster


def test_everything_noise():
    """No cluster at all: nothing is right."""
    found = scores(contingency(np.array([0, 1, 1]), np.array([-1, -1, -1])), noise=True)
    assert [found[m] for m in ("acc", "purity", "f1")] == [0, 0, 0]


@pytest.mark.parametrize("cells", [1, 60, 1_000_000])
def test_resampled_tables_are_those_of_images_drawn_one_by_one(monkeypatch, cells):
    """Counted image by image, the same ones for each seed, however many at a time."""
    monkeypatch.setattr(clustering, "_CELLS", cells)
    rng = np.random.default_rng(0)
    placed = rng.integers(12, size=(3, 40))
    found = np.concatenate(
        list(resampled_tables(placed, (4, 3), 7, np.random.default_rng(1)))
    )
    again, expected = np.random.default_rng(1), np.zeros((7, 3, 12), np.int64)
    for table in expected:
        for image in again.integers(40, size=40):
            for seed in range(3):
                table[seed, placed[seed, image]] += 1
    np.testing.assert_array_equal(found, expected.reshape(7, 3, 4, 3))
    assert found.dtype == np.int64
