"""Each fault of a server: one clear message, and everything as it was before."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import httpx
import pytest

from mmclust.core.errors import MmclustError
from mmclust.sources.transport import Timeouts, _failed
from tests.faults.misbehaving import BODY, FAULTS
from tests.faults.toy import tree, write_registry

DIGEST = hashlib.sha256(BODY).hexdigest()
WRONG = hashlib.sha256(BODY[:-1] + b"?").hexdigest()
SRC = Path(__file__).parents[2] / "src"

MESSAGES = {
    "cut": ["The download broke off", "expected: the whole file",
            "received 1280000 bytes, expected 2560000",
            "nothing of the broken download was kept"],
    "cut-without-length": ["a.bin has the wrong size", "expected: 2,560,000 bytes",
                           "found:    1,280,000 bytes received\n", "deleted"],
    "empty": ["a.bin has the wrong size", "found:    0 bytes received\n"],
    "wrong-bytes": ["a.bin is not the file that is registered",
                    f"expected: sha256 {DIGEST}", f"found:    sha256 {WRONG}",
                    "the wrong copy has been deleted"],
    "longer": ["a.bin has the wrong size", "2,560,007 bytes announced"],
    "endless": ["a.bin has the wrong size", "bytes received so far"],
    "not-found": ["The server did not give the file", "expected: HTTP status 200",
                  "found:    404 Not Found", "--from"],
    "broken": ["The server did not give the file", "500 Internal Server Error"],
    "circle": ["The server redirects in a circle"],
    "login": ["A web page came instead of a.bin", "text/html", "a login"],
    "login-without-type": ["A web page came instead of a.bin", "<!DOCTYPE html>"],
    "stall": ["The download stalled", "some data at least every 0.5 s"],
}  # fmt: skip
FINE = {"good", "good-without-length", "gzipped", "moved", "stall-once"}


def test_every_fault_of_the_server_is_in_the_table():
    """The sweep below leaves no behaviour of the server out."""
    assert set(FAULTS) == set(MESSAGES) | FINE
    assert len(MESSAGES) == 12


@pytest.mark.parametrize("fault", MESSAGES)
def test_a_fault_is_told_and_changes_nothing(fault, server, fetch, before, tmp_path):
    """The message says what happened and where; old bytes stay; nothing is added."""
    url = f"{server[1]}/{fault}"
    with pytest.raises(MmclustError) as caught:
        fetch({"a.bin": url})
    for part in [*MESSAGES[fault], f"where:    {url}"]:
        assert part in str(caught.value)
    assert before == tree(tmp_path / "out")


def test_a_failed_first_fetch_leaves_no_file(server, fetch, tmp_path):
    """Without an earlier state there is nothing afterwards, not even a part."""
    with pytest.raises(MmclustError):
        fetch({"a.bin": f"{server[1]}/cut"})
    assert tree(tmp_path) == {
        "data/sources.yaml": (tmp_path / "data/sources.yaml").read_bytes()
    }


def test_an_endless_body_is_left_soon(server, fetch):
    """Reading stops when the registered size is exceeded, not at the body's end."""
    with pytest.raises(MmclustError):
        fetch({"a.bin": f"{server[1]}/endless"})
    assert server[0].sent < 20 * len(BODY)


@pytest.mark.parametrize("way", ["good", "good-without-length", "gzipped", "moved"])
def test_a_good_file_replaces_the_old_one(way, server, fetch, before, tmp_path):
    """Announced length, none, compression and a redirect all lead to the file."""
    facts = fetch({"a.bin": f"{server[1]}/{way}"})
    assert facts["files"]["a.bin"] == {
        "size": len(BODY),
        "sha256": DIGEST,
        "verified": "sha256",
        "from": "archive",
    }
    assert set(tree(tmp_path / "out")) == {"a.bin", "source.json"}
    assert (tmp_path / "out/a.bin").read_bytes() == BODY


def test_nothing_is_fetched_twice(server, fetch, tmp_path):
    """A second fetch asks the server for nothing and gives the same bytes."""
    urls = {name: f"{server[1]}/good-for-{name}" for name in ("a.bin", "b.bin")}
    fetch(urls)
    first = tree(tmp_path / "out")
    fetch(urls)
    assert server[0].requests == {"/good-for-a.bin": 1, "/good-for-b.bin": 1}
    assert tree(tmp_path / "out") == first


