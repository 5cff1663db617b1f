"""What all heads have in common, and those that read spaces or the vocabulary."""

import shutil
from dataclasses import fields, replace

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised, read_features, write_features
from mmclust.core.io import read_json, write_json
from mmclust.core.manifest import read_manifest
from mmclust.core.params import NounsParams, read_params
from mmclust.core.plugins import load, names
from mmclust.core.types import HeadInputs
from mmclust.heads import _train
from mmclust.heads._files import assign_images, head_on_files
from mmclust.heads._inputs import given_nouns
from mmclust.heads._saved import is_trained
from mmclust.heads._space import image_centres
from mmclust.heads._stage import (
    assign_rows,
    fingerprint_of_head,
    head_of_benchmark,
    run_head,
    train_seeds,
)
from mmclust.kernels.kmeans import kmeans
from tests.conftest import ROOT
from tests.encode.staging import encode_benchmark
from tests.heads.planted import SHORT, K, accuracy, planted, with_nouns
from tests.heads.test_stage import MINICLIP, TAC, ready, settings  # noqa: F401

SMALL = {
    "tac": TAC,
    "dxmc": {**TAC, "instance_hidden": 8, "instance_dim": 8},
    "turtle": {"steps": 8, "batch": 30},
    **SHORT,
}
GROUND_TRUTH = ("labels.parquet", "hidden.parquet", "objects.parquet")


def params_for(head, **options):
    block = {**SMALL.get(head, {}), **options}
    return replace(settings(heads=(head,)), heads={head: block})


def made(root, head):
    files = [*(root / "data/heads/tiny" / head).iterdir()]
    files.append(root / f"data/clusters/tiny/heads/{head}.parquet")
    return {path.name: path.read_bytes() for path in files}


def test_several_devices_share_the_seeds(ready):  # noqa: F811
    """The same heads, of both kinds of training, in the order of the seeds."""
    for head in ("tac", "scan"):
        params = params_for(head)
        head_of_benchmark(ready, "tiny", head, params)
        alone = made(ready, head)
        head_of_benchmark(ready, "tiny", head, params, device="cpu,cpu")
        assert made(ready, head) == alone


def test_no_label_reaches_any_head(ready):  # noqa: F811
    """Without ground truth each runs; with files of it that nobody can read, or at two
    workers, it writes the same bytes."""
    built = ready / "data/benchmarks/tiny"
    assert not (built / "labels.parquet").exists()
    heads = names("heads")
    assert len(heads) >= 8
    for head, options in (*((each, {}) for each in heads), ("cpp", {"k_grid": [2, 3]})):
        params = params_for(head, **options)
        found = head_of_benchmark(ready, "tiny", head, params)
        assert found.labels.shape == (2, 36)
        assert set(np.unique(found.labels)) <= {0, 1, 2}
        first = made(ready, head)
        for name in GROUND_TRUTH:
            (built / name).write_bytes(b"not a table")
        head_of_benchmark(ready, "tiny", head, params, workers=2)
        assert made(ready, head) == first
        for name in GROUND_TRUTH:
            (built / name).unlink()


def test_a_head_that_finds_k_is_recorded_with_none(ready):  # noqa: F811
    """As clusterers that find k are; each seed has its own."""
    params = params_for("cpp", k_grid=[2, 4])
    found = head_of_benchmark(ready, "tiny", "cpp", params)
    assert found.k == 0
    facts = read_json(ready / "data/heads/tiny/cpp/head.json")
    assert facts["k"] == 0
    chosen = [len(np.unique(row)) for row in found.labels]
    assert set(chosen) <= {2, 4}
    assert {len(names) for names in facts["names"]} == {max(chosen)}


