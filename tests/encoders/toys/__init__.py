"""Encoders of the tests' own, found by name in this process and in workers."""

import importlib
import sys

from mmclust.core import plugins
from mmclust.encoders import _shard

NAMES = ("toy_model", "toy_bad", "toy_rows")


def install():
    for name in NAMES:
        module = importlib.import_module(f"tests.encoders.toys.{name[4:]}")
        sys.modules[f"mmclust.encoders.{name}"] = module
    plugins.names = _names


_known = plugins.names


def _names(kind):
    return sorted([*_known(kind), *(NAMES if kind == "encoders" else ())])


def uninstall():
    plugins.names = _known
    for name in NAMES:
        sys.modules.pop(f"mmclust.encoders.{name}", None)


def whole_shards(job):
    """Set up a worker that knows the toys; stands in for `_shard.whole_shards`."""
    install()
    return _shard.whole_shards(job)


def spooled_shards(job, scratch):
    install()
    return _shard.spooled_shards(job, scratch)


def encoded_shards(job):
    install()
    return _shard.encoded_shards(job)