def test_a_damaged_file_alone_is_fetched_again(server, fetch, tmp_path):
    """One byte changed on disk, size unchanged: that file comes back."""
    urls = {name: f"{server[1]}/good-for-{name}" for name in ("a.bin", "b.bin")}
    fetch(urls)
    first = tree(tmp_path / "out")
    (tmp_path / "out/b.bin").write_bytes(BODY[:-1] + b"!")
    fetch(urls)
    assert server[0].requests == {"/good-for-a.bin": 1, "/good-for-b.bin": 2}
    assert tree(tmp_path / "out") == first


def test_files_that_changed_are_not_described_by_an_old_note(
    server, fetch, before, tmp_path
):
    """When the second file fails, the first is new and source.json is gone."""
    with pytest.raises(MmclustError):
        fetch({"a.bin": f"{server[1]}/good", "b.bin": f"{server[1]}/broken"})
    assert tree(tmp_path / "out") == {"a.bin": BODY}


def test_a_server_that_is_not_there(server, fetch, before, tmp_path):
    """A refused connection is told as such."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.bin"
    with pytest.raises(MmclustError, match="The server cannot be reached"):
        fetch({"a.bin": url})
    assert before == tree(tmp_path / "out")


def test_a_server_that_does_not_answer():
    """A connection that is never accepted names the limit."""
    error = _failed("http://x/", httpx.ConnectTimeout("timed out"), Timeouts())
    assert "The server does not answer" in str(error)
    assert "expected: a connection within 10 s" in str(error)
    assert "found:    timed out" in str(error)


def test_a_full_disk_is_seen_beforehand(server, fetch, before, tmp_path, monkeypatch):
    """Too little space stops the fetch before the server is asked."""
    usage = namedtuple("usage", "total used free")(10**6, 0, 60_000)  # noqa: PYI024
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(MmclustError) as caught:
        fetch({"a.bin": f"{server[1]}/good"})
    assert "Not enough space for the download of toy" in str(caught.value)
    assert "expected: 2,560,000 bytes free" in str(caught.value)
    assert "found:    60,000 bytes free, 2,500,000 too few" in str(caught.value)
    assert not server[0].requests
    assert before == tree(tmp_path / "out")


def test_a_write_that_fails_midway(server, fetch, before, tmp_path):
    """When the system refuses to write on, the earlier state stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
    try:
        with pytest.raises(MmclustError, match="Cannot write") as caught:
            fetch({"a.bin": f"{server[1]}/good"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "found:    File too large" in str(caught.value)
    assert before == tree(tmp_path / "out")


def test_a_kill_in_the_middle_then_again(server, fetch, before, tmp_path):
    """SIGKILL leaves the old file; the next run succeeds and tidies up."""
    out = tmp_path / "out"
    urls = {"a.bin": f"{server[1]}/stall-once"}
    write_registry(tmp_path, urls)
    code = (
        "import sys; from pathlib import Path\n"
        "from mmclust.sources.fetch import fetch_source\n"
        "root = Path(sys.argv[1])\n"
        "fetch_source('toy', mirror='upstream', out=root / 'out', root=root)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    try:
        deadline = time.monotonic() + 30
        while not any(path.stat().st_size for path in out.glob("*.tmp")):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    left = tree(out)
    assert before == {name: left[name] for name in before}
    assert len(left) == len(before) + 1
    fetch(urls)
    assert set(tree(out)) == {"a.bin", "source.json"}
    assert (out / "a.bin").read_bytes() == BODY


def test_a_running_neighbour_keeps_its_temporary_file(server, fetch, tmp_path):
    """Tidying up spares what another process is still writing."""
    from mmclust.sources.temporary import replacing

    path = tmp_path / "out/a.bin"
    with replacing(path, lambda: None) as temporary:
        temporary.write_bytes(b"a neighbour's part")
        fetch({"a.bin": f"{server[1]}/good"})
        assert temporary.read_bytes() == b"a neighbour's part"
    assert path.read_bytes() == b"a neighbour's part"
