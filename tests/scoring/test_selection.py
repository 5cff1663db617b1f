"""Label-free scores of heads, the choice between settings, and references."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from mmclust.clusterers._stage import cluster_benchmark, write_internal
from mmclust.core.clusters import Clustering, read_clusters, write_clusters
from mmclust.core.features import normalised, read_features
from mmclust.core.io import read_table
from mmclust.core.labels import read_labels, write_labels
from mmclust.core.manifest import read_manifest
from mmclust.core.params import ModelParams, Params, ScoreParams
from mmclust.core.seeds import derive, generator
from mmclust.scoring.generalisation import generalisation_score
from mmclust.scoring.record import Record, Score, path_of, read
from mmclust.scoring.references import rank_correlations, reference_scores
from mmclust.scoring.selection import select
from mmclust.scoring.stage import score_benchmark
from tests.encode.staging import encode_benchmark

HIST = "color_histogram"
PARAMS = Params(
    seed=5,
    encoders={HIST: None},
    clusterers={
        "few": {"is": "agglomerative", "linkage": "single"},
        "many": {"is": "agglomerative", "linkage": "ward"},
    },
    model=ModelParams(
        encoder=HIST, clusterers=("few", "many", "random"), heads=("concat_kmeans",),
        n_seeds=2, select="generalisation",
    ),
    score=ScoreParams(n_resamples=100),
)  # fmt: skip


@pytest.fixture
def world(tiny):
    """One encoder's clusters in two settings, and a head that is nearly right."""
    manifest = tiny / "data/benchmarks/tiny/manifest.parquet"
    out = tiny / "data/features/tiny" / HIST
    encode_benchmark(manifest, HIST, out, block=None, seed=1)
    cluster_benchmark("tiny", HIST, PARAMS, tiny)
    folder = tiny / "data/clusters/tiny"
    found, ids, meta = read_clusters(folder / f"{HIST}.parquet")
    spoilt = np.arange(36) % 5 == 0
    found = [replace(one, labels=(one.labels + spoilt) % 3) if one.clusterer == "few"
             else one for one in found]  # fmt: skip
    write_clusters(folder / f"{HIST}.parquet", found, ids, meta)
    rows = np.load(out / "image.npy")
    write_internal(
        tiny, "tiny", HIST, found, {"image": normalised(rows)}, None,
        raw={"image": rows}, seed=derive(5, "cluster", HIST),
    )  # fmt: skip
    labels = np.where(np.arange(36) < 3, 0, np.arange(36) % 3)
    head = Clustering("concat_kmeans", "image", 3, np.stack([labels, labels]))
    write_clusters(folder / "heads/concat_kmeans.parquet", [head], ids, meta)
    return tiny


def test_a_head_has_label_free_scores(world):
    """The same as a clusterer's, of the image features that it read."""
    score_benchmark("tiny", PARAMS, world)
    record = read(path_of(world, "cluster", "tiny"))
    assert record.methods() == [(HIST, "image", "concat_kmeans")]
    own = record.of(record.methods()[0])
    rows = np.load(world / f"data/features/tiny/{HIST}/image.npy")
    (head,), _, _ = read_clusters(
        world / "data/clusters/tiny/heads/concat_kmeans.parquet")  # fmt: skip
    expected = generalisation_score(
        [rows], head.labels[0], seed=derive(5, "cluster", HIST))  # fmt: skip
    assert own["generalisation"].mean == pytest.approx(expected, abs=1e-6)
    assert own["stability"].mean == 1
    clusterer = read(path_of(world, "cluster", "tiny", HIST))
    assert {*own} == {*clusterer.of((HIST, "image", "many"))}


def test_label_free_numbers_are_the_same_at_any_workers(world):
    """Of clusterers, of heads, and what is chosen by them."""
    paths = [path_of(world, "cluster", "tiny", HIST), path_of(world, "cluster", "tiny")]
    found = []
    for workers in (1, 3):
        cluster_benchmark("tiny", HIST, PARAMS, world, workers=workers)
        score_benchmark("tiny", PARAMS, world, workers=workers)
        found.append([path.read_bytes() for path in paths])
    assert found[0] == found[1]


