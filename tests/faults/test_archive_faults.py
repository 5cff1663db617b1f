"""Archives that are not what they claim: refused whole, with the member's name."""

from __future__ import annotations

import io
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mmclust.core.errors import MmclustError
from mmclust.sources.archives import check_archive, unpack
from mmclust.sources.members import Limits
from tests.faults.toy import tree

ROOT = Path(__file__).parents[2]
GOOD = {"a/b.txt": b"one", "a/c/d.txt": b"two" * 1000}


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    """Write a zip; a member is a name and bytes, or a ZipInfo and bytes."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data, method)
    return path


def tarred(path, members, mode="w:gz"):
    """Write a tar; a member is a TarInfo and bytes."""
    with tarfile.open(path, mode) as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def entry(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zip_link(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


def slip(path):
    return zipped(path, [("good.txt", b"x"), ("../../evil.txt", b"x")])


def absolute(path):
    return zipped(path, [("/tmp/evil.txt", b"x")])


def backslash(path):
    path = zipped(path, [("..!..!evil.txt", b"x")])
    path.write_bytes(path.read_bytes().replace(b"!", b"\\"))
    return path


def symlink_in_zip(path):
    return zipped(path, [(zip_link("link"), "/etc/passwd")])


def symlink_in_tar(path):
    return tarred(path, [(entry("link", tarfile.SYMTYPE, "/etc"), b"")])


def hard_link(path):
    return tarred(path, [(entry("link", tarfile.LNKTYPE, "../../x"), b"")])


def device(path):
    return tarred(path, [(entry("null", tarfile.CHRTYPE), b"")])


def pipe(path):
    return tarred(path, [(entry("pipe", tarfile.FIFOTYPE), b"")])


def tar_slip(path):
    return tarred(path, [(entry("../evil.txt"), b"x")])


def bomb(path):
    return zipped(path, [("zeros", bytes(30_000_000))])


def tar_bomb(path):
    return tarred(path, [(entry("zeros"), bytes(30_000_000))])


def overlapping(path):
    """Many directory entries for the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0", os.urandom(5000))
        first = archive.infolist()[0]
        for i in range(1, 9):
            info = zipfile.ZipInfo(str(i))
            for name in ("CRC", "compress_size", "file_size", "header_offset"):
                setattr(info, name, getattr(first, name))
            archive.filelist.append(info)
    return path


def encrypted(path):
    zipped(path, [("secret.txt", b"x")])
    data = bytearray(path.read_bytes())
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + at] |= 1
    path.write_bytes(bytes(data))
    return path


def wrong_crc(path):
    zipped(path, [("good.txt", b"good"), ("bad.txt", b"bad!")], zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"bad!", b"b@d!"))
    return path


def more_than_declared(path):
    """The directory says 3 bytes, the data are 3000."""
    zipped(path, [("long.txt", b"long" * 750)])
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = struct.pack("<I", 3)
    path.write_bytes(bytes(data))
    return path


def truncated_directory(path):
    zipped(path, list(GOOD.items()))
    data = path.read_bytes()
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    path.write_bytes(data[: start + 20] + data[end:])
    return path


def truncated_tar(path):
    tarred(path, [(entry("long.bin"), os.urandom(100_000))])
    path.write_bytes(path.read_bytes()[:50_000])
    return path


