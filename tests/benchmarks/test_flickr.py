"""Flickr30K: both layouts give one benchmark; rules for captions and splits."""

from __future__ import annotations

import numpy as np
import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.benchmarks.flickr30k import Params, expected, parse_table, parse_token
from mmclust.clusterers._runs import decide_k
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.manifest import read_manifest
from mmclust.core.params import Params as AllParams
from tests.benchmarks.toy_captions import (
    FLICKR,
    as_sample,
    flickr_captions,
    flickr_entries,
    table_file,
    token_file,
    write_hub,
    write_karpathy,
    write_publisher,
)


def build(raw, out, block=None, **options):
    return build_benchmark("flickr30k", as_sample(raw), out, block, **options)


def contents(out):
    manifest = read_manifest(out / "manifest.parquet")
    rows = zip(manifest.image_ids, manifest.captions, manifest.splits, strict=True)
    shades = [int(rgb.mean()) for _, rgb in read_images(manifest, range(len(manifest)))]
    return [(i, tuple(c), str(s)) for i, c, s in rows], shades


@pytest.mark.parametrize("folders", [True, False])
@pytest.mark.parametrize("packing", ["stored", "tar", "tar.gz", "unpacked"])
def test_both_layouts_give_the_same_images(tmp_path, packing, folders):
    """Ids without .jpg, five captions in order, splits; in source folders or not."""
    raw = tmp_path / "hub"
    write_hub(raw / "flickr30k" if folders else raw, packing)
    summary = build(raw, tmp_path / "out_hub")
    assert summary["splits"] == {"test": 1, "train": 2, "val": 1}
    assert (summary["captions"], summary["n_classes"]) == (20, 0)
    assert summary["notes"]["captions_from"] == "flickr_annotations_30k.csv"
    assert (summary["fit"], summary["evaluate"]) == (["train"], ["test"])
    rows, shades = contents(tmp_path / "out_hub")
    assert rows == [(i, tuple(flickr_captions(i)), FLICKR[i]) for i in sorted(FLICKR)]
    assert shades == [0, 20, 30, 10]

    raw = tmp_path / "publisher"
    write_publisher(raw / "flickr30k_publisher" if folders else raw, packing)
    write_karpathy(raw / "karpathy_splits" if folders else raw, flickr=flickr_entries())
    notes = build(raw, tmp_path / "out_publisher")["notes"]
    assert notes["captions_from"] == "results_20130124.token"
    assert notes["splits_from"] == "dataset_flickr30k.json"
    assert notes["images_without_split"] == 1
    assert contents(tmp_path / "out_publisher") == (rows, shades)


def test_the_publishers_captions_go_before_the_hubs(tmp_path):
    """And the hub's table then gives the splits; Karpathy's file alone gives both."""
    raw = write_hub(write_publisher(tmp_path / "raw"))
    notes = build(raw, tmp_path / "out")["notes"]
    assert notes["captions_from"] == "results_20130124.token"
    assert notes["splits_from"] == "flickr_annotations_30k.csv"
    raw = write_karpathy(tmp_path / "other", flickr=flickr_entries())
    notes = build(raw, tmp_path / "out", images=False)["notes"]
    assert notes["captions_from"] == notes["splits_from"] == "dataset_flickr30k.json"


def test_parts_of_the_split(tmp_path):
    """One, or several joined; the order of the manifest is that of the ids."""
    raw = write_hub(tmp_path / "raw")
    assert build(raw, tmp_path / "out", split="test")["splits"] == {"test": 1}
    both = build(raw, tmp_path / "out", split="val+test", images=False)
    assert both["splits"] == {"test": 1, "val": 1}
    for wrong in ("restval", "test+test", "all+test", ""):
        with pytest.raises(MmclustError, match=r"Unknown split[\s\S]*all, test, tra"):
            build(raw, tmp_path / "out", split=wrong)


def test_published_counts():
    """29,000 / 1,014 / 1,000."""
    assert expected(Params(), "all") == {"": 31_014}
    assert expected(Params(), "test") == {"": 1_000}
    assert expected(Params(), "train+val") == {"": 30_014}


def test_there_are_no_classes(tmp_path):
    """Clustering asks for a number of clusters."""
    build(write_hub(tmp_path / "raw"), tmp_path / "out")
    with pytest.raises(MmclustError, match=r"has no classes, so k must be given"):
        decide_k(AllParams(), {}, np.arange(3), tmp_path / "out", 0)


def test_captions_without_splits_are_refused(tmp_path):
    """With where to get them; of nothing at all the three files that would do."""
    with pytest.raises(
        MmclustError,
        match=r"caption file is missing[\s\S]*token or flickr_annotations_30k\.csv or "
        r"dataset_flickr30k",
    ):
        build(tmp_path / "bare", tmp_path / "out")
    raw = write_publisher(tmp_path / "raw")
    with pytest.raises(MmclustError, match="splits are in none of the files") as error:
        build(raw, tmp_path / "out")
    assert "dataset_flickr30k.json, or caption_datasets.zip" in str(error.value)
    assert "mmclust fetch karpathy_splits" in str(error.value)
    assert "captions of 5 images" in str(error.value)


