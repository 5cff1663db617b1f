from __future__ import annotations

import pytest

from tests.benchmarks.toy_coco import write_coco


@pytest.fixture
def coco(tmp_path):
    """Write a tiny COCO below the test's folder."""

    def write(packing="unpacked", **contents):
        return write_coco(tmp_path / f"raw_{packing}", packing, **contents)

    return write
