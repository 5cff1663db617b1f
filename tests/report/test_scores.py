"""The answer and the tables, against records worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from mmclust.report.scores import (
    answer,
    chart,
    chosen_k,
    compared_tables,
    label_free_rows,
    ranks,
    reference_rows,
    score_rows,
    used_fewer,
)
from mmclust.scoring.record import Record, Score


def scored(key, acc, *, n=9, versus="", diff=None, p=None, p_holm=None, **more):
    low, high = round(acc - 0.1, 6), round(acc + 0.1, 6)
    ends = {} if diff is None else {"diff_low": diff - 0.02, "diff_high": diff + 0.02}
    first = Score(*key, "acc", acc, k=3, low=low, high=high, n_seeds=2, versus=versus,
                  diff=diff, p=p, p_holm=p_holm, **ends)  # fmt: skip
    counts = {"n_samples": n, "n_clusters": 3, "largest": 0.5, **more}
    return [first, *(Score(*key, m, float(v), k=3) for m, v in counts.items())]


def run_of(*lines, heads=()):
    methods = [SimpleNamespace(key=key, head=True) for key in heads]
    return SimpleNamespace(
        name="b", encoder="e", scores=Record(tuple(lines)), methods=methods,
        manifest=range(9), free={}, references=Record(),
        floors={line.key for line in lines if "random" in line.key},
    )  # fmt: skip


BEST = ("e", "concat", "a")
NEXT = ("e", "image", "a")
OTHER = ("o", "image", "a")
FLOOR = ("e", "image", "random")


def lines(p_holm):
    pair = {"versus": "e concat a", "diff": -0.2, "p": 0.01, "p_holm": p_holm}
    return [
        *scored(BEST, 0.7), *scored(NEXT, 0.5, **pair),
        *scored(OTHER, 0.4, **pair | {"p_holm": 0.6}), *scored(FLOOR, 0.1, **pair),
    ]  # fmt: skip


@pytest.mark.parametrize(("p_holm", "sure"), [(0.04, True), (0.06, False)])
def test_the_best_leads_the_next(p_holm, sure):
    """Reference and floor stand apart; Holm's p alone says whether the lead is sure."""
    run = run_of(*lines(p_holm))
    told = answer(run, score_rows(run))
    assert (told["best"]["key"], told["next"]["key"]) == (BEST, NEXT)
    assert (told["reference"]["key"], told["floor"]["key"]) == (OTHER, FLOOR)
    assert told["lead"].diff == -0.2
    assert told["sure"] is sure
    assert told["alike"] == ([] if sure else ["a on image"]) + ["a on image of o"]
    assert told["apart"] == (1 if sure else 0)
    assert (told["own"], told["below"]) == (None, [])


def test_a_better_encoder_is_not_hidden():
    """The best is of another encoder: said, and the main one's best beside it."""
    pair = {"versus": "o image a", "diff": -0.2, "p": 0.01, "p_holm": 0.02}
    run = run_of(*scored(OTHER, 0.9), *scored(NEXT, 0.5, **pair),
                 *scored(BEST, 0.7, **pair | {"p_holm": 0.03}))  # fmt: skip
    told = answer(run, score_rows(run))
    assert (told["best"]["key"], told["next"]["key"]) == (OTHER, BEST)
    assert (told["own"]["key"], told["behind"].p_holm) == (BEST, 0.03)


def test_what_is_below_the_floor_says_so():
    """A method that looks, and is worse than one that does not."""
    run = run_of(*scored(BEST, 0.05), *scored(FLOOR, 0.1))
    told = answer(run, score_rows(run))
    assert told["best"]["key"] == BEST
    assert told["below"] == ["a on image + text"]


def test_nothing_scored_and_a_single_method():
    """No class is known: no best; one method: nothing to hold it against."""
    run = run_of()
    assert answer(run, score_rows(run))["best"] is None
    run = run_of(*scored(BEST, 0.7))
    told = answer(run, score_rows(run))
    assert (told["best"]["key"], told["next"], told["lead"]) == (BEST, None, None)


def test_methods_on_other_images_never_win():
    """A higher score on fewer images is shown, and is no answer."""
    few = scored(("e", "head", "h"), 0.9, n=3)
    run = run_of(*lines(0.01), *few, heads=[("e", "head", "h")])
    rows = score_rows(run)
    head = next(row for row in rows if row["head"])
    assert head["other"]
    assert head["best"] == set()
    assert answer(run, rows)["best"]["key"] == BEST
    (lane,) = [x for x in chart([(answer(run, rows), rows)])["groups"]["Methods"]
               if x["cells"][0]["best"]]  # fmt: skip
    assert lane["name"] == "a on image + text"


