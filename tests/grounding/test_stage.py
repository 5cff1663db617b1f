"""The stage on a tiny world: rules, baselines, same bytes, bad input."""

import json

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table
from mmclust.core.manifest import read_manifest
from mmclust.core.params import GroundingParams, Params, ScoreParams
from mmclust.grounding import stage
from mmclust.grounding.look import look, read_gold, read_model
from mmclust.scoring.record import read
from tests.grounding.toy import CATEGORIES, write_benchmark, write_model

TABLES = "data/grounding/coco_words"


def params(**grounding):
    return Params(
        grounding=GroundingParams(**grounding), score=ScoreParams(n_resamples=100)
    )


def ground(root, settings, **options):
    """The record as one flat mapping: ``<evaluation>_<metric>``, notes as ``_why``."""
    found = {}
    for score in stage.ground(root, settings, **options):
        name = f"{score.method}_{score.metric}".lstrip("_")
        found[name] = score.mean
        if score.note:
            found[f"{name}_why"] = score.note
    return found


@pytest.fixture
def root(tmp_path):
    manifest, _ = write_benchmark(tmp_path)
    write_model(tmp_path, manifest)
    return tmp_path


def test_everything_is_scored_and_nothing_is_nan(root):
    """Five images, five gold boxes; a score that is missing says why."""
    metrics = ground(root, params())
    assert (metrics["n_images"], metrics["n_boxes"]) == (5, 5)
    assert metrics["n_images_without_box"] == 1
    assert (metrics["n_classes"], metrics["n_classes_with_cluster"]) == (2, 2)
    for name in ("box", "heatmap", "heatmap_as_published", "random_box"):
        assert metrics[f"{name}_tp"] + metrics[f"{name}_fn"] == pytest.approx(5)
    # Only two of the objects have an outline.
    assert metrics["mask_tp"] + metrics["mask_fn"] == pytest.approx(2)
    for key in ("noun_f1", "clip_f1"):
        assert metrics[key] is None
        assert metrics[f"{key}_why"]
    path = root / "metrics/details/grounding/coco_words.csv"
    assert "nan" not in path.read_text().lower().split("definition")[1]
    stored = read(path)
    assert stored.mean(("joint_model", "", ""), "n_boxes") == 5
    # F1 beside chance on the same images; five are too few for a p-value.
    box = stored.get(("joint_model", "", "box"), "f1")
    assert box.versus == "joint_model random_box"
    assert box.p is None
    assert "at least 10" in box.note
    means = json.loads(
        (root / "metrics/grounding/coco_words/joint_model.json").read_text()
    )
    assert set(means) == {"f1"}


def test_gold_classes_are_those_of_one_word(root):
    """The hot dog has a box and no class; the two cats are one class."""
    metrics = ground(root, params())
    assert metrics["class_name_tp"] + metrics["class_name_fn"] == pytest.approx(3)


def test_same_bytes_at_any_number_of_workers(root):
    """All files, the tables included."""

    def files():
        found = [p for n in ("metrics", "plots", "data/grounding")
                 for p in sorted((root / n).rglob("*")) if p.is_file()]  # fmt: skip
        return {p.name: p.read_bytes() for p in found}

    ground(root, params(), workers=1)
    first = files()
    assert set(first) == {
        "coco_words.csv", "joint_model.json", "scores.csv", "images.parquet",
        "clusters.parquet", "gallery.json", *(f"{i}.jpg" for i in range(5)),
    }  # fmt: skip
    ground(root, params(), workers=3)
    assert files() == first


def test_without_active_cluster_there_is_no_prediction(tmp_path):
    """No false positive: everything is missed, and nothing else."""
    manifest, _ = write_benchmark(tmp_path)
    write_model(tmp_path, manifest, threshold=1e9)
    metrics = ground(tmp_path, params())
    assert metrics["n_images_without_cluster"] == 5
    assert (metrics["box_tp"], metrics["box_fp"], metrics["box_fn"]) == (0, 0, 5)
    assert metrics["box_precision_why"] == "nothing was predicted"
    assert metrics["cluster_iou_precision_why"] == "nothing was predicted"
    assert metrics["heatmap_recall"] == 0
    assert metrics["heatmap_fn"] == 5


def test_with_every_cluster_active_each_is_a_prediction(tmp_path):
    """Three clusters in five images: 15 boxes, 15 points."""
    manifest, _ = write_benchmark(tmp_path)
    write_model(tmp_path, manifest, threshold=-1e9)
    metrics = ground(tmp_path, params())
    for name in ("box", "mask", "heatmap", "heatmap_as_published"):
        assert metrics[f"{name}_tp"] + metrics[f"{name}_fp"] == pytest.approx(15)
    # Each image has both classes by name: 3 of 10 are there.
    assert metrics["class_name_precision"] == pytest.approx(0.3)
    assert metrics["class_name_recall"] == 1
    # Clusters all see the same: one dog class by co-occurrence (2 cats, 2 dogs).
    assert metrics["cluster_cooccurrence_tp"] == 2
    assert metrics["cluster_cooccurrence_fp"] == 3


