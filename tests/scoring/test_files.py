"""`mmclust score clustering`: a user's files, joined by id, or one clear error."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmclust.core.clusters import Clustering, write_clusters
from mmclust.core.labels import write_labels

LABELS = "image_id,label\nb,dog\na,cat\nc,cat\nd,dog\n"
CLUSTERS = "cluster,image_id\n1,a\n1,c\n0,b\n0,d\n"


@pytest.fixture
def score(tmp_path, run_mmclust):
    def run(labels, *clusters):
        for name, text in (("labels.csv", labels), *zip("xyz", clusters, strict=False)):
            if text is not None:
                (tmp_path / name).write_bytes(text.encode())
        options = [part for name, _ in zip("xyz", clusters, strict=False)
                   for part in ("--clusters", name)]  # fmt: skip
        return run_mmclust(
            "score", "clustering", "--labels", "labels.csv", *options,
            "--out", "out.json", "--resamples", "100", cwd=tmp_path,
        )  # fmt: skip

    return run


def test_rows_are_joined_by_id_not_by_position(tmp_path, score):
    """Rows in any order, classes as text: a perfect clustering scores 1."""
    done = score(LABELS, CLUSTERS)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out.json").read_text())
    assert [record[m] for m in ("acc", "nmi", "ari", "purity")] == [1, 1, 1, 1]
    assert (record["n_samples"], record["n_classes"], record["n_clusters"]) == (4, 2, 2)
    assert "Hungarian" in record["definition"]
    assert "acc" in done.stdout


def test_several_runs_and_hidden_labels(tmp_path, score):
    """Two runs give a mean and a spread; images labelled -1 are left out."""
    hidden = LABELS + "e,-1\n"
    other = "image_id,cluster\na,1\nb,1\nc,0\nd,0\ne,5\n"
    done = score(hidden, CLUSTERS + "2,e\n", other)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["n_seeds"], record["n_hidden"], record["n_samples"]) == (2, 1, 4)
    assert record["acc"] == pytest.approx((1 + 0.5) / 2)


def test_integers_written_as_floats_are_the_same(tmp_path, score):
    """-1.0 hides, 2.0 is 2, and spaces around a header do not matter."""
    labels = "image_id, label\na,-1.0\nb,2.0\nc,2\nd,3\n"
    done = score(labels, "image_id,cluster\na,0\nb,1\nc,1.0\nd,0\n")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["n_hidden"], record["n_classes"], record["acc"]) == (1, 2, 1)


@pytest.mark.parametrize("bad", [[0, 1, np.nan], [0, 1, np.inf]])
def test_values_that_are_no_labels(tmp_path, run_mmclust, bad):
    """NaN and infinity are missing values, not classes."""
    np.save(tmp_path / "l.npy", np.array(bad))
    np.save(tmp_path / "c.npy", np.array([0, 1, 1]))
    done = run_mmclust(
        "score", "clustering", "--labels", "l.npy", "--clusters", "c.npy",
        "--out", "out.json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "has an empty value" in done.stderr


@pytest.mark.parametrize(
    ("labels", "clusters", "text"),
    [
        (LABELS, "image_id,cluster\na,1\nb,1\nc,1\n", "1 without a cluster (d)"),
        (LABELS, "image_id,cluster\n0,1\n1,1\n2,0\n", "with --ids, one a line"),
        (LABELS, CLUSTERS + "0,z\n", "1 without a label (z)"),
        (LABELS, CLUSTERS + "0,a\n", "has an image twice"),
        (LABELS, "image_id,group\na,1\n", "lacks the column cluster"),
        ("image_id,label,label\na,1,1\n", CLUSTERS, "or has it twice"),
        (LABELS, CLUSTERS.replace("1,c", ",c"), "has an empty value"),
        (LABELS, "image_id,cluster\na,1\nb,1,2\n", "not a readable CSV"),
        (LABELS, "", "not a readable CSV"),
        (LABELS, CLUSTERS.replace(",", ";"), "separates its columns by semicolons"),
        ("image_id,label\na,-1\n", "image_id,cluster\na,1\n", "no label to score"),
        (None, CLUSTERS, "labels.csv is missing"),
    ],
)
def test_bad_files(tmp_path, score, labels, clusters, text):
    """Each bad file is one error with exit code 1, and nothing is written."""
    done = score(labels, clusters)
    assert done.returncode == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.json").exists()


def test_parquet_and_npy(tmp_path, run_mmclust):
    """The same through parquet (integers) and npy (by position)."""
    ids, true, pred = ["a", "b", "c"], [0, 0, 1], [5, 5, 7]
    pq.write_table(pa.table({"image_id": ids, "label": true}), tmp_path / "l.parquet")
    pq.write_table(pa.table({"image_id": ids, "cluster": pred}), tmp_path / "c.parquet")
    np.save(tmp_path / "l.npy", np.array(true))
    np.save(tmp_path / "c.npy", np.array(pred, float))
    records = []
    for kind in ("parquet", "npy"):
        done = run_mmclust(
            "score", "clustering", "--labels", f"l.{kind}", "--clusters", f"c.{kind}",
            "--out", "out.json", cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        records.append(json.loads((tmp_path / "out.json").read_text()))
    assert records[0] == records[1]
    assert records[0]["acc"] == 1


def test_noise_and_a_baseline(tmp_path, run_mmclust):
    """-1 is noise; another file is compared with, on the same images."""
    (tmp_path / "l.csv").write_text(LABELS)
    (tmp_path / "c.csv").write_text(CLUSTERS)
    (tmp_path / "b.csv").write_text("image_id,cluster\na,0\nb,1\nc,-1\nd,-1.0\n")
    done = run_mmclust(
        "score", "clustering", "--labels", "l.csv", "--clusters", "c.csv",
        "--baseline", "b.csv", "--out", "out.json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["acc_diff"] == pytest.approx(0.5)
    assert record["noise"] == 0
    assert "difference +0.5000" in done.stdout


def test_the_projects_own_clusters(tmp_path, run_mmclust):
    """A file of data/clusters holds several methods: one is chosen, all its seeds."""
    ids = ["a", "b", "c", "d"]
    good, bad = np.array([[0, 1, 0, 1], [1, 0, 1, 0]]), np.array([[0, 0, 0, 0]])
    methods = [
        Clustering("kmeans", "image", 2, good),
        Clustering("kmeans", "text", 2, bad),
    ]
    write_clusters(tmp_path / "c.parquet", methods, ids, {})
    (tmp_path / "l.csv").write_text(LABELS)

    def score(*options):
        return run_mmclust(
            "score", "clustering", "--labels", "l.csv", "--clusters", "c.parquet",
            "--out", "out.json", *options, cwd=tmp_path,
        )  # fmt: skip

    assert score("--view", "image", "--k", 2).returncode == 0
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["acc"], record["n_seeds"]) == (1, 2)
    done = score()
    assert done.returncode == 1
    assert "holds several methods" in done.stderr
    assert "kmeans image k=2, kmeans text k=2" in done.stderr
    assert "no such method" in score("--method", "random").stderr


def test_either_side_s_method_is_chosen_alone(tmp_path, run_mmclust):
    """The baseline's view of the same file, or of another; four images: no p-value."""
    ids = ["a", "b", "c", "d"]
    good, bad = np.array([[0, 1, 0, 1], [1, 0, 1, 0]]), np.array([[0, 0, 0, 0]])
    methods = [
        Clustering("kmeans", "image", 2, good),
        Clustering("kmeans", "text", 2, bad),
    ]
    write_clusters(tmp_path / "c.parquet", methods, ids, {})
    (tmp_path / "l.csv").write_text(LABELS)

    def score(clusters, *options):
        return run_mmclust(
            "score", "clustering", "--labels", "l.csv", "--clusters", clusters,
            "--out", "out.json", *options, cwd=tmp_path,
        )  # fmt: skip

    done = score("c.parquet", "--view", "image", "--baseline-view", "text")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["acc_diff"], record["acc_diff_p"]) == (0.5, None)
    assert "at least 10" in record["acc_diff_why"]
    assert "p = none: no p-value over 4" in done.stdout
    (tmp_path / "c.csv").write_text(CLUSTERS)
    more = ("--baseline", "c.parquet")
    done = score("c.csv", *more, "--baseline-view", "image", "--baseline-k", 2)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.json").read_text())["acc_diff"] == 0
    done = score("c.csv", *more)
    assert done.returncode == 1
    assert "--baseline-method, --baseline-view and --baseline-k" in done.stderr


def test_labels_that_are_kept_aside(tmp_path, run_mmclust):
    """They are left out, and read only with --reveal."""
    write_labels(tmp_path / "labels.parquet", {"a": "cat", "b": "dog"}, {"c": "cat"})
    (tmp_path / "c.csv").write_text("image_id,cluster\na,0\nb,1\nc,1\n")

    def score(*options):
        done = run_mmclust(
            "score", "clustering", "--labels", "labels.parquet", "--clusters", "c.csv",
            "--out", "out.json", *options, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads((tmp_path / "out.json").read_text())

    assert (score()["n_samples"], score()["n_hidden"]) == (2, 1)
    revealed = score("--reveal")
    assert (revealed["n_samples"], revealed["n_hidden"]) == (3, 0)
    assert revealed["acc"] == pytest.approx(2 / 3)
