"""Learned words on the page, against two models of six words made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.io import write_json
from mmclust.core.params import CognitionParams, GroundingParams, Params
from mmclust.report.learned import (
    cluster_rows,
    grounding_rows,
    network,
    read_learners,
    score_groups,
)
from mmclust.report.page import make_report
from mmclust.scoring.record import path_of, read
from tests.report.lexicon import make_words

SIZE = (200, 100)


@pytest.fixture
def learners(tmp_path):
    """Both models, read as the report reads them."""
    return read_learners(tmp_path, make_words(tmp_path, Params()))


def test_models_are_those_of_the_params_that_have_learned(tmp_path, learners):
    """One that did not learn is left out, and so is one that only lies there."""
    assert [each.name for each in learners] == ["joint_model", "random"]
    assert len(learners[0].files) == 5
    only = replace(Params(), words={"random": {}})
    assert [each.name for each in read_learners(tmp_path, only)] == ["random"]


def test_clusters_are_sorted_and_judged(learners):
    """Confidence, then count; purity is 2 of 3 and 1 of 1; unknown words are out."""
    first, second = cluster_rows(learners[0])
    assert [w["text"] for w in first["words"]] == ["cat", "chair", "dog"]
    assert (first["id"], first["n"], first["rated"]) == (0, 3, 3)
    assert (first["category"], first["purity"]) == ("animal", pytest.approx(2 / 3))
    assert [w["text"] for w in second["words"]] == ["<i>sofa</i>", "the"]
    assert (second["rated"], second["purity"], second["more"]) == (1, 1, 0)
    chance = cluster_rows(learners[1])
    assert [w["text"] for w in chance[0]["words"]] == ["cat", "dog", "chair"]
    assert chance[0]["words"][0]["confidence"] is None


def test_long_clusters_keep_the_words_of_the_norms(learners, monkeypatch):
    """What is cut is counted."""
    monkeypatch.setattr("mmclust.report.learned.SHOWN", 0)
    second = cluster_rows(learners[0])[1]
    assert [w["text"] for w in second["words"]] == ["<i>sofa</i>"]
    assert second["more"] == 1


def test_scores_of_all_models_stand_side_by_side(tmp_path, learners):
    """A missing score keeps its reason; rows that nobody has are left out."""
    record = read(path_of(tmp_path, "cognition", Params().learning.benchmark))
    names = [each.name for each in learners]
    groups = {group["title"]: group["rows"] for group in score_groups(record, names)}
    assert list(groups) == [
        "Categories, unknown words in one more cluster", "Concreteness",
        "Association", "Clusters",
    ]  # fmt: skip
    joint, chance = groups["Association"][0]["cells"]
    assert joint["score"].mean == 2.5
    assert joint["score"].half == pytest.approx(0.1)
    assert (chance["score"].mean, chance["score"].note) == (
        None, "no cluster has two <words>"
    )  # fmt: skip
    joint, chance = groups["Concreteness"][0]["cells"]
    assert joint["n"] == 1234
    assert chance["score"].note == "this model makes no estimate"
    fscore = groups["Categories, unknown words in one more cluster"][0]["cells"]
    assert [cell["below"] for cell in fscore] == [None, None]


def test_what_is_below_chance_says_so(tmp_path):
    """A heat map of F1 .293 is below points drawn by chance, .305; boxes are not."""
    params = make_words(tmp_path, Params())
    record = read(path_of(tmp_path, "grounding", params.grounding.benchmark))
    rows = grounding_rows(record, params.grounding.model)
    below = {row["name"]: row["below"] for row in rows}
    assert below == {
        "box": None, "random box": None, "heatmap": 0.305, "random heatmap": None
    }  # fmt: skip
    assert [row["chance"] for row in rows] == [False, True, False, True]
    assert [row["sure"] for row in rows] == [True, False, False, False]


def test_the_network_is_of_the_cluster_with_the_most_pairs(learners):
    """Words on a circle, the strongest pair the thickest line."""
    circle = network(learners[0].pairs, SIZE)
    assert (circle["cluster"], circle["pairs"]) == (0, 2)
    assert [node[-1] for node in circle["nodes"]] == ["cat", "chair", "dog"]
    assert circle["nodes"][0][:2] == (100.0, 8.0)
    assert circle["edges"][0][4:] == (4.6, "cat", "dog", 30.0)
    assert network([], SIZE) is None


def test_page_has_a_section_of_words(run, browse):
    """Words are escaped, norms are called generated, the console is silent."""
    root, params = run
    params = make_words(root, params)
    write_json(root / "data/raw/norms/source.json", {"mirror": "sample"})
    pages = [root / "index.html", root / "again.html"]
    for page in pages:
        make_report(root, params, page)
    source = pages[0].read_text(encoding="utf-8")
    assert source == pages[1].read_text(encoding="utf-8")
    assert '<a href="#word-learning">Words</a>' in source
    assert "&lt;i&gt;sofa&lt;/i&gt;" in source
    assert "<i>sofa" not in source
    assert "no cluster has two &lt;words&gt;" in source
    assert "random (floor)" in source
    assert "±&nbsp;0.100" in source
    assert "below chance (0.305)" in source
    text = " ".join(source.split())
    assert (
        "norms of categories, concreteness, association were generated by rule" in text
    )
    assert "data/words/joint_model/words.parquet" in source
    assert "metrics/details/grounding/coco_words.csv" in source
    assert ">random box</th>" in source
    assert "by chance: as many boxes as there are objects" in source
    _, console = browse(pages[0])
    assert console == []


def test_what_is_absent_is_left_out(run):
    """No model, no section; models without scores or grounding show their words."""
    root, params = run
    page = root / "index.html"
    make_report(root, params, page)
    assert "word-learning" not in page.read_text(encoding="utf-8")
    full = make_words(root, params)
    for folder in ("metrics/details/cognition", "data/cognition", "plots/cognition"):
        for path in (root / folder).rglob("*.*"):
            path.unlink()
    make_report(root, replace(full, grounding=GroundingParams(benchmarks=())), page)
    source = page.read_text(encoding="utf-8")
    assert "<h3>Clusters of words</h3>" in source
    for absent in (
        "<summary>Concreteness",
        "<summary>Associations",
        "<h3>In the pictures",
    ):
        assert absent not in source


def test_norms_of_ones_own_are_not_called_generated(run):
    """Neither with published files, nor for a file from elsewhere."""
    root, params = run
    full, page = make_words(root, params), root / "index.html"
    own = CognitionParams(categories="mine.yaml")
    source = root / "data/raw/norms/source.json"
    write_json(source, {"mirror": "sample"})
    make_report(root, replace(full, cognition=own), page)
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert "norms of concreteness, association were generated by rule" in text
    write_json(source, {"mirror": "upstream"})
    make_report(root, full, page)
    assert "generated by rule" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("stage", ["cognition", "grounding"])
def test_scores_of_another_version_are_refused(run, stage):
    """Scores in another layout are named, and never shown half."""
    root, params = run
    full = make_words(root, params)
    path_of(root, stage, "coco_words").write_text("word,score\na,1\n")
    with pytest.raises(MmclustError, match="no record of scores of this version"):
        make_report(root, full, root / "index.html")
    assert not (root / "index.html").exists()


def test_selection_by_norms_is_said(run):
    """A model that chose its epoch by the categories is named."""
    from mmclust.core.clusters import read_words, write_words

    root, params = run
    full, page = make_words(root, params), root / "index.html"
    path = root / "data/words/joint_model/words.parquet"
    learned = read_words(path)
    meta = {"model": "joint_model", "params": {"select": "include_unknown_fscore"}}
    write_words(path, replace(learned, meta=meta))
    make_report(root, full, page)
    assert "joint_model kept the epoch" in page.read_text(encoding="utf-8")