def test_one_pass_sees_what_single_passes_see(root):
    """Images one by one, decoded anew, give the same boxes and active clusters."""
    manifest = read_manifest(root / "data/benchmarks/coco_words/manifest.parquet")
    from mmclust.core.objects import read_objects

    folder = root / "data/benchmarks/coco_words"
    gold = read_gold(read_objects(folder / "objects.parquet"), manifest)
    model = read_model(root / "data/words/joint_model")
    rows = manifest.evaluate_rows
    together, boxes = look(model, manifest, rows, gold)
    for at, row in enumerate(rows):
        alone, box = look(model, manifest, np.array([row]), gold)
        np.testing.assert_array_equal(box[0], boxes[at])
        for one, all_of in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one.active[0], all_of.active[at])
            np.testing.assert_array_equal(one.boxes[0], all_of.boxes[at])


def test_gold_boxes_are_scaled_from_the_picture(root):
    """64 x 48 to 32 x 32: the box (16, 0, 32, 24) becomes (8, 0, 16, 16)."""
    manifest = read_manifest(root / "data/benchmarks/coco_words/manifest.parquet")
    from mmclust.core.objects import read_objects

    folder = root / "data/benchmarks/coco_words"
    gold = read_gold(read_objects(folder / "objects.parquet"), manifest)
    model = read_model(root / "data/words/joint_model")
    _, boxes = look(model, manifest, manifest.evaluate_rows[:2], gold)
    assert boxes[0].tolist() == [[8, 0, 16, 16]]
    assert boxes[1].tolist() == [[0, 0, 16, 32], [0, 0, 1, 1]]
    assert gold.classes == ("dog", "cat")
    assert gold.instances.tolist() == [[1, 0], [1, 0], [0, 2], [0, 0], [0, 0], [1, 0]]


def test_without_outlines_masks_are_left_out(tmp_path):
    """With the reason."""
    manifest, _ = write_benchmark(tmp_path, masks=False)
    write_model(tmp_path, manifest)
    metrics = ground(tmp_path, params())
    assert metrics["mask_f1"] is None
    assert "no outlines" in metrics["mask_f1_why"]


def test_tables_have_what_the_report_shows(root):
    """Words of clusters: rare ones only where there are no others."""
    ground(root, params())
    table, meta = read_table(root / TABLES / "clusters.parquet")
    assert table["words"].to_pylist() == [["dog"], ["cat", "a"], ["rare"]]
    assert table["class_name"].to_pylist() == [["dog"], ["cat"], []]
    assert meta["side"] == 32
    images, _ = read_table(root / TABLES / "images.parquet")
    assert images["image_id"].to_pylist() == ["p1", "p2", "p3", "p4", "p5"]
    assert images["gold"].to_pylist() == [["dog"], ["cat"], [], [], ["dog"]]
    lengths = zip(
        images["clusters"].to_pylist(), images["boxes"].to_pylist(), strict=True
    )
    assert all(len(c) == len(b) for c, b in lengths)


def test_the_gallery_shows_pictures_with_an_active_cluster(root):
    """At most as many as asked for, each with the words of what is drawn."""
    from PIL import Image

    ground(root, params(gallery=1))
    folder = root / TABLES
    images = read_table(folder / "images.parquet")[0].to_pylist()
    lit = {row["image_id"]: row["clusters"] for row in images if row["clusters"]}
    (shown,) = json.loads((folder / "gallery.json").read_text())
    drawn = {each["cluster"] for each in shown["clusters"]}
    assert drawn <= set(lit[shown["image_id"]])
    words = {0: ["dog"], 1: ["cat", "a"], 2: ["rare"]}
    assert all(each["words"] == words[each["cluster"]] for each in shown["clusters"])
    panels = 1 + len(drawn)
    assert Image.open(folder / shown["file"]).size == (336 * panels, 362)
    ground(root, params(gallery=0))
    assert json.loads((folder / "gallery.json").read_text()) == []


def test_a_model_of_another_build_is_refused(tmp_path):
    """Its images are not these."""
    manifest, _ = write_benchmark(tmp_path)
    write_model(tmp_path, manifest, manifest="0" * 64)
    with pytest.raises(MmclustError, match="learned on another build"):
        ground(tmp_path, params())


def test_a_model_of_another_benchmark_is_scored(tmp_path):
    """Learned on one, scored on the other."""
    manifest, _ = write_benchmark(tmp_path)
    write_model(tmp_path, manifest, manifest="0" * 64, benchmark="flickr30k")
    assert ground(tmp_path, params())["n_images"] == 5


def test_a_model_without_network_is_refused(tmp_path):
    """Such as co-occurrence."""
    manifest, _ = write_benchmark(tmp_path)
    write_model(tmp_path, manifest, backbone=None)
    with pytest.raises(MmclustError, match="has no visual network"):
        ground(tmp_path, params())


def test_weights_of_another_network_are_refused(tmp_path):
    """More clusters than the file has."""
    manifest, _ = write_benchmark(tmp_path)
    folder = write_model(tmp_path, manifest)
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(facts | {"clusters": 7}))
    with pytest.raises(MmclustError, match="weights are not of small"):
        ground(tmp_path, params())


def test_names_of_several_words_have_no_class():
    """Of the toy's categories."""
    assert [n for n in CATEGORIES if " " in n] == ["hot dog"]
