"""Plugins under names of one's own, through every stage that knows them by name."""

import json
import shutil

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from mmclust.cli import app
from mmclust.core.errors import MmclustError
from mmclust.core.fingerprint import FOLDER
from mmclust.core.io import read_json
from mmclust.core.params import read_params
from mmclust.encode.plan import plan_run
from mmclust.encode.stage import encode, fingerprint_of
from mmclust.scoring.record import read
from tests.conftest import ROOT
from tests.encoders import tiny as make

WORDS = "square\ndisc\nbar\nred\ngreen\nblue\ngrey\nnoise\n"


def timm_weights(folder):
    """An EfficientNet as timm writes it."""
    import timm
    import torch
    from safetensors.torch import save_file

    path = folder / "effnet.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(timm.create_model("efficientnet_b0").state_dict(), path)
    return {
        "is": "resnet50", "library": "timm", "model": "efficientnet_b0",
        "weights": str(path), "short_side": 40, "crop": 32, "published": False,
    }  # fmt: skip


def params_of(root):
    """Two CLIPs, two SBERTs, an EfficientNet and more, under names of one's own."""
    clip = {"is": "clip", "short_side": 32, "crop": 32}
    models = {
        name: str(make_one(root / name))
        for name, make_one in (
            ("clip_a", make.clip), ("clip_b", make.clip), ("mpnet", make.sbert),
            ("minilm", make.sbert), ("writer", make.blip),
        )
    }  # fmt: skip
    return {
        "benchmarks": {"tiny": {"is": "folder"}},
        "captioners": {
            "writer": {"is": "blip", "model": models["writer"], "revision": "",
                       "n_captions": 1, "size": 32, "max_length": 6}
        },
        "encoders": {
            "clip_a": clip | {"model": models["clip_a"]},
            "clip_b": clip | {"model": models["clip_b"], "normalise": False},
            "mpnet": {"is": "sbert", "model": models["mpnet"], "revision": ""},
            "small": {"is": "caption_sbert", "model": models["minilm"],
                       "revision": "", "captions": "writer"},
            "effnet": timm_weights(root),
            "edges": {"is": "hog", "size": 32, "cell": 8},
            "both": {"is": "fuse", "members": {
                "fine": {"is": "hog", "size": 32, "cell": 8},
                "coarse": {"is": "hog", "size": 32, "cell": 16}}},
        },
        "model": {"benchmarks": ["tiny"], "encoder": "clip_b", "n_seeds": 2,
                  "clusterers": ["kmeans", "upgma"], "heads": ["ours", "pictures"]},
        "clusterers": {"upgma": {"is": "average_linkage"}},
        "heads": {"ours": {"is": "tac", "epochs": 1, "batch": 12, "hidden": 8,
                           "n_neighbors": 5},
                  "pictures": {"is": "image_kmeans", "n_init": 2}},
        "nouns": {"vocabulary": "words.txt", "centres": 4},
        "words": {"pairs": {"is": "cooccurrence", "clusters": 3, "word_list": None}},
        "learning": {"benchmark": "tiny", "word_lists": []},
        "retrieval": {"benchmarks": ["tiny"], "encoders": ["clip_a", "clip_b"],
                      "fitted_on": "tiny"},
        "grounding": {"benchmarks": []},
        "score": {"n_resamples": 100},
    }  # fmt: skip


@pytest.fixture
def root(tiny, monkeypatch):
    (tiny / "words.txt").write_text(WORDS)
    (tiny / "params.yaml").write_text(yaml.safe_dump(params_of(tiny)))
    monkeypatch.chdir(tiny)
    return tiny


def call(*arguments):
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    return done.output


