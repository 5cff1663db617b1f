"""Each fault of a server: one clear message, and everything as it was before."""

from __future__ import annotations

import hashlib
import socket

import httpx
import pytest

from mmclust.core.errors import MmclustError
from mmclust.sources import download
from mmclust.sources.http_request import Network, failure, retry_after
from tests.faults.misbehaving import BODY, DATE, FAULTS
from tests.faults.toy import tree

DIGEST = hashlib.sha256(BODY).hexdigest()
WRONG = hashlib.sha256(BODY[:-1] + b"?").hexdigest()

MESSAGES = {
    "cut": ["The download broke off", "expected: the whole file",
            "received 1280000 bytes, expected 2560000) (3 attempts)",
            "what has arrived is kept"],
    "cut-without-length": ["The download broke off", "expected: 2,560,000 bytes",
                           "found:    1,280,000 bytes (3 attempts)\n"],
    "empty": ["a.bin has the wrong size", "found:    0 bytes announced\n"],
    "wrong-bytes": ["a.bin is not the file that is registered",
                    f"expected: sha256 {DIGEST}", f"found:    sha256 {WRONG}",
                    "the wrong copy has been deleted"],
    "longer": ["a.bin has the wrong size", "2,560,007 bytes announced"],
    "shorter-declared": ["a.bin has the wrong size", "2,559,993 bytes announced"],
    "endless": ["a.bin has the wrong size", "bytes received so far"],
    "reset-always": ["The download broke off", "(3 attempts)"],
    "not-found": ["The server did not give the file", "expected: HTTP status 200",
                  "found:    404 Not Found\n", "--from"],
    "forbidden": ["The server did not give the file", "found:    403 Forbidden\n",
                  "accepted terms"],
    "busy-too-long": ["429 Too Many Requests (the server asks to wait 172,800 s)"],
    "broken": ["The server did not give the file",
               "500 Internal Server Error (3 attempts)"],
    "unavailable": ["The server did not give the file",
                    "503 Service Unavailable (3 attempts)"],
    "circle": ["The server redirects in a circle"],
    "login": ["A web page came instead of a.bin", "text/html", "a login"],
    "login-without-type": ["A web page came instead of a.bin", "<!DOCTYPE html>"],
    "login-later": ["A web page came instead of a.bin", "text/html", "a login"],
    "stall": ["The download stalled", "some data at least every 0.5 s"],
    "changes-in-size": ["a.bin has the wrong size", "2,560,004 bytes announced"],
}  # fmt: skip
FINE = {
    "good": 1, "good-without-length": 1, "gzipped": 1,
    "longer-than-declared": 1, "moved": 1, "slow": 1, "moved-to-another-host": 1,
    "reset-at-1": 2, "reset-at-50": 2, "reset-at-99": 2, "busy-once": 2,
    "busy-until": 2, "broken-once": 2, "stall-once": 2, "ignores-range": 2,
    "says-another-range": 3, "sends-another-range": 3, "changes": 2,
    "changes-in-secret": 3,
}  # fmt: skip
"""How often the server is asked until the file is there."""


def test_every_fault_of_the_server_is_in_the_table():
    """The sweeps below leave no behaviour of the server out."""
    assert set(FAULTS) == MESSAGES.keys() | FINE.keys()
    assert (len(MESSAGES), len(FINE)) == (19, 19)


@pytest.mark.parametrize("fault", MESSAGES)
def test_a_fault_is_told_and_changes_nothing(
    fault, server, fetch_toy, before, tmp_path
):
    """Exit code 1; what happened and where; old bytes stay; nothing is added."""
    url = f"{server[1]}/{fault}"
    done = fetch_toy({"a.bin": url})
    assert done.code == 1
    for part in ["error: ", *MESSAGES[fault], f"where:    {url}"]:
        assert part in done.text
    assert before == tree(tmp_path / "out")


