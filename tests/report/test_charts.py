"""Charts of scores over k against coordinates worked out by hand."""

from __future__ import annotations

from mmclust.report.charts import apart, curves


def test_curve_coordinates():
    """k from 2 to 6 spans the width; 0 to 0.5 (the top of 0.45) spans the height."""
    rows = [
        {"encoder": e, "view": "image", "k": k, "metric": "acc", "score": s}
        for e, k, s in (("a", "6", "0.45"), ("a", "2", "0.25"), ("b", "9", "0.9"))
    ]
    (panel,) = curves(rows, "a", (200, 100))
    assert panel["lines"] == [
        {"view": "image", "points": [(0.0, 50.0, 2, 0.25), (200.0, 10.0, 6, 0.45)]}
    ]
    assert panel["y_ticks"][0] == (100.0, "0.0")
    assert panel["y_ticks"][-1] == (0.0, "0.5")
    assert curves(rows, "c", (200, 100)) == []


def test_curve_below_zero_keeps_round_ticks():
    """ARI may be negative: the axis then starts lower, with its ticks unmoved."""
    rows = [
        {"encoder": "a", "view": "image", "k": k, "metric": "ari", "score": s}
        for k, s in (("2", "-0.03"), ("3", "0.97"))
    ]
    (panel,) = curves(rows, "a", (200, 110))
    assert [text for _, text in panel["y_ticks"]] == [
        "0.0", "0.2", "0.4", "0.6", "0.8", "1.0"
    ]  # fmt: skip
    assert panel["y_ticks"][0][0] == 100.0


def test_both_ends_of_the_axis_are_always_labelled():
    """The default sweep shows every k; crowded ones lose those in between."""
    rows = [
        {"encoder": "a", "view": "image", "k": str(k), "metric": "acc", "score": "0.5"}
        for k in (2, 5, 10, 20, 43, 60)
    ]
    (panel,) = curves(rows, "a", (230, 130))
    labels = [text for _, text in panel["x_ticks"]]
    assert labels == ["2", "5", "10", "20", "43", "60"]
    assert apart([(0, "2"), (4, "3"), (200, "60")]) == [(0, "2"), (200, "60")]
    assert apart([(0, "2"), (3, "3")]) == [(0, "2"), (3, "3")]
    assert apart([]) == []
