"""Images are read where they lie, and become RGB by stated rules; damage is named."""

import io
import struct
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmclust.core.errors import MmclustError
from mmclust.core.images import (
    MAX_PIXELS,
    CorruptImageError,
    decode,
    read_images,
    size_of,
)
from mmclust.core.manifest import Row, read_manifest, write_manifest
from tests.conftest import ROOT, save_jpeg


@pytest.fixture(params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def packed(tmp_path, request):
    """Three pictures in an archive, stored with offsets or deflated without."""
    archive, rows = tmp_path / "images.zip", []
    with zipfile.ZipFile(archive, "w", request.param) as file:
        for i in range(3):
            save_jpeg(tmp_path / "one.jpg", np.full((8, 8, 3), 40 * i, np.uint8))
            file.write(tmp_path / "one.jpg", f"{i}.jpg")
    data = archive.read_bytes()
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            start = length = crc32 = None
            if request.param == zipfile.ZIP_STORED:
                length, crc32 = info.file_size, info.CRC
                start = data.index(file.read(info), info.header_offset)
            place = (archive, info.filename, start, length)
            rows.append(Row(info.filename[0], *place, crc32=crc32))
    path = tmp_path / "manifest.parquet"
    write_manifest(path, rows, benchmark="b", protocol="1", sources={})
    return archive, read_manifest(path)


def damage(archive):
    """Change a byte of the second picture."""
    with zipfile.ZipFile(archive) as file:
        at = file.getinfo("1.jpg").header_offset + 200
    data = bytearray(archive.read_bytes())
    data[at] ^= 0xFF
    archive.write_bytes(data)


def test_any_rows_in_any_order(packed):
    """Rows come back by position, as RGB."""
    _, manifest = packed
    found = [(i, int(rgb.mean())) for i, rgb in read_images(manifest, [2, 0])]
    assert found == [("2", 80), ("0", 0)]


def test_changed_bytes_are_noticed(packed):
    """A picture whose bytes do not fit the archive's CRC-32 is an error, by name."""
    archive, manifest = packed
    damage(archive)
    assert len(list(read_images(manifest, [0, 2]))) == 2
    with pytest.raises(MmclustError, match="An image cannot be read") as caught:
        list(read_images(manifest, [1]))
    assert "1.jpg" in str(caught.value)


def test_reading_by_offset_opens_no_directory(packed, monkeypatch):
    """Of a million members it would cost every worker seconds and memory."""
    archive, manifest = packed
    if manifest.table["offset"][0].as_py() is None:
        pytest.skip("deflated: the directory says where")
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert len(list(read_images(manifest, [0, 1, 2]))) == 3
    archive.write_bytes(archive.read_bytes()[:-400])  # the directory, and some of 2.jpg
    assert len(list(read_images(manifest, [0]))) == 1
    with pytest.raises(MmclustError, match="the archive ends before byte") as caught:
        list(read_images(manifest, [2]))
    assert not isinstance(caught.value, CorruptImageError)


def test_a_manifest_without_checks_is_read_through_the_directory(packed):
    """Earlier versions wrote none; damage is noticed all the same."""
    archive, manifest = packed
    old = replace(manifest, table=manifest.table.drop_columns("crc32"))
    assert [i for i, _ in read_images(old, [0, 1, 2])] == ["0", "1", "2"]
    damage(archive)
    with pytest.raises(CorruptImageError):
        list(read_images(old, [1]))


@pytest.mark.parametrize(
    ("field", "value", "error", "told"),
    [
        (8, 1, MmclustError, "password required"),
        (10, 97, MmclustError, "compression method"),
        (10, zipfile.ZIP_LZMA, CorruptImageError, "Corrupt input data"),
    ],
)
def test_members_that_cannot_be_unpacked_are_named(tmp_path, field, value, error, told):
    """Encrypted, packed in a way that Python does not know, or damaged there."""
    archive = tmp_path / "images.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("0.jpg", b"\x09\x04\x05\x00\x5d" + b"\xff" * 50)
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2") + field] = value
    data[field - 2] = value
    archive.write_bytes(data)
    path = tmp_path / "manifest.parquet"
    row = Row("0", archive, "0.jpg")
    write_manifest(path, [row], benchmark="b", protocol="1", sources={})
    with pytest.raises(MmclustError, match=told) as caught:
        list(read_images(read_manifest(path), [0]))
    assert type(caught.value) is error


RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 1 << 16, (6, 8), dtype=np.uint16)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(width, height, data=b"", depth=8, colour=2):
    """Write a PNG by hand, for what Pillow does not write."""

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def grey_rgb(grey):
    return np.repeat(grey[:, :, None], 3, axis=2)


def pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def jpegs():
    """JPEGs of every kind that decoders treat differently."""
    photo = Image.fromarray(RGB).resize((61, 47), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = {
        "plain": (photo, {}),
        "full chroma": (photo, {"subsampling": 0}),
        "half chroma": (photo, {"subsampling": 1}),
        "progressive": (photo, {"progressive": True}),
        "rough": (photo, {"quality": 5}),
        "grey": (photo.convert("L"), {}),
        "cmyk": (photo.convert("CMYK"), {}),
        "turned": (photo, {"exif": exif}),
        "one pixel": (photo.resize((1, 1)), {}),
    }
    for name, (image, options) in kinds.items():
        yield name, saved(image, "JPEG", **options)


@pytest.mark.parametrize(("name", "data"), list(jpegs()), ids=lambda v: str(v)[:12])
def test_jpegs_decode_to_the_pixels_of_pillow(name, data):
    """Whichever library decodes: bit for bit, as stored, without orientation."""
    expected = pillow(data)
    assert np.array_equal(decode(data, name), expected)
    assert size_of(data, name) == expected.shape[1::-1]


@settings(max_examples=150)
@given(st.integers(0, 2), st.data())
def test_damage_is_judged_as_pillow_judges_it(kind, data):
    """Cut or changed anywhere: the same pixels, or the same refusal."""
    damaged = bytearray(dict(jpegs())["plain"])
    at = data.draw(st.integers(2, len(damaged) - 1))
    if kind == 0:
        del damaged[at:]
    elif kind == 1:
        damaged[at] = data.draw(st.integers(0, 255))
    else:
        del damaged[at : at + data.draw(st.integers(1, 50))]
    try:
        expected = pillow(bytes(damaged))
    except Exception:  # noqa: BLE001
        with pytest.raises(CorruptImageError):
            decode(bytes(damaged), "it")
    else:
        assert np.array_equal(decode(bytes(damaged), "it"), expected)


def test_photographs_decode_to_the_pixels_of_pillow():
    """COCO's own, where they are at hand."""
    files = sorted((ROOT.parent / "shared/data/coco_mini").rglob("*.jpg"))[:40]
    if not files:
        pytest.skip("no COCO photographs here")
    for file in files:
        data = file.read_bytes()
        assert np.array_equal(decode(data, file.name), pillow(data)), file.name


PGM = b"P5 8 6 65535\n" + GREY16.astype(">u2").tobytes()


@pytest.mark.parametrize(
    "data", [PGM, *(saved(Image.fromarray(GREY16), kind) for kind in ("PNG", "TIFF"))]
)
def test_sixteen_bit_greys_keep_their_high_byte(data):
    """Not clipped at 255; of a PGM, Pillow gives them as 32-bit numbers."""
    expected = grey_rgb((GREY16 >> 8).astype(np.uint8))
    assert np.array_equal(decode(data, "x"), expected)


def test_sixteen_bit_colours_keep_their_high_byte():
    """By the same rule."""
    rgb = RNG.integers(0, 1 << 16, (6, 8, 3), dtype=np.uint16)
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)
    assert np.array_equal(decode(png(8, 6, lines, depth=16), "x"), rgb >> 8)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_thirty_two_bits_are_refused(mode):
    """What is white in them, nobody says."""
    data = saved(Image.new(mode, (8, 6), 1), "TIFF")
    with pytest.raises(MmclustError, match=r"cannot be decoded[\s\S]*ValueError"):
        decode(data, "x.tif")


