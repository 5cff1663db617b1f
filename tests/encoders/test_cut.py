"""Captions that are longer than a model reads: counted, whichever the model."""

import json

import numpy as np
import pytest

from mmclust.core.io import read_table, write_table
from mmclust.core.manifest import canonical_digest
from mmclust.core.plugins import load
from mmclust.models import blip
from mmclust.models.compute import n_longer
from tests.encode.staging import encode, manifest_of
from tests.encode.test_captions import params_of as blip_params
from tests.encoders import tiny as make


def lengthen(root, captions):
    """Replace the captions of the first images."""
    path = manifest_of(root)
    table, meta = read_table(path)
    texts = [*captions, *table["captions"].to_pylist()[len(captions) :]]
    at = table.column_names.index("captions")
    table = table.set_column(at, "captions", [texts])
    write_table(path, table, {**meta, "digest": canonical_digest(meta, table)})


def test_clip_reads_77_tokens(tiny, tmp_path):
    """A byte is a token of the test's tokenizer: 75 and two special ones are read."""
    lengthen(tiny, [["x" * 75, "y" * 76], ["é" * 37 + "x", "é" * 38], ["z" * 400]])
    block = {"model": str(make.clip(tmp_path / "clip")), "short_side": 32, "crop": 32}
    files = encode(tiny, "clip", blocks={"clip": block})
    assert json.loads(files["clip/features.json"])["captions_cut"] == 3


def test_open_clip_reads_as_many(tiny, tmp_path):
    """Its own tokenizer: one token for each of these words, and two more."""
    lengthen(tiny, [["dog " * 75], ["dog " * 76, "dog " * 75 + "!"]])
    block = make.open_clip(tmp_path / "model")
    other = {"text_config": {"max_position_embeddings": 514}}  # of another library
    (tmp_path / "model/config.json").write_text(json.dumps(other))
    files = encode(tiny, "clip", blocks={"clip": block})
    assert json.loads(files["clip/features.json"])["captions_cut"] == 2


def test_the_block_that_transformers_goes_by_counts(tmp_path):
    """Of a configuration that says two lengths."""
    folder = make.clip(tmp_path / "clip")
    config = json.loads((folder / "config.json").read_text())
    config["text_config_dict"] = dict(config["text_config"])
    config["text_config"]["max_position_embeddings"] = 400
    (folder / "config.json").write_text(json.dumps(config))
    params = make.options("clip", model=str(folder))
    assert load("encoders", "clip").captions_cut([["x" * 75, "y" * 76]], params) == 1


def test_siglip_reads_64(tmp_path):
    """[CLS], 62 words, [SEP]; blank captions do not count."""
    params = make.options("clip", model=str(make.siglip(tmp_path / "siglip")))
    captions = [["dog " * 62, "dog " * 63], [" "], ["bus " * 90]]
    assert load("encoders", "clip").captions_cut(captions, params) == 2


@pytest.mark.parametrize("joined", [False, True])
def test_sbert_reads_40(tiny, tmp_path, joined):
    """Of the test's model; joined captions are one text of an image."""
    long = [["dog " * 38, "dog " * 39], ["dog " * 20, "dog " * 20]]
    lengthen(tiny, [*long, *[["a dog"]] * 34])
    block = {"model": str(make.sbert(tmp_path / "sbert")), "joined": joined}
    fused = {"caption_sbert": block | {"captions": "publisher"}}
    resnet = make.torchvision(tmp_path)
    fused["resnet50"] = {"model": "resnet18", "weights": str(resnet), "crop": 32,
                         "short_side": 40, "published": False}  # fmt: skip
    names = ("sbert", "resnet50_caption_sbert")
    files = encode(
        tiny, *names, blocks={"sbert": block, "resnet50_caption_sbert": fused}
    )
    for name in names:
        meta = json.loads(files[f"{name}/features.json"])
        assert meta["captions_cut"] == (2 if joined else 1)


def test_encoders_that_read_everything_count_nothing(tiny):
    """Words have no place that could run out."""
    lengthen(tiny, [["a red square " * 200]])
    files = encode(tiny, "miniclip", "lsa")
    for name in ("miniclip", "lsa"):
        assert "captions_cut" not in json.loads(files[f"{name}/features.json"])


def test_short_texts_are_not_even_split():
    """The tokenizer is asked about what may be too long alone."""
    asked = []

    def lengths(texts):
        asked.extend(texts)
        return [len(text.encode()) + 2 for text in texts]

    texts = ["a" * 50, "b" * 69, "c" * 70, "d" * 76, "é" * 10]
    assert n_longer(texts, 77, lengths) == 1
    assert asked == ["c" * 70, "d" * 76, "é" * 10]
    assert n_longer([], 77, lengths) == 0


def test_captions_that_were_still_going_on(tmp_path):
    """BLIP's at max_length: by hand, [SEP] is 3 and [PAD] 0."""
    params = blip_params(model=str(make.blip(tmp_path / "blip")))
    tokens = np.array([[[5, 9, 3, 0], [5, 9, 9, 3]], [[5, 9, 9, 9], [5, 3, 0, 0]]])
    assert blip.n_cut(tokens, params) == 1


def test_it_is_said_on_the_terminal(tiny, tmp_path, run_mmclust):
    """By encode; the number is that of features.json."""
    folder = tiny / "data/benchmarks"
    lengthen(tiny, [["x" * 400]])
    (folder / "tiny").rename(folder / "coco_cross")
    block = {"model": str(make.clip(tmp_path / "clip")), "short_side": 32, "crop": 32}
    text = json.dumps({"encoders": {"clip": block}, "model": {"encoder": "clip"}})
    (tiny / "params.yaml").write_text(text)
    ended = run_mmclust("encode", "coco_cross", "clip", "--workers", "1", cwd=tiny)
    assert ended.returncode == 0, ended.stderr
    assert "1 captions are longer than the model reads" in ended.stderr