def twice(path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zipped(path, [("a.txt", b"1"), ("a.txt", b"2")])


def file_and_folder(path):
    return zipped(path, [("a", b"1"), ("a/b", b"2")])


def case_clash(path):
    return zipped(path, [("Read.me", b"1"), ("README", b"0"), ("READ.ME", b"2")])


def unicode_clash(path):
    return zipped(path, [("caf\u00e9", b"1"), ("cafe\u0301", b"2")])


def no_archive(path):
    path.write_bytes(b"<html>Please log in</html>")
    return path


REFUSED = {
    slip: ["'../../evil.txt'", "inside the folder"],
    absolute: ["'/tmp/evil.txt'", "inside the folder"],
    backslash: ["evil.txt'", "inside the folder"],
    symlink_in_zip: ["'link'", "a symbolic link"],
    symlink_in_tar: ["'link'", "a symbolic link"],
    hard_link: ["'link'", "a hard link"],
    device: ["'null'", "a device"],
    pipe: ["'pipe'", "a named pipe"],
    tar_slip: ["'../evil.txt'", "inside the folder"],
    bomb: ["'zeros'", "at most 200 bytes for each", "30,000,000 bytes from"],
    tar_bomb: ["'zeros'", "at most 200 bytes for each", "30,000,000 bytes from"],
    overlapping: ["side by side", "45,000 packed bytes in"],
    encrypted: ["'secret.txt'", "an encrypted member"],
    wrong_crc: ["'bad.txt'", "Bad CRC-32"],
    more_than_declared: ["'long.txt'"],
    truncated_directory: ["a complete archive"],
    truncated_tar: ["'long.bin'"],
    twice: ["'a.txt'", "'a.txt' twice"],
    file_and_folder: ["'a/b'", "'a' twice"],
    case_clash: ["'READ.ME'", "'Read.me' and 'READ.ME'"],
    unicode_clash: ["names that differ by more"],
    no_archive: ["a complete archive"],
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_an_archive_is_refused(make, tmp_path):
    """The member is named; nothing is unpacked; the neighbours are untouched."""
    archive = make(tmp_path / "a.zip")
    (tmp_path / "neighbour.txt").write_bytes(b"as before")
    before = tree(tmp_path)
    with pytest.raises(MmclustError) as caught:
        unpack(archive, tmp_path / "out")
    message = str(caught.value)
    assert "a.zip is not safe to unpack, or damaged" in message
    assert "nothing was unpacked" in message
    for part in REFUSED[make]:
        assert part in message
    assert tree(tmp_path) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "neighbour.txt"]
    assert len(REFUSED) == 22


def test_limits_hold_for_all_members_together(tmp_path):
    """Many small members are a bomb as well."""
    archive = zipped(tmp_path / "a.zip", [(f"{i}.txt", b"x") for i in range(20)])
    for limits in (Limits(members=10), Limits(total=10)):
        with pytest.raises(MmclustError, match="bytes at most"):
            unpack(archive, tmp_path / "out", limits)


@pytest.mark.parametrize("kind", ["zip", "stored", "tar", "tgz"])
def test_a_good_archive_is_unpacked(kind, tmp_path):
    """Every byte arrives; folders are made; a damaged copy is found by reading."""
    path = tmp_path / f"a.{kind}"
    if kind in {"zip", "stored"}:
        method = zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED
        zipped(path, [("a/", b""), *GOOD.items()], method)
    else:
        members = [(entry("a", tarfile.DIRTYPE), b"")]
        members += [(entry(f"./{name}"), data) for name, data in GOOD.items()]
        tarred(path, members, "w" if kind == "tar" else "w:gz")
    assert unpack(path, tmp_path / "out") == 2
    assert tree(tmp_path / "out") == GOOD
    check_archive(path)


def test_zip64_is_read(tmp_path):
    """Sizes and offsets in the 64-bit extra fields, and a 64-bit directory."""
    path = tmp_path / "a.zip"
    old, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 100
    try:
        zipped(path, list(GOOD.items()))
    finally:
        zipfile.ZIP64_LIMIT = old
    assert b"PK\6\6" in path.read_bytes()
    assert unpack(path, tmp_path / "out") == 2
    assert tree(tmp_path / "out") == GOOD


def test_a_folder_that_is_there_stays(tmp_path):
    """Nothing is unpacked over something."""
    archive = zipped(tmp_path / "a.zip", list(GOOD.items()))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_bytes(b"mine")
    with pytest.raises(MmclustError, match="out is there already"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {"mine.txt": b"mine"}


def test_too_little_space_for_unpacking(tmp_path, monkeypatch):
    """The space is checked before anything is written."""
    archive = zipped(tmp_path / "a.zip", list(GOOD.items()))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 3}))
    with pytest.raises(MmclustError, match=r"Not enough space for unpacking a\.zip"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_kill_while_unpacking(tmp_path):
    """Nothing is there under the final name; the next run tidies up and succeeds."""
    zipped(tmp_path / "a.zip", list(GOOD.items()))
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killing", "while_unpacking", tmp_path],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "unpacked").exists()
    assert len(list(tmp_path.glob(".unpacked.*.tmp"))) == 1
    assert unpack(tmp_path / "a.zip", tmp_path / "unpacked") == 2
    assert tree(tmp_path / "unpacked") == GOOD
    assert not list(tmp_path.glob(".unpacked.*.tmp"))
