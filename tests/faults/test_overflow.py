"""Numbers that float64 holds and float32 does not: refused wherever arrays are read."""

import numpy as np
import pytest

from mmclust.clusterers._files import cluster_files
from mmclust.core.errors import MmclustError
from mmclust.core.features import check_features
from mmclust.heads._rows import read_rows
from mmclust.models.vector_file import indexed
from mmclust.retrieval.own_files import Embedded, _rows


@pytest.fixture
def rows():
    """40 rows of two clear clusters, as float64."""
    rng = np.random.default_rng(0)
    middle = np.repeat(np.eye(4)[:2] * 5, 20, axis=0)
    return rng.normal(size=(40, 4)) + middle


@pytest.mark.parametrize("number", [1e39, -1e39, 3.41e38, 1e300])
def test_one_such_number_is_refused_by_every_reader(tmp_path, rows, number):
    """It would be infinite, its row NaN, and all rows one cluster."""
    rows[3, 2] = number
    path = tmp_path / "x.npy"
    np.save(path, rows)
    message = r"infinite as float32[\s\S]*row 3"
    with pytest.raises(MmclustError, match=message):
        check_features(rows, path)
    with pytest.raises(MmclustError, match=message):
        read_rows(path)
    with pytest.raises(MmclustError, match=message):
        _rows(Embedded(path, path), cosine=True)
    for given in ((path, None), (None, path)):
        out = tmp_path / "c.csv"
        with pytest.raises(MmclustError, match=message):
            cluster_files("kmeans", *given, k=2, ids=None, seed=0, out=out)
        assert not out.exists()


def test_what_float32_holds_is_taken(tmp_path, rows):
    """Its largest number, longdouble too, and float16."""
    rows[3, 2] = float(np.finfo(np.float32).max)
    check_features(rows, tmp_path)
    check_features(rows.astype(np.longdouble), tmp_path)
    check_features(np.full((2, 2), 65504, np.float16), tmp_path)
    check_features(np.full((2, 2), 1e308), tmp_path, single=False)  # sums to infinity


def test_inner_products_that_overflow_are_refused(tmp_path, rows):
    """As given they are ranked in their own precision: float64 holds more."""
    path = tmp_path / "x.npy"
    for kind, number in ((np.float32, 1e25), (np.float64, 1e200)):
        large = rows.copy()
        large[3, 2] = number
        np.save(path, large.astype(kind))
        with pytest.raises(MmclustError, match=r"would be infinite[\s\S]*row 3"):
            _rows(Embedded(path, path), cosine=False)
    rows[3, 2] = 1e39
    np.save(path, rows)
    assert _rows(Embedded(path, path), cosine=False)[0].dtype == np.float64


@pytest.mark.parametrize("number", ["1e39", "nan", "-inf", "1e999"])
def test_word_vectors_are_finite(tmp_path, number):
    """A line of such a number is named when its word is asked for."""
    path = tmp_path / f"{number}.txt"
    path.write_text(f"a 1 2\nb 3 {number}\n")
    vectors = indexed(path)
    with pytest.raises(MmclustError, match=r"byte 6[\s\S]*not finite as float32"):
        vectors.read({"b"})
