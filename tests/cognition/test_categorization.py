"""Categorization of words: check values, scikit-learn, and what always holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import v_measure_score

from mmclust.cognition.metrics import METRICS, categorization, encode, scores
from mmclust.scoring.intervals import flat

CATEGORIES = {
    "animal": ["dog", "cat", "cow", "owl"],
    "fruit": ["apple", "pear", "fig"],
    "tool": ["saw", "axe", "hammer"],
}
GOLD = {word: name for name, words in CATEGORIES.items() for word in words}
CLUSTERS = {"dog": "0", "cat": "0", "cow": "1", "owl": "3", "apple": "1", "pear": "1",
            "saw": "2", "axe": "2"}  # fmt: skip


def record(gold, run, listed=None, n_resamples=100):
    words, codes, clusters = encode(gold, [run])
    mask = None if listed is None else np.array([w in listed for w in words])
    rng = np.random.default_rng(0)
    return flat(categorization(codes, clusters, mask, n_resamples=n_resamples, rng=rng))


def test_check_values():
    """The values of the published code's own example, to four digits."""
    found = record(GOLD, CLUSTERS)
    expected = {
        "ignore_unknown": (0.6787, 0.8750, 0.7500, 0.8077, 0.7833),
        "include_unknown": (0.5739, 0.8000, 0.6000, 0.6857, 0.7067),
    }
    for variant, values in expected.items():
        for name, value in zip(METRICS, values, strict=True):
            assert found[f"{variant}_{name}"] == pytest.approx(value, abs=5e-5)
            low, high = (found[f"{variant}_{name}_{end}"] for end in ("low", "high"))
            assert 0 <= low <= high <= 1
    assert (found["n_words"], found["n_known"], found["n_unknown"]) == (10, 8, 2)


def test_the_word_list_restricts_one_variant_alone():
    """Ignore-unknown is of the list; include-unknown is of the whole categories."""
    listed = {"dog", "cat", "apple", "fig"}
    found = record(GOLD, CLUSTERS, listed)
    alone = record({w: GOLD[w] for w in listed}, CLUSTERS)
    whole = record(GOLD, CLUSTERS)
    for name in METRICS:
        key = f"ignore_unknown_{name}"
        assert found[key] == alone[key]
        assert found[f"include_unknown_{name}"] == whole[f"include_unknown_{name}"]
    assert found["n_categories_listed"] == 2  # no tool is left: an empty category


def test_unknown_words_share_one_cluster_that_is_nobody_elses():
    """Minus one and absence are the same; a cluster of any name is not touched."""
    marked = {**CLUSTERS, "fig": "-1", "hammer": "-1"}
    assert record(GOLD, marked) == record(GOLD, CLUSTERS)
    shared = {**CLUSTERS, "fig": "new", "hammer": "new"}
    assert record(GOLD, shared)["ignore_unknown_fscore"] == pytest.approx(
        record(GOLD, CLUSTERS)["include_unknown_fscore"]
    )


def test_nothing_known():
    """No word with a cluster: one variant is null with its reason, one is not."""
    found = record(GOLD, {})
    for name in METRICS:
        assert found[f"ignore_unknown_{name}"] is None
        assert "no word" in found[f"ignore_unknown_{name}_why"]
    assert found["include_unknown_purity"] == pytest.approx(0.4)
    assert found["include_unknown_collocation"] == 1
    nobody = record(GOLD, CLUSTERS, listed=set())
    assert nobody["ignore_unknown_purity"] is None
    assert nobody["include_unknown_purity"] == pytest.approx(0.8)


def test_runs_have_a_mean_and_a_spread():
    """Two runs: the mean of their scores, a deviation, an interval over seeds."""
    other = {**CLUSTERS, "owl": "0"}
    _, gold, clusters = encode(GOLD, [CLUSTERS, other])
    rng = np.random.default_rng(0)
    both = flat(categorization(gold, clusters, n_resamples=100, rng=rng))
    each = [record(GOLD, run)["ignore_unknown_fscore"] for run in (CLUSTERS, other)]
    assert both["ignore_unknown_fscore"] == pytest.approx(np.mean(each))
    assert both["ignore_unknown_fscore_std"] == pytest.approx(np.std(each, ddof=1))


tables = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=60
)


def plain(pairs):
    """The published definitions, word by word."""
    n = len(pairs)
    golds, clusters = {g for g, _ in pairs}, {k for _, k in pairs}
    pure = sum(max(pairs.count((g, k)) for g in golds) for k in clusters) / n
    together = sum(max(pairs.count((g, k)) for k in clusters) for g in golds) / n
    total = 0.0
    for g in golds:
        size = sum(a == g for a, _ in pairs)
        best = 0.0
        for k in clusters:
            joint = pairs.count((g, k))
            if joint:
                p, r = joint / size, joint / sum(b == k for _, b in pairs)
                best = max(best, 2 * p * r / (p + r))
        total += size / n * best
    return pure, together, 2 * pure * together / (pure + together), total


@given(tables)
def test_against_the_plain_definitions_and_scikit_learn(pairs):
    gold, clusters = np.array(pairs).T
    table = np.zeros((6, 5), int)
    np.add.at(table, (clusters, gold), 1)
    found = {name: float(value) for name, value in scores(table).items()}
    assert [found[name] for name in METRICS[1:]] == pytest.approx(plain(pairs))
    assert found["v_measure_score"] == pytest.approx(
        v_measure_score(gold, clusters), abs=1e-9
    )


@given(tables, st.permutations(range(6)), st.permutations(range(5)))
def test_names_of_clusters_and_categories_do_not_matter(pairs, rows, columns):
    table = np.zeros((6, 5), int)
    np.add.at(table, tuple(np.array(pairs).T[::-1]), 1)
    shuffled = table[list(rows)][:, list(columns)]
    for name, value in scores(table).items():
        assert scores(shuffled)[name] == pytest.approx(value)
        assert 0 <= value <= 1 + 1e-12


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_the_categories_themselves_score_one(gold):
    table = np.diag(np.bincount(gold))
    for value in scores(table).values():
        assert value == pytest.approx(1)
