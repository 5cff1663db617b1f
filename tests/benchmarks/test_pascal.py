"""Pascal Sentences: the page's rules, where pictures may lie, what is refused."""

from __future__ import annotations

import unicodedata

import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.benchmarks.pascal_sentences import Params, expected, parse_page
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest
from tests.benchmarks.toy_captions import (
    PASCAL,
    as_sample,
    browser_row,
    closed_row,
    open_row,
    pack,
    page,
    write_pascal,
)
from tests.benchmarks.toy_captions import pictures as toy

PLANE = ("A plane.", "A & B fly.", "An  aircraft", "d", "e")


def build(raw, out, **options):
    return build_benchmark("pascal_sentences", as_sample(raw), out, **options)


@pytest.mark.parametrize("row", [closed_row, open_row, browser_row])
def test_the_page_is_read_with_and_without_closing_tags(row):
    """In page order; entities resolved, ends stripped; the header row is no picture."""
    pictures, encoding = parse_page(page(row=row), "index.html")
    assert [f"{each.name}/{each.file}" for each in pictures] == list(PASCAL)
    assert pictures[0].captions == PLANE
    assert pictures[2].captions == ("a screen", "b", "c", "d", "e")
    assert encoding == "utf-8"


def test_rows_that_are_no_pictures_are_skipped():
    """No image, no src, no folder in src: skipped, with the captions beside them."""
    text = page().decode()
    nested = "<td><table><tr><td>x</td></tr></table></td></tr>"
    others = "".join(
        f"<tr><td>{first}</td>{nested}"
        for first in ("text", "<img>", "<img src=logo.gif>")
    )
    text = text.replace("<tr><th>", others + "<tr><th>")
    # Nor is a second image of a row one.
    text = text.replace('716.jpg">', '716.jpg"><img src="zebra/2.jpg">')
    assert parse_page(text.encode(), "")[0] == parse_page(page(), "")[0]


def test_empty_captions_and_line_breaks():
    """Cells of white space are dropped; a line break in HTML is a blank."""
    rows = {"cat/1.jpg": [" ", "two\n  lines", "<b>bold</b> text", "&nbsp;", "e"]}
    (picture,), _ = parse_page(page(rows), "")
    assert picture.captions == ("two lines", "bold text", "e")


@pytest.mark.parametrize(
    ("encoding", "declared", "letter"),
    [
        ("utf-8", "", "é"),
        ("windows-1252", "", "é"),
        ("iso-8859-2", "<meta charset=iso-8859-2>", "č"),
    ],
)
def test_captions_that_are_not_utf8(encoding, declared, letter):
    """UTF-8, else what the page declares, else Windows-1252; and it is told."""
    caption = f"ein schöner Caf{letter}"
    text = page({"cat/1.jpg": [caption, "b"]}).decode()
    text = text.replace("<head>", f"<head>{declared}")
    (picture,), found = parse_page(text.encode(encoding), "")
    assert (picture.captions[0], found) == (caption, encoding)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, r"no pictures with sentences[\s\S]*nested table"),
        ({"cat/1.jpg": ["a"], "dog/1.jpg": ["b"]},
         r"two classes[\s\S]*1 in cat and dog"),
        ({"cat/1.jpg": ["a"], "cat/1.png": ["b"]}, r"listed twice[\s\S]*1: 1"),
        ({"cat/1.jpg": ["a"], "cat/2.jpg": [" "]}, r"no sentences[\s\S]*1: 2"),
        ({"a/cat/1.jpg": ["a"]}, r"lies elsewhere[\s\S]*a/cat/1\.jpg"),
        ({"http://x.org/cat/1.jpg": ["a"]}, r"lies elsewhere[\s\S]*http://x\.org"),
        ({"../1.jpg": ["a"]}, r"lies elsewhere[\s\S]*\.\./1\.jpg"),
        ({"page_files/1.jpg": ["a"]}, r"saved by a browser[\s\S]*page_files"),
    ],
)  # fmt: skip
def test_pages_of_another_structure_are_refused(rows, message):
    """What is wrong is said, with the page's name."""
    with pytest.raises(MmclustError, match=message) as error:
        parse_page(page(rows), "the page")
    assert "the page" in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The page"),
        (b"\x89PNG\r\n", "The page"),
        (b"{}", "The page"),
        # 0x81 is no character of Windows-1252.
        (b"<p>\x81\xff", r"not text[\s\S]*utf-8 or windows-1252"),
    ],
)
def test_what_is_no_page_is_refused(data, message):
    """Empty files and other files give an error, no traceback."""
    with pytest.raises(MmclustError, match=message):
        parse_page(data, "index.html")