def test_best_of_each_column_ties_together():
    """Equal tops are all best; ± is half of the interval."""
    run = run_of(*scored(BEST, 0.7, nmi=0.1), *scored(NEXT, 0.5, nmi=0.1))
    rows = score_rows(run)
    assert [row["best"] for row in rows] == [{"acc", "nmi"}, {"nmi"}]
    assert rows[0]["cells"]["acc"].half == pytest.approx(0.1)
    assert rows[0]["cells"]["ari"] is None


def test_the_chart_is_in_percent_of_its_axis():
    """0.7 ± 0.1 on an axis to 0.9: the top is the first tenth above all intervals."""
    run = run_of(*lines(0.01))
    rows = score_rows(run)
    drawn = chart([(answer(run, rows), rows)] * 2)
    assert drawn["top"] == 0.9
    cell = drawn["groups"]["Methods"][0]["cells"][1]
    assert (cell["low"], cell["at"], cell["high"]) == (66.7, 77.8, 88.9)
    assert [name for name, _ in drawn["columns"]] == ["b", "b"]
    assert drawn["columns"][0][1] == 11.1
    assert list(drawn["groups"]) == ["Methods", "Other encoders", "Floor"]


def test_every_comparison_has_a_place():
    """A table for each thing that others are held against, the first line of each."""
    run = run_of(*lines(0.01))
    (table,) = compared_tables(run)
    assert table["versus"] == "a on image + text"
    assert table["metrics"] == ["acc"]
    assert [row["name"] for row in table["rows"]] == [
        "a on image", "a on image of o", "random on image"
    ]  # fmt: skip
    assert table["rows"][0]["cells"][0].p_holm == 0.01


def test_label_free_scores_skip_what_is_no_method():
    """The chosen k stands beside the methods; an undefined score keeps its note."""
    chosen = Score("e", "", "", "chosen_k", 3.0)
    own = [Score(*NEXT, "silhouette", 0.5), Score(*NEXT, "stability", None, note="one")]
    run = run_of()
    run.free["e"] = Record((*own, chosen))
    (row,) = label_free_rows(run)
    assert row["key"] == NEXT
    assert [c and c.mean for c in row["cells"]] == [0.5, *[None] * 5]
    assert row["cells"][3].note == "one"


def test_references_are_no_rivals():
    """They have a table of their own, and are never the best."""
    run = run_of(*lines(0.01))
    top = ("e", "image", "linear_probe")
    run.references = Record((
        Score(*top, "acc", 1.0, note="uses labels"), Score(*top, "nmi", 0.9),
        Score("e", "", "", "generalisation_rank_correlation", 0.5, note="over 3"),
    ))  # fmt: skip
    rows = score_rows(run)
    assert top not in [row["key"] for row in rows]
    assert answer(run, rows)["best"]["key"] == BEST
    (found,) = reference_rows(run)
    assert (found["name"], found["note"]) == ("linear probe", "uses labels")
    assert [c and c.mean for c in found["cells"]] == [1.0, 0.9, None]
    (of,) = ranks(run)
    assert of["name"] == "methods of e"
    assert [c and c.mean for c in of["cells"]] == [None, None, None, None, 0.5, None]


def test_what_used_fewer_clusters_than_asked():
    """Methods that find k are asked for none."""
    few = scored(BEST, 0.5, n_clusters=2.5)
    found = [replace(s, k=0) for s in scored(NEXT, 0.4, n_clusters=1)]
    rows = score_rows(run_of(*few, *found, *scored(OTHER, 0.3)))
    assert used_fewer(rows) == [("a on image + text", 2.5, 3)]


def test_criteria_of_k_agree_or_not():
    """Of each encoder; none where k was given."""
    run = run_of()
    run.free = {
        encoder: Record(tuple(
            Score(encoder, "", "", f"chosen_k_by_{by}", float(k))
            for by, k in zip(("silhouette", "generalisation", "coding_length"), ks,
                             strict=True)
        ))
        for encoder, ks in (("e", (3, 3, 3)), ("o", (3, 2, 9)))
    }  # fmt: skip
    run.free["p"] = Record((Score(*NEXT, "silhouette", 0.5),))
    one, two = chosen_k(run)
    assert (one["agree"], two["agree"]) == (True, False)
    assert two["by"] == {"silhouette": 3, "generalisation": 2, "coding length": 9}
