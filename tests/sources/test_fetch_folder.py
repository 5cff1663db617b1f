"""The stage `fetch --from`: archives and unpacked files of the user."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from mmclust.core.errors import MmclustError
from tests.sources.toy import (
    ARCHIVES,
    MEMBERS,
    fill,
    state,
)

MINI = Path(__file__).parents[2] / "../shared/data/coco_mini"


def test_archives_of_the_user_are_copied(fetch, root):
    """Never hard links: DVC would make the user's own file read-only."""
    folder = fill(root / "mine", archives=ARCHIVES)
    facts = fetch(from_dir=folder)
    assert facts["mirror"] == "folder"
    assert {f["verified"] for f in facts["files"].values()} == {"sha256"}
    assert {f["from"] for f in facts["files"].values()} == {"archive"}
    for name in ARCHIVES:
        (root / "out" / name).chmod(0o444)
        assert (folder / name).stat().st_nlink == 1
        assert (folder / name).stat().st_mode & 0o222
    assert state(root / "out").items() >= ARCHIVES.items()
    assert set(state(root / "out")) == {*ARCHIVES, "source.json"}


def test_a_reflink_is_a_file_of_its_own(fetch, root, monkeypatch):
    """Where the file system clones blocks, the clone is hashed like a copy."""

    def ioctl(target, request, source):
        assert request == 0x40049409
        os.pwrite(target, os.pread(source, 1 << 20, 0), 0)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    fetch(from_dir=fill(root / "mine", archives=ARCHIVES))
    assert state(root / "out").items() >= ARCHIVES.items()


@pytest.mark.parametrize(
    ("damage", "parts"),
    [
        (lambda data: data[:-1] + b"?", ["expected: sha256 ", "found:    sha256 "]),
        (lambda data: data[:-9], [" bytes\n  found: ", " bytes"]),
    ],
)
def test_a_damaged_archive_is_refused(damage, parts, fetch, root):
    """Tampered or truncated: an error, out as before, the user's file untouched."""
    folder = fill(root / "mine", archives=ARCHIVES)
    bad = damage(ARCHIVES["train.zip"])
    (folder / "train.zip").write_bytes(bad)
    (root / "out").mkdir()
    (root / "out/train.zip").write_bytes(b"earlier")
    with pytest.raises(MmclustError) as caught:
        fetch(from_dir=folder)
    assert "train.zip" in str(caught.value)
    for part in parts:
        assert part in str(caught.value)
    assert state(root / "out") == {
        "annotations.zip": ARCHIVES["annotations.zip"],
        "train.zip": b"earlier",
    }
    assert (folder / "train.zip").read_bytes() == bad


def test_unpacked_files_are_packed_the_same_way_each_time(fetch, root):
    """Stored, sorted, dated 1980; other times and creation order change nothing."""
    folder = fill(root / "mine", unpacked=MEMBERS)
    facts = fetch("mine")
    first = state(root / "out")
    for name, members in MEMBERS.items():
        with zipfile.ZipFile(root / "out" / name) as archive:
            infos = archive.infolist()
            assert [info.filename for info in infos] == sorted(members)
            assert {i.filename: archive.read(i) for i in infos} == members
            assert {i.compress_type for i in infos} == {zipfile.ZIP_STORED}
            assert {i.date_time for i in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert facts["files"]["train.zip"] == {
        "size": len(first["train.zip"]),
        "sha256": hashlib.sha256(first["train.zip"]).hexdigest(),
        "verified": "none",
        "from": "packed",
        "contains": {"train/*.jpg": "2 of 5: a part"},
    }
    full = facts["files"]["annotations.zip"]["contains"]
    assert full == {"annotations/*.json": "2 of 2"}
    shutil.rmtree(folder)
    shutil.rmtree(root / "out")
    fill(root / "mine", unpacked=reversed(MEMBERS))
    for path in folder.rglob("*.jpg"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    fetch("mine")
    assert state(root / "out") == first


def test_a_part_may_be_absent_and_an_old_one_goes(fetch, root):
    """Only val here: train is listed absent, and the sample's train is removed."""
    fetch("sample")
    folder = fill(root / "mine", archives=["annotations.zip"], unpacked=["val.zip"])
    facts = fetch(from_dir=folder)
    assert facts["absent"] == ["train.zip"]
    assert facts["files"]["annotations.zip"]["from"] == "archive"
    assert facts["files"]["val.zip"]["from"] == "packed"
    assert set(state(root / "out")) == {"annotations.zip", "val.zip", "source.json"}


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (["train.zip"], "expected: annotations.zip or annotations/*.json\n"),
        (["annotations.zip"],
         "at least one of train.zip or train/*.jpg, val.zip or val/*.jpg\n"),
        ([], "found:    an empty folder"),
    ],
)  # fmt: skip
def test_a_missing_part_is_an_error(held, expected, fetch, root):
    """The message lists what was looked for, and what is there instead."""
    fetch("sample")
    before = state(root / "out")
    folder = fill(root / "mine", unpacked=held)
    with pytest.raises(MmclustError, match="toy is not in the folder") as caught:
        fetch(from_dir=folder)
    assert expected in str(caught.value)
    assert str(folder) in str(caught.value)
    assert state(root / "out") == before


