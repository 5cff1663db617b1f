"""Captions that a model makes, and whose captions an encoder reads."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from mmclust.core import shards
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table
from mmclust.core.manifest import read_manifest
from mmclust.core.shards import locked
from mmclust.core.yaml_file import convert
from mmclust.encode.captions import captions_for, source_of, write_captions
from mmclust.models import blip
from tests.encode.staging import caption_benchmark
from tests.encoders import tiny as make
from tests.encoders.tiny import options

IDS = [f"{i:03d}" for i in range(8)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make.blip(tmp_path_factory.mktemp("blip"))


def params_of(**block):
    defaults = {"size": 32, "max_length": 8, "n_captions": 3}
    return convert({**defaults, **block}, blip.Params, "captioners.blip")


def prepared(params, n=8):
    return np.stack([blip.prepare(rgb, params) for rgb in make.pictures(n)])


def generate(params, rows=slice(None), seed=1):
    images = prepared(params)[rows]
    return blip.generate(IDS[rows], images, params, seed=seed, device="cpu")


def test_blip_really_generates(checkpoint):
    """n captions of each image and prompt; the seed decides; images differ."""
    params = params_of(model=str(checkpoint), prompts=["", "a red"])
    tokens = generate(params)
    captions = blip.text_of(tokens, params)
    assert tokens.shape == (8, 6, 8)
    assert tokens.dtype == np.int32
    assert all(len(each) == 6 for each in captions)
    assert all(each[3].startswith("a red") for each in captions)
    assert len({each[:3] for each in captions}) > 4
    assert len({text for each in captions for text in each[:3]}) > 8
    assert np.array_equal(generate(params), tokens)
    assert not np.array_equal(generate(params, seed=2), tokens)


def test_captions_do_not_depend_on_the_batch(checkpoint):
    """An image alone gets the captions that it gets among others."""
    params = params_of(model=str(checkpoint))
    whole = generate(params)
    parts = [generate(params, slice(a, a + 3)) for a in (0, 3, 6)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_without_sampling_it_takes_the_likeliest(checkpoint):
    """Equal to transformers' greedy generation."""
    import torch
    from transformers import BlipForConditionalGeneration

    from mmclust.models.pixels import scaled

    params = params_of(model=str(checkpoint), n_captions=1, temperature=None)
    found = generate(params)[:, 0]
    model = BlipForConditionalGeneration.from_pretrained(checkpoint).eval()
    pixels = scaled(torch.from_numpy(prepared(params)), params.mean, params.std)
    with torch.inference_mode():
        expected = model.generate(pixel_values=pixels, max_length=8, do_sample=False)
    expected = np.pad(expected.numpy(), ((0, 0), (0, 8 - expected.shape[1])))
    assert np.array_equal(found, expected)


def test_sampling_draws_from_the_softmax(checkpoint):
    """First tokens of many draws are as frequent as the model says they are."""
    import torch

    params = params_of(model=str(checkpoint), n_captions=400, max_length=2, top_k=5)
    images = prepared(params, 1)
    tokens = blip.generate(["x"], images, params, seed=4, device="cpu")[0, :, 1]
    from mmclust.models.pixels import scaled

    model = blip.load(params.model, params.revision, "cpu")
    pixels = scaled(torch.from_numpy(images), params.mean, params.std)
    with torch.inference_mode():
        seen = model.vision_model(pixels).last_hidden_state
        start = torch.tensor([[5]])
        logits = model.text_decoder(start, encoder_hidden_states=seen).logits[0, -1]
    top = logits.topk(5)
    shares = torch.softmax(top.values, 0).numpy()
    counts = np.array([(tokens == i).mean() for i in top.indices.tolist()])
    assert counts.sum() == 1
    assert counts == pytest.approx(shares, abs=0.08)


