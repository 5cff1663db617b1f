"""Faults of this machine: full disks, kills, neighbours, clocks, read-only folders."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from safetensors import SafetensorError

from mmclust.core.errors import MmclustError
from mmclust.core.io import writing
from mmclust.core.shards import Sharded
from mmclust.heads._saved import save_head
from tests.faults.misbehaving import BODY
from tests.faults.toy import tree, write_registry

ROOT = Path(__file__).parents[2]
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, of 1 MiB; disk(option) mounts it anew."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")

    def remount(option):
        subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)

    yield folder, remount
    subprocess.run(["umount", str(folder)], check=True)


def kill(point, root):
    """Run until the named point, and see that SIGKILL ended it."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    command = [sys.executable, "-m", "tests.faults.killing", point, str(root)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def test_a_full_disk_is_seen_beforehand(
    server, fetch_toy, before, tmp_path, monkeypatch
):
    """Too little space stops the fetch before the server is asked."""
    usage = namedtuple("usage", "total used free")(10**6, 0, 60_000)  # noqa: PYI024
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    done = fetch_toy({"a.bin": f"{server[1]}/good"})
    assert done.code == 1
    assert "Not enough space for the download of toy" in done.text
    assert "expected: 2,560,000 bytes free" in done.text
    assert "found:    60,000 bytes free, 2,500,000 too few" in done.text
    assert not server[0].requests
    assert before == tree(tmp_path / "out")


def test_a_disk_that_fills_up(server, fetch, disk):
    """What is missing is told; the old file stays; with space it goes on."""
    folder, remount = disk
    root, out = folder.parent, folder / "out"
    out.mkdir()
    (out / "a.bin").write_bytes(b"an earlier version")
    urls = {"a.bin": f"{server[1]}/good"}
    with pytest.raises(MmclustError) as caught:
        fetch_in(root, out, urls)
    assert "Cannot write" in str(caught.value)
    assert "No space left on device: 1," in str(caught.value)
    assert "bytes still to be written, 1," in str(caught.value)
    assert "what was there before is untouched" in str(caught.value)
    assert tree(out) == {"a.bin": b"an earlier version"}
    remount("size=8m")
    fetch_in(root, out, urls)
    assert (out / "a.bin").read_bytes() == BODY
    assert "Range" in server[0].seen[-1][1]


def fetch_in(root, out, urls):
    from mmclust.sources.fetch import fetch_source

    # Without a registered size nothing can be checked beforehand.
    write_registry(root, urls, {"sha256": DIGEST})
    return fetch_source("toy", mirror="upstream", out=out, root=root)


