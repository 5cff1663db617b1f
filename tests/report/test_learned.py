"""Learned words on the page, against two models of six words made by hand."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmclust.core.clusters import WordClusters
from mmclust.core.errors import MmclustError
from mmclust.core.io import write_array, write_bytes, write_json
from mmclust.core.params import CognitionParams, GroundingParams, Params
from mmclust.report.learned import (
    MAP,
    cluster_rows,
    grounding_rows,
    network,
    read_learners,
    score_groups,
    word_map,
)
from mmclust.report.page import make_report
from mmclust.scoring.record import path_of, read
from tests.report.lexicon import make_words

SIZE = (200, 100)
WORDS = tuple(f"w{i}" for i in range(24))


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
    found = score_groups(record, names, "random")
    groups = {group["title"]: group["rows"] for group in found}
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


def learner(root, clusters, counts, table):
    path = root / "data/words/m/seed_0/counts.npy"
    write_array(path, table)
    words = WordClusters(WORDS, counts, clusters[None].astype(np.int32))
    return SimpleNamespace(name="m", words=words)


def test_words_of_one_cluster_lie_together(tmp_path):
    """Two groups of words that never share a cluster; one word has none."""
    table = np.zeros((24, 4), np.int64)
    table[:12, :2] = np.random.default_rng(1).integers(5, 9, (12, 2))
    table[12:23, 2:] = np.random.default_rng(2).integers(5, 9, (11, 2))
    clusters = np.r_[np.zeros(12), np.full(11, 2), -1]
    made = learner(tmp_path, clusters, np.arange(24)[::-1] + 1, table)
    drawn = word_map(made, tmp_path)
    assert (drawn["n"], drawn["size"]) == (23, MAP)
    assert [w[2] for w in drawn["words"]] == list(WORDS[:23])
    assert [w[3] for w in drawn["words"]] == list(range(24, 1, -1))
    places = np.array([w[:2] for w in drawn["words"]], float)
    far = np.linalg.norm(places[:, None] - places[None], axis=2)
    same = clusters[:23, None] == clusters[None, :23]
    nearest = (far + np.eye(23) * 1e9).argmin(axis=1)
    assert same[np.arange(23), nearest].all()
    assert ((places >= 0) & (places <= MAP)).all()
    assert word_map(made, tmp_path) == drawn


def test_words_are_not_written_over_each_other(tmp_path):
    """The most frequent of words in one place is written; the others are dots."""
    table = np.zeros((24, 4), np.int64)
    table[:, 0] = 5  # all alike: all in one place
    made = learner(tmp_path, np.zeros(24), np.arange(24)[::-1] + 1, table)
    words = word_map(made, tmp_path)["words"]
    assert words[0][6]
    written = [(x, y, len(word)) for x, y, word, *_, clear in words if clear]
    for i, (x, y, n) in enumerate(written):
        for across, down, letters in written[:i]:
            assert abs(x - across) >= 7.5 * (n + letters) / 2 or abs(y - down) >= 14


def test_few_words_and_models_without_counts_have_no_map(tmp_path):
    """Nothing is drawn rather than something that says nothing."""
    made = learner(tmp_path, np.full(24, -1), np.ones(24, int), np.ones((24, 4), int))
    assert word_map(made, tmp_path) is None
    (tmp_path / "data/words/m/seed_0/counts.npy").unlink()
    assert word_map(made, tmp_path) is None


def test_the_gallery_is_on_the_page(tmp_path, run):
    """Its pictures lie beside the page; ids and words are escaped."""
    root, params = run
    params = make_words(root, params)
    folder = root / "data/grounding/coco_words"
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    write_bytes(folder / "gallery/0.jpg", buffer.getvalue())
    cluster = {"cluster": 3, "words": ["<b>dog</b>"], "output": 0.7}
    shown = {"file": "gallery/0.jpg", "image_id": "p1", "clusters": [cluster]}
    write_json(folder / "gallery.json", [shown])
    page = root / "report/index.html"
    make_report(root, params, page)
    text = page.read_text()
    (address,) = re.findall(r'<figure><img loading="lazy" src="(files/\w+\.jpg)"', text)
    assert (page.parent / address).read_bytes() == buffer.getvalue()
    assert "p1 with heat maps of cluster 3 (&lt;b&gt;dog&lt;/b&gt;)" in text