def test_questions_are_answered(tmp_path):
    """A BLIP for questions answers each of them; without one it is refused."""
    folder = make.blip(tmp_path / "vqa", "BlipForQuestionAnswering")
    params = params_of(model=str(folder), prompts=["what is it", "is it red"])
    assert generate(params).shape == (8, 6, 8)
    silent = dataclasses.replace(params, prompts=("",))
    with pytest.raises(MmclustError, match="answers questions, and none is asked"):
        generate(silent)


def test_captioners_say_what_they_cannot_do(checkpoint, tmp_path):
    """Several captions without chance; a checkpoint that writes nothing."""
    greedy = params_of(model=str(checkpoint), temperature=None)
    with pytest.raises(MmclustError, match="Several captions of an image need"):
        generate(greedy)
    other = params_of(model=str(make.clip(tmp_path / "clip")))
    with pytest.raises(MmclustError, match="writes no captions") as caught:
        generate(other)
    assert "CLIPModel" in str(caught.value)


def test_a_benchmark_is_captioned_and_read_like_any_other(checkpoint, tiny):
    """The stage writes a file that captions_for gives to encoders, with its origin."""
    manifest_path = tiny / "data/benchmarks/tiny/manifest.parquet"
    made = tiny / "data/captions/tiny"
    block = {"model": str(checkpoint), "size": 32, "max_length": 8, "n_captions": 2}
    for out in (made / "blip.parquet", tiny / "again.parquet"):
        n = caption_benchmark(manifest_path, "blip", out, block=block, seed=782)
        assert n == 2
    first, second = (
        (p / f).read_bytes()
        for p, f in ((made, "blip.parquet"), (tiny, "again.parquet"))
    )
    assert first == second
    assert not list(made.glob("*.work"))
    manifest = read_manifest(manifest_path)
    _, captions, origin = captions_for(manifest, "blip", made)
    assert [len(each) for each in captions] == [2] * 36
    assert origin["source"] == "blip"
    assert origin["captioner"] == "blip"
    assert len(origin["weights"]) == 64
    _, meta = read_table(made / "blip.parquet")
    assert meta["manifest"] == manifest.digest
    assert meta["params"]["n_captions"] == 2


def test_captioning_goes_on_where_it_was(checkpoint, tiny, monkeypatch):
    """Shards that are there stay; workers write the same bytes; one run at a time."""
    manifest_path = tiny / "data/benchmarks/tiny/manifest.parquet"
    block = {"model": str(checkpoint), "size": 32, "max_length": 8, "n_captions": 2}
    monkeypatch.setattr(shards, "ROWS", 8)
    calls = []
    generate = blip.generate

    def failing(ids, *arguments, **options):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(ids)
        return generate(ids, *arguments, **options)

    monkeypatch.setattr(blip, "generate", failing)
    out = tiny / "made/blip.parquet"
    with pytest.raises(KeyboardInterrupt):
        caption_benchmark(manifest_path, "blip", out, block=block, seed=1)
    assert len(list(out.parent.rglob("tokens.*.npy"))) == 2
    calls.append("no more failures")
    held = locked(out.with_name("blip.parquet.work"))
    with held, pytest.raises(MmclustError, match="Another run is at work"):
        caption_benchmark(manifest_path, "blip", out, block=block, seed=1)
    caption_benchmark(manifest_path, "blip", out, block=block, seed=1)
    assert len(calls) == 3 + 3
    other = tiny / "made/other.parquet"
    caption_benchmark(manifest_path, "blip", other, block=block, seed=1, workers=2)
    assert other.read_bytes() == out.read_bytes()
    assert sorted(p.name for p in out.parent.iterdir()) == [
        "blip.parquet", "other.parquet",
    ]  # fmt: skip