def test_every_stage_takes_names_of_ones_own(root):
    """From captions to the budget: each name, and `assign` from the head's record."""
    pytest.importorskip("timm")
    encoders = list(read_params().encoders)
    call("preset", "--check")
    call("caption", "tiny", "writer")
    call("encode", "tiny", *encoders, "--workers", "1")
    features = root / "data/features/tiny"
    recorded = {e: read_json(features / e / "features.json") for e in encoders}
    assert {e: meta["is"] for e, meta in recorded.items()} == {
        "clip_a": "clip", "clip_b": "clip", "mpnet": "sbert", "small": "sbert",
        "effnet": "resnet50", "edges": "hog", "both": "fuse",
    }  # fmt: skip
    assert recorded["small"]["captions"]["source"] == "writer"
    assert recorded["both"]["params"]["members"]["fine"]["is"] == "hog"
    edges, both = (np.load(features / e / "image.npy") for e in ("edges", "both"))
    assert both.shape[1] > edges.shape[1]
    one, two = (np.load(features / e / "image.npy") for e in ("clip_a", "clip_b"))
    lengths = np.linalg.norm(two, axis=1, keepdims=True)
    assert two / lengths == pytest.approx(one, abs=1e-5)
    call("nouns", "tiny")
    for encoder in encoders:
        call("cluster", "tiny", encoder, "--workers", "1")
    for head in ("ours", "pictures"):
        call("head", "tiny", head, "--workers", "1")
    call("learn", "pairs", "--workers", "1")
    for encoder in ("clip_a", "clip_b"):
        call("embed", "tiny", encoder, "--workers", "1")
    call("retrieve", "benchmark", "tiny")
    call("score", "benchmark", "tiny")
    methods = read(root / "metrics/details/score/tiny.csv").methods()
    assert {("effnet", "image", "upgma"), ("clip_b", "image", "pictures")} < set(
        methods
    )
    assert {e for e, _, _ in methods} == set(encoders)
    head = root / "data/heads/tiny/ours"
    assert read_json(head / "head.json")["is"] == "tac"
    out = root / "assigned.csv"
    picture = str(next((root / "raw").iterdir()))
    call("assign", picture, "--head", str(head), "--out", str(out))
    assert len(out.read_text().splitlines()) == 2
    call("budget")
    call("report")
    page = (root / "report/index.html").read_text()
    assert all(name in page for name in (*encoders, "upgma", "ours", "pictures"))
    call("export", "tiny", "--as", "mat", "--out", str(root / "exported"))
    assert call("encode", "tiny", "clip_a", "--workers", "1") == (
        "encode tiny clip_a: as before: nothing to do\n"
    )


def test_errors_of_a_plugin_name_the_instance(root):
    """One of several of a kind: which it is, is what its user must know."""
    manifest = root / "data/benchmarks/tiny/manifest.parquet"

    def told(block):
        outs = {"mine": root / "out"}
        with pytest.raises(MmclustError) as caught:
            encode(plan_run(manifest, {"mine": block}, outs, seed=1))
        return str(caught.value)

    assert told({"is": "resnet50", "weights": "V9"}).startswith("mine: There are no")
    shown = told({"is": "sift_bow", "words": 10**6, "sample": 10**6})
    assert "where:    encoders.mine\n" in shown
    assert "lower encoders.mine.words" in shown


def test_a_fingerprint_covers_the_plugin_and_the_options(root, monkeypatch):
    """Not the name's file: there is none; other options or another plugin rerun."""
    manifest = root / "data/benchmarks/tiny/manifest.parquet"

    def made_of(block):
        run = plan_run(manifest, {"mine": block}, {"mine": root / "out"}, seed=1)
        return fingerprint_of(run.works[0], run).made_of

    hog = made_of({"is": "hog", "size": 32, "cell": 8})
    assert "mmclust.encoders.hog" in hog["code"]
    assert hog["options"]["facts"]["params"]["cell"] == 8
    assert hog != made_of({"is": "hog", "size": 32, "cell": 16})
    joined = made_of(
        {"is": "fuse", "members": {"a": {"is": "lbp"}, "b": {"is": "hog"}}}
    )
    assert {"mmclust.encoders.lbp", "mmclust.encoders.hog"} < set(joined["code"])
    assert not (root / FOLDER).exists()


