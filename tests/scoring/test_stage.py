"""The score stage: every method and head, held against the baseline."""

import csv
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mmclust.core.clusters import Clustering, write_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_table
from mmclust.core.labels import write_labels
from mmclust.core.params import BaselineParams, ModelParams, Params, ScoreParams
from mmclust.scoring.stage import reveal_benchmark, score_benchmark

IDS = [f"{i:012d}" for i in range(36)]
TRUE = np.arange(36) % 3


def params(heads=(), **score):
    return Params(
        encoders={"hog": None, "lsa": None},
        model=ModelParams(encoder="hog", clusterers=("kmeans", "dbscan"), heads=heads),
        score=ScoreParams(n_resamples=100, **score),
    )


@pytest.fixture
def clustered(tiny):
    """Two encoders' clusters: hog is right on two thirds, lsa on all."""
    folder = tiny / "data/clusters/tiny"
    some = np.where(np.arange(36) < 12, 0, TRUE)
    wild = np.where(np.arange(36) < 9, -1, TRUE)
    methods = [
        Clustering("kmeans", "image", 3, np.stack([some, some])),
        Clustering("dbscan", "image", 0, wild[None]),
        Clustering("kmeans", "image", 5, np.stack([np.arange(36) % 5] * 2)),
    ]
    write_clusters(folder / "hog.parquet", methods, IDS, {})
    right = [Clustering("kmeans", "text", 3, np.stack([TRUE, TRUE]))]
    write_clusters(folder / "lsa.parquet", right, IDS, {})
    names = [
        {"clusterer": "kmeans", "view": "image", "k": 3, "cluster": c,
         "keywords": [word, "x"], "nouns": []}
        for c, word in enumerate(("square", "disc", "wrong"))
    ]  # fmt: skip
    table = pa.Table.from_pylist(names)
    for encoder in ("hog", "lsa"):
        write_table(folder / f"names/{encoder}.parquet", table, {})
    return tiny


def test_all_methods_against_the_baseline(clustered):
    """k-means on the main encoder's images is the baseline; it has no difference."""
    records, paths = score_benchmark("tiny", params(), clustered)
    assert all(path.is_file() for path in paths)
    base, better = records["hog"]["image"]["kmeans"], records["lsa"]["text"]["kmeans"]
    assert base["acc"] == pytest.approx(28 / 36)
    assert "acc_diff" not in base
    assert better["baseline"] == "hog image kmeans"
    assert better["acc_diff"] == pytest.approx(8 / 36, abs=1e-6)
    assert better["acc_diff_low"] > 0
    assert better["acc_diff_p"] < 0.01
    assert better["acc_diff_p"] <= better["acc_diff_p_holm"] < 0.05
    noisy = records["hog"]["image"]["dbscan"]
    assert (noisy["k"], noisy["noise"], noisy["acc"]) == (0, 0.25, 0.75)
    assert json.loads(paths[0].read_text()) == records
    with paths[5].open(newline="") as file:
        seeds = list(csv.DictReader(file))
    for encoder, views in records.items():
        for view, clusterers in views.items():
            for clusterer, record in clusterers.items():
                method = (encoder, view, clusterer, "acc")
                each = [
                    float(row["score"])
                    for row in seeds
                    if (row["encoder"], row["view"], row["clusterer"], row["metric"])
                    == method
                ]
                assert len(each) == record["n_seeds"]
                assert sum(each) / len(each) == pytest.approx(record["acc"], abs=2e-6)


def test_without_classes_all_files_are_written(clustered):
    """A folder of one's own pictures: clusters for the page, and no scores."""
    write_labels(clustered / "data/benchmarks/tiny/labels.parquet", {})
    records, paths = score_benchmark("tiny", params(), clustered)
    assert records == json.loads(paths[0].read_text()) == {}
    assert "no classes" in json.loads(paths[1].read_text())["reason"]
    assert [len(p.read_text().splitlines()) for p in paths[2:4]] == [1, 1]
    rows = read_table(paths[4])[0].to_pylist()
    assert [row["image_id"] for row in rows] == IDS
    assert {(row["label"], row["label_name"], row["correct"]) for row in rows} == {
        (-1, "", False)
    }
    assert {row["cluster"] for row in rows} == {0, 1, 2}
    assert reveal_benchmark("tiny", params(), clustered) == {}


def test_another_baseline(clustered):
    """Named in params; one that did not run is an error, the default is not."""
    named = BaselineParams("lsa", "text", "kmeans")
    records, _ = score_benchmark("tiny", params(baseline=named), clustered)
    assert records["hog"]["image"]["kmeans"]["acc_diff"] < 0
    absent = BaselineParams("lsa", "image", "kmeans")
    with pytest.raises(MmclustError, match="baseline is not among") as caught:
        score_benchmark("tiny", params(baseline=absent), clustered)
    assert "lsa text kmeans. Did you mean" in str(caught.value)
    absent = BaselineParams(None, "text", "kmeans")
    records, _ = score_benchmark("tiny", params(baseline=absent), clustered)
    assert "acc_diff" not in records["lsa"]["text"]["kmeans"]


