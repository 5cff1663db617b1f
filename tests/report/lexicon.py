"""Word models made by hand: six words in two clusters, and one by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from mmclust.core.io import write_bytes, write_json, write_table
from mmclust.core.words import WordClusters, write_words

WORDS = ("dog", "cat", "chair", "the", "<i>sofa</i>", " ")
COUNTS = [9, 12, 7, 99, 3, 50]
CLUSTERS = [0, 0, 0, 1, 1, -1]
SURE = [0.5, 0.9, 0.9, 0.4, 0.8, 0.0]
CATEGORIES = ["animal", "animal", "furniture", None, "furniture", None]


def make_words(root, params):
    """Write all that the report reads about word models and grounding."""
    _model(root, "joint_model", np.array(SURE))
    _model(root, "random", None)
    scores = {"concreteness_source": "the model's own; sees no norms"}
    scores |= _score("include_unknown_fscore", 0.61) | _score("mas", 2.5)
    scores |= _score("prediction_correlation_over_0", 0.4)
    scores |= {"prediction_correlation_over_0_n": 1234, "active_cluster_num": 2.0}
    write_json(root / "metrics/cognition/joint_model.json", scores)
    scores = _score("include_unknown_fscore", 0.21)
    scores |= {"mas": None, "mas_why": "no cluster has two <words>"}
    scores |= {"concreteness_prediction_mae_why": "this model makes no estimate"}
    write_json(root / "metrics/cognition/random.json", scores)
    plots = root / "plots"
    rated = ["cat,12,4.8,0.9", "the,99,1.5,0.4", '"<i>sofa</i>",3,4.5,0.8']
    _csv(plots / "cognition/joint_model_concreteness.csv",
         "word,count,rating,estimate", rated)  # fmt: skip
    curve = [f"{e},{s},0.{9 - e}{s},{e}" for s in (0, 1) for e in (1, 2)]
    _csv(plots / "words/joint_model.csv", "epoch,seed,loss,active_clusters", curve)
    _csv(plots / "words/random.csv", "epoch,seed,loss", [])
    ends = [f"{s}{e}" for s in ("precision", "recall", "f1")
            for e in ("", "_low", "_high")]  # fmt: skip
    rows = [
        "box,0.3,0.2,0.4,0.25,0.2,0.3,0.27,0.2,0.33",
        "random_box,0,,,0.1,0,0.2,0,,",
    ]
    _csv(plots / "grounding/scores.csv", ",".join(["evaluation", *ends]), rows)
    return replace(params, words={"joint_model": {}, "random": {}, "unlearned": {}})


def _score(name, value):
    ends = {f"{name}_low": value - 0.1, f"{name}_high": value + 0.1}
    return {name: value, **ends, f"{name}_std": 0.012}


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
