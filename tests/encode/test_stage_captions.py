"""Whose captions the engine reads, and images whose captions say nothing."""

import json

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.features import read_features
from mmclust.core.io import file_digest
from mmclust.core.manifest import read_manifest
from mmclust.encode.captions import write_captions
from tests.encode.staging import encode, manifest_of, without_captions
from tests.encoders import tiny as make

KINDS = ["round", "flat", "tall", "wide", "small"]
OTHER = [[f"colour {KINDS[i % 5]}", f"a {KINDS[i % 3]} thing"] for i in range(36)]


def alternative(root, captions=OTHER, name="original"):
    path = manifest_of(root).with_name(f"captions_{name}.parquet")
    write_captions(path, read_manifest(manifest_of(root)), captions, {"by": "them"})
    return path


def vectors(root):
    path = root / "vectors.txt"
    path.write_text("red 1 0 0\nsquare 0 1 0\nblue 0 0 1\ncolour 1 1 0\n")
    return {"word_vectors": {"file": str(path)}}


def test_encoders_read_the_captions_they_ask_for(tiny, small_shards):
    """As if they were the publisher's; those that ask for nothing keep theirs."""
    path = alternative(tiny)
    blocks = {"lsa": {"captions": "original"}, "tfidf": {}}
    files = encode(tiny, "lsa", "tfidf", blocks=blocks)
    facts = json.loads(files["lsa/features.json"])
    assert facts["captions"]["source"] == "original"
    assert facts["captions"]["sha256"] == file_digest(path)
    assert facts["captions"]["by"] == "them"
    words = json.loads(files["lsa/fitted.json"])["vocabulary"]
    assert "colour" in words
    own = json.loads(files["tfidf/features.json"])
    assert own["captions"] == {"source": "publisher"}
    assert "colour" not in json.loads(files["tfidf/fitted.json"])["vocabulary"]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_read_the_same_captions(tiny, small_shards, workers):
    """An encoder without training gets them in its worker."""
    alternative(tiny)
    blocks = vectors(tiny)
    blocks["word_vectors"]["captions"] = "original"
    encode(tiny, "word_vectors", blocks=blocks, workers=workers)
    found = np.load(tiny / "out/word_vectors/text.npy")
    assert np.array_equal(found, np.tile(np.float32([1, 1, 0]), (36, 1)))


def test_other_captions_never_find_old_shards(tiny, small_shards):
    """The digest of the file is part of what unfinished work is known by."""
    blocks = {"lsa": {"captions": "original"}}
    alternative(tiny)
    first = encode(tiny, "lsa", blocks=blocks)
    alternative(tiny, [each[::-1] for each in OTHER])
    second = encode(tiny, "lsa", blocks=blocks)
    assert first["lsa/features.json"] != second["lsa/features.json"]


def test_made_captions_that_say_nothing_are_missing(tiny):
    """The captions that are read are looked at, not the publisher's."""
    path = alternative(tiny, [["  ", ""], *OTHER[1:]])
    blocks = {"lsa": {"captions": "original"}}
    with pytest.raises(MmclustError, match="1 images have none") as caught:
        encode(tiny, "lsa", blocks=blocks)
    assert str(path) in str(caught.value)
    without_captions(tiny, 4)  # of the publisher's: of no matter here
    alternative(tiny)
    encode(tiny, "lsa", blocks=blocks)


@pytest.mark.parametrize("workers", [1, 2])
def test_protocols_that_give_zeros_give_zeros(tiny, small_shards, workers):
    """benchmarks, §5: and features.json counts them; `skip` leaves them out."""
    without_captions(tiny, 4, *range(8, 16))
    blocks = vectors(tiny)
    files = encode(tiny, "word_vectors", blocks=blocks, workers=workers)
    text = np.load(tiny / "out/word_vectors/text.npy")
    zeros = np.flatnonzero(~text.any(axis=1))
    facts = json.loads(files["word_vectors/features.json"])
    assert {4, *range(8, 16)} <= set(zeros.tolist())
    assert facts["zero_rows"] == {"text": len(zeros)}
    assert "skipped" not in facts
    skip = {"missing_captions": "skip"}
    files = encode(tiny, "word_vectors", blocks=blocks, policy=skip, workers=workers)
    assert len(json.loads(files["word_vectors/features.json"])["skipped"]["text"]) == 9
    assert np.isnan(np.load(tiny / "out/word_vectors/text.npy")[4]).all()


def test_clip_gives_zeros_without_captions(tiny, tmp_path):
    """Both views of the same images: the picture has its features all the same."""
    without_captions(tiny, 0, 35)
    block = {"model": str(make.clip(tmp_path / "clip")), "short_side": 32, "crop": 32}
    encode(tiny, "clip", blocks={"clip": block})
    found = read_features(tiny / "out/clip", read_manifest(manifest_of(tiny)))
    assert np.flatnonzero(~found.views["text"].any(axis=1)).tolist() == [0, 35]
    assert found.views["image"].any(axis=1).all()
    assert found.meta["zero_rows"] == {"text": 2}
    assert not len(found.skipped)
