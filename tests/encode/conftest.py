from __future__ import annotations

import pytest

from mmclust.core import shards
from mmclust.encode import engine
from tests.encode import toys


@pytest.fixture
def small_shards(monkeypatch):
    """Five shards of eight, in batches of four."""
    monkeypatch.setattr(shards, "ROWS", 8)
    monkeypatch.setattr(engine, "BATCH", 4)


@pytest.fixture
def toy_encoders(monkeypatch):
    """Encoders of the tests' own, in this process and in workers."""
    toys.install()
    for name in ("whole_shards", "spooled_shards", "encoded_shards"):
        monkeypatch.setattr(engine, name, getattr(toys, name))
    yield
    toys.uninstall()