def test_rows_that_are_asked_for(ready):  # noqa: F811
    """As the stage gives them: of every kind of head; of a trained one any part."""
    manifest = read_manifest(ready / "data/benchmarks/tiny/manifest.parquet")
    rows = manifest.evaluate_rows
    for head in ("tac", "turtle", "sic", "gradnorm", "concat_kmeans"):
        params = params_for(head)
        expected = head_of_benchmark(ready, "tiny", head, params).labels
        for run, labels in enumerate(expected):
            found = assign_rows(manifest, rows, params, ready, head=head, run=run)
            assert np.array_equal(found, labels)
    params = params_for("tac")
    part = assign_rows(manifest, rows[5:9], params, ready, head="tac", run=1)
    whole = assign_rows(manifest, rows, params, ready, head="tac", run=1)
    assert np.array_equal(part, whole[5:9])
    with pytest.raises(MmclustError, match="The head 'dxmc' does not run"):
        assign_rows(manifest, rows, params, ready, head="dxmc")
    path = ready / "data/heads/tiny/tac/head.json"
    write_json(path, read_json(path) | {"manifest": "0" * 64})
    with pytest.raises(MmclustError, match="trained on another manifest"):
        assign_rows(manifest, rows, params, ready, head="tac")


@pytest.fixture
def two(ready):  # noqa: F811
    """A second encoder, of pictures alone."""
    manifest = ready / "data/benchmarks/tiny/manifest.parquet"
    encode_benchmark(
        manifest, "hog", ready / "data/features/tiny/hog", block=None, seed=5
    )
    return ready


def test_turtle_reads_several_encoders(two):
    """Raw, in its order; pictures are encoded by both; the record names both."""
    params = params_for("turtle", encoders=["hog", "miniclip"])
    found = head_of_benchmark(two, "tiny", "turtle", params)
    one = head_of_benchmark(two, "tiny", "turtle", params_for("turtle"))
    assert not np.array_equal(found.confidence, one.confidence)
    head_of_benchmark(two, "tiny", "turtle", params)
    folder = two / "data/heads/tiny/turtle"
    spaces = read_json(folder / "head.json")["spaces"]
    assert [each["encoder"] for each in spaces] == ["hog", "miniclip"]
    pictures = sorted((two / "raw").glob("*.jpg"))
    again, words = assign_images(pictures, folder)
    assert np.array_equal(again.labels, found.labels[0])
    assert again.confidence == pytest.approx(found.confidence[0], abs=1e-5)
    assert len(words) == 3
    arrays = [
        two / f"data/features/tiny/{name}/image.npy" for name in ("hog", "miniclip")
    ]
    rows, _ = assign_images([], folder, features=arrays)
    assert np.array_equal(rows.labels, found.labels[0])
    with pytest.raises(MmclustError, match="another number of encoders"):
        assign_images([], folder, features=arrays[:1])
    with pytest.raises(MmclustError, match="not embedded in the same space"):
        assign_images([], folder, features=arrays[::-1])


def test_what_a_fingerprint_holds(two, monkeypatch):
    """Every encoder that is read; the vocabulary and the encoder of its words."""
    monkeypatch.chdir(two)
    several = params_for("turtle", encoders=["hog", "miniclip"])
    inputs = fingerprint_of_head("tiny", "turtle", several).made_of["inputs"]
    assert {"data/features/tiny/hog/image.npy", "data/features/tiny/miniclip/image.npy",
            "data/nouns/tiny/nouns.json"} <= set(inputs)  # fmt: skip
    alone = fingerprint_of_head("tiny", "turtle", params_for("turtle")).made_of
    assert not any("hog" in name for name in alone["inputs"])
    words = fingerprint_of_head("tiny", "sic", params_for("sic")).made_of
    assert "words.txt" in words["inputs"]
    assert "mmclust.encoders.miniclip" in words["code"]
    assert "mmclust.encoders.miniclip" not in alone["code"]


def test_turtle_needs_no_nouns(two):
    """Nor an encoder that has words; heads that need them say so."""
    shutil.rmtree(two / "data/nouns/tiny")
    params = params_for("turtle")
    for encoder in ("miniclip", "hog"):
        each = replace(params, model=replace(params.model, encoder=encoder))
        found = head_of_benchmark(two, "tiny", "turtle", each)
        assert found.labels.shape == (2, 36)
        assert read_json(two / "data/heads/tiny/turtle/head.json")["names"] == []
    for head in ("gradnorm", "sic", "tac"):
        with pytest.raises(MmclustError, match=r"nouns\.json"):
            head_of_benchmark(two, "tiny", head, params_for(head))


