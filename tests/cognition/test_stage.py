"""The `cognition` stage, the text-only estimate, the word list and the judge."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from mmclust.cognition.norms import judge_by, write_word_list
from mmclust.cognition.stage import MAE, representatives, score_models, text_only
from mmclust.core.clusters import WordClusters, write_words
from mmclust.core.errors import MmclustError
from mmclust.core.params import CognitionParams, Params, ScoreParams
from mmclust.sample.norms import write_norms
from mmclust.scoring.record import read

NAMES = ("dog", "cat", "cow", "car", "bus", "apple", "banana", "the", "zzz")


@pytest.fixture
def root(tmp_path):
    write_norms(tmp_path / "data/raw/norms", 782)
    return tmp_path


def learned(root, model="joint_model", estimates=True, **meta):
    clusters = np.array([[0, 0, 0, 1, 1, 2, 2, 3, -1], [0, 0, 1, 1, 1, 2, 2, 3, 3]])
    confidence = np.where(clusters >= 0, 0.9, 0.0)
    confidence[:, 7] = 0.01
    write_words(
        root / "data/words" / model / "words.parquet",
        WordClusters(
            NAMES, np.arange(20, 29), clusters.astype(np.int32), confidence,
            confidence if estimates else None, {"model": model, **meta},
        ),
    )  # fmt: skip


def params(*models, **options):
    return Params(
        score=ScoreParams(n_resamples=100),
        cognition=CognitionParams(**options),
        words=dict.fromkeys(models or ("joint_model",)),
    )


def score_words(model, settings, root):
    """One model's numbers by flat names, notes as ``_why``."""
    found = {}
    for score in score_models(replace(settings, words={model: None}), root):
        front = score.method
        if score.metric.startswith("n_"):
            front = score.view
        name = f"{front}_{score.metric}".lstrip("_")
        found[name] = score.mean
        found[f"{name}_low"] = score.low
        if score.note:
            found[f"{name}_why"] = score.note
    return found


def test_one_record_of_all_scores(root):
    """Both variants, concreteness, association and counts; rounded; never NaN."""
    learned(root)
    record = score_words("joint_model", params(), root)
    stored = read(root / "metrics/details/cognition/coco_words.csv")
    key = ("joint_model", "categorization", "ignore_unknown")
    assert stored.get(key, "fscore").n_seeds == 2
    assert stored.get(key, "fscore").versus == ""
    means = json.loads(
        (root / "metrics/cognition/coco_words/joint_model.json").read_text()
    )
    assert set(means) == {"nmi", "r", "mas"}
    assert means["nmi"] == pytest.approx(stored.mean(key, "v_measure_score"), abs=1e-4)
    assert record["categorization_n_listed"] == 7  # "the" and "zzz" are in no category
    assert record["ignore_unknown_fscore"] > record["include_unknown_fscore"]
    assert record["prediction_correlation_over_0_n"] == 8
    assert record["prediction_correlation_over_0"] > 0.9
    assert (record["active_cluster_num"], record["active_token_count"]) == (3.5, 7.5)
    # In one cluster in both seeds: dog-cat, car-bus, apple-banana and others.
    assert record["mas"] > 0
    assert "2 (f_ab + f_ba)" in record["mas_why"]
    once = score_words("joint_model", params(counting="forward_only"), root)
    assert once["mas"] < record["mas"]


def test_the_tables_for_plots_and_report(root):
    learned(root)
    score_words("joint_model", params(), root)
    rows = pq.read_table(root / "data/cognition/joint_model/words.parquet").to_pylist()
    dog = next(row for row in rows if row["word"] == "dog")
    assert (dog["cluster"], dog["category"], dog["listed"]) == (0, "animal", True)
    assert {row["word"] for row in rows} == set(NAMES) - {"zzz"}
    pairs = pq.read_table(root / "data/cognition/joint_model/associations.parquet")
    found = set(
        zip(*pairs.select(["first", "second"]).to_pydict().values(), strict=True)
    )
    assert ("cat", "dog") in found
    assert ("bus", "cat") not in found
    for name in ("scores", "concreteness"):
        text = (root / f"plots/cognition/{name}/joint_model.csv").read_text()
        assert len(text.splitlines()) > 5
        assert ",nan" not in text


def test_a_model_without_estimates(root):
    """Null, with the reason."""
    learned(root, "random", estimates=False)
    record = score_words("random", params(), root)
    assert record["concreteness_prediction_mae"] is None
    assert "no estimate" in record["concreteness_prediction_mae_why"]


def test_a_list_of_vectors_restricts_the_words(root):
    learned(root)
    (root / "list.txt").write_text("dog\ncar\n")
    record = score_words("joint_model", params(vocabulary="list.txt"), root)
    assert record["categorization_n_listed"] == 2
    assert record["association_n_words"] == 2
    (root / "list.txt").write_text("kayak\n")
    record = score_words("joint_model", params(vocabulary="list.txt"), root)
    assert record["ignore_unknown_fscore"] is record["mas"] is None
    assert record["mas_why"]


