"""`mmclust fit CLUSTERER`: one's own features, without params.yaml or DVC."""

import csv

import numpy as np
import pytest


@pytest.fixture
def own(tmp_path, run_mmclust):
    """Three groups of twelve rows, and a run of the command on them."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.eye(3, 8), 12, axis=0)
    x = groups + 0.1 * rng.standard_normal((36, 8))
    np.save(tmp_path / "x.npy", x.astype(np.float16))
    np.save(tmp_path / "y.npy", x[:, ::-1].astype(np.float32))

    def run(method, *options, k=3):
        asked = () if k is None else ("--k", k)
        return run_mmclust(
            "fit", method, "--features", "x.npy", *asked, *options,
            "--out", "c.csv", cwd=tmp_path,
        )  # fmt: skip

    return run


def rows_of(folder):
    return list(csv.DictReader((folder / "c.csv").open()))


def test_ids_and_clusters(tmp_path, own):
    """float16 rows; ids from a file; three clusters of twelve."""
    (tmp_path / "ids.txt").write_text("\n".join(f"i{n:02d}" for n in range(36)))
    done = own("kmeans", "--ids", "ids.txt")
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path)
    assert [row["image_id"] for row in rows][:2] == ["i00", "i01"]
    assert len({(i // 12, row["cluster"]) for i, row in enumerate(rows)}) == 3
    assert "36 rows in 3 clusters of 12 to 12" in done.stdout


@pytest.mark.parametrize("method", ["concat_kmeans", "coregularized_spectral"])
def test_methods_of_both_views(tmp_path, own, method):
    """They need both, and say so."""
    done = own(method, "--text-features", "y.npy")
    assert done.returncode == 0, done.stderr
    assert len({row["cluster"] for row in rows_of(tmp_path)}) == 3
    done = own(method)
    assert done.returncode == 1
    assert "needs image and text features" in done.stderr
    assert "give --text-features" in done.stderr


def test_k_auto_shows_its_curve(tmp_path, own):
    """The k with the largest silhouette is marked, and taken."""
    done = own("spectral", k="auto")
    assert done.returncode == 0, done.stderr
    assert "<- chosen" in next(x for x in done.stdout.splitlines() if "k = 3 " in x)
    assert len({row["cluster"] for row in rows_of(tmp_path)}) == 3


def test_options_and_noise(tmp_path, own):
    """--set reaches the method; DBSCAN needs no k and leaves rows out."""
    done = own("dbscan", "--set", "eps=0.01", "--set", "min_samples=5", k=None)
    assert done.returncode == 0, done.stderr
    assert {row["cluster"] for row in rows_of(tmp_path)} == {"-1"}
    assert "36 in none (-1)" in done.stdout
    done = own("hdbscan", k=None)
    assert set(rows_of(tmp_path)[0]) == {"image_id", "cluster", "confidence"}


def test_numbers_of_options_are_read_as_in_params(tmp_path, own):
    """5e-1 is a number, as in YAML 1.2."""
    found = []
    for eps in ("5e-1", "0.5", ".5"):
        done = own("dbscan", "--set", f"eps={eps}", "--set", "min_samples=5", k=None)
        assert done.returncode == 0, done.stderr
        found.append(rows_of(tmp_path))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("kmeans", "--set", "n_inits=3"), "Unknown key 'n_inits' in --set"),
        (("kmeans", "--set", "n_init=x"), "do:       correct n_init in --set"),
        (("kmeans", "--set", "n_init=["), "--set n_init=[ is not valid YAML"),
        (("kmeans", "--set", "n_init=3", "--set", "n_init=4"), "each key once"),
        (("kmeans", "--set", "n_init"), "expected: key=value"),
        (("kmean",), "Did you mean 'kmeans'?"),
        (("kmeans", "--text-features", "short.npy"), "wrong number of rows"),
        (("kmeans", "--text-features", "nan.npy"), "nan.npy, row 4"),
        (("kmeans", "--ids", "twice.txt"), "35 different ids"),
        (("agglomerative", "--set", "metric=cosine"), "Ward's linkage needs"),
    ],
)
def test_bad_input(tmp_path, own, arguments, text):
    """One clear error, exit code 1, and nothing is written."""
    y = np.load(tmp_path / "y.npy")
    np.save(tmp_path / "short.npy", y[:35])
    y[4, 2] = np.nan
    np.save(tmp_path / "nan.npy", y)
    ids = [f"i{n}" for n in range(36)]
    (tmp_path / "twice.txt").write_text("\n".join([*ids[:35], "i0"]))
    done = own(*arguments)
    assert done.returncode == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert "params.yaml" not in done.stderr  # there is none
    assert not (tmp_path / "c.csv").exists()


@pytest.mark.parametrize(
    ("k", "text"),
    [
        (1, "One cluster holds everything"),
        (37, "Cannot make 37 clusters of 36"),
        (None, "kmeans needs the number of clusters"),
        (0, "Cannot make 0 clusters"),
    ],
)
def test_bad_k(own, k, text):
    """1, none, and more than there are rows."""
    done = own("kmeans", k=k)
    assert done.returncode == 1
    assert text in done.stderr


def test_rows_of_zeros(tmp_path, own):
    """Refused where no view has anything; fine where the other has."""
    x = np.load(tmp_path / "x.npy")
    x[[3, 7]] = 0
    np.save(tmp_path / "x.npy", x)
    done = own("kmeans")
    assert done.returncode == 1
    assert "2 such rows: 3, 7" in done.stderr
    assert own("kmeans", "--text-features", "y.npy").returncode == 0


def test_usage(tmp_path, run_mmclust, own):
    """Exit code 2 for what cannot be meant."""
    assert own("kmeans", k="many").returncode == 2
    done = run_mmclust("cluster", "coco_cross", "hog", "--k", 5, cwd=tmp_path)
    assert done.returncode == 2
    assert "No such option" in done.stderr
    done = run_mmclust("cluster", "kmeans", "--image-features=x.npy", cwd=tmp_path)
    assert done.returncode == 1
    assert "mmclust fit METHOD --features" in done.stderr