def test_encoders_that_cannot_be_read(two):
    """One that did not run; one that is named twice; one without pictures."""
    again = params_for("turtle", encoders=["hog", "miniclip", "hog"])
    with pytest.raises(MmclustError, match=r"named twice(.|\n)*hog, miniclip, hog"):
        head_of_benchmark(two, "tiny", "turtle", again)
    with pytest.raises(MmclustError, match=r"data/features/tiny/lbp"):
        head_of_benchmark(two, "tiny", "turtle", params_for("turtle", encoders=["lbp"]))
    out = two / "data/features/tiny/lsa"
    encode_benchmark(
        two / "data/benchmarks/tiny/manifest.parquet",
        "lsa",
        out,
        block={"dim": 4},
        seed=5,
    )
    with pytest.raises(MmclustError, match="lsa has no features of images"):
        head_of_benchmark(two, "tiny", "turtle", params_for("turtle", encoders=["lsa"]))


def test_a_picture_that_one_encoder_skipped_is_left_out(two):
    """Of the head that reads this encoder, and of no other."""
    manifest_path = two / "data/benchmarks/tiny/manifest.parquet"
    manifest = read_manifest(manifest_path)
    folder = two / "data/features/tiny/hog"
    features = read_features(folder, manifest)
    image = np.array(features.views["image"])
    image[4] = np.nan
    ours = ("dims", "images", "benchmark", "manifest", "sha256")
    kept = {k: v for k, v in features.meta.items() if k not in ours}
    absent = {"image": {manifest.image_ids[4]: "damaged"}}
    write_features(folder, {"image": image}, kept, manifest, absent)
    both = params_for("turtle", encoders=["miniclip", "hog"])
    assert head_of_benchmark(two, "tiny", "turtle", both).labels.shape == (2, 35)
    one = params_for("turtle", encoders=["miniclip"])
    assert head_of_benchmark(two, "tiny", "turtle", one).labels.shape == (2, 36)


def test_every_head_says_what_it_reads_and_where_it_is_from():
    for name in names("heads"):
        module = load("heads", name)
        made = module.offers(module.Params()) if hasattr(module, "offers") else module
        assert set(made.READS) <= {"image", "text", "spaces", "nouns"}
        assert is_trained(made) != hasattr(made, "cluster")
        assert getattr(module.Params(), "evaluate_on", "evaluate") == "evaluate"
        assert "Source:" in module.__doc__


@pytest.mark.parametrize(
    ("head", "length", "options"),
    [
        ("scan", 1, {"epochs": 30, "learning_rate": 0.01}),
        ("temi", 10, {"epochs": 40, "batch": 100, "warm_up": 5, "momentum": 0.95,
                      "n_heads": 3, "hidden": 16, "bottleneck": 8, "n_neighbors": 10,
                      "learning_rate": 0.006}),
        ("cpp", 1, {"epochs": 15, "batch": 200, "warm_up": 20, "hidden": 128,
                    "dim": 32, "learning_rate": 0.01}),
    ],
)  # fmt: skip
def test_it_finds_what_kmeans_does_not(head, length, options):
    """.95 where k-means does .8, by each seed; CPP says one cluster of each row."""
    rows, kind = planted()
    assert accuracy(kind, kmeans(rows, K, seed=1).labels) < 0.85
    inputs, module = HeadInputs(spaces=(length * rows,)), load("heads", head)
    params = module.Params(**options)
    for each in train_seeds(module, params, inputs, K, [1, 2]):
        shares = module.predict(each.weights, inputs, params, device="cpu")
        assert shares.sum(1) == pytest.approx(1, abs=1e-5)
        assert accuracy(kind, shares.argmax(1)) > 0.95


@pytest.mark.parametrize(
    ("head", "options", "message"),
    [
        ("scan", {"batch": 300}, "batch of 300 cannot be drawn from 200"),
        ("scan", {"n_neighbors": 200}, "200 rows do not have 200 neighbours"),
        ("temi", {}, "batch of 1024 cannot be drawn from 200"),
        ("temi", {"batch": 50, "n_neighbors": 200}, "do not have 200 neighbours"),
        ("cpp", {}, "batch of 1024 cannot be drawn from 200"),
    ],
)
def test_what_cannot_be_trained_is_refused(head, options, message):
    """Before anything is."""
    inputs, module = HeadInputs(spaces=(planted(200)[0],)), load("heads", head)
    for k, why in ((K, message), (1, "single cluster")):
        with pytest.raises(MmclustError, match=why):
            train_seeds(module, module.Params(**options), inputs, k, [1])