def test_the_setting_with_the_best_score_is_reported(world):
    """One row more, the chosen setting's numbers, and why; nothing without select."""
    record, _ = score_benchmark("tiny", PARAMS, world)
    free = read(path_of(world, "cluster", "tiny", HIST))
    settings = [(HIST, "image", name) for name in ("few", "many")]
    scores = [free.mean(key, "generalisation") for key in settings]
    assert scores[0] != scores[1]
    best = settings[int(np.argmax(scores))]
    chosen = (HIST, "image", "agglomerative.selected")
    for metric in ("acc", "nmi", "ari", "largest", "smallest"):
        assert record.mean(chosen, metric) == record.mean(best, metric)
    note = record.get(chosen, "acc").note
    assert note.startswith(f"chosen by generalisation: {best[2]} {max(scores):.3f}, ")
    # A plugin with one setting, and a floor, leave nothing to choose.
    names = [key[2] for key in record.methods()]
    assert [name for name in names if name.endswith(".selected")] == [
        "agglomerative.selected"
    ]
    none = replace(PARAMS, model=replace(PARAMS.model, select=None))
    assert chosen not in score_benchmark("tiny", none, world)[0].methods()


def test_no_label_reaches_the_choice(world):
    """Labels that are shuffled, and that favour the other setting, change nothing."""
    path = world / "data/benchmarks/tiny/labels.parquet"
    chosen = (HIST, "image", "agglomerative.selected")
    first = score_benchmark("tiny", PARAMS, world)[0].get(chosen, "acc")
    clusterings, ids, _ = read_clusters(world / f"data/clusters/tiny/{HIST}.parquet")
    other = first.note.split(", ")[1].split()[0]
    runs = next(one for one in clusterings if one.clusterer == other)
    told = {i: f"c{label}" for i, label in zip(ids, runs.labels[0], strict=True)}
    for labels in (told, dict(zip(ids, np.roll([*told.values()], 7), strict=True))):
        write_labels(path, labels)
        record, _ = score_benchmark("tiny", PARAMS, world)
        assert record.get(chosen, "acc").note == first.note
    free = path_of(world, "cluster", "tiny").read_bytes()
    write_labels(path, dict.fromkeys(ids, "one"))
    score_benchmark("tiny", PARAMS, world)
    assert path_of(world, "cluster", "tiny").read_bytes() == free


def test_settings_are_chosen_on_each_view_by_themselves():
    """By hand: the first named of equals; a name that no plugin has is left out."""
    rows = [
        ("e", "image", "a", 0.5),
        ("e", "image", "b", 0.5),
        ("e", "text", "a", 0.9),
        ("e", "text", "b", 0.8),
        ("f", "image", "a", 0.1),
        ("e", "image", "zero_shot", 1),
    ]
    free = Record(tuple(Score(*key, "generalisation", mean) for *key, mean in rows))
    keys = [tuple(key) for *key, _ in rows]
    found = select(keys, {"a": "p", "b": "p"}, free, "generalisation")
    assert found == {
        ("e", "image", "p.selected"): (
            ("e", "image", "a"), "chosen by generalisation: a 0.500, b 0.500"),
        ("e", "text", "p.selected"): (
            ("e", "text", "a"), "chosen by generalisation: a 0.900, b 0.800"),
    }  # fmt: skip


def references(world, fit, labels=None):
    """Score references where some splits are fitted on and others evaluated."""
    built = world / "data/benchmarks/tiny"
    manifest = read_manifest(built / "manifest.parquet")
    folder = world / "data/features/tiny" / HIST
    features = read_features(folder, manifest)
    if fit is not None:
        splits = np.where(np.isin(np.arange(36), fit), "train", "test").tolist()
        table = manifest.table.set_column(
            manifest.table.column_names.index("split"), "split", [splits]
        )
        meta = manifest.meta | {"fit": ["train"], "evaluate": ["test"]}
        manifest = replace(manifest, table=table, meta=meta)
    known = labels or read_labels(built / "labels.parquet")
    scores = reference_scores(PARAMS, features, folder, manifest, known)
    return Record(tuple(scores)), features.views["image"], known.labels


