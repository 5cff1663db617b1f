"""Archives that are not what they claim: refused whole, with the member's name."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mmclust.core.errors import MmclustError
from mmclust.sources.unpack import Limits, unpack
from tests.faults.bad_archives import (
    GOOD,
    absolute,
    backslash,
    bomb,
    case_clash,
    device,
    encrypted,
    entry,
    file_and_folder,
    hard_link,
    more_than_declared,
    no_archive,
    overlapping,
    pipe,
    slip,
    symlink_in_tar,
    symlink_in_zip,
    tar_bomb,
    tar_slip,
    tarred,
    truncated_directory,
    truncated_tar,
    twice,
    unicode_clash,
    wrong_crc,
    zipped,
)
from tests.faults.toy import tree

ROOT = Path(__file__).parents[2]
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
    """Every byte arrives; folders are made."""
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