def test_a_corrupt_picture_is_not_captioned(checkpoint, tiny):
    """`fail` names it; `skip` gives it no caption and says so in the metadata."""
    manifest_path = tiny / "data/benchmarks/tiny/manifest.parquet"
    picture = tiny / "raw/000000000007.jpg"
    picture.write_bytes(picture.read_bytes()[:300])
    block = {"model": str(checkpoint), "size": 32, "max_length": 8, "n_captions": 2}
    out = tiny / "made/blip.parquet"
    with pytest.raises(MmclustError, match="cannot be decoded"):
        caption_benchmark(manifest_path, "blip", out, block=block, seed=1)
    caption_benchmark(manifest_path, "blip", out, block=block, seed=1, corrupt="skip")
    _, captions, origin = captions_for(read_manifest(manifest_path), "blip", out.parent)
    assert [len(each) for each in captions] == [2] * 7 + [0] + [2] * 28
    assert list(origin["skipped"]) == ["000000000007"]


def test_the_command_captions_and_the_encoder_reads(checkpoint, tiny, run_mmclust):
    """From params.yaml to features; names that are not there are refused."""
    block = {"model": str(checkpoint), "size": 32, "max_length": 8, "n_captions": 2}
    benchmark = tiny / "data/benchmarks"
    (benchmark / "tiny").rename(benchmark / "coco_cross")
    params = {
        "captioners": {"said": block},
        "encoders": {"tfidf": {"captions": "said"}},
        "model": {"encoder": "tfidf"},
    }
    (tiny / "params.yaml").write_text(json.dumps(params))
    ended = run_mmclust("caption", "coco_cross", "sad", cwd=tiny)
    assert ended.returncode == 1
    assert "said" in ended.stderr
    ended = run_mmclust("encode", "coco_cross", "tfidf", cwd=tiny)
    assert ended.returncode == 1
    assert "mmclust caption" in ended.stderr
    ended = run_mmclust("caption", "coco_cross", "said", "--workers", "1", cwd=tiny)
    assert ended.returncode == 0, ended.stderr
    assert "2 captions an image" in ended.stdout
    ended = run_mmclust("encode", "coco_cross", "tfidf", "--workers", "1", cwd=tiny)
    assert ended.returncode == 0, ended.stderr
    facts = json.loads(
        (tiny / "data/features/coco_cross/tfidf/features.json").read_text()
    )
    assert facts["captions"]["captioner"] == "said"


def test_publishers_captions_are_the_default(tiny):
    """Also the publisher's others, beside the manifest; and what is not there."""
    folder = tiny / "data/benchmarks/tiny"
    manifest = read_manifest(folder / "manifest.parquet")
    made = tiny / "data/captions/tiny"
    _, captions, origin = captions_for(manifest, source_of(options("sbert")), made)
    assert captions == manifest.captions
    assert origin == {"source": "publisher"}
    other = [[f"other {i}"] for i in range(len(manifest))]
    write_captions(folder / "captions_original.parquet", manifest, other, {})
    path, captions, _ = captions_for(manifest, "original", made)
    assert path == (folder / "captions_original.parquet").resolve()
    assert captions == other
    with pytest.raises(MmclustError, match="has no captions 'blip'") as caught:
        captions_for(manifest, "blip", made)
    assert "mmclust caption tiny blip" in str(caught.value)


def test_captions_of_another_manifest_are_refused(tiny):
    """The digest decides, as it does for features."""
    folder = tiny / "data/benchmarks/tiny"
    manifest = read_manifest(folder / "manifest.parquet")
    made = tiny / "made"
    other = [["x"]] * len(manifest)
    write_captions(made / "blip.parquet", manifest, other, {"manifest": "0" * 64})
    with pytest.raises(MmclustError, match="made for another manifest"):
        captions_for(manifest, "blip", made)
    shutil.rmtree(made)


def test_a_fusion_reads_one_kind_of_captions():
    """Of its members' fields; two kinds are refused."""
    assert source_of(options("hog")) == "publisher"
    assert source_of(options("caption_sbert")) == "blip"
    assert source_of(options("resnet50_caption_sbert")) == "blip"

    both = options("fuse", members={"sbert": {}, "caption_sbert": {}}, views=["text"])
    with pytest.raises(MmclustError, match="read different captions"):
        source_of(both)
