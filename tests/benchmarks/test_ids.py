"""Looking up many ids: the table and the search agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmclust.benchmarks import _coco_annotations
from mmclust.core.archives import Found


@given(
    st.lists(st.integers(0, 50), unique=True, min_size=1),
    st.integers(0, 10**11),
    st.data(),
)
def test_positions_are_those_of_list_index(known, shift, data):
    """For small ids (table) and large ones (search) alike."""
    ids = data.draw(st.lists(st.sampled_from(known)))
    found = _coco_annotations.positions(
        np.array(known, np.int64) + shift,
        np.array(ids, np.int64) + shift,
        "image",
        Found(Path("x.json")),
    )
    assert found.tolist() == [known.index(i) for i in ids]
    assert found.dtype == np.int64


@given(st.lists(st.integers(0, 20), unique=True), st.integers(0, 20))
def test_both_ways_mark_what_is_unknown(known, wanted):
    """-1 stands for an id that is not in the list, which may be empty."""
    expected = [known.index(wanted) if wanted in known else -1]
    for shift in (0, 1 << 30):
        rows = _coco_annotations._lookup(
            np.array(known, np.int64) + shift, np.array([wanted], np.int64) + shift
        )
        assert rows.tolist() == expected