@pytest.mark.parametrize(
    ("packing", "prefix"),
    [
        ("unpacked", ""),
        ("unpacked", "dataset/"),
        ("stored", ""),
        ("stored", "a/b/"),
        ("deflated", ""),
        ("tar", "dataset/"),
        ("tar.gz", ""),
    ],
)
def test_pictures_in_every_packing(tmp_path, packing, prefix):
    """Folders, there or one deeper, and archives give the same benchmark."""
    raw = write_pascal(tmp_path / "raw", packing, prefix=prefix)
    out = tmp_path / "out"
    summary = build(raw, out)
    assert summary["per_class"] == {"aeroplane": 2, "tvmonitor": 1}
    assert summary["splits"] == {"train": 3}
    assert summary["notes"]["images_without_five_captions"] == {}
    manifest = read_manifest(out / "manifest.parquet")
    assert manifest.image_ids == ["2008_000008", "2008_000123", "2008_000716"]
    assert manifest.captions[2] == list(PLANE)
    assert len(manifest.fit_rows) == len(manifest.evaluate_rows) == 3
    labels = read_labels(out / "labels.parquet")
    assert labels.image_ids == manifest.image_ids
    shades = [int(rgb.mean()) for _, rgb in read_images(manifest, range(3))]
    assert shades == [10, 20, 0]
    bare = build(raw, tmp_path / "bare", images=False)
    assert bare["manifest"] == summary["manifest"]


def test_one_other_page_will_do(tmp_path):
    """index.html first, else the only page there is."""
    raw = write_pascal(tmp_path / "raw")
    (raw / "pascal-sentences.htm").write_bytes(page({"cat/1.jpg": ["a"]}))
    assert build(raw, tmp_path / "out")["images"] == 3
    (raw / "index.html").unlink()
    summary = build(raw, tmp_path / "out", images=False)
    assert summary["notes"]["page"] == "pascal-sentences.htm"
    assert summary["notes"]["images_without_five_captions"] == {"1": 1}
    (raw / "other.html").touch()
    with pytest.raises(MmclustError, match=r"several pages[\s\S]*other\.html, pascal"):
        build(raw, tmp_path / "out")


def test_missing_things_are_named(tmp_path):
    """The page, pictures, and pictures of no bytes."""
    with pytest.raises(MmclustError, match="publisher's page is missing"):
        build(tmp_path / "raw", tmp_path / "out")
    raw = write_pascal(tmp_path / "raw")
    picture = raw / "tvmonitor/2008_000123.jpg"
    picture.write_bytes(b"")
    with pytest.raises(MmclustError, match=r"are empty[\s\S]*1 empty: 2008_000123"):
        build(raw, tmp_path / "out")
    picture.unlink()
    message = (
        r"have no file[\s\S]*tvmonitor/2008_000123\.jpg[\s\S]*\*\.zip or \.tar\(\.gz\)"
    )
    with pytest.raises(MmclustError, match=message):
        build(raw, tmp_path / "out")
    with pytest.raises(MmclustError, match="Unknown split 'test'"):
        build(raw, tmp_path / "out", split="test")
    assert not (tmp_path / "out").exists()


def test_published_counts():
    """Twenty classes of PASCAL VOC, fifty each."""
    counts = expected(Params(), "all")
    assert list(counts.values()) == [50] * 20
    assert list(counts) == sorted(counts)


@pytest.mark.parametrize("packing", ["unpacked", "stored", "tar.gz"])
def test_pictures_join_whatever_their_unicode_form(tmp_path, packing):
    """The page in one form, folders and files in the other."""
    names = [f"caf\u00e9/2008_00000{n}\u00e9.jpg" for n in range(3)]
    captions = ["1", "2", "3", "4", "5"]
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "index.html").write_bytes(page(dict.fromkeys(names, captions)))
    files = {unicodedata.normalize("NFD", n): data for n, data in toy(names).items()}
    pack(raw, "images", files, packing)
    build(raw, tmp_path / "out", allow_different=True)
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert len(list(read_images(manifest, range(3)))) == 3
