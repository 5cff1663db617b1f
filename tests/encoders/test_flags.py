"""Every shipped encoder under the command's flags: they work, or are refused."""

import json

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.features import read_features
from mmclust.core.io import read_table, write_table
from mmclust.core.manifest import canonical_digest, read_manifest
from mmclust.core.plugins import instance_of, known, load
from mmclust.models.compute import flags_of
from tests.encode.staging import SMALL, encode, manifest_of
from tests.encoders import tiny as make

PIXELS = {"short_side": 40, "crop": 32, "published": False}
CLOSE = {"bf16": 0.02, "fp16": 0.005}
"""Of the largest value."""
VANISHING = ("efficientnet_b0", "mobilenet_v3")
"""Untrained, their features are of the size of 1e-14, which float16 does not know."""


@pytest.fixture
def few(tiny):
    """The first eight of its pictures: larger ones make no other point."""
    path = manifest_of(tiny)
    table, meta = read_table(path)
    table = table.slice(0, 8)
    write_table(path, table, {**meta, "digest": canonical_digest(meta, table)})
    return tiny


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    """Options of every encoder, with tiny weights where it takes some."""
    root = tmp_path_factory.mktemp("weights")
    sbert = {"model": str(make.sbert(root / "sbert")), "captions": "publisher"}
    resnet = {"model": "resnet18", "weights": str(make.torchvision(root)), **PIXELS}
    vectors = root / "vectors.txt"
    vectors.write_text("red 1 0 0\nsquare 0 1 0\ndisc 1 1 0\nbar 0 0 1\n")
    models = {
        "clip": {"model": str(make.clip(root / "clip")), "short_side": 32, "crop": 32},
        "sbert": sbert,
        "caption_sbert": sbert,
        "resnet50": resnet,
        "vit_b16": make.timm(root / "timm"),
        "dinov2": make.dinov2(root / "dinov2"),
        "classical_resnet50": {"resnet50": resnet},
        "resnet50_caption_sbert": {"resnet50": resnet, "caption_sbert": sbert},
        "fuse": {"members": {"hog": None, "resnet50": resnet}},
        "word_vectors": {"file": str(vectors)},
    }
    for name in ("efficientnet_b0", "mobilenet_v3"):
        weights = make.torchvision(root, make.options(name).model)
        models[name] = {"weights": str(weights), **PIXELS}
    return {name: models.get(name, SMALL.get(name)) for name in known("encoders")}


def accepting(blocks, flag):
    """Return the encoders whose numbers a flag reaches."""
    return [
        name
        for name, block in blocks.items()
        if flag
        in flags_of(
            load("encoders", name), instance_of("encoders", name, block, "").options
        )
    ]


MODELS = {
    "caption_sbert", "classical_resnet50", "clip", "dinov2", "efficientnet_b0",
    "efficientnet_lite0", "fuse", "minilm", "mobilenet_v3", "resnet50",
    "resnet50_caption_sbert", "sbert", "vit_b16",
}  # fmt: skip


def test_which_encoders_take_which_flags(blocks):
    """Those with a torch model; those that learn are not compiled."""
    assert set(accepting(blocks, "precision")) == MODELS | {"miniclip", "aligned"}
    assert set(accepting(blocks, "device")) == MODELS | {"miniclip", "aligned"}
    assert set(accepting(blocks, "compile")) == MODELS
    assert accepting({"fuse": {"members": {"hog": None, "lbp": None}}}, "device") == []


def features(root, out, encoder):
    folder = root / out / encoder
    return read_features(folder, read_manifest(manifest_of(root)))


def test_every_encoder_under_every_precision(few, blocks):
    """Close to float32 and recorded; the others refuse in one sentence."""
    able = accepting(blocks, "precision")
    encode(few, *able, out="float32", batch_size=4, blocks=blocks)
    for precision, close in CLOSE.items():
        encode(
            few, *able, out=precision, batch_size=4, blocks=blocks, precision=precision
        )
        for name in able:
            one, two = (features(few, out, name) for out in ("float32", precision))
            assert two.meta["precision"] == precision
            for view, rows in one.views.items():
                error = np.abs(rows - two.views[view]).max()
                assert error > 0 or (name, view) == ("aligned", "image")  # on the CPU
                # A real network of fifty layers rounds more often.
                share = 2 * close if name == "efficientnet_lite0" else close
                assert error <= share * np.abs(rows).max() or name in VANISHING
        for name in set(blocks) - set(able):
            with pytest.raises(MmclustError) as caught:
                encode(few, name, blocks=blocks, precision=precision)
            assert f"--precision {precision} does nothing to {name}" in str(
                caught.value
            )


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("library", ["open_clip", "siglip"])
def test_other_libraries_under_every_precision(few, tmp_path, library, precision):
    """clip's own options lead to two more kinds of models."""
    if library == "open_clip":
        block = make.open_clip(tmp_path / "model")
    else:
        model = str(make.siglip(tmp_path / "model"))
        block = {"model": model, "short_side": None, "crop": 32, **make.GREY}
    encode(few, "clip", out="float32", batch_size=4, blocks={"clip": block})
    encode(
        few,
        "clip",
        out="half",
        batch_size=4,
        blocks={"clip": block},
        precision=precision,
    )
    one, two = (features(few, out, "clip").views for out in ("float32", "half"))
    for view, rows in one.items():
        error = np.abs(rows - two[view]).max()
        assert 0 < error <= CLOSE[precision] * np.abs(rows).max(), view


def test_what_is_fitted_is_fitted_in_float32(tiny):
    """miniclip's weights are the same whatever the precision of encoding."""
    usual = encode(tiny, "miniclip", out="usual")
    for precision in CLOSE:
        found = encode(tiny, "miniclip", out=precision, precision=precision)
        for file in ("fitted.safetensors", "fitted.json"):
            assert found[f"miniclip/{file}"] == usual[f"miniclip/{file}"]


def test_what_is_recorded_as_compiled_ran_compiled(few, blocks, tmp_path, monkeypatch):
    """Each view's features come through what torch.compile gave, open_clip's too."""
    import torch

    calls = []

    def compiled(function):
        def run(*arguments, **options):
            calls.append(function)
            return function(*arguments, **options)

        if isinstance(function, torch.nn.Module):
            hook = function.register_forward_pre_hook(lambda *_: calls.append(function))
            assert hook
            return function
        return run

    monkeypatch.setattr(torch, "compile", compiled)
    able = accepting(blocks, "compile")
    variants = [(name, blocks[name]) for name in able if name != "vit_b16"]
    for name, block in [*variants, ("clip", make.open_clip(tmp_path / "model"))]:
        encode(few, name, out="usual", batch_size=4, blocks={name: block})
        assert not calls, name
        encode(
            few, name, out="compiled", batch_size=4, blocks={name: block}, compiled=True
        )
        one, two = (features(few, out, name) for out in ("usual", "compiled"))
        assert two.meta["compiled"] is True
        assert "compiled" not in one.meta
        assert len(set(map(id, calls))) >= len(one.views), name
        calls.clear()
    with pytest.raises(MmclustError, match="--compile does nothing to miniclip"):
        encode(few, "miniclip", compiled=True)


def test_flags_that_do_nothing_are_not_recorded(tiny, blocks):
    """A batch size reaches models alone."""
    named = ("lsa", "random", "word_vectors", "sift_bow", "hog", "miniclip")
    files = encode(tiny, *named, blocks=blocks, batch_size=8)
    for name in named:
        meta = json.loads(files[f"{name}/features.json"])
        assert ("batch_size" in meta) == (name == "miniclip")