@pytest.mark.parametrize(
    ("head", "times"), [("tac", 2), ("dxmc", 2), ("scan", 1), ("temi", 1)]
)
def test_neighbours_are_found_once_for_all_seeds(head, times, monkeypatch):
    """Of texts and images where a head wants both; seeds are of several groups."""
    rows, module = planted(60)[0], load("heads", head)
    found, where = [], _train if hasattr(module, "recipe") else module
    exact = where.nearest_neighbors

    def counted(*given, **options):
        found.append(given)
        return exact(*given, **options)

    monkeypatch.setattr(where, "nearest_neighbors", counted)
    inputs = HeadInputs(rows, rows, (rows,))
    seeds = [*range(6)]
    trained = train_seeds(module, module.Params(**SMALL[head]), inputs, 3, seeds)
    assert (len(trained), len(found)) == (6, times)


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("tac", {}),
        ("dxmc", {}),
        ("turtle", {"inner_learning_rate": 1e38}),
        ("scan", {}),
        ("scan", {"optimiser": "sgd"}),
        ("temi", {}),
        ("cpp", {}),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_training_that_diverges_is_told_of(head, options):
    """No cluster is made of numbers that are none."""
    rows, module = planted(60)[0], load("heads", head)
    inputs = HeadInputs(rows, rows, (rows,))
    params = module.Params(**SMALL[head], **{"learning_rate": 1e38, **options})
    with pytest.raises(MmclustError, match=rf"training of {head} diverged(.|\n)*nan"):
        train_seeds(module, params, inputs, 3, [1])


