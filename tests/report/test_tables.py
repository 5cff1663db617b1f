"""Numbers on the page against ones worked out by hand."""

from __future__ import annotations

import pytest

from mmclust.report.tables import (
    baseline_name,
    confusion,
    label_free_rows,
    score_rows,
)


def figures(acc, **more):
    return {"n_samples": 9, "k": 3, "n_seeds": 1, "acc": acc, **more}


def test_best_of_each_column_is_marked_ties_together():
    """Only the top of a column is best; equal tops are all best."""
    rows = score_rows(
        {"e": {"image": {"a": figures(0.5, nmi=0.1), "b": figures(0.7, nmi=0.1)}}}, "e"
    )
    best = [[cell and cell["best"] for cell in row["cells"]] for row in rows]
    rest = [None, None, None]
    assert best == [[False, True, *rest], [True, True, *rest]]


def test_the_interval_is_halved():
    """[0.4, 0.6] is ± 0.1; without an interval there is none."""
    given = {"acc_low": 0.4, "acc_high": 0.6}
    none = {"acc_low": None, "acc_high": None}
    metrics = {"e": {"image": {"a": figures(0.5, **given), "b": figures(0.1, **none)}}}
    rows = score_rows(metrics, "e")
    assert rows[0]["cells"][0]["half"] == pytest.approx(0.1)
    assert rows[1]["cells"][0]["half"] is None


def test_no_scores_no_rows():
    """An empty metrics file gives an empty table."""
    assert score_rows({}, "e") == []


def test_heads_are_rows_of_the_encoder_they_were_trained_on():
    """The key `heads` is no encoder; a head may be the best of a column."""
    metrics = {
        "e": {"image": {"a": figures(0.5)}},
        "heads": {"image": {"h": figures(1)}},
    }
    rows = score_rows(metrics, "e")
    assert [(r["encoder"], r["clusterer"], r["head"]) for r in rows] == [
        ("e", "a", False), ("e", "h", True)
    ]  # fmt: skip
    assert [row["cells"][0]["best"] for row in rows] == [False, True]


def test_scores_of_other_images_are_told_apart():
    """A method scored on fewer images than the others is never the best."""
    metrics = {"e": {"image": {"a": figures(0.5), "b": figures(0.4)}}}
    metrics["heads"] = {"image": {"h": {**figures(0.9), "n_samples": 3}}}
    rows = score_rows(metrics, "e")
    assert [row["other"] for row in rows] == [False, False, True]
    assert [row["cells"][0]["best"] for row in rows] == [True, False, False]


def test_differences_to_the_baseline():
    """Each cell carries its own; the baseline's name is that of a row."""
    paired = {"acc_diff": 0.1, "acc_diff_low": -0.1, "acc_diff_high": 0.2}
    paired |= {"acc_diff_p": 0.04, "baseline": "e image a"}
    metrics = {"e": {"image": {"a": figures(0.5), "b": figures(0.6, **paired)}}}
    rows = score_rows(metrics, "e")
    assert rows[0]["cells"][0]["diff"] is None
    assert rows[1]["cells"][0]["diff"] == {
        "mean": 0.1, "low": -0.1, "high": 0.2, "p": 0.04, "p_holm": None
    }  # fmt: skip
    assert baseline_name(rows) == ("e", "image", "a")
    assert baseline_name(rows[:1]) is None


def test_label_free_scores_skip_what_is_no_view():
    """The definition and the choice of k stand beside the views."""
    record = {"definition": "…", "auto_k": {"k": 3}}
    record["image"] = {"kmeans": {"k": 3, "silhouette": 0.5, "stability": None}}
    (row,) = label_free_rows({"e": record})
    assert (row["encoder"], row["view"], row["clusterer"]) == ("e", "image", "kmeans")
    assert row["figures"] == [0.5, None, None, None]


def test_confusion_puts_matched_clusters_on_the_diagonal():
    """Columns follow the classes they were matched with; the unmatched come last."""
    counts = {
        ("cat", "dog (c0)"): 1, ("cat", "cat (c2)"): 3, ("cat", "unmatched (c1)"): 0,
        ("dog", "dog (c0)"): 5, ("dog", "cat (c2)"): 0, ("dog", "unmatched (c1)"): 5,
    }  # fmt: skip
    rows = [{"class": a, "cluster": b, "count": str(n)} for (a, b), n in counts.items()]
    matrix = confusion(rows)
    assert matrix["clusters"] == [
        {"label": "cat (c2)", "id": 2},
        {"label": "dog (c0)", "id": 0},
        {"label": "unmatched (c1)", "id": 1},
    ]
    cells = {
        (cell["row"], column): (cell["count"], cell["share"])
        for row in matrix["rows"] for column, cell in enumerate(row) if cell
    }  # fmt: skip
    assert cells == {
        (0, 0): (3, 0.75), (0, 1): (1, 0.25), (1, 1): (5, 0.5), (1, 2): (5, 0.5)
    }  # fmt: skip
    assert confusion([]) is None
