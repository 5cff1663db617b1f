from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from mmclust.__main__ import main
from mmclust.sources import http_request
from mmclust.sources.fetch import fetch_source
from tests.faults.misbehaving import serving
from tests.faults.toy import tree, write_registry

QUICK = http_request.Network(connect=2, read=0.5, attempts=3, first=0.02, asked=5)


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said on standard output or error."""

    code: int
    text: str


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serving() as (running, url):
        yield running, url


@pytest.fixture
def fetch(tmp_path):
    """Return fetch({file name: url}), which fetches a source `toy` to `out`."""

    def run(urls, facts=None, **options):
        write_registry(tmp_path, urls, facts)
        options = {"mirror": "upstream", "network": QUICK, **options}
        return fetch_source("toy", out=tmp_path / "out", root=tmp_path, **options)

    return run


@pytest.fixture
def mmclust(tmp_path, monkeypatch, capsys):
    """Return mmclust(*arguments), the command line in this process, impatient."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(http_request, "Network", lambda *_, **__: QUICK)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mmclust", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        if isinstance(code, str):  # Python prints it and exits with 1
            return Outcome(1, code)
        return Outcome(code or 0, said.out + said.err)

    return run


@pytest.fixture
def fetch_toy(mmclust, tmp_path):
    """Return fetch_toy({file name: url}), the command `mmclust fetch toy`."""

    def run(urls, *options):
        write_registry(tmp_path, urls)
        arguments = ["fetch", "toy", "--mirror", "upstream", "--out", "out", *options]
        return mmclust(*arguments)

    return run


@pytest.fixture
def before(tmp_path):
    """Fill `out` with an earlier state of `a.bin` and return its tree."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.bin").write_bytes(b"an earlier version")
    (out / "source.json").write_text('{"mirror": "sample"}\n')
    return tree(out)
