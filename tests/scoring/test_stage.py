"""The score stage: every method and head, held against the baseline."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mmclust.core.clusters import Clustering, write_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_table
from mmclust.core.labels import write_labels
from mmclust.core.params import BaselineParams, ModelParams, Params, ScoreParams
from mmclust.scoring.record import COLUMNS, read
from mmclust.scoring.stage import reveal_benchmark, score_benchmark
from tests.encoders import tiny as make

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


BASE, BETTER = ("hog", "image", "kmeans"), ("lsa", "text", "kmeans")


def test_workers_do_not_matter(clustered, monkeypatch):
    """Methods are scored in as many processes as are asked for: the same bytes."""
    _, paths = score_benchmark("tiny", params(), clustered)
    alone = [path.read_bytes() for path in paths if path.is_file()]
    monkeypatch.setattr("mmclust.scoring.stage.WORTH_A_PROCESS", 0)
    score_benchmark("tiny", params(), clustered, workers=2)
    assert [path.read_bytes() for path in paths if path.is_file()] == alone
    assert len(alone) == 8


def test_all_methods_against_the_baseline(clustered):
    """k-means on the main encoder's images is the baseline; it has no difference."""
    record, paths = score_benchmark("tiny", params(), clustered)
    assert all(path.exists() for path in paths)
    base, better = record.get(BASE, "acc"), record.get(BETTER, "acc")
    assert base.mean == pytest.approx(28 / 36)
    assert (base.versus, base.p, base.k, base.n_seeds) == ("", None, 3, 2)
    assert better.versus == "hog image kmeans"
    assert better.diff == pytest.approx(8 / 36, abs=1e-6)
    assert better.diff_low > 0
    assert better.p < 0.01
    assert better.p <= better.p_holm < 0.05
    noisy = record.of(("hog", "image", "dbscan"))
    found = [noisy[metric].mean for metric in ("noise", "acc", "n_clusters", "largest")]
    assert (noisy["acc"].k, *found) == (0, 0.25, 0.75, 3, 0.25)
    with paths[5].open(newline="") as file:
        seeds = list(csv.DictReader(file))
    for key in record.methods():
        each = [
            float(row["score"])
            for row in seeds
            if (row["encoder"], row["view"], row["clusterer"]) == key
            and row["metric"] == "acc"
        ]
        score = record.get(key, "acc")
        assert len(each) == score.n_seeds
        assert sum(each) / len(each) == pytest.approx(score.mean, abs=2e-6)


def test_what_is_written_is_what_was_scored(clustered):
    """The table to six digits; for DVC the main method and no other."""
    record, paths = score_benchmark("tiny", params(), clustered)
    again = read(paths[0])
    assert len(again.scores) == len(record.scores) > 40
    for one, other in zip(record, again, strict=True):
        for name in COLUMNS:
            mine, theirs = getattr(one, name), getattr(other, name)
            assert theirs == (
                pytest.approx(mine, abs=5.1e-7) if isinstance(mine, float) else mine
            )
    means = {p.name: json.loads(p.read_text()) for p in paths[1].iterdir()}
    assert means == {"kmeans.json": {"acc": 0.7778}}


def test_everything_against_the_best(clustered):
    """By each headline; not once more where the best is the baseline."""
    record, _ = score_benchmark("tiny", params(), clustered)
    rows = record.against("lsa text kmeans", "nmi")
    assert [row.key for row in rows] == [BASE, ("hog", "image", "dbscan")]
    assert all(row.diff < 0 and row.p <= row.p_holm for row in rows)
    named = BaselineParams("lsa", "text", "kmeans")
    record, _ = score_benchmark("tiny", params(baseline=named), clustered)
    rows = record.against("lsa text kmeans", "nmi")
    assert [row.key for row in rows] == [BASE, ("hog", "image", "dbscan")]


def test_views_of_one_encoder_are_compared(clustered):
    """Text less image, concat less each; as the difference of the means says."""
    path = clustered / "data/clusters/tiny/hog.parquet"
    views = {"image": np.where(np.arange(36) < 12, 0, TRUE), "text": TRUE,
             "concat": np.where(np.arange(36) < 6, 0, TRUE)}  # fmt: skip
    write_clusters(
        path, [Clustering("kmeans", v, 3, c[None]) for v, c in views.items()], IDS, {}
    )
    record, _ = score_benchmark("tiny", params(), clustered)
    for view, other in (("text", "image"), ("concat", "image"), ("concat", "text")):
        rows = record.compared(("hog", view, "kmeans"), "ari")
        (row,) = {
            r.versus: r for r in rows if r.versus == f"hog {other} kmeans"
        }.values()
        expected = row.mean - record.mean(("hog", other, "kmeans"), "ari")
        assert row.diff == pytest.approx(expected, abs=1e-9)
        assert row.p_holm >= row.p


def test_without_classes_all_files_are_written(clustered):
    """A folder of one's own pictures: clusters for the page, and no scores."""
    write_labels(clustered / "data/benchmarks/tiny/labels.parquet", {})
    record, paths = score_benchmark("tiny", params(), clustered)
    assert not record
    assert not read(paths[0])
    assert [p.name for p in paths[1].iterdir()] == ["no_scores.json"]
    assert [len(p.read_text().splitlines()) for p in paths[2:4]] == [1, 1]
    rows = read_table(paths[4])[0].to_pylist()
    assert [row["image_id"] for row in rows] == IDS
    assert {(row["label"], row["label_name"], row["correct"]) for row in rows} == {
        (-1, "", False)
    }
    assert {row["cluster"] for row in rows} == {0, 1, 2}
    named = BaselineParams("hog", "image", "kmeans")
    assert not reveal_benchmark("tiny", params(baseline=named), clustered)


