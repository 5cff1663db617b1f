"""What the track's report says: nothing that its numbers do not show."""

import pytest

from mmclust.core.params import Params
from mmclust.report.track import Track, shows
from mmclust.report.track_words import observations


def record(ari, *, low=None, high=None, noise=0.0, found=3, **more):
    low, high = ari - 0.1 if low is None else low, ari + 0.1 if high is None else high
    return {"k": 3, "n_clusters": found, "noise": noise, "ari": ari, "ari_low": low,
            "ari_high": high, **more}  # fmt: skip


def difference(diff, low, high, p):
    return {"ari_diff": diff, "ari_diff_low": low, "ari_diff_high": high,
            "ari_diff_p": p}  # fmt: skip


def told(metrics, views=None):
    return observations(Track("toy", Params(), {}, {}, metrics, views or {}, {}))


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
    assert shows({"diff": diff, "low": low, "high": high, "p": p}) == expected


def test_the_best_and_those_within_its_interval():
    """Lower ones outside it are not named; that it was picked is said."""
    a = {"kmeans": record(0.50), "dbscan": record(0.41), "ward": record(0.2)}
    (text,) = told({"hog": {"image": a}})
    assert text == (
        "Of 3 methods, kmeans on hog (image) has the highest ARI: 0.500 (95 % interval "
        "0.400 to 0.600). Within that interval lies the ARI of 1 more: "
        "dbscan on hog (image). It was picked by this number; the interval does not "
        "allow for that."
    )


def test_equals_share_the_first_place():
    metrics = {"hog": {"image": {"kmeans": record(0.5)}},
               "heads": {"image": {"tac": record(0.5)}}}  # fmt: skip
    (text,) = told(metrics)
    assert "kmeans on hog (image), the head tac (image) have the highest ARI" in text
    assert "Within" not in text


def test_views_are_told_as_the_metrics_have_them():
    runs = {"kmeans": record(0.5)}
    metrics = {"both": {"image": runs, "text": runs, "concat": runs}}
    views = {"both": {"kmeans": {
        "text - image": difference(-0.2, -0.3, -0.1, 0.002),
        "concat - image": difference(0.01, -0.1, 0.1, 0.9),
    }}}  # fmt: skip
    sentences = told(metrics, views)[1:]
    assert sentences == [
        "kmeans on both: text is below image (ARI −0.200, −0.300 to −0.100, p 0.002).",
        (
            "kmeans on both: no difference between image + text and image is shown "
            "(ARI +0.010, −0.100 to 0.100, p 0.9)."
        ),
    ]


def test_classical_features_against_the_baseline_and_clusters_that_are_none():
    base = {"baseline": "resnet50 image kmeans"}
    metrics = {
        "resnet50": {"image": {"kmeans": record(0.5)}},
        "classical": {"image": {
            "kmeans": record(0.1, **base, **difference(-0.4, -0.5, -0.3, 0.001)),
            "dbscan": record(0.0, noise=0.9, found=1, **base,
                             **difference(-0.5, -0.6, -0.4, 0.001)),
        }},
    }  # fmt: skip
    sentences = told(metrics)[1:]
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