@pytest.mark.parametrize(
    ("member", "data", "found"),
    [
        ("train/20.jpg", b"", "found:    an empty file"),
        ("train/20.jpg", b"<html>", "found:    a file that begins with 3C 68 74"),
        ("annotations/b.json", b"", "expected: a file that is not empty"),
    ],
)
def test_a_damaged_member_is_named(member, data, found, fetch, root):
    """Empty files and pictures that are none are found while packing."""
    folder = fill(root / "mine", unpacked=MEMBERS)
    (folder / member).write_bytes(data)
    with pytest.raises(MmclustError) as caught:
        fetch(from_dir=folder)
    assert f"{Path(member).name} is damaged" in str(caught.value)
    assert str(folder / member) in str(caught.value)
    assert found in str(caught.value)
    names = set(state(root / "out")) if (root / "out").exists() else set()
    assert names <= {"annotations.zip"}


def test_too_little_space_for_packing(fetch, root, monkeypatch):
    """The space is checked before anything is written."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1}))
    with pytest.raises(MmclustError, match=r"Not enough space for packing annotations"):
        fetch(from_dir=fill(root / "mine", unpacked=MEMBERS))


OUTSIDE = {
    "an archive": ("val.zip", "../secret/val.zip"),
    "a member": ("train/21.jpg", "../../secret/21.jpg"),
    "a folder of members": ("train", "../secret/train"),
    "an absolute link": ("train/21.jpg", "{secret}/21.jpg"),
}


@pytest.mark.parametrize("case", OUTSIDE)
@pytest.mark.parametrize("where", ["--from", "data.mirror", "drop"])
def test_links_do_not_lead_out_of_the_folder(case, where, fetch, root):
    """Nothing is read, packed or copied of what lies elsewhere."""
    mine = fill(root / "mine", unpacked=["annotations.zip"])
    secret = fill(root / "secret", archives=["val.zip"], unpacked=["train.zip"])
    (secret / "21.jpg").write_bytes(b"\xff\xd8 secret")
    name, target = OUTSIDE[case]
    (mine / name).parent.mkdir(exist_ok=True)
    (mine / name).symlink_to(target.format(secret=secret))
    if where == "drop":
        text = (root / "data/sources.yaml").read_text()
        text = re.sub(r"      url: .*\n", "", text) + "  manual: by hand\n"
        (root / "data/sources.yaml").write_text(text)
        (root / "data/drop").mkdir()
        mine.rename(root / "data/drop/toy")
        shutil.copytree(root / "secret", root / "data/drop/secret")
        options = {"mirror": "upstream"}
    elif where == "data.mirror":
        options = {"mirror": "mine"}
    else:
        options = {"mirror": "sample", "from_dir": mine}
    with pytest.raises(MmclustError, match="Links lead out"):
        fetch(**options)
    assert not list((root / "out").glob("*"))


def test_a_data_set_of_a_mirror_cannot_be_a_link_out_of_it(fetch, root):
    """What --from names may be a link; what a mirror holds may not lead elsewhere."""
    fill(root / "secret", archives=list(ARCHIVES))
    (root / "mirror").mkdir()
    (root / "mirror/toy").symlink_to(root / "secret")
    with pytest.raises(MmclustError, match="Links lead out"):
        fetch("mirror")
    assert fetch(from_dir=root / "mirror/toy")["mirror"] == "folder"


def test_links_that_stay_inside_are_followed(fetch, root):
    """Also a folder that is a link itself."""
    mine = fill(root / "real", unpacked=["annotations.zip", "train.zip"])
    (mine / "store").mkdir()
    (mine / "train/20.jpg").rename(mine / "store/20.jpg")
    (mine / "train/20.jpg").symlink_to("../store/20.jpg")
    (root / "mine").symlink_to(mine)
    facts = fetch(from_dir=root / "mine")
    with zipfile.ZipFile(root / "out/train.zip") as archive:
        assert archive.read("train/20.jpg") == MEMBERS["train.zip"]["train/20.jpg"]
    assert facts["files"]["train.zip"]["from"] == "packed"
