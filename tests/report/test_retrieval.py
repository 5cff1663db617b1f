"""Retrieval on the page, against a pool of six images made by hand."""

from __future__ import annotations

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_json, write_table
from mmclust.core.params import Params
from mmclust.report.page import make_report
from mmclust.report.queries import example_queries, shown_queries
from mmclust.report.retrieval import Searched, read_pool, setting_names, setting_rows
from mmclust.report.retrieval_charts import rank_bars, recall_curves, slope
from tests.report.pools import QUERIES, figures, make_pool

SIZE = (200, 100)


@pytest.fixture
def pool(tmp_path):
    """The pool, read as the report reads it."""
    return read_pool(tmp_path, "pool", make_pool(tmp_path, Params()))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"version": 2, "main": {}}, "found: version: int"),
        ({"main": {"n_pool": 6, "n_images": 4}}, "found: main without n_captions"),
        ({"old_pool": figures(4)}, "found: old_pool"),
        ([1], "found: list"),
    ],
)
def test_metrics_of_another_version_are_refused(tmp_path, value, found):
    """Records without what the page reads are named, and what to run."""
    params = make_pool(tmp_path, Params())
    write_json(tmp_path / "metrics/retrieval/pool/miniclip.json", value)
    with pytest.raises(MmclustError, match="by another version of mmclust") as caught:
        read_pool(tmp_path, "pool", params)
    assert found in " ".join(str(caught.value).split())


def test_best_captions_that_are_not_first_are_not_called_so(tmp_path, run):
    """The pool's best six are of ranks 1 to 6, and the page does not say first."""
    root, params = run
    make_report(root, make_pool(root, params), root / "index.html")
    text = (root / "index.html").read_text()
    assert "The right image is ranked highest" in text
    assert "The right image comes first" not in text


def test_settings_are_named_by_what_differs():
    """A benchmark without other captions, or added images, names neither."""
    assert list(setting_names(dict.fromkeys(["main", "old_captions", "old_pool"]))) == [
        "old_captions", "old_pool", "main"
    ]  # fmt: skip
    assert setting_names({"main": 0, "old_pool": 0}) == {
        "old_pool": "original pool", "main": "enlarged pool"
    }  # fmt: skip
    assert setting_names({"main": 0}) == {"main": "as built"}


def test_recalls_are_percent_and_chance_comes_last():
    """0.25 is 25; the interval of RSUM is not scaled; chance has no interval."""
    searched = Searched("e", {"main": figures(6)}, [], [], [], {})
    row, chance = setting_rows(searched)
    assert [cell["mean"] for cell in row["cells"]] == [25, 50, 100, 25, 50, 100, 350]
    assert (row["cells"][-1]["low"], row["cells"][-1]["high"]) == (300, 400)
    assert row["cells"][0]["low"] == pytest.approx(15)
    assert row["pool"] == 6
    assert chance["cells"][-1] == {"mean": 35, "low": None, "high": None}


def test_best_and_worst_queries():
    """Best: rank 1 with the widest lead, ties after; one caption of each image."""
    keys = ("query", "rank", "tied", "candidates", "scores")
    best, worst = shown_queries(
        dict(zip(keys, zip(*QUERIES, strict=True), strict=True))
    )
    # Of a's two, the second leads by more; c is tied; then d at 3 and b at 6.
    assert [QUERIES[row][0] for row in best] == ["a#1", "c#1#0", "d#0", "b#0"]
    assert worst.tolist() == []
    many = [(f"{i:02d}#0", i + 1, 0, ["a"], [0.5]) for i in range(9)]
    best, worst = shown_queries(dict(zip(keys, zip(*many, strict=True), strict=True)))
    assert best.tolist() == [0, 1, 2, 3, 4, 5]
    assert worst.tolist() == [8, 7, 6]


def test_examples_join_captions_and_pictures_by_name(pool):
    """The caption is the query's own, the right image is told among candidates."""
    shown = example_queries(pool, pool.searched[0])["best"]
    assert [each["caption"] for each in shown] == [
        "<u>second</u> of a", "of c", "of d", "of b"
    ]  # fmt: skip
    assert [p["ok"] for p in shown[2]["candidates"]] == [False, False, True]
    assert shown[2]["right"]["src"] == shown[2]["candidates"][2]["src"]
    assert shown[2]["right"]["src"] != shown[2]["candidates"][0]["src"]


def test_charts(pool):
    """Logarithmic k; bars as tall as the most; the slope from the oldest to main."""
    searched = pool.searched[0]
    recall = recall_curves(searched.recall, SIZE)
    assert recall["lines"][0]["points"][9] == (100.0, 90.0)  # k = 10 of 100: half way
    assert [line["original"] for line in recall["lines"]] == [False, False, True, True]
    i2t, t2i = rank_bars(searched.ranks, SIZE)
    assert i2t["bars"] == [
        (1.0, 0.0, 98.0, 100.0, "1", 3), (101.0, 66.7, 98.0, 33.3, "2 to 3", 1)
    ]  # fmt: skip
    assert len(t2i["bars"]) == 3
    lines = slope(searched.slope, SIZE)["lines"]
    assert [end["y"] for end in lines[0]["ends"]] == [[16.7, 16.7, 50.0]] * 2
    labels = [line["ends"][0]["label"] for line in lines]
    assert labels[1] - labels[0] >= 13  # both points are at one height
    one = [row for row in searched.slope if row["setting"] == "main"]
    assert slope(one, SIZE) is None
    assert recall_curves([], SIZE) is None
    assert rank_bars([], SIZE) == []


def test_lists_of_another_manifest_are_refused(tmp_path):
    """Queries are joined with captions only if both are of the same build."""
    params = make_pool(tmp_path, Params())
    path = tmp_path / "data/retrieval/pool/miniclip/t2i_main.parquet"
    write_table(path, read_table(path)[0], {"manifest": "0" * 64})
    with pytest.raises(MmclustError, match="made from another manifest") as caught:
        read_pool(tmp_path, "pool", params)
    assert "dvc repro" in str(caught.value)


def test_page_has_a_section_for_each_pool(run, browse):
    """Captions are escaped, the pool is called drawn, the console is silent."""
    root, params = run
    params = make_pool(root, params)
    pages = [root / "index.html", root / "again.html"]
    for page in pages:
        make_report(root, params, page)
    source = pages[0].read_text(encoding="utf-8")
    assert source == pages[1].read_text(encoding="utf-8")
    assert "<h2>Retrieval: pool</h2>" in source
    assert "&lt;u&gt;second&lt;/u&gt; of a" in source
    assert "<u>second" not in source
    assert "drawn and composed by the built-in sample" in source
    assert "data/retrieval/pool/miniclip/t2i_main.parquet" in source
    assert "rank 1 of 6, tied with 1" in source
    assert "counted against them RSUM is 325.0" in " ".join(source.split())
    _, console = browse(pages[0])
    assert console == []