@pytest.mark.parametrize("head", ["tac", "temi"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_last_step_that_diverges_is_told_of(head):
    """Its loss was taken before it, and is finite."""
    rows, module = planted(60)[0], load("heads", head)
    inputs = HeadInputs(rows, rows, (rows,))
    options = {"epochs": 1, "batch": 60, "learning_rate": 1e38}
    options |= {"warm_up": 0} if head == "temi" else {}
    params = module.Params(**SMALL[head] | options)
    with pytest.raises(MmclustError, match="60 rows without"):
        run_head(module, params, inputs, inputs, 3, [1])


def test_presets_named_after_papers_have_the_published_settings():
    """Where the default is published, it is the default; all but these are stated."""
    unsaid = {"evaluate_on", "templates", "start_from_centres", "faiss_seed",
              "deduplicate_nouns"}  # fmt: skip
    for preset, head, but in (
        ("turtle-2024", "turtle", {"encoders": ("clip", "dinov2")}),
        ("sic-2023", "sic", {}),
        ("gradnorm-2025", "gradnorm",
         {"temperature": 0.06, "counterpart_temperature": 0.009}),
        ("scan-2020", "scan", {}),
        ("temi-2023", "temi", {}),
        ("cpp-2024", "cpp", {}),
        ("ntk-sc-2026", "ntk_sc", {}),
    ):  # fmt: skip
        params = read_params(ROOT / f"presets/{preset}.yaml")
        module = load("heads", head)
        assert params.instance("heads", head).options == module.Params(**but)
        asked = {field.name for field in fields(module.Params)}
        assert asked - params.heads[head].keys() <= unsaid
        assert head in params.model.heads
        for encoder in ("clip", *but.get("encoders", ())):
            assert params.instance("encoders", encoder).options.normalise is False
        assert params.instance("encoders", "clip").options.rounding == "even"
    nouns = read_params(ROOT / "presets/gradnorm-2025.yaml").nouns
    assert (nouns.centres, nouns.n_init, nouns.faiss_seed) == (250, 20, 0)


@pytest.fixture
def own(tmp_path):
    """Arrays of one's own, float16 among them, and words of which one is repeated."""
    images, nouns, _, kinds = with_nouns(1, n=90)
    other = np.random.default_rng(0).standard_normal((3, 9))[kinds % 3]
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "y.npy", other.astype(np.float16))
    np.save(tmp_path / "t.npy", np.concatenate([nouns, nouns[:1]]))
    words = [f"w{i}" for i in range(len(nouns))]
    (tmp_path / "words.txt").write_text("\n".join([*words, "w0"]))
    return tmp_path


def test_files_of_ones_own(own):
    """Each head takes what it reads; what was trained assigns other arrays alike."""
    x, y, out = own / "x.npy", own / "y.npy", own / "clusters.csv"
    given = {"k": 3, "out": out, "options": {"steps": 5}}
    sizes = head_on_files("turtle", [x, y], save=own / "saved", **given)
    assert sum(sizes) == 90
    first = out.read_bytes()
    head_on_files("turtle", [x, y], test_image_features=[x, y], **given)
    assert out.read_bytes() == first
    found, _ = assign_images([], own / "saved", features=[x, y])
    lines = [f"{i},{c}" for i, c in enumerate(found.labels.tolist())]
    assert [r.rpartition(",")[0] for r in first.decode().split("\n")[1:91]] == lines
    words = {"nouns_features": [own / "t.npy"], "words": own / "words.txt"}
    assert sum(head_on_files("gradnorm", [x], k=3, out=out, **words)) == 90
    few = {"epochs": 1, "batch": 30}
    assert sum(head_on_files("sic", [x], k=3, out=out, options=few, **words)) == 90


def test_centres_of_ones_own_are_those_of_the_pipeline(own):
    """Means of float32 rows, though TAC's own nouns are told apart in float16."""
    images = normalised(np.load(own / "x.npy"))
    params = NounsParams(centres=7)
    given = given_nouns(own / "words.txt", [own / "t.npy"], images, 3, params, seed=4)
    _, groups = image_centres(images, 7, params, seed=4)
    for group, centre in enumerate(given.centres):
        mean = images[groups == group].astype(np.float64).mean(axis=0)
        assert centre == pytest.approx(mean / np.linalg.norm(mean), abs=1e-7)


@pytest.mark.parametrize("nouns", ["one", "two", "alike"])
def test_few_nouns(own, nouns):
    """A noun that all images share adds nothing; SIC says which rule it breaks."""
    made = np.random.default_rng(3).standard_normal((1 if nouns == "one" else 2, 48))
    made = np.repeat(made[:1], 9, axis=0) if nouns == "alike" else made
    np.save(own / "few.npy", made.astype(np.float32))
    (own / "few.txt").write_text("\n".join(f"w{i}" for i in range(len(made))))
    given = {"k": 3, "out": own / "c.csv", "nouns_features": [own / "few.npy"],
             "words": own / "few.txt"}  # fmt: skip
    assert sum(head_on_files("gradnorm", [own / "x.npy"], **given)) == 90
    (own / "c.csv").unlink()
    few = {"epochs": 1, "batch": 200}
    if nouns == "two":
        assert sum(head_on_files("sic", [own / "x.npy"], options=few, **given)) == 90
        return
    with pytest.raises(MmclustError, match="both near an image centre and unlike"):
        head_on_files("sic", [own / "x.npy"], options=few, **given)
    assert not (own / "c.csv").exists()


@pytest.mark.parametrize(
    ("head", "files", "message"),
    [
        ("turtle", {}, "wrong number of rows"),
        ("gradnorm", {}, "gradnorm needs --nouns-features"),
        ("sic", {"twice": True}, "sic reads one array of --features"),
        ("turtle", {"text_features": "x.npy"}, "reads no --text-features"),
        ("turtle", {"tests": 2}, "turtle reads one array of --test-features"),
        ("scan", {"tests": 2}, "scan reads one array of --test-features"),
    ],
)
def test_files_that_do_not_fit(own, head, files, message):
    np.save(own / "z.npy", np.ones((7, 3)))
    images = [own / "x.npy"]
    if head == "turtle" and not files:
        images.append(own / "z.npy")
    if files.pop("twice", False):
        images *= 2
    tests = {"test_image_features": [own / "x.npy"] * files.pop("tests", 0)}
    files = {key: own / name for key, name in files.items()} | tests
    with pytest.raises(MmclustError, match=message):
        head_on_files(head, images, k=3, out=own / "c.csv", **files)
    assert not (own / "c.csv").exists()