def test_transparency_is_laid_over_white():
    """Whatever colour hides below."""
    alpha = np.full((6, 8, 1), 255, np.uint8)
    alpha[:3] = 0
    data = saved(Image.fromarray(np.concatenate([RGB, alpha], axis=2)), "PNG")
    expected = RGB.copy()
    expected[:3] = 255
    assert np.array_equal(decode(data, "x"), expected)


def test_half_transparent_grey_is_laid_over_white():
    """0 at an alpha of 128 over 255 is 127."""
    data = saved(Image.new("LA", (8, 6), (0, 128)), "PNG")
    assert np.array_equal(np.unique(decode(data, "x")), [127])


@pytest.mark.parametrize("transparent", [False, True])
def test_palettes_become_their_colours(transparent):
    """An index that is transparent becomes white."""
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    options = {"transparency": 0} if transparent else {}
    first = [255, 255, 255] if transparent else [10, 20, 30]
    expected = np.array([[first, [200, 100, 50]]], np.uint8)
    assert np.array_equal(decode(saved(image, "PNG", **options), "x"), expected)


def test_cmyk_becomes_rgb():
    """By Pillow's conversion: full black ink is black, no ink white."""
    image = Image.new("CMYK", (8, 6), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 4, 6))
    for kind in ("TIFF", "JPEG"):
        rgb = decode(saved(image, kind), "x")
        assert rgb.shape == (6, 8, 3)
        assert rgb[:, :3].min() >= 250
        assert rgb[:, 5:].max() <= 5


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation_counts(kind):
    """Not the last, and not a mixture."""
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    red = np.full((6, 8, 3), (255, 0, 0), np.uint8)
    assert np.array_equal(decode(data, "x"), red)


def test_black_and_white_and_grey():
    """One bit and eight."""
    bits = np.array([[True, False]])
    data = saved(Image.fromarray(bits), "PNG")
    assert np.array_equal(decode(data, "x"), [[[255] * 3, [0] * 3]])
    grey = saved(Image.fromarray(RGB[:, :, 0]), "PNG")
    assert np.array_equal(decode(grey, "x"), grey_rgb(RGB[:, :, 0]))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("read", [decode, size_of])
@pytest.mark.parametrize("side", [9_460, 30_000])
def test_huge_images_are_refused_by_their_header(read, side):
    """A file of a hundred bytes can promise gigabytes."""
    assert side * side > MAX_PIXELS
    with pytest.raises(MmclustError, match=r"too large[\s\S]*x\.png[\s\S]*89,478,485"):
        read(png(side, side), "x.png")


@pytest.mark.parametrize("read", [decode, size_of])
@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"<html>not found</html>", r"22 bytes .*UnidentifiedImageError"),
        (b"\xff\xd8\xff", "3 bytes"),
        (b"DDS " + bytes([124, 0, 0, 0]) + bytes(120), r"128 bytes .*NotImplemented"),
    ],
)
def test_what_is_no_image_is_refused(read, data, found):
    """Nothing, a web page, three bytes of a JPEG, a kind that Pillow half knows."""
    with pytest.raises(MmclustError, match=rf"cannot be decoded[\s\S]*{found}"):
        read(data, "x.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_truncated_images_are_refused(kind):
    """Half a picture is none, of any kind."""
    rgb = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = saved(Image.fromarray(rgb), kind)
    with pytest.raises(MmclustError, match="cannot be decoded"):
        decode(data[: len(data) // 2], "x")
