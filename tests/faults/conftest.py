from __future__ import annotations

import pytest

from mmclust.sources.fetch import fetch_source
from mmclust.sources.transport import Timeouts
from tests.faults.misbehaving import serving
from tests.faults.toy import tree, write_registry

QUICK = Timeouts(connect=2, read=0.5)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as (running, url):
        yield running, url


@pytest.fixture
def fetch(tmp_path):
    """Return fetch({file name: url}), which fetches a source `toy` to `out`."""

    def run(urls, **options):
        write_registry(tmp_path, urls)
        options = {"mirror": "upstream", "timeouts": QUICK, **options}
        return fetch_source("toy", out=tmp_path / "out", root=tmp_path, **options)

    return run


@pytest.fixture
def before(tmp_path):
    """Fill `out` with an earlier state of `a.bin` and return its tree."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.bin").write_bytes(b"an earlier version")
    (out / "source.json").write_text('{"mirror": "sample"}\n')
    return tree(out)
