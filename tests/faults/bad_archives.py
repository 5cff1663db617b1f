"""Archives that are not what they claim: each function writes one."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile

import pytest

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
