"""Members of tar archives, by offset where that can be, else through images.zip."""

from __future__ import annotations

import gzip
import tarfile
import zipfile

import pytest

from mmclust.benchmarks._image_places import readable_rows
from mmclust.core.archives import locate_members, read_members
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.manifest import Row, read_manifest, write_manifest
from tests.benchmarks.toy_captions import picture
from tests.benchmarks.toy_imagenet import add

FILES = {"a/1.jpg": b"first", "a/2.jpg": b"second one", "b/3.txt": b""}


def write_tar(path, files=FILES, mode="w", prefix="", form=tarfile.GNU_FORMAT):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, format=form) as archive:
        folder = tarfile.TarInfo(f"{prefix}a")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in files.items():
            add(archive, prefix + name, data)
    return path


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["", "./"])
def test_bytes_are_where_the_places_say(tmp_path, form, prefix):
    """Names and predicates find the same; long names too; folders are no members."""
    long = "a/" + "x" * 150 + ".jpg"
    files = FILES | {long: b"third"}
    path = write_tar(tmp_path / "x.tar", files, prefix=prefix, form=form)
    places = locate_members(path, set(files))
    assert places == locate_members(path, bool)
    assert list(places) == list(files)
    data = path.read_bytes()
    for name, place in places.items():
        assert place.container == path
        assert place.member == name
        assert data[place.offset : place.offset + place.length] == files[name]
    assert list(locate_members(path, {"a/2.jpg", "absent"})) == ["a/2.jpg"]
    assert dict(read_members(path, {"a/1.jpg"})) == {"a/1.jpg": b"first"}


def test_a_tar_within_a_tar(tmp_path):
    """Offsets count from the outer archive, as ImageNet's train archive needs."""
    inner = write_tar(tmp_path / "inner.tar").read_bytes()
    outer = write_tar(tmp_path / "outer.tar", {"n1.tar": inner, "n2.tar": inner})
    for place in locate_members(outer, {"n1.tar", "n2.tar"}).values():
        found = locate_members(outer, {"a/2.jpg"}, within=place)["a/2.jpg"]
        assert place.offset < found.offset < place.offset + place.length
        data = outer.read_bytes()
        assert data[found.offset : found.offset + found.length] == b"second one"


