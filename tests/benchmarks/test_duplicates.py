"""The same picture twice: found exactly where it is, at any number of workers."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmclust.benchmarks._build import build_benchmark
from mmclust.benchmarks._duplicates import (
    DISTANCE,
    Fingerprints,
    find_duplicates,
    fingerprints,
    perceptual_hashes,
    small_picture,
)
from mmclust.core.images import Images
from mmclust.core.io import read_table
from mmclust.core.manifest import Row, read_manifest, write_manifest
from tests.benchmarks.toy_pictures import NAME, install, jpeg, picture


@given(st.data())
def test_counts_and_lists_are_those_of_two_loops(data):
    """Files, hashes a few bits apart, splits, classes: every number of the summary."""
    n = data.draw(st.integers(1, 20))
    kinds = [data.draw(st.integers(0, 9)) for _ in range(n)]
    base = data.draw(st.integers(0, 2**64 - 1))
    flips = st.sets(st.integers(0, 63), max_size=4)
    hash_of = [base ^ sum(1 << bit for bit in data.draw(flips)) for _ in range(10)]
    readable = [data.draw(st.integers(0, 4)) > 0 for _ in range(10)]
    splits = np.array([data.draw(st.sampled_from(["train", "test"])) for _ in range(n)])
    ids = [f"i{row:02d}" for row in range(n)]
    drawn = {i: data.draw(st.sampled_from(["a", "b", ""])) for i in ids}
    labels = {i: name for i, name in drawn.items() if name}
    prints = Fingerprints(
        np.array([bytes([kind + 1]) * 32 for kind in kinds], "S32"),
        np.array([hash_of[k] if readable[k] else 0 for k in kinds], np.uint64),
        np.array([readable[k] for k in kinds]),
    )
    summary, table = find_duplicates(prints, ids, splits, labels)
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    exact = [(a, b) for a, b in pairs if kinds[a] == kinds[b]]
    near = [
        (a, b)
        for a, b in pairs
        if kinds[a] != kinds[b]
        and readable[kinds[a]]
        and readable[kinds[b]]
        and (hash_of[kinds[a]] ^ hash_of[kinds[b]]).bit_count() <= DISTANCE
    ]
    for kind, found in (("exact", exact), ("near", near)):
        across = sum(splits[a] != splits[b] for a, b in found)
        classes = [(labels.get(ids[a]), labels.get(ids[b])) for a, b in found]
        del summary[kind]["by"]
        assert summary[kind] == {
            "pairs": len(found),
            "images": len({row for pair in found for row in pair}),
            "within_split": len(found) - across,
            "across_splits": across,
            "across_classes": sum(bool(x and y and x != y) for x, y in classes),
            "first": [[ids[a], ids[b]] for a, b in found[:5]],
        }
        listed = [
            (row["image_id"], row["other_id"])
            for row in table.to_pylist()
            if row["kind"] == kind
        ]
        assert listed == [(ids[a], ids[b]) for a, b in found]


def test_groups_of_equal_hashes_are_counted_not_written_down():
    """Twice 10,000 different files with one hash each, two bits apart."""
    n = 20_000
    digests = np.array([row.to_bytes(32, "big") for row in range(1, n + 1)], "S32")
    hashes = np.repeat(np.array([0, 3], np.uint64), n // 2)
    prints = Fingerprints(digests, hashes, np.ones(n, bool))
    splits = np.array(["train", "test"])[np.arange(n) % 2]
    ids = [f"{row:05d}" for row in range(n)]
    summary, table = find_duplicates(prints, ids, splits, {})
    assert summary["near"]["pairs"] == n * (n - 1) // 2
    assert summary["near"]["across_splits"] == (n // 2) ** 2
    assert summary["near"]["images"] == n
    assert len(table) == 1_000_000


def test_the_hash_is_the_low_frequencies_over_their_median():
    """By the definition of the transform, cosine by cosine."""
    pixels = np.asarray(picture(3, 32).convert("L"))
    at = np.arange(32)
    waves = np.cos(np.pi * (2 * at[None] + 1) * at[:8, None] / 64)
    low = (waves @ pixels.astype(float) @ waves.T).ravel()
    bits = "".join("1" if value > np.median(low) else "0" for value in low)
    assert f"{perceptual_hashes(pixels[None])[0]:064b}" == bits


def bits_apart(one, two):
    hashes = perceptual_hashes(np.stack([small_picture(one), small_picture(two)]))
    return int(np.bitwise_count(hashes[0] ^ hashes[1]))


def test_copies_are_near_and_others_far():
    """Compressed again, rescaled, PNG: near. Another picture, a mirror image: far."""
    image = picture(1, 640)
    original = jpeg(image)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert bits_apart(original, jpeg(image, quality=40)) <= DISTANCE
    assert bits_apart(original, jpeg(image.resize((300, 300)))) <= DISTANCE
    assert bits_apart(original, buffer.getvalue()) <= DISTANCE
    assert bits_apart(original, jpeg(picture(2, 640))) > 2 * DISTANCE
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert bits_apart(original, jpeg(mirrored)) > 2 * DISTANCE


def test_bytes_that_are_no_picture_have_no_hash():
    """Text, and a JPEG cut short."""
    assert small_picture(b"picture 7") is None
    assert small_picture(jpeg(picture(1))[:400]) is None


def test_the_summary_counts_within_and_across(tmp_path, monkeypatch):
    """p0 twice in train, once in test and under another class; p1 compressed again."""
    files = {
        "copy": jpeg(picture(0)),
        "leak": jpeg(picture(0)),
        "small": jpeg(picture(1).resize((140, 140)), quality=70),
        "torn": jpeg(picture(2))[:300],
    }
    labels = {"p0": "a", "copy": "a", "leak": "b", "p1": "a", "small": "b"}
    options = {"labels": labels, "files": files, "splits": {"leak": "test"}}
    # An image without a class is across no classes.
    hidden = {f"p{i}": "a" for i in range(2, 6)} | {"torn": "a"}
    install(monkeypatch, **options, hidden=hidden)
    summary = build_benchmark(NAME, tmp_path / "raw", tmp_path / "out", workers=3)
    found = summary["duplicates"]
    assert found["exact"] == {
        "by": "sha256 of the file",
        "pairs": 3,
        "images": 3,
        "within_split": 1,
        "across_splits": 2,
        "across_classes": 2,
        "first": [["copy", "leak"], ["copy", "p0"], ["leak", "p0"]],
    }
    near = found["near"]
    assert near["first"] == [["p1", "small"]]
    counts = ("pairs", "images", "within_split", "across_splits", "across_classes")
    assert [near[key] for key in counts] == [1, 2, 1, 0, 1]
    assert found["not_decoded"] == {"images": 1, "first": ["torn"]}
    table, _ = read_table(tmp_path / "out/duplicates.parquet")
    rows = table.to_pylist()
    assert rows[0] == {
        "kind": "exact", "image_id": "copy", "other_id": "leak",
        "split": "train", "other_split": "test", "distance": 0,
    }  # fmt: skip
    assert [row["kind"] for row in rows] == ["exact"] * 3 + ["near"]


def test_the_number_of_workers_changes_no_byte(tmp_path, monkeypatch):
    """Every file of the build, at one, two and seven."""
    install(monkeypatch, files={"again": jpeg(picture(3), quality=50)})
    contents = []
    for workers in (1, 2, 7):
        out = tmp_path / "one/out"
        build_benchmark(NAME, tmp_path / "raw", out, {"n": 30}, workers=workers)
        contents.append({p.name: p.read_bytes() for p in sorted(out.iterdir())})
    assert contents[0] == contents[1] == contents[2]
    assert "thumbnails.jpg" in contents[0]


def test_more_pictures_than_a_block_keep_their_hashes(tmp_path, monkeypatch):
    """Where blocks end, no row is mixed up; pictures come from an archive."""
    from mmclust.benchmarks import _duplicates

    rows = []
    (tmp_path / "raw").mkdir()
    with zipfile.ZipFile(tmp_path / "raw/p.zip", "w") as archive:
        for i in range(8):
            data = b"no picture" if i == 4 else jpeg(picture(i))
            archive.writestr(f"{i}.jpg", data)
            rows.append(
                Row(str(i), tmp_path / "raw/p.zip", f"{i}.jpg", None, None, 1, 1, (),
                    "train")
            )  # fmt: skip
    path = tmp_path / "manifest.parquet"
    write_manifest(path, rows, benchmark="x", protocol="1", sources={})
    manifest = read_manifest(path)
    whole = fingerprints(Images(manifest), 8)
    monkeypatch.setattr(_duplicates, "BLOCK", 3)
    parts = fingerprints(Images(manifest), 8, workers=2)
    assert (whole.hashes == parts.hashes).all()
    assert whole.decoded.tolist() == [True] * 4 + [False] + [True] * 3
    assert len(set(whole.hashes.tolist())) == 8


def test_hashes_are_close_to_those_of_full_size():
    """Decoding at a reduced scale changes a few bits at most."""
    for seed in range(10):
        data = jpeg(picture(seed, 700))
        with Image.open(io.BytesIO(data)) as image:
            full = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)
        pair = np.stack([small_picture(data), np.asarray(full)])
        one, two = perceptual_hashes(pair)
        assert np.bitwise_count(one ^ two) <= 2
