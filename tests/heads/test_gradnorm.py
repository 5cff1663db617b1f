"""GradNorm: the specification's check values, autograd, ties, planted classes."""

import numpy as np
import pytest
import torch

from mmclust.core.features import normalised
from mmclust.core.types import HeadInputs
from mmclust.heads import gradnorm
from mmclust.heads._inputs import GivenNouns
from mmclust.heads._space import choose_nouns, classify_nouns, counterparts
from tests.heads.planted import accuracy, by_kmeans, with_nouns


def sizes_of(*shares):
    """Sizes of nouns that have given shares of three orthogonal centres."""
    logs = np.log(np.maximum(np.asarray(shares, np.float64), 1e-30))
    return gradnorm.gradient_norms(
        logs.astype(np.float32), np.eye(3, dtype=np.float32), 1.0
    )


def test_the_specification_s_values():
    """By hand: sqrt(.3² + .2² + .1²); a sure noun has none; the lower confidence
    may go first."""
    classes, sizes = sizes_of(
        (0.7, 0.2, 0.1), (0, 1, 0), (0.60, 0.20, 0.20), (0.61, 0.39, 0)
    )
    assert classes.tolist() == [0, 1, 0, 0]
    assert sizes == pytest.approx([0.374166, 0, 0.489898, 0.551543], abs=1e-6)
    shares = np.array([[0.60, 0.20, 0.20], [0.61, 0.39, 1e-9]])
    logs = np.log(shares).astype(np.float32)
    _, confidence = classify_nouns(logs, np.eye(3, dtype=np.float32), dtype="float32")
    assert confidence[0] < confidence[1]
    assert choose_nouns(np.zeros(2, int), -sizes[2:], 1).rows.tolist() == [0]
    assert choose_nouns(np.zeros(2, int), confidence, 1).rows.tolist() == [1]


def test_it_is_the_length_of_the_gradient():
    """Of the cross-entropy by the scores, as autograd has it."""
    rng = np.random.default_rng(2)
    nouns, centres = (
        normalised(rng.standard_normal((m, 16)).astype(np.float32)) for m in (50, 7)
    )
    classes, sizes = gradnorm.gradient_norms(nouns, centres, 0.04)
    scores = torch.from_numpy(nouns @ centres.T / 0.04).double().requires_grad_()
    target = scores.argmax(1)
    torch.nn.functional.cross_entropy(scores, target, reduction="sum").backward()
    assert classes.tolist() == target.tolist()
    assert sizes == pytest.approx(scores.grad.norm(dim=1).numpy(), abs=1e-6)


def test_near_temperature_0_all_sizes_are_0_and_the_first_rows_stay():
    """Also where a noun is as near to two centres: the lower one has it."""
    rng = np.random.default_rng(3)
    nouns = normalised(rng.standard_normal((30, 8)).astype(np.float32))
    centres = normalised(rng.standard_normal((3, 8)).astype(np.float32))
    classes, sizes = gradnorm.gradient_norms(nouns, centres, 1e-7)
    assert not sizes.any()
    chosen = choose_nouns(classes, -sizes, 2)
    for centre in range(3):
        own = np.flatnonzero(classes == centre)
        assert chosen.rows[chosen.centres == centre].tolist() == own[:2].tolist()
    twice = np.stack([centres[0], centres[0]])
    assert not gradnorm.gradient_norms(nouns, twice, 0.1)[0].any()


def plain_choice(nouns, centres, place, temperature, top):
    """The specification in float64, a noun at a time: rows of the vocabulary."""
    sizes, own = [], []
    for noun in nouns.astype(np.float64):
        unit = noun / np.sqrt((noun**2).sum())
        shares = np.exp(centres.astype(np.float64) @ unit / temperature)
        shares /= shares.sum()
        c = int(shares.argmax())
        others = (shares**2).sum() - shares[c] ** 2 + (1 - shares[c]) ** 2
        own.append(c)
        sizes.append(np.sqrt(others) * np.sqrt((unit**2).sum()))
    rows = []
    for centre in range(len(centres)):
        mine = [row for row, at in enumerate(place) if own[at] == centre]
        rows += sorted(mine, key=lambda row: (sizes[place[row]], row))[:top]
    return sorted(rows)


@pytest.mark.parametrize("temperature", [0.04, 0.2])
def test_the_nouns_that_are_kept(temperature):
    """Those of a plain choice; repeated words take several places, or one."""
    images, nouns, centres, _ = with_nouns(0, n=60)
    words = [f"w{i}" for i in range(len(nouns))]
    place = np.r_[np.arange(len(nouns)), np.zeros(9, int)]
    given = GivenNouns(words, place, centres, (nouns,))
    params = gradnorm.Params(temperature=temperature)
    rows, kept = gradnorm.kept_nouns(given, params)
    expected = place[plain_choice(nouns, centres, place, temperature, 5)]
    assert kept == [words[at] for at in expected]
    assert rows == pytest.approx(normalised(nouns)[expected], abs=1e-6)
    once = gradnorm.Params(temperature=temperature, deduplicate_nouns=True)
    expected = plain_choice(nouns, centres, place[: len(nouns)], temperature, 5)
    assert gradnorm.kept_nouns(given, once)[1] == [words[at] for at in expected]
    image = normalised(images)
    inputs = HeadInputs(image=image, nouns=given)
    made = gradnorm.prepare(inputs, params, device="cpu")
    assert np.array_equal(made.text, counterparts(image, rows))


def test_planted_classes_that_kmeans_misses():
    """At least .95 where k-means on the images stays below .8."""
    for planted in range(3):
        images, nouns, centres, kinds = with_nouns(planted)
        assert accuracy(kinds, by_kmeans(images, 5)) < 0.8
        words = [str(i) for i in range(len(nouns))]
        given = GivenNouns(words, np.arange(len(nouns)), centres, (nouns,))
        params = gradnorm.Params()
        inputs = HeadInputs(image=normalised(images), nouns=given)
        made = gradnorm.prepare(inputs, params, device="cpu")
        found = gradnorm.cluster(made, 5, params, seed=1, device="cpu")
        assert accuracy(kinds, found) >= 0.95
