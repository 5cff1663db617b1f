"""What the track's report says: nothing that its numbers do not show."""

from dataclasses import replace

import pytest

from mmclust.core.params import ModelParams, Params
from mmclust.report.track import Track, compared_views, observations, shows
from mmclust.scoring.record import Record, Score


def method(key, ari, *, noise=0.0, found=3.0, **more):
    """Return one method's scores, ARI ± .1."""
    scores = [
        Score(*key, metric, ari, k=3, low=ari - 0.1, high=ari + 0.1)
        for metric in ("acc", "nmi", "ari")
    ]
    scores[-1] = replace(scores[-1], **more)
    counts = [Score(*key, "noise", noise), Score(*key, "n_clusters", found)]
    return [*scores, *counts]


def hog(name):
    return ("hog", "image", name)


def difference(versus, diff, low, high, p):
    return {"versus": versus, "diff": diff, "diff_low": low, "diff_high": high, "p": p}


def told(*methods):
    record = Record(tuple(score for scores in methods for score in scores))
    params = Params(model=ModelParams(heads=("tac",)))
    return observations(Track("toy", params, {}, {}, record, {}))


@pytest.mark.parametrize(
    ("diff", "low", "high", "p", "expected"),
    [
        (0.2, 0.1, 0.3, 0.01, 1),
        (-0.2, -0.3, -0.1, 0.01, -1),
        (0.2, 0.1, 0.3, 0.05, 0),  # p is not below the level
        (0.0, 0.0, 0.0, None, 0),  # nothing varies
    ],
)
def test_a_difference_is_shown_by_p(diff, low, high, p, expected):
    one = difference("b", diff, low, high, p)
    assert shows(Score("a", "", "", "ari", 0.5, **one)) == expected


def test_the_best_and_those_within_its_interval():
    """Lower ones outside it are not named; that it was picked is said."""
    (text,) = told(
        method(hog("kmeans"), 0.5), method(hog("dbscan"), 0.41), method(hog("w"), 0.2)
    )
    assert text == (
        "Of 3 methods, kmeans on hog (image) has the highest ARI: 0.500 (95 % interval "
        "0.400 to 0.600). Within that interval lies the ARI of 1 more: "
        "dbscan on hog (image). It was picked by this number; the interval does not "
        "allow for that."
    )


def test_equals_share_the_first_place():
    (text,) = told(method(hog("kmeans"), 0.5), method(hog("tac"), 0.5))
    assert (
        "kmeans on hog (image), the head tac on hog (image) have the highest ARI"
        in text
    )
    assert "Within" not in text


def test_views_are_told_as_the_record_has_them():
    """With p adjusted among views, also where the other view is the baseline."""
    keys = {view: ("both", view, "kmeans") for view in ("image", "text", "concat")}
    beside = difference("both image kmeans", -0.2, -0.3, -0.1, 0.002)
    near = difference("both image kmeans", 0.01, -0.1, 0.1, 0.9)
    text = method(keys["text"], 0.5, **beside, p_holm=0.9)
    pairs = [
        replace(text[2], p_holm=0.004),
        Score(*keys["concat"], "ari", 0.5, **near),
    ]
    methods = [method(keys["image"], 0.5), text, method(keys["concat"], 0.5), pairs]
    sentences = [s for s in told(*methods) if s.startswith("kmeans on both:")]
    assert sentences == [
        "kmeans on both: text is below image (ARI −0.200, −0.300 to −0.100, p 0.002).",
        (
            "kmeans on both: no difference between image + text and image is shown "
            "(ARI +0.010, −0.100 to 0.100, p 0.9)."
        ),
    ]
    record = Record(tuple(score for scores in methods for score in scores))
    assert [(s.p_holm, other) for s, other in compared_views(record)] == [
        (0.004, "image"), (None, "image"),
    ]  # fmt: skip


def test_classical_features_against_the_baseline_and_clusters_that_are_none():
    base = "resnet50 image kmeans"
    sentences = told(
        method(("resnet50", "image", "kmeans"), 0.5),
        method(("classical", "image", "kmeans"), 0.1,
               **difference(base, -0.4, -0.5, -0.3, 0.001)),
        method(("classical", "image", "dbscan"), 0.0, noise=0.9, found=1.0,
               **difference(base, -0.5, -0.6, -0.4, 0.001)),
    )[1:]  # fmt: skip
    assert sentences == [
        (
            "Against kmeans on resnet50 (image), 0 of 2 methods are above, 2 below, "
            "and 0 not told apart (p < 0.05; not adjusted for their "
            "number)."
        ),
        (
            "Classical features: kmeans on classical (image) is below kmeans on "
            "resnet50 (image) (ARI −0.400, −0.500 to −0.300, p 0.001)."
        ),
        "dbscan on classical (image) leaves 90.0 % of the images in no cluster.",
    ]
