"""Equally good encoders and word models are called different in one case of twenty.

As ``test_calibration.py`` for clusters: two methods are drawn anew, equal in what is
expected of them, on the same queries, words or images, and compared as the stages do.
"""

import numpy as np
import pytest

from mmclust.cognition.metrics import association, categorization, concreteness
from mmclust.core.seeds import generator
from mmclust.grounding.stage import micro_figures
from mmclust.retrieval.metrics import direction, retrieval_figures
from mmclust.scoring.intervals import FEWEST, compared

OFTEN = 100
"""Resamples of each case."""


def rng_of_resamples():
    return np.random.default_rng(0)


def encoder(rng, hard):
    """Ranks of one trained encoder: queries of hard images fail together."""
    n = len(hard)
    image = np.repeat(np.arange(n), 5)
    taste = rng.standard_normal(n)
    best = np.exp(hard[image] + taste[image] + rng.standard_normal(5 * n)).astype(int)
    first = np.exp(hard + taste + rng.standard_normal(n)).astype(int)
    sides = []
    for ranks, of in ((first, np.arange(n)), (best, image)):
        nothing = np.zeros((len(ranks), 1))
        sides.append(direction(ranks[:, None], nothing.astype(int), nothing, of))
    return retrieval_figures([tuple(sides)], n_resamples=OFTEN, rng=rng_of_resamples())


def clustered(rng, gold, hard, seeds=3):
    """Clusters of a word model's runs: each shifts, and errs on words of its own."""
    moved = 0.3 * rng.standard_normal((seeds, 1))
    taste = rng.standard_normal(len(gold))
    fine = hard + taste + rng.standard_normal((seeds, len(gold))) + moved < 0.5
    return np.where(fine, gold, rng.integers(gold.max() + 1, size=fine.shape))


def retrieval_case(rng, n):
    hard = rng.standard_normal(n)
    sides = [encoder(rng, hard) for _ in range(2)]
    return {name: (sides[0][name], sides[1][name]) for name in ("t2i_r1", "rsum")}


def categorization_case(rng, n):
    gold, hard = rng.integers(8, size=n), rng.standard_normal(n)
    sides = [
        categorization(
            gold, clustered(rng, gold, hard), n_resamples=OFTEN, rng=rng_of_resamples()
        )
        for _ in range(2)
    ]
    names = ("v_measure_score", "fscore")
    return {m: tuple(side[f"ignore_unknown_{m}"] for side in sides) for m in names}


def concreteness_case(rng, n):
    ratings = rng.standard_normal(n)
    sides = [
        concreteness(
            ratings, ratings + rng.standard_normal(n) + rng.standard_normal((3, n)),
            np.ones(n, int), n_resamples=OFTEN, rng=rng_of_resamples(),
        )
        for _ in range(2)
    ]  # fmt: skip
    names = ("prediction_correlation_over_0", "concreteness_prediction_mae")
    return {name: tuple(side[name] for side in sides) for name in names}


def association_case(rng, n):
    gold, hard = rng.integers(8, size=n), rng.standard_normal(n)
    first, second = np.triu_indices(n, 1)
    known = rng.random(len(first)) < np.where(gold[first] == gold[second], 0.5, 0.1)
    pairs = np.stack([first, second], axis=1)[known]
    strengths = rng.gamma(1, 5 + 10 * (gold[pairs[:, 0]] == gold[pairs[:, 1]]))
    sides = [
        association(
            clustered(rng, gold, hard), pairs, strengths,
            n_resamples=OFTEN, rng=rng_of_resamples(),
        )
        for _ in range(2)
    ]  # fmt: skip
    return {name: tuple(side[name] for side in sides) for name in ("mas", "coverage")}


def grounding_case(rng, n):
    hard, sides = rng.standard_normal(n), {}
    for name in "ab":
        seen = hard + rng.standard_normal(n) + rng.standard_normal((3, n)) < 0
        wrong = rng.poisson(0.5, seen.shape)
        sides[name] = np.stack([seen, wrong, ~seen], axis=2).astype(int)
    found = micro_figures(sides, n_resamples=OFTEN, rng=rng_of_resamples())
    return {"f1": (found["a"]["f1"], found["b"]["f1"])}


CASES = {
    "queries": (retrieval_case, 80),
    "words in categories": (categorization_case, 60),
    "words with ratings": (concreteness_case, 60),
    "words with associations": (association_case, 60),
    "images with objects": (grounding_case, 80),
}


def shares_below(name, repetitions):
    """Return how often p < .05, by metric."""
    case, n = CASES[name]
    rng = generator(0, "calibration", name)
    below = {}
    for _ in range(repetitions):
        for metric, sides in case(rng, n).items():
            p = compared(*sides)[0].get("diff_p")
            below[metric] = below.get(metric, 0) + (p is not None and p < 0.05)
    return {metric: count / repetitions for metric, count in below.items()}


@pytest.mark.parametrize("name", CASES)
def test_false_positives(name):
    """Near 5 %; with 400 repetitions a right test is within 2 to 8.5 %."""
    for metric, share in shares_below(name, 400).items():
        assert 0.02 <= share <= 0.085, metric


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_false_positives_in_many_repetitions(name):
    """Within 3 to 8 %."""
    for metric, share in shares_below(name, 3000).items():
        assert 0.03 <= share <= 0.08, metric


@pytest.mark.parametrize("case", [case for case, _ in CASES.values()])
def test_over_a_few_there_is_no_p_value(case):
    """Two words differ or do not; no number that looks sure comes of that."""
    for n in (2, FEWEST - 1):
        for sides in case(np.random.default_rng(4), n).values():
            found, why = compared(*sides)
            assert found.get("diff_p") is None
            assert why


def test_equal_methods_have_no_p_value():
    """Nothing varies; and what is of other words is not compared."""
    figures = encoder(np.random.default_rng(0), np.zeros(40))
    found, why = compared(figures["rsum"], figures["rsum"])
    assert (found["diff"], found["diff_p"], why) == (0, None, "nothing varies")
    other = encoder(np.random.default_rng(0), np.zeros(41))
    found, why = compared(figures["rsum"], other["rsum"])
    assert not found
    assert "not of the same" in why