def test_heads_have_a_key_of_their_own(clustered):
    """A head is paired with the baseline where it is of the same images."""
    folder = clustered / "data/clusters/tiny/heads"
    one = [Clustering("tac", "head", 3, np.stack([TRUE, TRUE]))]
    write_clusters(folder / "tac.parquet", one, IDS, {})
    half = [Clustering("dxmc", "head", 3, TRUE[None, :18])]
    write_clusters(folder / "dxmc.parquet", half, IDS[:18], {})
    records, _ = score_benchmark("tiny", params(heads=("tac", "dxmc")), clustered)
    heads = records["heads"]["head"]
    assert heads["tac"]["acc_diff"] == pytest.approx(8 / 36, abs=1e-6)
    assert heads["dxmc"]["n_samples"] == 18
    assert "acc_diff" not in heads["dxmc"]
    assert "heads" not in score_benchmark("tiny", params(), clustered)[0]
    with pytest.raises(MmclustError, match=r"scan\.parquet is missing"):
        score_benchmark("tiny", params(heads=("scan",)), clustered)


def test_names_of_clusters_are_scored(clustered):
    """Matched clusters' keywords against classes; WordNet's part says why it lacks."""
    _, paths = score_benchmark("tiny", params(), clustered)
    found = json.loads(paths[1].read_text())
    assert found["keywords"]["exact"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["keywords"]["path_similarity"] is None
    assert "set score.wordnet" in found["path_similarity_reason"]
    (clustered / "data.noun").write_bytes(
        b"00000100 03 n 01 square 0 000 | x\n00000200 03 n 01 disc 0 000 | y\n"
    )
    _, paths = score_benchmark("tiny", params(wordnet="data.noun"), clustered)
    found = json.loads(paths[1].read_text())["keywords"]
    assert (found["path_similarity"], found["path_known"]) == (1, 0.666667)


def test_noise_is_no_cluster_of_names_and_confusion(clustered):
    """Nine images in none: three clusters are named, and a column counts the nine."""
    path = clustered / "data/clusters/tiny/names/hog.parquet"
    rows = [
        {"clusterer": "dbscan", "view": "image", "k": 0, "cluster": c,
         "keywords": [word], "nouns": []}
        for c, word in ((-1, "square"), (0, "square"), (1, "disc"), (2, "bar"))
    ]  # fmt: skip
    write_table(path, pa.Table.from_pylist(rows), {})
    asked = params()
    model = replace(asked.model, clusterers=("dbscan", "kmeans"))
    _, paths = score_benchmark("tiny", replace(asked, model=model), clustered)
    found = json.loads(paths[1].read_text())["keywords"]
    assert (found["n_clusters"], found["n_matched"]) == (3, 3)
    with paths[3].open(newline="") as file:
        confusion = list(csv.DictReader(file))
    none = [row for row in confusion if row["cluster"] == "in no cluster"]
    assert [int(row["count"]) for row in none] == [3, 3, 3]
    assert len({row["cluster"] for row in confusion}) == 4
    outcomes = read_table(paths[4])[0].to_pylist()
    assert [row["matched"] for row in outcomes[:9]] == [""] * 9
    assert not any(row["correct"] for row in outcomes[:9])


def test_hidden_labels_are_revealed_on_demand(clustered):
    """The stage leaves them out; --reveal counts them and writes nothing tracked."""
    kinds = ("square", "disc", "bar")
    known = {i: kinds[t] for i, t in zip(IDS[:30], TRUE, strict=False)}
    secret = {i: kinds[t] for i, t in zip(IDS[30:], TRUE[30:], strict=True)}
    write_labels(clustered / "data/benchmarks/tiny/labels.parquet", known, secret)
    records, paths = score_benchmark("tiny", params(), clustered)
    assert records["lsa"]["text"]["kmeans"]["n_samples"] == 30
    outcomes = read_table(paths[4])[0]
    assert outcomes["label_name"].to_pylist()[30:] == [""] * 6
    before = {path: path.read_bytes() for path in paths}
    revealed = reveal_benchmark("tiny", params(), clustered)
    assert revealed["lsa"]["text"]["kmeans"]["n_samples"] == 36
    assert {path: path.read_bytes() for path in paths} == before


def test_clusters_of_other_images(clustered):
    """Named, with what to do; images that an encoder says it skipped are fine."""
    path = clustered / "data/clusters/tiny/lsa.parquet"
    fewer = [Clustering("kmeans", "text", 3, TRUE[None, :35])]
    write_clusters(path, fewer, IDS[:35], {})
    with pytest.raises(MmclustError, match="not of the same images") as caught:
        score_benchmark("tiny", params(), clustered)
    assert "1 others: 000000000035" in str(caught.value)
    write_clusters(path, fewer, IDS[:35], {"skipped": IDS[35:]})
    records, _ = score_benchmark("tiny", params(), clustered)
    assert records["lsa"]["text"]["kmeans"]["n_samples"] == 35
    assert "acc_diff" not in records["lsa"]["text"]["kmeans"]
    strange = [Clustering("kmeans", "text", 3, TRUE[None])]
    write_clusters(path, strange, [*IDS[:35], "stranger"], {})
    with pytest.raises(MmclustError, match="not of the same images"):
        score_benchmark("tiny", params(), clustered)
