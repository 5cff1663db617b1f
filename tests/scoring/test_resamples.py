"""Two runs on the same images are paired, as two methods of one run are."""

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.seeds import generator
from mmclust.scoring.clustering import score_runs
from mmclust.scoring.intervals import Sampled, compared, scores_of
from mmclust.scoring.resamples import (
    KEPT,
    Resamples,
    between,
    parse_resamples,
    write_resamples,
)
from tests.scoring.test_calibration import DESIGNS, right

KEY = ("hog", "image", "kmeans")
TRUE = np.arange(300) % 5


def run_of(rng, hard, seeds=4, images="same", **more):
    """Return figures of one run: hard images fail in all runs, others by chance."""
    lost = hard + rng.standard_normal((seeds, 300)) > 1
    labels = np.where(lost, (TRUE + 1) % 5, TRUE)
    asked = {"n_resamples": KEPT} | more
    return images, score_runs(TRUE, labels, rng=generator(0, "t"), **asked)


def kept(root, run):
    images, figures = run
    path = write_resamples(root, "score", "toy", {KEY: figures}, {KEY: images})
    assert path == root / "metrics/details/resamples/score/toy.csv"
    rows = {s.metric: s for s in scores_of(figures, KEY, n_seeds=4)}
    return rows, parse_resamples(path.read_bytes(), path)


@pytest.mark.parametrize("metric", ["acc", "nmi", "ari"])
def test_runs_are_compared_as_methods_of_one_run_are(tmp_path, metric):
    """The same difference and, up to rounding and degrees of freedom, interval, p."""
    rng = np.random.default_rng(1)
    hard = 2 * rng.standard_normal(300)
    runs = run_of(rng, hard), run_of(rng, hard - 0.2)
    (before, old), (after, new) = (kept(tmp_path, run) for run in runs)
    (low, high), p = between(
        before[metric], after[metric], old[KEY, metric], new[KEY, metric]
    )
    expected, _ = compared(runs[1][1][metric], runs[0][1][metric])
    half = expected["diff_high"] - expected["diff"]
    assert (low + high) / 2 == pytest.approx(expected["diff"], abs=1e-9)
    assert (high - low) / 2 == pytest.approx(half, rel=0.02)
    assert p == pytest.approx(expected["diff_p"], rel=0.1, abs=1e-4)
    apart = np.hypot(before[metric].half, after[metric].half)
    assert half < 0.8 * apart  # what pairing is for


def test_only_the_same_draws_of_the_same_images_are_paired(tmp_path):
    rng = np.random.default_rng(1)
    hard = rng.standard_normal(300)
    one, old = kept(tmp_path, run_of(rng, hard))
    for other in ({"images": "others"}, {"n_resamples": KEPT + 1}):
        two, new = kept(tmp_path, run_of(rng, hard, **other))
        assert between(one["acc"], two["acc"], old[KEY, "acc"], new[KEY, "acc"]) is None
    assert between(one["acc"], two["acc"], old[KEY, "acc"], None) is None


def test_what_has_no_interval_or_is_of_pairs_is_left_out(tmp_path):
    """Undefined, with resamples that lack it, of pairs of words, or no headline."""
    runs, drawn = np.array([0.5]), np.full((KEPT, 1), 0.5)
    some = drawn.copy()
    some[3] = np.nan
    figures = {
        "v_measure_score": Sampled(runs, drawn, 20),
        "prediction_correlation_over_10": Sampled(runs, some, 20),
        "mas": Sampled(runs, drawn, 20, of_pairs=drawn),
        "purity": Sampled(runs, drawn, 20),
        "n_words": 20,
    }
    path = write_resamples(tmp_path, "cognition", "toy", {KEY: figures}, 0)
    assert set(parse_resamples(path.read_bytes(), path)) == {(KEY, "v_measure_score")}
    with pytest.raises(MmclustError, match="no resamples of scores") as caught:
        parse_resamples(path.read_bytes().replace(b"gaps", b"draws"), path)
    assert "score again: dvc repro" in str(caught.value)
    with pytest.raises(MmclustError, match=r"no resamples[\s\S]*line 2"):
        parse_resamples(path.read_bytes().replace(b",20,", b",many,"), path)


@pytest.mark.parametrize("design", DESIGNS)
def test_false_positives_between_runs(design):
    """Equally good runs: near 5 %, as for methods of one run."""
    (first, second), shift, own = DESIGNS[design]
    rng, below, n = generator(0, "between", design), 0, 200
    for _ in range(400):
        hard = rng.standard_normal(n)
        weights = rng.multinomial(n, np.full(n, 1 / n), size=KEPT) / n
        sides = []
        for runs in (first, second):
            drawn = right(rng, hard, runs, shift, own).T
            score = Sampled(drawn.mean(0), weights @ drawn, n)
            (row,) = scores_of({"acc": score}, KEY, n_seeds=runs)
            sides.append((row, score))
        kept = [Resamples.of_score(score, "") for _, score in sides]
        _, p = between(sides[0][0], sides[1][0], *kept)
        below += p is not None and p < 0.05
    assert 0.02 <= below / 400 <= 0.085


def test_runs_without_a_score_have_no_spread():
    """A record holds a number or nothing."""
    assert Sampled(np.array([np.nan, 0.5, 0.7]), None, 20).sd is None
    assert Sampled(np.array([0.5, 0.7]), None, 20).sd == pytest.approx(0.02**0.5)
