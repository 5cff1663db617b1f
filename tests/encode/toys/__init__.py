"""Encoders of the tests' own, found by name in this process and in workers."""

import importlib
import sys

from mmclust.core import plugins
from mmclust.encode import engine

NAMES = ("toy_model", "toy_bad", "toy_rows")


def install():
    for name in NAMES:
        module = importlib.import_module(f"tests.encode.toys.{name[4:]}")
        sys.modules[f"mmclust.encoders.{name}"] = module
    plugins.names = _names


_known = plugins.names


def _names(kind):
    return sorted([*_known(kind), *(NAMES if kind == "encoders" else ())])


def uninstall():
    plugins.names = _known
    for name in NAMES:
        sys.modules.pop(f"mmclust.encoders.{name}", None)


_whole, _spooled, _encoded = (
    engine.whole_shards,
    engine.spooled_shards,
    engine.encoded_shards,
)


def whole_shards(job):
    """Set up a worker that knows the toys; stands in for `engine.whole_shards`."""
    install()
    return _whole(job)


def spooled_shards(job, scratch):
    install()
    return _spooled(job, scratch)


def encoded_shards(job):
    install()
    return _encoded(job)
