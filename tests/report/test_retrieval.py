"""Retrieval on the page, against a pool of six images made by hand."""

from __future__ import annotations

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_table
from mmclust.core.params import Params
from mmclust.report.page import make_report
from mmclust.report.retrieval import (
    example_queries,
    read_pool,
    setting_names,
    setting_rows,
    shown_queries,
)
from mmclust.scoring.record import path_of, write
from tests.report.pools import QUERIES, make_pool, setting


@pytest.fixture
def pool(tmp_path):
    """The pool, read as the report reads it."""
    return read_pool(tmp_path, "pool", make_pool(tmp_path, Params()))


def test_an_encoder_without_a_score_is_named(tmp_path):
    """A record that says nothing of the main test set is no record of a pool."""
    params = make_pool(tmp_path, Params())
    write(path_of(tmp_path, "retrieve", "pool"), setting("old_pool", 4))
    with pytest.raises(MmclustError, match="no score of miniclip on pool") as caught:
        read_pool(tmp_path, "pool", params)
    assert "dvc repro" in str(caught.value)


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


def test_recalls_are_percent_and_chance_comes_last(pool):
    """0.25 is 25; the interval of RSUM is not scaled; chance has no interval."""
    *rows, chance = setting_rows(pool.searched[0])
    row = next(row for row in rows if row["setting"] == "main")
    assert [cell["mean"] for cell in row["cells"]] == [25, 50, 100, 25, 50, 100, 350]
    assert row["cells"][-1]["half"] == 50
    assert row["cells"][0]["half"] == pytest.approx(5)
    assert row["pool"] == 6
    assert chance["cells"][-1]["mean"] == pytest.approx(35)
    assert chance["cells"][-1]["half"] is None


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
    assert source.count("<svg") >= 3
    _, console = browse(pages[0])
    assert console == []
