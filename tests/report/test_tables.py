"""Numbers on the page against ones worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mmclust.report.tables import confusion, curves, facts, score_rows


def figures(acc, **more):
    return {"n_samples": 9, "k": 3, "n_seeds": 1, "acc": acc, **more}


def test_best_of_each_column_is_marked_ties_together():
    """Only the top of a column is best; equal tops are all best."""
    rows = score_rows(
        {"e": {"image": {"a": figures(0.5, nmi=0.1), "b": figures(0.7, nmi=0.1)}}}
    )
    best = [[cell and cell["best"] for cell in row["cells"]] for row in rows]
    assert best == [[False, True, None, None], [True, True, None, None]]


def test_interval_over_seeds_is_halved_and_absent_for_one_run():
    """[0.4, 0.6] over seeds is ± 0.1; one run has none."""
    seeds = {"n_seeds": 5, "acc_seeds_low": 0.4, "acc_seeds_high": 0.6}
    rows = score_rows({"e": {"image": {"a": figures(0.5, **seeds), "b": figures(0.1)}}})
    assert rows[0]["cells"][0]["seeds"] == pytest.approx(0.1)
    assert rows[1]["cells"][0]["seeds"] is None


def test_no_scores_no_rows():
    """An empty metrics file gives an empty table."""
    assert score_rows({}) == []


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


def test_confusion_puts_matched_clusters_on_the_diagonal():
    """Columns follow the classes they were matched with; the unmatched come last."""
    counts = {
        ("cat", "dog (c0)"): 1, ("cat", "cat (c2)"): 3, ("cat", "unmatched (c1)"): 0,
        ("dog", "dog (c0)"): 5, ("dog", "cat (c2)"): 0, ("dog", "unmatched (c1)"): 5,
    }  # fmt: skip
    rows = [{"class": a, "cluster": b, "count": str(n)} for (a, b), n in counts.items()]
    matrix = confusion(rows)
    assert matrix["clusters"] == ["cat (c2)", "dog (c0)", "unmatched (c1)"]
    cells = {(c["row"], c["column"]): (c["count"], c["share"]) for c in matrix["cells"]}
    assert cells == {
        (0, 0): (3, 0.75), (0, 1): (1, 0.25), (1, 1): (5, 0.5), (1, 2): (5, 0.5)
    }  # fmt: skip
    assert confusion([]) is None


def test_facts_are_short_or_folded_away():
    """Notes join the rest, long ones apart; what is unknown is left out."""
    notes = {"min_images": 20, "published": None, "dropped": {"a_b": 1, "c": [2, 3]}}
    summary = {
        "images": 1683,
        "per_class": {"cat": 1683},
        "notes": notes,
        "x": "y" * 60,
    }
    assert facts(SimpleNamespace(summary=summary)) == {
        "short": [
            ("images", "1,683"), ("min images", "20"), ("dropped", "a b: 1, c: 2, 3")
        ],
        "long": [("x", "y" * 60)],
    }  # fmt: skip