def test_a_write_that_fails_midway(server, fetch_toy, before, tmp_path):
    """When the system refuses to write on, the earlier state stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
    try:
        done = fetch_toy({"a.bin": f"{server[1]}/good"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert done.code == 1
    assert "Cannot write" in done.text
    assert "found:    File too large" in done.text
    assert before == tree(tmp_path / "out")


def test_a_read_only_target(server, fetch, disk):
    """A folder on a read-only file system: one message, all as it was."""
    folder, remount = disk
    out = folder / "out"
    out.mkdir()
    (out / "a.bin").write_bytes(b"an earlier version")
    remount("ro")
    with pytest.raises(MmclustError) as caught:
        fetch_in(folder.parent, out, {"a.bin": f"{server[1]}/good"})
    assert "Cannot write a.bin" in str(caught.value)
    assert "found:    Read-only file system" in str(caught.value)
    assert "choose a folder you may write to" in str(caught.value)
    assert tree(out) == {"a.bin": b"an earlier version"}


def test_a_work_folder_that_cannot_be_made(
    server, fetch_toy, before, tmp_path, monkeypatch
):
    """The same where nothing can be mounted: the system call refuses."""
    mkdir = Path.mkdir

    def refuse(self, *arguments, **options):
        if self.name == "out.work":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        mkdir(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    done = fetch_toy({"a.bin": f"{server[1]}/good"})
    assert done.code == 1
    assert "Cannot write a.bin" in done.text
    assert "Read-only file system" in done.text
    assert before == tree(tmp_path / "out")


def test_another_users_part_is_passed_over(server, fetch_toy, tmp_path, monkeypatch):
    """What this user may not open is nothing to continue, and no reason to stop."""
    left = tmp_path / "out.work/.a.bin.0123456789ab.part"
    left.parent.mkdir()
    left.write_bytes(b"of another")
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != left and access(path, mode)
    )
    done = fetch_toy({"a.bin": f"{server[1]}/good"})
    assert done.code == 0, done.text
    assert (tmp_path / "out/a.bin").read_bytes() == BODY


KILLS = {
    "while_downloading": None,  # all is as before
    "between_verify_and_rename": None,
    "between_two_renames": ["a.bin"],  # whole files, and no note of others
    "before_the_note": ["a.bin", "b.bin"],
}


@pytest.mark.parametrize("point", KILLS)
def test_a_kill(point, server, fetch, before, tmp_path):
    """SIGKILL leaves whole files; the next run asks for what is missing alone."""
    urls = {name: f"{server[1]}/good-for-{name}" for name in ("a.bin", "b.bin")}
    write_registry(tmp_path, urls)
    kill(point, tmp_path)
    left = KILLS[point]
    expected = before if left is None else dict.fromkeys(left, BODY)
    assert tree(tmp_path / "out") == expected
    n_before = len(server[0].seen)
    fetch(urls)
    asked = [headers.get("Range", "") for _, headers in server[0].seen[n_before:]]
    if point == "while_downloading":
        assert any(each.startswith("bytes=9") for each in asked)
    else:
        assert asked == []
    got = tree(tmp_path / "out")
    assert got.pop("source.json")
    assert got == dict.fromkeys(urls, BODY)
    assert not (tmp_path / "out.work").exists()


@pytest.mark.parametrize("locks", ["work", "are granted to all", "do not exist"])
def test_two_fetchers_at_once(locks, server, fetch, before, tmp_path, monkeypatch):
    """Both succeed and the file is right, whatever file locks are worth."""

    def flock(*_):
        if locks == "do not exist":
            raise OSError(errno.ENOLCK, "No locks available")

    if locks != "work":
        monkeypatch.setattr(fcntl, "flock", flock)
    urls = {"a.bin": f"{server[1]}/slow"}
    write_registry(tmp_path, urls)

    def late(seconds):
        time.sleep(seconds)
        return fetch(urls)

    with ThreadPoolExecutor(3) as pool:
        facts = list(pool.map(late, (0, 0.1, 0.2)))
    assert [each["files"]["a.bin"]["sha256"] for each in facts] == [DIGEST] * 3
    assert (tmp_path / "out/a.bin").read_bytes() == BODY
    assert set(tree(tmp_path / "out")) == {"a.bin", "source.json"}
    if locks == "work":
        assert server[0].requests["/slow"] == 1


def test_parts_taken_away_at_the_worst_moment(server, fetch, tmp_path, monkeypatch):
    """Between the look whether a part is there and its renaming; then once more."""
    from mmclust.sources import download

    taken = []

    @contextlib.contextmanager
    def late(path, **options):
        if len(taken) < 2:
            (part,) = (tmp_path / "out.work").glob(".a.bin.*.part")
            taken.append(part.rename(tmp_path / f"another's {len(taken)}"))
        with writing(path, **options) as temporary:
            yield temporary

    monkeypatch.setattr(download, "writing", late)
    fetch({"a.bin": f"{server[1]}/good"})
    assert len(taken) == 2
    assert (tmp_path / "out/a.bin").read_bytes() == BODY


def test_parts_taken_away_again_and_again(server, fetch, before, tmp_path, monkeypatch):
    """An error that says what to do, and what was there is untouched."""
    from mmclust.sources import download

    def robbed(*_):
        raise download.TakenAwayError

    monkeypatch.setattr(download, "_publish", robbed)
    with pytest.raises(MmclustError, match="Another run keeps taking away"):
        fetch({"a.bin": f"{server[1]}/good"})
    assert tree(tmp_path / "out") == before
    # Where locks are granted to all, runs do not take parts in turn for ever.
    assert server[0].requests["/good"] == 8


def test_a_clock_that_jumps_back(server, fetch, before, tmp_path, monkeypatch):
    """Neither a clock running backwards nor files of the future matter."""
    write_registry(tmp_path, {"a.bin": f"{server[1]}/stall-once"})
    kill("while_downloading", tmp_path)
    for path in [*(tmp_path / "out.work").iterdir(), *(tmp_path / "out").iterdir()]:
        os.utime(path, (4e9, 4e9))
    now = iter(range(10**9, 0, -(10**6)))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    fetch({"a.bin": f"{server[1]}/busy-until"})
    assert server[0].requests["/busy-until"] == 2
    assert (tmp_path / "out/a.bin").read_bytes() == BODY


def test_a_full_disk_while_shards_are_merged(disk):
    """One message and no SIGBUS; the shards stay, and with space they are merged."""
    folder, remount = disk
    rows = np.arange(100_000, dtype=np.float32).reshape(500, 200)
    sharded = Sharded(folder / "image.npy", len(rows), 1, {"manifest": "a"})
    spans = sharded.unfinished()
    assert len(spans) == 2
    for span in spans:
        sharded.write(span, rows[slice(*span)], {})
    (folder / "filler").write_bytes(bytes(300_000))
    with pytest.raises(MmclustError, match="No space left on device"):
        sharded.merge()
    assert sharded.unfinished() == []
    assert list(folder.glob("*.tmp")) == []
    remount("size=9m")
    sharded.merge()
    assert np.array_equal(sharded.read()[0], rows)


def test_a_full_disk_between_two_seeds_keeps_the_trained_head(tmp_path, monkeypatch):
    """No mixture of the new seeds and the old: all are whole before one is renamed."""

    def head(value):
        return SimpleNamespace(weights={"a": np.full(9, value, np.float32)})

    save_head(tmp_path, [head(1), head(1), head(1)], {"head": "tac"})
    before, save, saved = tree(tmp_path), safetensors.numpy.save_file, []

    def saving(weights, path):
        save(weights, path)
        saved.append(path)
        if len(saved) == 2:
            raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(safetensors.numpy, "save_file", saving)
    with pytest.raises(MmclustError, match="No space left on device"):
        save_head(tmp_path, [head(2), head(2), head(2)], {"head": "tac"})
    assert tree(tmp_path) == before