def test_references_learn_from_the_images_to_fit_on(world):
    """Against scikit-learn: the nearest mean, and logistic regression with C 1."""
    fit = np.r_[0:10, 20:24]
    record, rows, truth = references(world, fit)
    asked = np.setdiff1d(np.arange(36), fit)
    for name, model in (
        ("true_means", NearestCentroid()),
        ("linear_probe", LogisticRegression(C=1, tol=1e-8, max_iter=1000)),
    ):
        right = model.fit(rows[fit], truth[fit]).predict(rows[asked]) == truth[asked]
        score = record.get((HIST, "image", name), "acc")
        assert score.mean == pytest.approx(right.mean())
        assert score.low <= score.mean <= score.high
        assert (score.note, score.k, score.definition) == (
            "uses labels", 3, "reference-1")  # fmt: skip
    # A histogram of colours knows no words.
    assert {key[2] for key in record.methods()} == {"true_means", "linear_probe"}


def test_references_are_cross_validated_where_all_is_evaluated(world):
    """Each image by what the other nine tenths teach."""
    record, rows, truth = references(world, None)
    order = generator(5, "references", "tiny").permutation(np.arange(36))
    right = []
    for fold in np.array_split(order, 10):
        others = np.setdiff1d(order, fold)
        model = NearestCentroid().fit(rows[others], truth[others])
        right += (model.predict(rows[fold]) == truth[fold]).tolist()
    found = record.mean((HIST, "image", "true_means"), "acc")
    assert found == pytest.approx(np.mean(right))


def test_hidden_classes_teach_and_count_nothing(world):
    """As if those images were not there."""
    labels = read_labels(world / "data/benchmarks/tiny/labels.parquet")
    hidden = np.where(np.arange(36) % 2, labels.labels, -1).astype(np.int32)
    record, *_ = references(world, np.arange(18), replace(labels, labels=hidden))
    score = record.get((HIST, "image", "linear_probe"), "acc")
    assert score.mean * 9 == pytest.approx(round(score.mean * 9))


def test_references_are_apart_from_every_method(world):
    """In a record of their own; no row of the scores, no means for DVC."""
    record, paths = score_benchmark("tiny", PARAMS, world)
    own = read(path_of(world, "reference", "tiny"))
    names = {"true_means", "linear_probe"}
    assert names <= {key[2] for key in own.methods()}
    assert not names & {key[2] for key in record.methods()}
    assert not names & {path.stem for path in paths[1].iterdir()}
    assert not any(name in path.read_text() for path in (paths[0], paths[5], paths[6])
                   for name in names)  # fmt: skip
    outcomes = read_table(paths[4])[1]
    assert outcomes["clusterer"] == "few"


def test_rank_correlations_by_hand():
    """Four methods and a floor; the coding length counts the other way round."""
    acc = {"a": 0.9, "b": 0.7, "c": 0.5, "d": 0.3, "random": 0.1}
    good = {"a": 4.0, "b": 3.0, "c": 1.0, "d": 2.0, "random": 9.0}
    scored = Record(tuple(Score("e", "image", m, "acc", v) for m, v in acc.items()))
    free = Record(tuple(
        Score("e", "image", m, metric, v)
        for m, v in good.items() for metric in ("generalisation", "coding_length")
    ))  # fmt: skip
    floors = {("e", "image", "random")}
    rows = rank_correlations(scored, [free], "e", floors)
    found = {(score.encoder, score.metric): score for score in rows}
    rho = 1 - 6 * (1 + 1) / (4 * 15)
    for of in ("e", ""):
        score = found[of, "generalisation_rank_correlation"]
        assert score.mean == pytest.approx(rho)
        assert score.note == "over 4 methods"
        assert found[of, "coding_length_rank_correlation"].mean == pytest.approx(-rho)
        assert found[of, "stability_rank_correlation"].mean is None
