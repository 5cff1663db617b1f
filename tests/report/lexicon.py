"""Word models made by hand: six words in two clusters, and one by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from mmclust.core.clusters import WordClusters, write_words
from mmclust.core.io import write_bytes, write_table
from mmclust.scoring.record import Score, path_of, write

WORDS = ("dog", "cat", "chair", "the", "<i>sofa</i>", " ")
COUNTS = [9, 12, 7, 99, 3, 50]
CLUSTERS = [0, 0, 0, 1, 1, -1]
SURE = [0.5, 0.9, 0.9, 0.4, 0.8, 0.0]
CATEGORIES = ["animal", "animal", "furniture", None, "furniture", None]


def make_words(root, params):
    """Write all that the report reads about word models and grounding."""
    _model(root, "joint_model", np.array(SURE))
    _model(root, "random", None)
    lines = []
    for model, f, mas in (("joint_model", 0.61, 2.5), ("random", 0.21, None)):
        lines.append(_score(model, "categorization", "include_unknown", "fscore", f))
        why = "no cluster has two <words>" if mas is None else ""
        lines.append(_score(model, "association", "", "mas", mas, why))
    metric, why = "prediction_correlation_over_0", "this model makes no estimate"
    lines.append(_score("joint_model", "concreteness", "", metric, 0.4))
    lines.append(Score("joint_model", "concreteness", "", f"{metric}_n", 1234.0))
    lines.append(_score("random", "concreteness", "", metric, None, why))
    lines.append(Score("joint_model", "clusters", "", "active_cluster_num", 2.0))
    write(path_of(root, "cognition", params.learning.benchmark), lines)
    plots = root / "plots"
    rated = ["cat,12,4.8,0.9", "the,99,1.5,0.4", '"<i>sofa</i>",3,4.5,0.8']
    _csv(plots / "cognition/concreteness/joint_model.csv",
         "word,count,rating,estimate", rated)  # fmt: skip
    curve = [f"{e},{s},0.{9 - e}{s},{e}" for s in (0, 1) for e in (1, 2)]
    _csv(plots / "words/joint_model.csv", "epoch,seed,loss,active_clusters", curve)
    _csv(plots / "words/random.csv", "epoch,seed,loss", [])
    key = params.grounding.model
    by = {"box": ("random_box", 0.22, 0.01), "heatmap": ("random_heatmap", -0.012, 0.6)}
    found = []
    for evaluation, means in (
        ("box", (0.3, 0.25, 0.27)), ("random_box", (0.0, 0.1, 0.05)),
        ("heatmap", (0.3, 0.28, 0.293)), ("random_heatmap", (0.31, 0.3, 0.305)),
    ):  # fmt: skip
        for metric, mean in zip(("precision", "recall", "f1"), means, strict=True):
            held = {}
            if evaluation in by and metric == "f1":
                other, diff, p = by[evaluation]
                held = {"versus": f"{key} {other}", "diff": diff, "p": p, "p_holm": p}
            low, high = mean - 0.05, mean + 0.05
            found.append(
                Score(key, "", evaluation, metric, mean, low=low, high=high, **held)
            )
    write(path_of(root, "grounding", params.grounding.benchmark), found)
    return replace(params, words={"joint_model": {}, "random": {}, "unlearned": {}})


def _score(model, view, method, metric, mean, note=""):
    ends = {} if mean is None else {"low": mean - 0.1, "high": mean + 0.1}
    return Score(model, view, method, metric, mean, note=note, **ends)


def _model(root, name, sure):
    clusters = np.array([CLUSTERS] * 2, np.int32)
    both = None if sure is None else np.stack([sure, sure])
    learned = WordClusters(
        WORDS, np.array(COUNTS), clusters, both, both, {"model": name}
    )
    write_words(root / "data/words" / name / "words.parquet", learned)
    judged = {
        "word": WORDS, "category": CATEGORIES, "cluster": CLUSTERS,
        "listed": [True, True, True, False, True, False],
    }  # fmt: skip
    folder = root / "data/cognition" / name
    write_table(folder / "words.parquet", pa.table(judged), {})
    pairs = {
        "first": ["cat", "cat", "<i>sofa</i>"], "second": ["dog", "chair", "the"],
        "strength": [30.0, 2.0, 90.0], "cluster": pa.array([0, 0, 1], pa.int32()),
    }  # fmt: skip
    write_table(folder / "associations.parquet", pa.table(pairs), {})


def _csv(path, head, rows):
    write_bytes(path, "\n".join([head, *rows, ""]).encode())