def test_another_baseline(clustered):
    """Named in params; one that did not run is an error, the default is not."""
    named = BaselineParams("lsa", "text", "kmeans")
    record, _ = score_benchmark("tiny", params(baseline=named), clustered)
    assert record.get(BASE, "acc").diff < 0
    absent = BaselineParams("lsa", "image", "kmeans")
    with pytest.raises(MmclustError, match="baseline is not among") as caught:
        score_benchmark("tiny", params(baseline=absent), clustered)
    assert "lsa text kmeans. Did you mean" in str(caught.value)
    absent = BaselineParams(None, "text", "kmeans")
    record, _ = score_benchmark("tiny", params(baseline=absent), clustered)
    assert record.get(BETTER, "acc").versus == ""


def test_a_head_is_of_the_encoder_that_it_read(clustered):
    """Paired with the baseline where it is of the same images; no two of one name."""
    folder = clustered / "data/clusters/tiny/heads"
    one = [Clustering("tac", "head", 3, np.stack([TRUE, TRUE]))]
    write_clusters(folder / "tac.parquet", one, IDS, {})
    half = [Clustering("dxmc", "head", 3, TRUE[None, :18])]
    write_clusters(folder / "dxmc.parquet", half, IDS[:18], {})
    record, paths = score_benchmark("tiny", params(heads=("tac", "dxmc")), clustered)
    tac, dxmc = (record.of(("hog", "head", name)) for name in ("tac", "dxmc"))
    assert tac["acc"].diff == pytest.approx(8 / 36, abs=1e-6)
    assert dxmc["n_samples"].mean == 18
    assert not record.compared(("hog", "head", "dxmc"), "acc")
    assert {p.stem for p in paths[1].iterdir()} == {"kmeans", "tac", "dxmc"}
    record, paths = score_benchmark("tiny", params(), clustered)
    assert {key[1] for key in record.methods()} == {"image", "text"}
    assert {p.stem for p in paths[1].iterdir()} == {"kmeans"}
    with pytest.raises(MmclustError, match=r"scan\.parquet is missing"):
        score_benchmark("tiny", params(heads=("scan",)), clustered)
    same = [Clustering("kmeans", "image", 3, TRUE[None])]
    write_clusters(folder / "same.parquet", same, IDS, {})
    with pytest.raises(MmclustError, match="have the same name"):
        score_benchmark("tiny", params(heads=("same",)), clustered)


def test_names_of_clusters_are_scored(clustered):
    """Matched clusters' keywords against classes."""
    record, _ = score_benchmark("tiny", params(), clustered)
    found = record.of(BASE)
    assert found["keywords_exact"].mean == pytest.approx(2 / 3, abs=1e-6)
    assert found["keywords_n_matched"].mean == 3
    assert "nouns_exact" not in found


def test_a_sentence_encoder_compares_explanations(clustered, tmp_path):
    """With the words of each cluster and the name of its class; without one, not."""
    model = str(make.sbert(tmp_path / "sbert"))
    folder = clustered / "data/clusters/tiny"
    for file in (folder / "names/hog.parquet", folder / "names/lsa.parquet"):
        table = read_table(file)[0]
        words = [["square"], ["bar"], ["bar", "square"]]
        write_table(file, table.append_column("disjoint", [words]), {})
    shutil.copy(folder / "lsa.parquet", folder / "read.parquet")
    record, _ = score_benchmark("tiny", params(), clustered)
    assert record.mean(BASE, "keywords_disjoint_subset") is not None
    assert record.get(BASE, "keywords_disjoint_cosine") is None
    block = {"is": "sbert", "model": model, "revision": ""}
    asked = params()
    asked = replace(asked, encoders={**asked.encoders, "read": block})
    record, _ = score_benchmark("tiny", asked, clustered)
    score = record.get(BASE, "keywords_disjoint_cosine")
    assert -1 <= score.mean < 1
    assert score.definition == "disjoint-cosine-1"


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
    record, paths = score_benchmark("tiny", replace(asked, model=model), clustered)
    assert record.mean(("hog", "image", "dbscan"), "keywords_n_matched") == 3
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
    record, paths = score_benchmark("tiny", params(), clustered)
    assert record.mean(BETTER, "n_samples") == 30
    outcomes = read_table(paths[4])[0]
    assert outcomes["label_name"].to_pylist()[30:] == [""] * 6
    paths = [p for p in (*paths, *paths[1].iterdir()) if p.is_file()]
    before = {path: path.read_bytes() for path in paths}
    revealed = reveal_benchmark("tiny", params(), clustered)
    assert revealed.mean(BETTER, "n_samples") == 36
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
    record, _ = score_benchmark("tiny", params(), clustered)
    assert record.mean(BETTER, "n_samples") == 35
    assert not record.compared(BETTER, "acc")
    strange = [Clustering("kmeans", "text", 3, TRUE[None])]
    write_clusters(path, strange, [*IDS[:35], "stranger"], {})
    with pytest.raises(MmclustError, match="not of the same images"):
        score_benchmark("tiny", params(), clustered)
