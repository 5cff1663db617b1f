"""How servers are asked: tokens, validators, waits."""

from __future__ import annotations

import httpx

from mmclust.sources.http_request import (
    Ask,
    FetchError,
    Http,
    Network,
    Version,
    connecting,
    headers_of,
    opening,
    persistently,
)
from mmclust.sources.stopping import Stop

SECRET = "hf_not_to_be_seen"


def test_a_token_goes_to_its_own_host_over_https_alone(monkeypatch):
    """Not to other hosts, not in the clear, and not when the variable is unset."""
    tokens = {"huggingface.co": "HF_TOKEN"}
    ours, other = "https://huggingface.co/a", "https://example.org/a"
    with connecting(Network(), tokens) as http:
        monkeypatch.delenv("HF_TOKEN", raising=False)
        assert "Authorization" not in headers_of(http, Ask(ours))
        monkeypatch.setenv("HF_TOKEN", SECRET)
        assert headers_of(http, Ask(ours))["Authorization"] == f"Bearer {SECRET}"
        for url in (other, ours.replace("https", "http"), "https://huggingface.co.x/"):
            assert "Authorization" not in headers_of(http, Ask(url))
        assert SECRET not in repr(http)


def test_a_token_does_not_follow_a_redirect_to_another_host(monkeypatch):
    """The hub redirects to a store of files, which must not see it."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    seen = {}

    def answer(request):
        seen[request.url.host] = request.headers.get("Authorization")
        if request.url.host == "huggingface.co":
            return httpx.Response(302, headers={"Location": "https://store.example/b"})
        return httpx.Response(200, stream=httpx.ByteStream(b"data"))

    client = httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True)
    http = Http(client, Network(), {"huggingface.co": "HF_TOKEN"})
    with opening(http, Ask("https://huggingface.co/a")) as stream:
        assert b"".join(stream.chunks) == b"data"
    assert seen == {"huggingface.co": f"Bearer {SECRET}", "store.example": None}


def test_ranges_carry_the_strongest_validator():
    """A strong ETag, else the date; a weak ETag is no use for ranges."""
    both = Version("u", '"a"', "Sat, 21 Nov 2026 12:00:00 GMT")
    weak = Version("u", 'W/"a"', "Sat, 21 Nov 2026 12:00:00 GMT")
    assert (both.validator, weak.validator) == ('"a"', weak.modified)
    with connecting(Network(), {}) as http:
        headers = headers_of(http, Ask("http://x/", 5, 9, both))
    assert headers["Range"] == "bytes=5-8"
    assert headers["If-Range"] == '"a"'


def failing(*, again=True, wait=None):
    return FetchError("no", found="nothing", again=again, wait=wait)


def attempts(troubles, reached=lambda: 0):
    """Return (how often it was tried, the waits)."""
    waits, calls = [], []

    def attempt():
        calls.append(1)
        if len(calls) <= len(troubles):
            raise troubles[len(calls) - 1]

    class Clock(Stop):
        def wait(self, seconds):
            waits.append(seconds)

    network = Network(attempts=4, first=1, longest=3, asked=20)
    try:
        persistently(attempt, Http(httpx.Client(), network, {}, Clock()), reached)
    except FetchError as error:
        return len(calls), waits, str(error)
    return len(calls), waits, ""


def test_attempts_and_waits():
    """Waits double up to a limit; what a server asks for is kept, up to a limit."""
    n_calls, waits, message = attempts([failing()] * 9)
    assert n_calls == 4
    assert "nothing (4 attempts)" in message
    assert [0.5 <= waits[0] <= 1, 1 <= waits[1] <= 2, 1.5 <= waits[2] <= 3] == [
        True
    ] * 3
    assert attempts([failing(again=False)])[:2] == (1, [])
    assert attempts([failing(wait=7)])[1] == [7]
    n_calls, waits, message = attempts([failing(wait=21)])
    assert (n_calls, waits) == (1, [])
    assert "the server asks to wait 21 s" in message


def test_progress_starts_the_count_again():
    """A server that breaks off, but gives a MiB each time, is asked on."""
    sizes = iter(range(0, 1 << 30, 1 << 20))
    assert attempts([failing()] * 9, reached=lambda: next(sizes))[0] == 10


def test_pauses_are_jittered():
    """Two clients that fail together do not come back together."""
    pauses = {attempts([failing()] * 3)[1][2] for _ in range(20)}
    assert len(pauses) > 10
    assert all(1.5 <= each <= 3 for each in pauses)
