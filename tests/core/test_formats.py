"""Manifests, labels, features and clusters come back as written, or are refused."""

import hashlib
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mmclust.core import features as features_module
from mmclust.core import manifest
from mmclust.core.clusters import (
    UNKNOWN,
    Clustering,
    WordClusters,
    read_clusters,
    read_words,
    write_clusters,
    write_words,
)
from mmclust.core.errors import MmclustError
from mmclust.core.features import (
    normalised,
    read_features,
    view_of,
    views_of,
    write_features,
    write_view,
)
from mmclust.core.io import digest_of, read_array, read_table, write_table
from mmclust.core.labels import read_labels, write_labels
from mmclust.core.manifest import Row, read_manifest, write_manifest

ROWS = [
    Row(i, None, f"{i}.jpg", None, None, 4, 3, (f"one {i}", "two"), "train")
    for i in ("c", "a", "b")
]


def written(path, rows=ROWS, benchmark="toy"):
    write_manifest(path, rows, benchmark=benchmark, protocol="1", sources={"s": "0"})
    return read_manifest(path)


def test_manifest_is_sorted_and_comes_back(tmp_path):
    """Rows are sorted by id; captions keep the publisher's order."""
    manifest = written(tmp_path / "manifest.parquet")
    assert manifest.image_ids == ["a", "b", "c"]
    assert manifest.captions[0] == ["one a", "two"]
    assert manifest.splits.tolist() == ["train"] * 3


def test_manifest_digest_means_content_not_place(tmp_path):
    """Order and place leave the digest alone; ids, captions, sources change it."""
    digest = written(tmp_path / "m.parquet").digest
    moved = [replace(row, container=tmp_path, offset=3) for row in reversed(ROWS)]
    assert written(tmp_path / "n.parquet", moved).digest == digest
    changed = [replace(ROWS[0], captions=("other",)), *ROWS[1:]]
    assert written(tmp_path / "o.parquet", changed).digest != digest
    assert written(tmp_path / "p.parquet", benchmark="toy2").digest != digest


def test_manifest_digest_is_of_the_whole_whatever_is_text_at_once(
    tmp_path, monkeypatch
):
    """Rows made text in parts have the digest of the canonical JSON of all."""
    whole = written(tmp_path / "m.parquet")
    names = ("benchmark", "protocol", "sources", "fit", "evaluate")
    columns = ("image_id", "width", "height", "captions", "split")
    everything = [
        [whole.meta[name] for name in names],
        [whole.table[name].to_pylist() for name in columns],
    ]
    monkeypatch.setattr(manifest, "_ROWS", 2)
    assert written(tmp_path / "n.parquet").digest == digest_of(everything)
    some = read_manifest(tmp_path / "m.parquet", ["image_id", "split", "absent"])
    assert some.table.column_names == ["image_id", "split"]
    assert some.digest == whole.digest


def test_manifest_refuses_duplicates_and_nothing(tmp_path):
    """Each id once; at least one row."""
    with pytest.raises(MmclustError, match="An image id occurs twice") as caught:
        written(tmp_path / "m.parquet", [*ROWS, ROWS[0]])
    assert "found:    c" in str(caught.value)
    with pytest.raises(MmclustError, match="toy has no image"):
        written(tmp_path / "m.parquet", [])
    assert not (tmp_path / "m.parquet").exists()


def test_manifest_changed_by_hand_is_refused(tmp_path):
    """Rows that do not fit the digest are refused; so is any other parquet file."""
    path = tmp_path / "m.parquet"
    written(path)
    table, meta = read_table(path)
    write_table(path, table.slice(1), meta)
    with pytest.raises(MmclustError, match="not those it was written with"):
        read_manifest(path)
    write_table(path, pa.table({"x": [1]}), {})
    with pytest.raises(MmclustError, match="is not a manifest"):
        read_manifest(path)


def test_labels_follow_sorted_class_names(tmp_path):
    """A class's number is its position among the sorted names."""
    names = {"3": "kite", "1": "cell phone", "2": "kite"}
    assert write_labels(tmp_path / "l", names) == ["cell phone", "kite"]
    labels = read_labels(tmp_path / "l")
    assert labels.image_ids == ["1", "2", "3"]
    assert labels.labels.tolist() == [0, 1, 1]
    write_table(tmp_path / "m", pa.table({"image_id": ["1"]}), {})
    with pytest.raises(MmclustError, match="lacks a column"):
        read_labels(tmp_path / "m")


def test_features_of_another_manifest_are_refused(tmp_path):
    """Features carry the digest of their manifest, and reading compares it."""
    manifest = written(tmp_path / "m.parquet")
    views = {"image": np.eye(3, dtype=np.float32)}
    write_features(tmp_path / "f", views, {"encoder": "e"}, manifest)
    back = read_features(tmp_path / "f", manifest)
    assert np.array_equal(back.views["image"], np.eye(3))
    assert back.meta["dims"] == {"image": 3}
    other = written(tmp_path / "n.parquet", ROWS[:2])
    with pytest.raises(MmclustError, match="made from another manifest") as caught:
        read_features(tmp_path / "f", other)
    assert "mmclust encode toy f" in str(caught.value)