def test_a_damaged_inner_tar_is_named(tmp_path):
    """An inner archive cut short inside a whole outer one is noticed."""
    inner = write_tar(tmp_path / "inner.tar").read_bytes()[:1600]
    outer = write_tar(tmp_path / "outer.tar", {"n1.tar": inner, "n2.tar": inner})
    place = locate_members(outer, {"n1.tar"})["n1.tar"]
    with pytest.raises(
        MmclustError, match=r"outer\.tar, n1\.tar[\s\S]*tar does|inside"
    ):
        locate_members(outer, {"a/1.jpg"}, within=place)
    packed = write_tar(tmp_path / "outer.tgz", {"n1.tar": inner}, "w:gz")
    place = locate_members(packed, {"n1.tar"})["n1.tar"]
    with pytest.raises(MmclustError, match="packed with the archive"):
        locate_members(packed, {"a/1.jpg"}, within=place)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_compressed_members_have_no_offset(tmp_path, mode):
    """Their lengths are known all the same, and their bytes can be had."""
    path = write_tar(tmp_path / "x.tar.gz", mode=mode)
    places = locate_members(path, set(FILES))
    assert [(p.offset, p.length) for p in places.values()] == [
        (None, 5), (None, 10), (None, 0),
    ]  # fmt: skip
    assert dict(read_members(path, FILES)) == FILES


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("cut", [0, 300, 512, 700, 1024, 1536, 2048, 3000])
def test_cut_archives_are_noticed(tmp_path, mode, cut):
    """At whatever byte, also between two members, where tarfile sees an end."""
    files = {f"a/{n}.jpg": bytes([n]) * 512 for n in range(4)}
    path = write_tar(tmp_path / "x.tar", files, mode)
    path.write_bytes(path.read_bytes()[: cut if mode == "w" else -5 - cut // 100])
    with pytest.raises(MmclustError, match="truncated or damaged") as error:
        locate_members(path, set(files))
    assert str(path) in str(error.value)


def test_a_packed_tar_that_states_an_endless_size_is_refused(tmp_path):
    """Before memory is asked for."""
    header = tarfile.TarInfo("a.jpg")
    header.size = 1 << 60
    path = tmp_path / "x.tgz"
    path.write_bytes(gzip.compress(header.tobuf() + bytes(5000)))
    with pytest.raises(MmclustError, match=r"too little memory[\s\S]*x\.tgz, a\.jpg"):
        list(read_members(path, {"a.jpg"}))


def test_a_header_overwritten_or_no_archive_is_noticed(tmp_path):
    """tarfile alone would take it for the end of the archive."""
    files = {f"a/{n}.jpg": bytes([n]) * 512 for n in range(4)}
    path = write_tar(tmp_path / "x.tar", files)
    data = bytearray(path.read_bytes())
    data[512 * 3 + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(MmclustError, match="does not end as a tar does"):
        locate_members(path, set(files))
    with pytest.raises(MmclustError, match=r"y\.tar cannot be opened"):
        locate_members(tmp_path / "y.tar", set())
    with pytest.raises(MmclustError, match="folder is missing"):
        locate_members(tmp_path / "none/x.tar", set())


def test_members_that_cannot_be_meant_are_refused(tmp_path):
    """Links, and a name that is there twice."""
    path = write_tar(tmp_path / "x.tar")
    with tarfile.open(path, "a") as archive:
        archive.addfile(tarfile.TarInfo("a/1.jpg"))
        link = tarfile.TarInfo("a/9.jpg")
        link.type = tarfile.SYMTYPE
        link.linkname = "1.jpg"
        archive.addfile(link)
    with pytest.raises(MmclustError, match=r"a/1\.jpg[\s\S]*a second member"):
        locate_members(path, {"a/1.jpg"})
    with pytest.raises(MmclustError, match=r"a/9\.jpg[\s\S]*a link"):
        list(read_members(path, {"a/9.jpg"}))
    assert list(locate_members(path, {"a/2.jpg"})) == ["a/2.jpg"]


def rows_of(*archives):
    return [
        Row(
            f"{n}{name}", path, name, place.offset, place.length, None, None, (), "test"
        )
        for n, path in enumerate(archives)
        for name, place in locate_members(path, bool).items()
    ]


def shades(rows, out):
    write_manifest(out / "manifest.parquet", rows, benchmark="b", protocol="1",
                   sources={})  # fmt: skip
    manifest = read_manifest(out / "manifest.parquet")
    images = read_images(manifest, range(len(manifest)))
    return [int(rgb.mean()) for _, rgb in images]


def test_images_are_read_from_every_kind(tmp_path):
    """Plain tars in place; compressed ones through a zip of their own bytes."""
    files = {"b.jpg": picture(20), "a.jpg": picture(10)}
    plain = write_tar(tmp_path / "raw/p.tar", files)
    packed = write_tar(tmp_path / "raw/q.tar.gz", files, "w:gz")
    out = tmp_path / "out"
    rows = readable_rows(rows_of(plain), out)
    assert rows == rows_of(plain)
    assert not out.exists()
    assert shades(rows, out) == [10, 20]
    rows = readable_rows(rows_of(plain, packed), out)
    assert shades(rows, out) == [10, 20, 10, 20]
    with zipfile.ZipFile(out / "images.zip") as archive:
        assert {i.filename: archive.read(i) for i in archive.infolist()} == files
        assert {i.compress_type for i in archive.infolist()} == {zipfile.ZIP_STORED}


def test_two_compressed_archives_keep_their_names_apart(tmp_path):
    """Members of one name in two archives are two images."""
    one = write_tar(tmp_path / "1.tar.gz", {"a.jpg": picture(1)}, "w:gz")
    two = write_tar(tmp_path / "2.tar.gz", {"a.jpg": picture(2)}, "w:gz")
    out = tmp_path / "out"
    assert shades(readable_rows(rows_of(one, two), out), out) == [1, 2]
