"""Nobody waits for a server that is silent once its file is not needed.

Servers here would keep a fetch for a minute at least; bounds are generous, and what is
counted are requests.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.registry import SourceFile
from mmclust.sources.http_request import Network
from mmclust.sources.stopping import Stop, Stopped, Threads
from mmclust.sources.zip_members import fetch_members
from tests.conftest import ROOT
from tests.faults.files import serving_files
from tests.faults.toy import write_registry

SOON = 5.0
PATIENT = Network(connect=60, read=60, attempts=5)


@contextlib.contextmanager
def soon():
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SOON


@pytest.mark.parametrize("way", ["silent", "stall", "busy-for-long"])
def test_another_files_failure_ends_reads_waits_and_retries(way, server, fetch):
    """The failure is told; the silent server was asked once, its mirror never."""
    mirrors = [f"{server[1]}/{way}", f"{server[1]}/{way}-for-mirror"]
    urls = {"a.bin": mirrors, "b.bin": f"{server[1]}/not-found"}
    with soon(), pytest.raises(MmclustError, match="did not give the file"):
        fetch(urls, network=PATIENT)
    assert server[0].requests[f"/{way}"] <= 1
    assert server[0].requests[f"/{way}-for-mirror"] == 0


def test_another_files_failure_ends_a_connection_that_is_not_accepted(server, fetch):
    """Its queue is full, so that the connection itself takes for ever."""
    with contextlib.ExitStack() as held:
        full = held.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        urls = {
            "a.bin": f"http://127.0.0.1:{full.getsockname()[1]}/a.bin",
            "b.bin": f"{server[1]}/not-found",
        }
        with soon(), pytest.raises(MmclustError, match="did not give the file"):
            fetch(urls, network=PATIENT)


def test_a_members_failure_ends_the_others(tmp_path, monkeypatch):
    """One group of members cannot be had; the server is silent about the rest."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = tmp_path / "site"
    site.mkdir()
    names = [f"p/{i}.jpg" for i in range(6)]
    with zipfile.ZipFile(site / "p.zip", "w") as archive:
        for i, name in enumerate(names):
            archive.writestr(name, b"\xff\xd8" + bytes([i]) * 300_000 + b"\xff\xd9")
    silence = threading.Event()

    def fault(name, data, asked):
        if asked and asked[0] < 900_000 and asked[1] - asked[0] > 200_000:
            if asked[0] < 100:
                return 404
            silence.wait(60)
        return data

    file = SourceFile(contains={"p/*.jpg": 6}, name="p.zip")
    with serving_files(site, fault) as (_, url):
        with soon(), pytest.raises(MmclustError, match="did not give the file"):
            fetch_members(
                replace(file, urls=(f"{url}/p.zip",)),
                names[::2],
                tmp_path / "out",
                PATIENT,
                tokens={},
            )
        silence.set()


@pytest.mark.parametrize(
    ("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_a_signal_ends_a_fetch_from_silent_mirrors(sign, code, server, tmp_path):
    """Ctrl-C and TERM, while two files wait for two silent mirrors each."""
    urls = {
        name: [f"{server[1]}/silent-for-{name}", f"{server[1]}/silent-for-{name}-again"]
        for name in ("a.bin", "b.bin")
    }
    write_registry(tmp_path, urls)
    running = subprocess.Popen(
        [sys.executable, "-m", "mmclust", "fetch", "toy", "--mirror", "upstream",
         "--timeout", "60"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while len(server[0].seen) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        with soon():
            running.send_signal(sign)
            _, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert (running.returncode, "Traceback" in errors) == (code, False)
    again = "stopped; run the same command again to continue\n"
    assert errors.endswith(again) == (sign == signal.SIGINT)
    assert "Aborted" not in errors
    assert sum(server[0].requests.values()) == 2


def test_stop_ends_every_wait():
    """Before and after it is set; threads that do not end are left behind."""
    stop, never = Stop(), threading.Event()
    stop.wait(0)
    with soon():
        threading.Timer(0.1, stop.set).start()
        with pytest.raises(Stopped):
            stop.wait(60)
        with pytest.raises(Stopped):
            stop.check()
        with Threads(2, "test") as threads:
            under_way = threads.submit(never.wait, 60)
            done = threads.submit(lambda: 7)
            assert done.result() == 7
            queued = [threads.submit(never.wait, 60) for _ in range(2)]
        assert queued[-1].cancelled()
        assert not under_way.done()
        never.set()


def bomb(it):
    """A body compressed a thousandfold, of a size that nobody states."""
    import gzip

    data = gzip.compress(bytes(1 << 20))
    it.start(Content_Encoding="gzip")
    for _ in range(2000):  # 2 GB
        it.send(data)


@pytest.fixture
def bombs(monkeypatch):
    from tests.faults.server import serving

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def brotli(it):
        it.start(5, Content_Encoding="br")
        it.send(b"\x0b\x02\x80hi")

    with serving(faults={"bomb": bomb, "brotli": brotli}) as (running, url):
        yield running, url


def test_a_compressed_bomb_is_left_soon(bombs, fetch):
    """Of a file whose size is unknown, no more is unpacked than is plausible."""
    message = "The server sends no plain file(.|\n)*200 bytes for each compressed byte"
    with pytest.raises(MmclustError, match=message):
        fetch({"a.bin": f"{bombs[1]}/bomb"}, facts={})
    assert bombs[0].requests["/bomb"] == 1
    assert bombs[0].sent < 10_000_000
    with pytest.raises(MmclustError, match="found:    Content-Encoding: br"):
        fetch({"a.bin": f"{bombs[1]}/brotli"}, facts={})