def test_features_in_another_order_are_refused(tmp_path):
    """The digest of each array is in features.json; that of files beside it, too."""
    manifest = written(tmp_path / "m.parquet")
    folder, rows = tmp_path / "f", np.arange(9, dtype=np.float32).reshape(3, 3)
    folder.mkdir()
    (folder / "more.json").write_text("{}")
    write_features(
        folder, {"image": rows}, {"encoder": "e"}, manifest, beside=["more.json"]
    )
    digests = read_features(folder, manifest).meta["sha256"]
    data = (folder / "image.npy").read_bytes()
    assert digests["image.npy"] == hashlib.sha256(data).hexdigest()
    assert digests["more.json"] == hashlib.sha256(b"{}").hexdigest()
    np.save(folder / "image.npy", rows[::-1])
    with pytest.raises(MmclustError, match=r"image\.npy is not the file") as caught:
        read_features(folder, manifest)
    assert digests["image.npy"] in str(caught.value)
    assert "mmclust encode toy f" in str(caught.value)


def test_clusters_of_methods_in_different_orders_are_refused(tmp_path):
    """Rows are joined by the first method's ids, so all must have them alike."""
    ids, labels = ["a", "b", "c"], np.array([[0, 1, 2]], np.int32)
    both = [Clustering(name, "image", 3, labels) for name in ("one", "two")]
    write_clusters(tmp_path / "c", both, ids, {})
    table, meta = read_table(tmp_path / "c")
    for order in ([0, 1, 2, 5, 4, 3], [0, 0, 2, 3, 3, 5]):
        write_table(tmp_path / "d", table.take(order), meta)
        with pytest.raises(MmclustError, match="not laid out as it was written"):
            read_clusters(tmp_path / "d")


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((2, 3), np.float32), "wrong number of rows"),
        (np.zeros(3, np.float32), "two-dimensional"),
        (np.zeros((3, 3), np.int64), "two-dimensional"),
        (np.array([[0.0], [np.nan], [1]], np.float32), "row 1"),
        (np.array([[np.inf], [0.0], [1]], np.float32), "NaN or infinity"),
    ],
)
def test_features_that_cannot_be_clustered(tmp_path, array, text):
    """Wrong shapes and values that are not finite are refused on writing."""
    manifest = written(tmp_path / "m.parquet")
    with pytest.raises(MmclustError, match=text):
        write_features(tmp_path / "f", {"image": array}, {}, manifest)
    assert not (tmp_path / "f/features.json").exists()


def test_concat_weighs_both_views_equally(tmp_path, monkeypatch):
    """Each half of the joined view has norm √½, whatever the scales were."""
    manifest = written(tmp_path / "m.parquet")
    rng = np.random.default_rng(1)
    views = {
        "image": (1000 * rng.standard_normal((3, 4))).astype(np.float32),
        "text": rng.standard_normal((3, 7)).astype(np.float32),
    }
    write_features(tmp_path / "f", views, {"encoder": "e"}, manifest)
    features = read_features(tmp_path / "f", manifest)
    assert views_of(features) == ["image", "text", "concat"]
    joined = view_of(features, "concat")
    assert joined.shape == (3, 11)
    assert np.linalg.norm(joined[:, :4], axis=1) == pytest.approx(0.5**0.5)
    assert normalised(np.zeros((1, 2), np.float32)).tolist() == [[0, 0]]
    monkeypatch.setattr(features_module, "_NUMBERS", 11)  # a row at a time
    rows = np.array([2, 0])
    for view in ("image", "concat"):
        write_view(tmp_path / "rows.npy", features, view, rows)
        expected = view_of(features, view)[rows]
        assert read_array(tmp_path / "rows.npy").tobytes() == expected.tobytes()


@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_directions_survive_any_scale(scale):
    """Squares that over- or underflow do not swallow a row."""
    rows = (scale * np.array([[3.0, 4.0]])).astype(np.float32)
    assert normalised(rows)[0] == pytest.approx([0.6, 0.8])


def test_clusters_come_back(tmp_path):
    """Methods with different numbers of seeds share one file."""
    first = Clustering("kmeans", "image", 3, np.array([[0, 1, 2], [2, 1, 0]]))
    second = Clustering("agglomerative", "concat", 2, np.array([[0, 0, 1]]))
    ids = ["a", "b", "c"]
    write_clusters(tmp_path / "c", [first, second], ids, {"encoder": "e"})
    (one, two), image_ids, meta = read_clusters(tmp_path / "c")
    assert image_ids == ids
    assert meta["encoder"] == "e"
    assert (one.clusterer, one.view, one.k) == ("kmeans", "image", 3)
    assert one.labels.tolist() == [[0, 1, 2], [2, 1, 0]]
    assert two.labels.tolist() == [[0, 0, 1]]
    assert two.labels.dtype == np.int32


LEARNED = WordClusters(
    ("dog", "a", "ice cream"),
    np.array([3, 40, 1]),
    np.array([[0, 2, UNKNOWN], [1, 2, 0]], np.int32),
    np.array([[1.0, 0.405405, 0.0], [0.7, 0.2, 0.1]]),
    meta={"model": "joint_model", "clusters": 4},
)


def test_words_written_are_the_words_read(tmp_path):
    write_words(tmp_path / "words.parquet", LEARNED)
    back = read_words(tmp_path / "words.parquet")
    assert back.words == LEARNED.words
    assert back.meta == LEARNED.meta
    np.testing.assert_array_equal(back.counts, LEARNED.counts)
    np.testing.assert_array_equal(back.clusters, LEARNED.clusters)
    assert back.clusters.dtype == np.int32
    np.testing.assert_array_equal(back.confidence, LEARNED.confidence)
    assert back.concreteness is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"words": ("dog", "dog", "a")}, "repeated"),
        ({"concreteness": np.full((2, 3), np.nan)}, "concreteness"),
    ],
)
def test_repeated_words_and_nan_are_refused(tmp_path, change, told):
    with pytest.raises(MmclustError, match=told):
        write_words(tmp_path / "words.parquet", replace(LEARNED, **change))
    assert not (tmp_path / "words.parquet").exists()
