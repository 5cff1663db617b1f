"""Images are read where they lie, and damage is never read past."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmclust.core.decoding import CorruptImageError, decode
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
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
            rows.append(
                Row(
                    info.filename[0],
                    archive,
                    info.filename,
                    start,
                    length,
                    8,
                    8,
                    ("a",),
                    "train",
                    crc32,
                )
            )
    path = tmp_path / "manifest.parquet"
    write_manifest(path, rows, benchmark="b", protocol="1", sources={})
    return archive, read_manifest(path)


def test_any_rows_in_any_order(packed):
    """Rows come back by position, as RGB."""
    _, manifest = packed
    found = [(i, int(rgb.mean())) for i, rgb in read_images(manifest, [2, 0])]
    assert found == [("2", 80), ("0", 0)]


def test_changed_bytes_are_noticed(packed):
    """A picture whose bytes do not fit the archive's CRC-32 is an error, by name."""
    archive, manifest = packed
    with zipfile.ZipFile(archive) as file:
        at = file.getinfo("1.jpg").header_offset + 200
    data = bytearray(archive.read_bytes())
    data[at] ^= 0xFF
    archive.write_bytes(data)
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
    with zipfile.ZipFile(archive) as file:
        at = file.getinfo("1.jpg").header_offset + 200
    data = bytearray(archive.read_bytes())
    data[at] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(CorruptImageError):
        list(read_images(old, [1]))


def pillow(data):
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def jpegs():
    """JPEGs of every kind that decoders treat differently."""
    from PIL import Image

    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    photo = small.resize((61, 47), Image.Resampling.BICUBIC)
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
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", **options)
        yield name, buffer.getvalue()


@pytest.mark.parametrize(("name", "data"), list(jpegs()), ids=lambda v: str(v)[:12])
def test_jpegs_decode_to_the_pixels_of_pillow(name, data):
    """Whichever library decodes: bit for bit."""
    assert np.array_equal(decode(data, name), pillow(data))


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA", "1"])
def test_other_pictures_are_pillow_s(mode):
    """Palettes, transparency, bits: as Pillow converts them."""
    from PIL import Image

    values = (np.arange(600).reshape(20, 30) % 256).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).convert(mode).save(buffer, "PNG")
    assert np.array_equal(decode(buffer.getvalue(), mode), pillow(buffer.getvalue()))


def test_16_bit_greys_keep_their_high_byte():
    """Pillow would make white of all above 255."""
    from PIL import Image

    values = (np.arange(600).reshape(20, 30) * 100).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    grey = np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2)
    assert np.array_equal(decode(buffer.getvalue(), "grey"), grey)


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
