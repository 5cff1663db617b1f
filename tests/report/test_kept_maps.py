"""Maps that stay for the next page of the same features."""

import numpy as np

from mmclust.report import maps


def test_a_map_is_laid_out_once(tmp_path, monkeypatch):
    """The same positions; other rows are laid out anew."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((12, 5)).astype(np.float32)
    first = list(maps.lay_out_all([rows, rows[:9]], 1, tmp_path))
    assert [len(each) for each in first] == [12, 9]
    asked = []
    monkeypatch.setattr(maps, "lay_out", lambda rows: asked.append(len(rows)) or rows)
    again = list(maps.lay_out_all([rows, rows[:8]], 1, tmp_path))
    assert np.array_equal(again[0], first[0])
    assert asked == [8]
    assert len(list(maps.lay_out_all([rows], 1))) == 1
    assert asked == [8, 12]