@pytest.mark.parametrize("way", FINE)
def test_a_way_that_leads_to_the_file(way, server, fetch_toy, before, tmp_path):
    """Exit code 0; the new file and its note, nothing else; no more requests."""
    done = fetch_toy({"a.bin": f"{server[1]}/{way}"})
    assert (done.code, done.text) == (
        0,
        "out/a.bin: 2,560,000 bytes, sha256 verified\n",
    )
    assert set(tree(tmp_path / "out")) == {"a.bin", "source.json"}
    assert (tmp_path / "out/a.bin").read_bytes() == BODY
    assert not (tmp_path / "out.work").exists()
    assert server[0].requests[f"/{way}"] == FINE[way]


@pytest.mark.parametrize("percent", [50, 99])
def test_only_what_is_missing_is_asked_for(percent, server, fetch):
    """After a reset the rest is fetched by range; 64 KiB are compared again."""
    fetch({"a.bin": f"{server[1]}/reset-at-{percent}"})
    ranges = [headers.get("Range") for _, headers in server[0].seen]
    assert ranges[0] is None
    start = int(ranges[1].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= len(BODY) * percent // 100
    assert server[0].seen[1][1]["If-Range"] == '"v2"'
    assert server[0].sent <= len(BODY) + (1 << 17)


def test_a_login_page_does_not_cost_what_has_arrived(server, fetch, tmp_path):
    """The part stays, and a fetch from a server that works continues it."""
    with pytest.raises(MmclustError, match="A web page came"):
        fetch({"a.bin": f"{server[1]}/login-later"})
    (part,) = (tmp_path / "out.work").glob(".a.bin.*.part")
    assert part.read_bytes() == BODY[: len(BODY) // 2]
    fetch({"a.bin": f"{server[1]}/good"})
    assert server[0].seen[-1][1]["Range"].startswith("bytes=12")
    assert (tmp_path / "out/a.bin").read_bytes() == BODY


def test_the_wait_a_server_asks_for_is_kept(server, fetch):
    """Retry-After in seconds and as a date: at least that long between requests."""
    import time

    for way in ("busy-once", "busy-until"):
        start = time.monotonic()
        fetch({f"{way}.bin": f"{server[1]}/{way}"})
        assert time.monotonic() - start >= 1


def test_retry_after_is_read_by_the_servers_clock():
    """Seconds, dates against `Date`, and nothing where it is not clear."""
    cases = {
        "7": 7.0, "0": 0.0, "Sat, 21 Nov 2026 12:01:00 GMT": 60.0,
        "Sat, 21 Nov 2026 11:00:00 GMT": 0.0, "soon": None, "": None, "-3": None,
    }  # fmt: skip
    for text, expected in cases.items():
        headers = httpx.Headers({"Retry-After": text, "Date": DATE})
        assert retry_after(headers) == expected, text
    assert retry_after(httpx.Headers({"Retry-After": DATE})) is None


def test_the_second_mirror_is_asked_when_the_first_is_dead(server, fetch, tmp_path):
    """In the registry's order; what the first gave is continued by the second."""
    urls = [f"{server[1]}/{way}" for way in ("not-found", "reset-always", "good")]
    fetch({"a.bin": urls})
    paths = [path for path, _ in server[0].seen]
    assert paths == ["/not-found", *["/reset-always"] * 3, "/good"]
    assert (tmp_path / "out/a.bin").read_bytes() == BODY


def test_all_mirrors_are_named_when_none_works(server, fetch_toy, before, tmp_path):
    """The message lists each mirror with its own reason."""
    done = fetch_toy({"a.bin": [f"{server[1]}/not-found", f"{server[1]}/wrong-bytes"]})
    assert done.code == 1
    assert "No mirror gives a.bin" in done.text
    assert f"{server[1]}/not-found: The server did not give the file (404" in done.text
    assert f"{server[1]}/wrong-bytes: a.bin is not the file that is" in done.text
    assert before == tree(tmp_path / "out")


def test_a_failed_first_fetch_leaves_no_file(server, fetch, tmp_path):
    """Without an earlier state there is none afterwards; the part lies beside it."""
    with pytest.raises(MmclustError):
        fetch({"a.bin": f"{server[1]}/wrong-bytes"})
    assert not (tmp_path / "out").exists()
    with pytest.raises(MmclustError):
        fetch({"a.bin": f"{server[1]}/cut"})
    assert not (tmp_path / "out").exists()
    names = sorted(path.suffix for path in (tmp_path / "out.work").iterdir())
    assert names == [".json", ".part"]


def test_an_endless_body_is_left_soon(server, fetch):
    """Reading stops when the registered size is exceeded, not at the body's end."""
    with pytest.raises(MmclustError):
        fetch({"a.bin": f"{server[1]}/endless"})
    assert server[0].sent < 20 * len(BODY)


def test_nothing_is_fetched_twice(server, fetch, tmp_path):
    """A second fetch asks the server for nothing and gives the same bytes."""
    urls = {name: f"{server[1]}/good-for-{name}" for name in ("a.bin", "b.bin")}
    fetch(urls)
    first = tree(tmp_path / "out")
    fetch(urls)
    assert server[0].requests == {"/good-for-a.bin": 1, "/good-for-b.bin": 1}
    assert tree(tmp_path / "out") == first


def test_no_file_changes_before_all_are_there(server, fetch, before, tmp_path):
    """When the second file fails, the first waits beside `out`, complete."""
    with pytest.raises(MmclustError):
        fetch({"a.bin": f"{server[1]}/good", "b.bin": f"{server[1]}/not-found"})
    assert tree(tmp_path / "out") == before
    urls = {"a.bin": f"{server[1]}/good", "b.bin": f"{server[1]}/good-for-b"}
    server[0].requests.clear()
    fetch(urls)
    assert server[0].requests["/good"] <= 1
    assert (tmp_path / "out/b.bin").read_bytes() == BODY


@pytest.mark.parametrize("connections", [1, 2, 7])
def test_ranges_in_parallel_give_the_same_file(connections, server, fetch, monkeypatch):
    """Any number of connections: the right bytes; ranges only with several."""
    monkeypatch.setattr(download, "PIECE", 1 << 18)
    facts = fetch({"a.bin": f"{server[1]}/good"}, network=Network(connections))
    assert facts["files"]["a.bin"]["sha256"] == DIGEST
    asked = [headers.get("Range") for _, headers in server[0].seen]
    assert (len(asked) > 1) == (connections > 1)
    assert asked[0] is None
    assert all(one is not None for one in asked[1:])


@pytest.mark.parametrize("way", ["says-another-range", "sends-another-range"])
def test_ranges_that_lie_are_given_up(way, server, fetch, monkeypatch):
    """The file is then fetched whole, over one connection."""
    monkeypatch.setattr(download, "PIECE", 1 << 18)
    assert fetch({"a.bin": f"{server[1]}/{way}"})["files"]["a.bin"]["sha256"] == DIGEST


def test_several_files_at_once(server, fetch):
    """More files than connections: all arrive."""
    urls = {f"{i}.bin": f"{server[1]}/good-for-{i}" for i in range(9)}
    assert len(fetch(urls, network=Network(3))["files"]) == 9
    assert len(server[0].requests) == 9


def test_a_proxy_of_the_environment_is_used(server, fetch, monkeypatch):
    """HTTP_PROXY is asked for a host that does not exist."""
    monkeypatch.setenv("HTTP_PROXY", server[1])
    with pytest.raises(MmclustError):
        fetch({"a.bin": "http://nowhere.invalid/good"}, network=Network(1, first=0.01))
    assert server[0].seen[0][1]["Host"] == "nowhere.invalid"


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
    error = failure("http://x/", httpx.ConnectTimeout("timed out"), Network())
    assert "The server does not answer" in str(error)
    assert "expected: a connection within 10 s" in str(error)
    assert "found:    timed out" in str(error)