@pytest.mark.parametrize(
    ("section", "block", "told"),
    [
        ("encoders", {"a": {"is": "clap"}}, "Did you mean 'clip'?"),
        (
            "encoders",
            {"a": {"is": "clip", "widht": 3}},
            "Unknown key 'encoders.a.widht'",
        ),
        ("encoders", {"hog": {"is": "lbp"}}, "hog is the name of another encoder"),
        ("encoders", {"clip_a": {}}, "(clip_a: {is: …})"),
        ("encoders", {"a.b": {"is": "hog"}}, "has a dot"),
        ("encoders", {"a": {"is": 3}}, "names no encoder"),
        ("captioners", {"a": {"is": "hog"}}, "one of: blip"),
        ("clusterers", {"dinov2": {}}, "Unknown clusterer 'dinov2'"),
        ("heads", {"a": {"is": "tac", "batch": 0}}, "heads.a.batch"),
        ("benchmarks", {"a": {"is": "folder", "labels": 3}}, "benchmarks.a.labels"),
        ("benchmarks", {"folder": {"allow_different": "yes"}}, "true or false"),
        ("words", {"a": {}}, "Unknown word 'a'"),
        (
            "encoders",
            {"clip": {"per_benchmark": {"folder": {"crp": 3}}}},
            "Did you mean 'crop'?",
        ),
        ("encoders", {"classical": {"hgo": {}}}, "Did you mean 'hog'?"),
        ("encoders", {"classical": {"hog": {"cel": 1}}}, "encoders.classical.hog.cel"),
        (
            "encoders",
            {"x": {"is": "fuse", "members": {"lsa": {}, "hog": {}}, "views": ["text"]}},
            "hog does not read captions",
        ),
        (
            "encoders",
            {"x": {"is": "fuse", "members": {"hog": {}}, "views": ["image", "text"]}},
            "No member gives text features",
        ),
    ],
)
def test_wrong_names_and_blocks_are_refused_before_anything(
    tmp_path, section, block, told
):
    """When params.yaml is read, by whatever command."""
    path = tmp_path / "params.yaml"
    whole = {"benchmarks": {"folder": {}}, section: block}
    if section == "encoders":
        whole["model"] = {"encoder": next(iter(block))}
    path.write_text(yaml.safe_dump(whole))
    with pytest.raises(MmclustError) as caught:
        read_params(path)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("retrieval: {encoders: [clap]}", "Did you mean 'clip'?"),
        ("retrieval: {benchmarks: [folders]}", "Did you mean 'folder'?"),
        ("score: {baseline: {clusterer: kmean}}", "Did you mean 'kmeans'?"),
        ("score: {baseline: {view: images}}", "Did you mean 'image'?"),
        ("score: {baseline: {encoder: clap}}", "Did you mean 'clip'?"),
        ("words: {random: {}}\nlearning: {benchmark: folders}", "learning.benchmark"),
        ("data: {images: [folders]}", "data.images"),
        ("data: {sources: [coco2018]}", "Did you mean 'coco2017'?"),
        ("encode: {corrupt: ignore}", "encode.corrupt"),
        ("model: {encoder: clip, k_grid: [1]}", "model.k_grid"),
    ],
)
def test_choices_are_among_what_runs(tmp_path, text, told):
    """Names elsewhere in params.yaml, too, with the nearest."""
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data/sources.yaml", tmp_path / "data")
    path = tmp_path / "params.yaml"
    head = "benchmarks: {folder: {}}\nencoders: {clip: {}}\n"
    model = "" if "model:" in text else "model: {encoder: clip}\n"
    path.write_text(head + model + text)
    with pytest.raises(MmclustError) as caught:
        read_params(path)
    assert told in str(caught.value)


def test_known_names_are_what_their_files_were():
    """The options of each, as published; those that are given go before."""
    params = read_params(ROOT / "params.yaml")
    blocks = {
        "encoders": {
            "mobilenet_v3": {"model": "mobilenet_v3_large", "short_side": 232},
            "efficientnet_b0": {"model": "efficientnet_b0", "crop": 224},
            "dinov2": {"library": "transformers", "weights": "hub"},
            "vit_b16": {"library": "timm", "std": (0.5, 0.5, 0.5)},
            "caption_sbert": {"captions": "blip"},
        },
        "clusterers": {"average_linkage": {"linkage": "average", "metric": "cosine"}},
        "heads": {
            "image_kmeans": {"view": "image"},
            "concat_kmeans": {"view": "concat"},
        },
    }
    for kind, names in blocks.items():
        for name, options in names.items():
            found = params.instance(kind, name)
            assert {key: getattr(found.options, key) for key in options} == options
            assert found.alias == {}
    classical = params.instance("encoders", "classical_resnet50")
    assert list(classical.options.members) == [
        "sift", "hog", "color_histogram", "canny", "lbp", "resnet50",
    ]  # fmt: skip
    assert not hasattr(classical.module, "fit")
    assert classical.module.VIEWS == ("image",)
    both = params.instance("encoders", "resnet50_caption_sbert")
    assert both.module.VIEWS == ("image", "text")
    assert json.loads(json.dumps(both.options.members))["caption_sbert"]["captions"]


def test_an_empty_file_is_a_whole_one(tmp_path):
    """Every section and every key has a default."""
    (tmp_path / "params.yaml").write_text("{}")
    assert read_params(tmp_path / "params.yaml").seed == 782
