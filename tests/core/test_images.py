"""Images are read where they lie, and damage is never read past."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.images import CorruptImageError, read_images
from mmclust.core.manifest import Row, read_manifest, write_manifest
from tests.conftest import save_jpeg


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
