"""Faults of remote archives: what is checked."""

from __future__ import annotations

import zipfile

import pytest

from mmclust.core.errors import MmclustError
from tests.faults.files import WHOLE, serving_files
from tests.sources.pictures import PICTURES, SOME, members


def damage(name, data, asked):
    """Change a picture inside the archive, never the directory."""
    if name != "p.zip" or len(data) < 100 or b"PK\1\2" in data:
        return data
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def test_a_damaged_member_is_named(site, fetch_pictures, tmp_path):
    """The member, what was expected, and out as before."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/p.zip").write_bytes(b"earlier")
    with (
        serving_files(site, damage) as (_, url),
        pytest.raises(MmclustError) as caught,
    ):
        fetch_pictures(url)
    assert ".jpg is damaged" in str(caught.value)
    assert "(2 attempts)" in str(caught.value)
    assert (tmp_path / "out/p.zip").read_bytes() == b"earlier"


def test_a_server_without_ranges_is_told(site, fetch_pictures):
    """Members cannot be had then; the archive can, whole."""

    def whole(name, data, asked):
        return WHOLE if asked else data

    with (
        serving_files(site, whole) as (_, url),
        pytest.raises(MmclustError, match="does not give parts"),
    ):
        fetch_pictures(url)


def test_another_archive_is_refused(site, fetch_pictures, tmp_path):
    """One whose size is not the registered one is not the same archive."""
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match="The file changed") as caught,
    ):
        fetch_pictures(url, size=10**6)
    assert "expected: 1,000,000 bytes" in str(caught.value)


def test_a_truncated_directory_is_refused(site, fetch_pictures):
    """An archive that ends inside its directory."""
    path = site / "p.zip"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"PK\1\2") + 100])
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match=r"directory of p\.zip cannot be read"),
    ):
        fetch_pictures(url)


def test_members_that_do_not_exist_are_named(site, fetch_pictures):
    """How many, and which first."""
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match=r"1 missing: p/999\.jpg"),
    ):
        fetch_pictures(url, [*SOME, "p/999.jpg"])


@pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg", "p/../../evil.jpg"])
def test_a_selection_cannot_leave_its_folder(name, site, fetch_pictures):
    """Names become paths, so they stay inside."""
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match="leads out of its folder"),
    ):
        fetch_pictures(url, [name])


def test_zip64_directories_are_read(tmp_path, fetch_pictures):
    """An archive whose directory is in the 64-bit form."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "note.txt").write_bytes(b"a note")
    old, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 1000
    try:
        with zipfile.ZipFile(site / "p.zip", "w") as archive:
            for name, data in PICTURES.items():
                archive.writestr(name, data)
    finally:
        zipfile.ZIP64_LIMIT = old
    assert b"PK\6\6" in (site / "p.zip").read_bytes()
    with serving_files(site) as (_, url):
        fetch_pictures(url)
    assert members(tmp_path / "out/p.zip") == {name: PICTURES[name] for name in SOME}
