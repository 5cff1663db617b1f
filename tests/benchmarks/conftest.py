from __future__ import annotations

import pytest

from tests.benchmarks.toy_coco import write_coco
from tests.benchmarks.toy_folder import write_folder


@pytest.fixture
def coco(tmp_path):
    """Write a tiny COCO below the test's folder."""

    def write(packing="unpacked", **contents):
        return write_coco(tmp_path / f"raw_{packing}", packing, **contents)

    return write


@pytest.fixture
def pictures(tmp_path):
    """Write files below ``mine``; those without contents are pictures."""

    def write(*names, **contents):
        return write_folder(tmp_path / "mine", contents | dict.fromkeys(names))

    return write
