from __future__ import annotations

import pytest

from mmclust.sample.fine_grained import (
    QUERIES,
    SPLITS,
    plan_enlarged,
    plan_flickr,
)
from mmclust.sample.make import make_sample

SEED = 782


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Draw the built-in mirror, whole."""
    out = tmp_path_factory.mktemp("sample")
    make_sample(out, SEED, workers=2)
    return out


@pytest.fixture(scope="session")
def streets():
    """Return the plan of Flickr30K."""
    return plan_flickr(SEED, SPLITS)


@pytest.fixture(scope="session")
def enlarged(streets):
    """Return the plan of the fine-grained benchmarks."""
    tests = [picture for picture in streets if picture.split == "test"]
    return plan_enlarged(SEED, tests, QUERIES)
