"""Learned words on the page, against two models of six words made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.io import write_json
from mmclust.core.params import CognitionParams, GroundingParams, Params
from mmclust.report.learned import cluster_rows, read_learners, score_groups
from mmclust.report.learned_charts import curves, network, scatter
from mmclust.report.page import make_report
from mmclust.report.words import MINUS
from tests.report.lexicon import make_words

SIZE = (200, 100)


@pytest.fixture
def learners(tmp_path):
    """Both models, read as the report reads them."""
    return read_learners(tmp_path, make_words(tmp_path, Params()))


def test_models_are_those_of_the_params_that_have_learned(tmp_path, learners):
    """One that did not learn is left out, and so is one that only lies there."""
    assert [each.name for each in learners] == ["joint_model", "random"]
    assert len(learners[0].files) == 6
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


def test_scores_of_all_models_stand_side_by_side(learners):
    """A missing score keeps its reason; rows that nobody has are left out."""
    groups = {group["title"]: group["rows"] for group in score_groups(learners)}
    assert list(groups) == [
        "Categories, unknown words in one more cluster", "Concreteness",
        "Association", "Clusters",
    ]  # fmt: skip
    joint, chance = groups["Association"][0]["cells"]
    assert (joint["value"], joint["std"]) == (2.5, 0.012)
    assert (chance["value"], chance["why"]) == (None, "no cluster has two <words>")
    joint, chance = groups["Concreteness"][0]["cells"]
    assert joint["n"] == 1234
    assert chance["why"] == "this model makes no estimate"


def test_charts(learners):
    """Ratings from 1 to 5 and estimates from 0.4 to 0.9 fill the panel."""
    drawn = scatter(learners[0].rated, SIZE)
    assert drawn["n"] == 3
    # 1.5 of 1 to 5 is an eighth; the most frequent word first.
    assert drawn["dots"][0] == (25.0, 100.0, "the", 99, 1.5, 0.4)
    assert [text for _, text in drawn["x_ticks"]] == ["1", "2", "3", "4", "5"]
    circle = network(learners[0].pairs, SIZE)
    assert (circle["cluster"], circle["pairs"]) == (0, 2)
    assert [node[-1] for node in circle["nodes"]] == ["cat", "chair", "dog"]
    assert circle["nodes"][0][:2] == (100.0, 8.0)
    assert circle["edges"][0][4:] == (4.6, "cat", "dog", 30.0)
    loss, active = curves(learners[0].curve, SIZE)
    assert [line["seed"] for line in loss["lines"]] == ["0", "1"]
    assert [p[2:] for p in loss["lines"][1]["points"]] == [(1, 0.81), (2, 0.71)]
    assert active["name"] == "active clusters"
    assert [text for _, text in active["y_ticks"]] == [
        "1", "2"
    ]  # fmt: skip
    assert scatter([], SIZE) is network([], SIZE) is None
    assert curves([], SIZE) == []


@pytest.mark.parametrize("value", ["0", "5", "-0.3", "1e-9"])
def test_one_value_has_an_axis(value):
    """A constant curve and a single word are drawn inside the panel."""
    drawn = scatter(
        [{"word": "a", "count": "1", "rating": value, "estimate": value}], SIZE
    )
    x, y = drawn["dots"][0][:2]
    assert 0 <= x <= 200
    assert 0 <= y <= 100
    assert 2 <= len({text for _, text in drawn["x_ticks"]}) <= 6


def test_page_has_a_section_of_words(run, browse):
    """Words are escaped, norms are called generated, the console is silent."""
    root, params = run
    params = make_words(root, params)
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
    assert "[0.510 to 0.710]" in source
    text = " ".join(source.split())
    assert (
        "norms of categories, concreteness, association were generated by rule" in text
    )
    assert "data/words/joint_model/words.parquet" in source
    assert "plots/grounding/scores.csv" in source
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
    for folder in ("metrics/cognition", "data/cognition", "plots/cognition"):
        for path in (root / folder).rglob("*.*"):
            path.unlink()
    make_report(root, replace(full, grounding=GroundingParams(benchmarks=())), page)
    source = page.read_text(encoding="utf-8")
    assert "<h3>Clusters of words</h3>" in source
    for absent in ("<h3>Concreteness", "<h3>Associations", "<h3>In the pictures"):
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


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("metrics/cognition/random.json", '{"mas": {"mean": 1}}', "levels below mas"),
        ("metrics/cognition/random.json", '{"version": 9}', "found: version"),
        ("metrics/cognition/random.json", "[]", "found: list"),
        (
            "plots/grounding/scores.csv",
            "evaluation,precision\nbox,1\n",
            "found: no precision_low",
        ),
    ],
)
def test_scores_of_another_version_are_refused(run, name, text, found):
    """Scores in another layout are named, and never shown half."""
    root, params = run
    full = make_words(root, params)
    (root / name).write_text(text)
    with pytest.raises(MmclustError, match="by another version of mmclust") as caught:
        make_report(root, full, root / "index.html")
    assert found in " ".join(str(caught.value).split())
    assert not (root / "index.html").exists()


def test_selection_by_norms_is_said(run):
    """A model that chose its epoch by the categories is named."""
    from mmclust.core.words import read_words, write_words

    root, params = run
    full, page = make_words(root, params), root / "index.html"
    path = root / "data/words/joint_model/words.parquet"
    learned = read_words(path)
    meta = {"model": "joint_model", "params": {"select": "include_unknown_fscore"}}
    write_words(path, replace(learned, meta=meta))
    make_report(root, full, page)
    assert "joint_model kept the epoch" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.7031, 0.706], ["0.702", "0.704", "0.706"]),
        ([-0.7, 1.0], [MINUS + "1.0", MINUS + "0.5", "0.0", "0.5", "1.0"]),
        ([527, 536], ["526", "528", "530", "532", "534", "536"]),
        ([20, 20], ["20", "21"]),
        ([0.05, 1.0], ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_round_numbers(values, texts):
    """Few, distinct, and around all values."""
    rows = [{"epoch": "1", "seed": "0", "loss": str(value)} for value in values]
    (panel,) = curves(rows, SIZE)
    assert [float(text.replace(MINUS, "-")) for _, text in panel["y_ticks"]] == [
        float(text.replace(MINUS, "-")) for text in texts
    ]
    assert len({text for _, text in panel["y_ticks"]}) == len(texts)
