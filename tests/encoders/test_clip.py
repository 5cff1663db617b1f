"""CLIP and SigLIP, on checkpoints that the tests make."""

import dataclasses

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.plugins import load
from mmclust.core.types import Batch, Fitted
from tests.encoders import tiny
from tests.encoders.tiny import options

CLIP = load("encoders", "clip")
CAPTIONS = [["a red dog", "on grass"], ["the bus"], [], ["  ", "a dog " * 60]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny.clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def params(checkpoint):
    return options("clip", model=str(checkpoint), short_side=32, crop=32)


def test_features_are_the_models_own(checkpoint, params):
    """Images and captions one at a time, through the checkpoint's own processors."""
    import torch
    from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel

    model = CLIPModel.from_pretrained(checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    processor = CLIPImageProcessorPil.from_pretrained(checkpoint)
    batch = tiny.batch("clip", params, n=4, captions=CAPTIONS)
    image = CLIP.encode_image(batch, params, Fitted(), device="cpu")
    text = CLIP.encode_text(batch, params, Fitted(), device="cpu")
    for row, rgb in zip(image, tiny.pictures(4), strict=True):
        with torch.inference_mode():
            found = model.get_image_features(**processor(rgb, return_tensors="pt"))
        one = found.pooler_output[0].numpy()
        assert row == pytest.approx(one / np.linalg.norm(one), abs=1e-5)
    for row, captions in zip(text, CAPTIONS, strict=True):
        each = []
        for caption in filter(str.strip, captions):
            ids = tokenizer(
                caption.strip(), truncation=True, max_length=77, return_tensors="pt"
            )
            with torch.inference_mode():
                one = model.get_text_features(**ids).pooler_output[0].numpy()
            each.append(one / np.linalg.norm(one))
        mean = np.mean(each, axis=0) if each else np.zeros(24)
        assert row == pytest.approx(mean / (np.linalg.norm(mean) + 1e-10), abs=1e-5)
    assert image.dtype == text.dtype == np.float32
    assert not text[2].any()


def test_images_can_be_left_as_tac_stores_them(params):
    """normalise: false keeps the length; the direction is the same."""
    batch = tiny.batch("clip", params)
    unit = CLIP.encode_image(batch, params, Fitted(), device="cpu")
    raw = dataclasses.replace(params, normalise=False)
    long = CLIP.encode_image(batch, raw, Fitted(), device="cpu")
    norms = np.linalg.norm(long, axis=1, keepdims=True)
    assert not np.allclose(norms, 1, atol=0.01)
    assert long / norms == pytest.approx(unit, abs=1e-6)


def test_captions_are_what_text_is_made_of(params):
    """encode_captions: unit rows in order; one caption gives its image's features."""
    captions = ["a red dog", "the bus", "a dog on grass is it what", ""]
    rows = CLIP.encode_captions(captions, params, Fitted(), device="cpu")
    assert rows.shape == (4, 24)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-6)
    batch = Batch(["a", "b"], [[captions[0]], [captions[1]]], None)
    text = CLIP.encode_text(batch, params, Fitted(), device="cpu")
    assert text == pytest.approx(rows[:2], abs=1e-6)
    none = CLIP.encode_captions([], params, Fitted(), device="cpu")
    assert none.shape == (0, 24)


def test_features_do_not_depend_on_the_block(params):
    """The same bytes in one block and in several, images and captions."""
    captions = [["a red dog"], ["the bus", "a dog on grass is it what " * 3]] * 20
    batch = tiny.batch("clip", params, n=40, captions=captions)
    for encode in (CLIP.encode_image, CLIP.encode_text):
        whole = encode(batch, params, Fitted(), device="cpu")
        parts = []
        for rows in (slice(0, 32), slice(32, 40)):
            part = Batch(batch.image_ids[rows], captions[rows], batch.images[rows])
            parts.append(encode(part, params, Fitted(), device="cpu"))
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_siglip_by_its_checkpoint(tmp_path):
    """Another family by params: squeezed pictures, padded captions."""
    import torch
    from transformers import AutoTokenizer, SiglipModel

    folder = tiny.siglip(tmp_path / "siglip")
    half = [0.5, 0.5, 0.5]
    pixels = {"short_side": None, "crop": 32, "mean": half, "std": half}
    params = options("clip", model=str(folder), **pixels)
    batch = tiny.batch("clip", params, n=2)
    image = CLIP.encode_image(batch, params, Fitted(), device="cpu")
    rows = CLIP.encode_captions(["a red dog"], params, Fitted(), device="cpu")
    model = SiglipModel.from_pretrained(folder).eval()
    ids = AutoTokenizer.from_pretrained(folder)(
        "a red dog", padding="max_length", max_length=64, return_tensors="pt"
    )["input_ids"]
    with torch.inference_mode():
        expected = model.get_text_features(input_ids=ids).pooler_output[0].numpy()
    assert image.shape == (2, 32)
    assert rows[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_open_clip_checkpoints(tmp_path):
    """A tiny open_clip model from a folder, as the hub lays it out."""
    import torch

    params = options("clip", **tiny.open_clip(tmp_path))
    open_clip = pytest.importorskip("open_clip")
    model = open_clip.create_model(f"local-dir:{tmp_path}").eval()
    rows = CLIP.encode_captions(["a dog", "a bus"], params, Fitted(), device="cpu")
    with torch.inference_mode():
        expected = model.encode_text(open_clip.tokenize(["a dog", "a bus"]))
        expected = torch.nn.functional.normalize(expected, dim=1).numpy()
    assert rows == pytest.approx(expected, abs=1e-5)
    batch = tiny.batch("clip", params, n=2)
    image = CLIP.encode_image(batch, params, Fitted(), device="cpu")
    assert image.shape == (2, 16)
    wrong = dataclasses.replace(params, interpolation="bilinear")
    with pytest.raises(MmclustError, match="expect other pixels"):
        CLIP.encode_image(batch, wrong, Fitted(), device="cpu")


def test_a_checkpoint_with_other_pixels_is_refused(params):
    """ImageNet's mean for CLIP's: the error says what the checkpoint expects."""
    wrong = dataclasses.replace(params, mean=(0.485, 0.456, 0.406))
    with pytest.raises(MmclustError, match="expect other pixels") as caught:
        CLIP.encode_image(tiny.batch("clip", wrong), wrong, Fitted(), device="cpu")
    assert "mean: (0.48145466, 0.4578275, 0.40821073)" in str(caught.value)
    wider = dataclasses.replace(params, short_side=40)  # TAC's 256 for 224
    CLIP.encode_image(tiny.batch("clip", wider), wider, Fitted(), device="cpu")


def test_a_checkpoint_of_another_kind_is_refused(tmp_path, checkpoint, params):
    """A text model, a model without its weights, and damaged weights."""
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "intermediate_size": 8}
    bert = BertModel(BertConfig(num_attention_heads=2, vocab_size=9, **sizes))
    bert.save_pretrained(tmp_path / "bert")
    half, cut = tiny.clip(tmp_path / "half"), tiny.clip(tmp_path / "cut")
    from safetensors.torch import load_file, save_file

    state = load_file(half / "model.safetensors")
    del state["text_projection.weight"]
    save_file(state, half / "model.safetensors", {"format": "pt"})
    data = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(data[:5000])
    for folder, message in (
        (tmp_path / "bert", "does not embed images and text"),
        (half, "lacks weights of CLIPModel"),
        (cut, "cannot be loaded"),
        (tmp_path / "none", "holds no checkpoint"),
    ):
        wrong = dataclasses.replace(params, model=str(folder))
        with pytest.raises(MmclustError, match=message):
            CLIP.encode_captions(["a dog"], wrong, Fitted(), device="cpu")


def test_offline_the_error_says_what_is_missing(monkeypatch):
    """Model, revision, size and the command that fetches it; nothing is downloaded."""
    import huggingface_hub

    from mmclust.models import hub as _hub

    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *_, **__: "/nowhere"
    )
    _hub.checkpoint.cache_clear()
    params = options("clip")
    with pytest.raises(MmclustError) as caught:
        CLIP.encode_captions(["a dog"], params, Fitted(), device="cpu")
    text = str(caught.value)
    command = f"hf download {params.model} --revision {params.revision}"
    for part in (params.model, params.revision, "605 MB", command):
        assert part in text


def test_identity_follows_the_weights(checkpoint, params, tmp_path):
    """The digest changes with the weights, and the commit is the snapshot's name."""
    import shutil

    from mmclust.models.hub import identity

    one = CLIP.identity(params)
    assert one["revision"] == "local"
    commit = tmp_path / "snapshots" / ("a" * 40)
    shutil.copytree(checkpoint, commit)
    data = bytearray((commit / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (commit / "model.safetensors").write_bytes(data)
    two = identity(str(commit), "main")
    assert two["revision"] == "a" * 40
    assert two["weights"] != one["weights"]


def test_only_what_loading_needs_is_downloaded():
    """safetensors where there are any, else torch's; no other framework's."""
    from mmclust.models.hub import _needed

    both = ["config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5"]
    old = ["config.json", "merges.txt", "pytorch_model.bin", "onnx/model.json"]
    assert _needed(both) == ["config.json", "model.safetensors"]
    assert _needed(old) == ["config.json", "merges.txt", "pytorch_model.bin"]