def test_random_per_query_draws_again_for_each_part(root):
    """The same draws whenever the stage runs."""
    learned(root, "random", estimates=False, per_query=True, clusters=3)
    first = score_words("random", params(), root)
    assert first["categorization_n_unknown"] < 200
    assert first == score_words("random", params(), root)


def test_missing_norms(tmp_path):
    learned(tmp_path)
    with pytest.raises(MmclustError, match=r"mcrae_typicality\.yaml is missing"):
        score_words("joint_model", params(), tmp_path)


def test_the_word_list_has_no_ratings(root):
    out = root / "words.txt"
    n = write_word_list(root / "data/raw/norms/mcrae_typicality.yaml", out)
    words = out.read_text().splitlines()
    assert words == sorted(words)
    assert len(words) == n
    assert all(word.isalpha() for word in words)


def test_the_judge_is_the_published_criterion(root):
    """The F-score with unknown words, of one clustering."""
    learned(root)
    record = score_words("joint_model", params(), root)
    judge = judge_by(root / "data/raw/norms/mcrae_typicality.yaml")
    clusters = [[0, 0, 0, 1, 1, 2, 2, 3, -1], [0, 0, 1, 1, 1, 2, 2, 3, 3]]
    mean = np.mean([judge(NAMES, np.array(row)) for row in clusters])
    assert mean == pytest.approx(record["include_unknown_fscore"], abs=1e-6)


def test_representatives_are_frequent_and_extreme():
    """The 20 highest and lowest of those over 10; fewer where there are few."""
    words = [f"w{i}" for i in range(60)]
    ratings = {f"w{i}": 1 + i / 20 for i in range(60)}
    counts = np.full(60, 11)
    counts[[0, 59]] = 10
    concrete, abstract = representatives(words, counts, ratings)
    assert sorted(concrete) == list(range(39, 59))
    assert sorted(abstract) == list(range(1, 21))
    few = representatives(words[:6], counts[:6], ratings)
    assert [sorted(side) for side in few] == [[4, 5], [1, 2]]
    with pytest.raises(MmclustError, match="Too few rated words"):
        representatives(words, np.full(60, 10), ratings)


def test_the_text_only_estimate_is_a_difference_of_cosines(tmp_path):
    """Against dense rows of co-occurrences."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 12, 400).astype(np.int32)
    bounds = np.arange(0, 401, 5)
    np.save(tmp_path / "tokens.npy", ids)
    np.save(tmp_path / "bounds.npy", bounds)
    words = [f"w{i}" for i in range(12)]
    counts = np.bincount(ids, minlength=12)
    ratings = {w: 1 + i / 3 for i, w in enumerate(words)}
    found = text_only(tmp_path, words, counts, ratings)
    table = np.zeros((80, 12))
    np.add.at(table, (np.repeat(np.arange(80), 5), ids), 1)
    rows = table.T @ table
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T
    expected = cosines[:, 6:].sum(1) - cosines[:, :6].sum(1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_correlations_over_too_few_words_are_not_plotted(root):
    """They are among the metrics, without an interval."""
    learned(root)
    record = score_words("joint_model", params(), root)
    text = (root / "plots/cognition/scores/joint_model.csv").read_text()
    plotted = {line.partition(",")[0] for line in text.splitlines()[1:]}
    correlations = [k for k in record if k.startswith("prediction_correlation_over_")]
    values = [k for k in correlations if f"{k}_n" in record and record[k] is not None]
    assert values
    for key in values:
        assert (key in plotted) is (record.get(f"{key}_low") is not None)


def test_models_are_compared_with_the_first_that_is_no_floor(root):
    """Paired over words, each norm and variant by itself; one seed will do."""
    learned(root, "random", estimates=False)
    learned(root)
    learned(root, "other")
    record = score_models(params("random", "joint_model", "other"), root)
    assert next(key[0] for key in record.methods()) == "random"
    key = ("categorization", "ignore_unknown")
    assert record.get(("joint_model", *key), "fscore").versus == ""
    floor = record.get(("random", "categorization", "include_unknown"), "fscore")
    assert floor.versus == "joint_model categorization include_unknown"
    # Equal clusters do not differ; seven words would not tell.
    other = record.get(("other", *key), "fscore")
    assert (other.diff, other.p) == (0, None)
    assert "nothing varies" in other.note or "at least 10" in other.note
    assert record.get(("random", "concreteness", ""), MAE).mean is None
    means = root / "metrics/cognition/coco_words"
    assert set(json.loads((means / "random.json").read_text())) == {"nmi", "mas"}


def test_no_model_is_no_error(root):
    """DVC finds what it asks for, and the record is empty."""
    assert not score_models(replace(params(), words={}), root)
    assert (root / "data/cognition").is_dir()
    assert (root / "plots/cognition/scores/none.csv").is_file()
    assert not read(root / "metrics/details/cognition/coco_words.csv")
