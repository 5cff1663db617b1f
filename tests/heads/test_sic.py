"""SIC: the specification's check values, autograd, a plain loop, planted classes."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional as F  # noqa: N812

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.seeds import derive
from mmclust.core.types import HeadInputs
from mmclust.heads import sic
from mmclust.heads._inputs import GivenNouns
from mmclust.heads._train import epoch
from tests.heads.planted import accuracy, by_kmeans, with_nouns


def inputs_of(planted, **changes):
    images, nouns, centres, kinds = with_nouns(planted, **changes)
    words = [str(i) for i in range(len(nouns))]
    given = GivenNouns(words, np.arange(len(nouns)), centres, (nouns,))
    return HeadInputs(spaces=(images,), nouns=given), kinds


def test_no_preference_costs_what_the_specification_says():
    """ln k - 5 ln k + .1 ln k."""
    outputs, target = torch.zeros(1, 10, 6), torch.zeros(1, 6, dtype=torch.int64)
    terms, _, _ = sic.losses(outputs, outputs, target, sic.Params())
    assert float(terms[0]) == pytest.approx(-8.980082, abs=1e-5)


def test_sure_equal_clusters_that_the_nouns_agree_with():
    """-5 ln k."""
    outputs = 200 * torch.eye(10)[None]
    target = torch.arange(10)[None]
    terms, _, _ = sic.losses(outputs, outputs, target, sic.Params())
    assert float(terms[0]) == pytest.approx(-11.512925, abs=1e-5)


def test_the_gradients_are_autograd_s():
    draw = torch.Generator().manual_seed(1)
    a, b = (
        torch.randn((2, 4, 9), generator=draw, dtype=torch.float64).requires_grad_()
        for _ in range(2)
    )
    target = torch.randint(4, (2, 9), generator=draw)
    terms, by_a, by_b = sic.losses(a.detach(), b.detach(), target, sic.Params())
    p, q = a.softmax(1), b.softmax(1)
    mean = p.mean(2)
    loss = -(p * q).sum(1).log().mean(1) + 5 * (mean * mean.log()).sum(1)
    loss = loss + 0.1 * F.cross_entropy(a, target, reduction="none").mean(1)
    loss.sum().backward()
    assert terms[0].tolist() == pytest.approx(loss.tolist(), abs=1e-12)
    assert torch.allclose(by_a, a.grad, atol=1e-12)
    assert torch.allclose(by_b, b.grad, atol=1e-12)


def test_a_cluster_without_images_has_no_entropy_to_gain():
    """Below a share of 1e-8 the entropy is cut off, and its gradient with it."""
    outputs = torch.zeros(1, 3, 4, dtype=torch.float64)
    outputs[0, 2] = -30.0
    a = outputs.clone().requires_grad_()
    p = a.softmax(1)
    mean = p.mean(2).clamp(min=1e-8)
    target = torch.zeros(1, 4, dtype=torch.int64)
    loss = -(p * outputs.softmax(1)).sum(1).log().mean()
    loss = loss + 5 * (mean * mean.log()).sum() + 0.1 * F.cross_entropy(a, target)
    loss.backward()
    terms, by_a, _ = sic.losses(outputs, outputs, target, sic.Params())
    assert float(terms[0]) == pytest.approx(float(loss.detach()), abs=1e-12)
    assert by_a[0, 2].tolist() == pytest.approx(a.grad[0, 2].tolist(), rel=1e-9)


def kept(nouns, centres, nearest, uniqueness, batch=128):
    options = {"nearest_nouns": nearest, "uniqueness": uniqueness, "batch": batch}
    return sic.kept_nouns(nouns, centres, sic.Params(**options)).tolist()


def test_which_nouns_are_kept():
    """By hand; and γ_u = 1 keeps none but those that point away from the mean."""
    nouns = np.array([[2, 0], [1, 0.1], [0, 1], [-1, -1]], np.float32)
    centres = np.array([[5, 0], [0, 3]], np.float32)
    # The mean is along (2, .1); cosines with it .999, 1, .05 and -.74.
    assert kept(nouns, centres, 1, 0.05) == [2]
    assert kept(nouns, centres, 4, 0.05) == [2, 3]
    assert kept(nouns, centres, 4, 0.0)[:1] == [0]
    # Means of three and of one: (1, .37) and (-1, -1), whose mean is along (0, -1).
    assert kept(nouns, centres, 4, 0.4, batch=3) == [0, 1, 2]
    rng = np.random.default_rng(0)
    many = rng.standard_normal((80, 5)).astype(np.float32)
    found = kept(many, many[:3], 80, 1.0)
    cosines = normalised(many) @ normalised(many.mean(axis=0, keepdims=True))[0]
    assert found == np.flatnonzero(cosines < 0).tolist()
    with pytest.raises(MmclustError, match="No noun is both near"):
        kept(nouns, centres, 1, 1.5)


def test_text_centres():
    """The surest .9 of n / k, rounded down twice; then means of raw nouns."""
    rng = np.random.default_rng(4)
    images = rng.standard_normal((23, 6)).astype(np.float32)
    logits = rng.standard_normal((23, 4)).astype(np.float32)
    nouns = rng.standard_normal((40, 6)).astype(np.float32)
    found = sic.text_centres(images, logits, nouns, 0.9, 3)
    for cluster in range(4):
        surest = sorted(range(23), key=lambda i: -logits[i, cluster])[:4]
        centre = images[surest].mean(axis=0)
        cosine = nouns @ centre / np.linalg.norm(nouns, axis=1)
        near = np.argsort(-cosine)[:3]
        mean = nouns[near].mean(axis=0)
        assert found[cluster] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_partners_are_the_nearest_by_distance_and_the_image_itself():
    inputs, _ = inputs_of(0, n=80)
    made = sic.prepare(inputs, sic.Params(batch=20), device="cpu")
    near = NearestNeighbors(n_neighbors=21).fit(inputs.spaces[0])
    expected = near.kneighbors(return_distance=False, n_neighbors=20)
    assert made.near[:, 0].tolist() == list(range(80))
    assert np.array_equal(np.sort(made.near[:, 1:]), np.sort(expected))


@pytest.mark.parametrize(
    ("batch", "start_from_centres"), [(25, False), (25, True), (100, False)]
)
def test_training_is_a_plain_loop(batch, start_from_centres):
    """Modules, autograd and torch's Adam, on the same stream of indices.

    90 images in batches of 25, 25, 25 and 15, or in one that is larger than they are.
    """
    inputs, _ = inputs_of(1, n=90)
    params = sic.Params(
        epochs=3, batch=batch, nearest_nouns=20, learning_rate=0.01,
        weight_decay=0.01, start_from_centres=start_from_centres,
    )  # fmt: skip
    made = sic.prepare(inputs, params, device="cpu")
    (ours,) = sic.train(made, 5, params, seeds=[3], device="cpu")
    first, kept = sic._start(made, 5, params, 3)
    z, nouns = inputs.spaces[0], made.nouns[kept]
    layer = torch.nn.Linear(z.shape[1], 5)
    layer.weight.data.copy_(torch.from_numpy(first[:, :-1]))
    layer.bias.data.copy_(torch.from_numpy(first[:, -1]))
    adam = torch.optim.Adam(layer.parameters(), lr=0.01, weight_decay=0.01)
    order = [torch.Generator().manual_seed(derive(3, "head", "order"))]
    near, rows = torch.from_numpy(made.near), torch.from_numpy(z)
    for number in range(3):
        with torch.no_grad():
            logits = layer(rows).numpy()
        centres = sic.text_centres(z, logits, nouns, 0.9, 30)
        said = torch.from_numpy((z @ centres.T).argmax(axis=1))
        losses = []
        for at, beside in epoch(order, [near], batch, drop_last=False):
            a, b = layer(rows[at[0]]), layer(rows[beside[0]])
            p, q = a.softmax(1), b.softmax(1)
            mean = p.mean(0)
            loss = -(p * q).sum(1).log().mean() + 5 * (mean * mean.log()).sum()
            loss = loss + 0.1 * F.cross_entropy(a, said[at[0]])
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(float(loss.detach()))
        assert ours.curve[number]["loss"] == pytest.approx(np.mean(losses), abs=1e-4)
    shares = layer(rows).softmax(1).detach().numpy()
    found = sic.predict(ours.weights, inputs, params, device="cpu")
    assert np.abs(found - shares).max() < 1e-3


def test_planted_classes_that_kmeans_misses():
    """At least .95 where k-means on the images stays below .8.

    Some seeds leave two classes in one cluster (.6 to .8), which is the method: of five
    sets and four seeds 13 runs of 20 reach .95, and so do 13 of the released code's.
    """
    params = sic.Params(epochs=60, batch=64, learning_rate=0.001, nearest_nouns=20)
    for planted in (1, 2):
        inputs, kinds = inputs_of(planted)
        assert accuracy(kinds, by_kmeans(inputs.spaces[0], 5)) < 0.8
        made = sic.prepare(inputs, params, device="cpu")
        for one in sic.train(made, 5, params, seeds=[1, 2], device="cpu"):
            found = sic.predict(one.weights, inputs, params, device="cpu")
            assert accuracy(kinds, found.argmax(axis=1)) >= 0.95