LINE = b"36979.jpg#0\tcaption 0 of 36979 .\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LINE + b"36979.jpg#1\tcaf\xe9\n", r"line 2[\s\S]*UTF-8[\s\S]*0xe9 at byte 16"),
        (LINE + b"that goes on\n", r"line 2[\s\S]*'that goes on'[\s\S]*line break"),
        (b"36979.jpg#0\ttwo\rlines\n", r"line 1[\s\S]*line break"),
        (LINE + b"\n" + LINE, r"line 3[\s\S]*36979\.jpg#0 for the second time"),
        (b"36979.jpg\tx\n", r"line 1[\s\S]*<id>\.jpg#<n>"),
        (b"../36979.jpg#0\tx\n", r"line 1[\s\S]*<id>\.jpg#<n>"),
        (b"36979.png#0\tx\n", r"line 1"),
    ],
)
def test_lines_that_cannot_be_meant_are_refused(data, message):
    """The line is named, with what it must look like."""
    with pytest.raises(MmclustError, match=message):
        parse_token(data, "the file")


def test_lines_that_can_be_read():
    """In the order of their numbers; line ends, a byte order mark, tabs, blanks."""
    data = b"\xef\xbb\xbf1.jpg#1\tb \r\n2.jpg#0\t\t \n\n1.jpg#0\t a\tc\n"
    assert parse_token(data, "") == ({"1": ("a\tc", "b"), "2": ()}, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("raw,", "text,", r"no column raw"),
        ("train", "dev", r"line 2[\s\S]*split 'dev'"),
        ("36979.jpg", "a/36979.jpg", r"line 3[\s\S]*'a/36979\.jpg'"),
        ("36979.jpg", "1000092795.jpg", r"line 3[\s\S]*1000092795\.jpg, a second time"),
        ('"[""', '"(""', r"line 2[\s\S]*Expecting value"),
        ('"[""caption 0 of 36979 ."",', '"[3,', r"line 3[\s\S]*no list of texts"),
        (",10002456.jpg", ",", r"line 4[\s\S]*filename ''"),
    ],
)
def test_tables_of_another_form_are_refused(old, new, message):
    """The line is named."""
    text = table_file().decode()
    assert old in text
    with pytest.raises(MmclustError, match=message):
        parse_table(text.replace(old, new).encode(), "the table")


def test_a_table_that_is_not_utf8_or_cut_short_is_refused():
    """Both say where."""
    with pytest.raises(
        MmclustError, match=r"table is not UTF-8[\s\S]*line 2[\s\S]*0xe9"
    ):
        parse_table(table_file().replace(b"caption", b"caf\xe9", 1), "the table")
    with pytest.raises(MmclustError, match=r"the table[\s\S]*unexpected end of data"):
        parse_table(table_file()[:120], "the table")


def test_a_line_break_in_a_table_or_json_is_kept_and_told(tmp_path):
    """There it is no new caption; it is counted."""
    table = table_file().replace(b"caption 0 of 36979", b"caption\\n0 of 36979")
    notes = build(write_hub(tmp_path / "raw", table=table), tmp_path / "out")["notes"]
    assert notes["captions_with_line_break"] == 1


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (token_file().replace(b"36979.jpg#2\tcaption 2 of 36979 .\n", b"", 1),
         r"few captions[\s\S]*36979 \(4\)"),
        (token_file(["36979"]), r"3 with fewer: 1000092795 \(0\)"),
        (token_file() + b"36979.jpg#5\tsixth\n", r"too many capt[\s\S]*36979 has 6"),
        (token_file().replace(b"\tcaption 0 of 36979 .", b"\t "), r"36979 \(4\)"),
    ],
)  # fmt: skip
def test_images_without_five_captions_are_refused(tmp_path, token, message):
    """Too few, none, too many, an empty one."""
    raw = write_publisher(tmp_path / "raw", token=token)
    write_karpathy(raw, flickr=flickr_entries())
    with pytest.raises(MmclustError, match=message):
        build(raw, tmp_path / "out", images=False)
    assert not (tmp_path / "out").exists()


def test_fewer_captions_can_be_asked_for(tmp_path):
    """Then at least one that is not empty."""
    token = token_file().replace(b"\tcaption 0 of 36979 .", b"\t ")
    raw = write_publisher(tmp_path / "raw", token=token)
    write_karpathy(raw, flickr=flickr_entries())
    summary = build(raw, tmp_path / "out", {"captions_per_image": None})
    assert summary["captions"] == 19
    assert summary["notes"]["empty_captions_dropped"] == 1


def test_captions_of_unknown_images_are_left_out_and_told(tmp_path):
    """An image that no split names, whether its file is there or not."""
    raw = write_publisher(tmp_path / "raw", token=token_file([*FLICKR, "1", "2"]))
    write_karpathy(raw, flickr=flickr_entries())
    summary = build(raw, tmp_path / "out")
    assert summary["images"] == len(FLICKR)
    assert summary["notes"]["images_without_split"] == 2
