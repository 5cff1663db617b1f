"""Maps: valid for any number of points, faithful to obvious structure."""

from __future__ import annotations

import numpy as np
import pytest

from mmclust.report.maps import GRID, lay_out


@pytest.mark.parametrize(("n", "d"), [(3, 1), (3, 4), (4, 100), (40, 2), (70, 60)])
def test_positions_are_on_the_grid(n, d):
    """Few points, few dimensions and more dimensions than points all work."""
    features = np.random.default_rng(n).normal(size=(n, d)).astype(np.float32)
    xy = lay_out(features)
    assert xy.shape == (n, 2)
    assert xy.min() >= 0
    assert xy.max() == GRID


def test_features_without_spread_do_not_break_it():
    """Equal rows, and rows on a line, still give positions on the grid."""
    line = np.arange(3, dtype=np.float32)[:, None]
    for features in (np.ones((5, 3), np.float32), line):
        xy = lay_out(features)
        assert 0 <= xy.min() <= xy.max() <= GRID


def test_far_groups_stay_apart():
    """Each point's nearest neighbour on the map is of its own group."""
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(3), 25)
    features = (10 * np.eye(3)[group] + rng.normal(size=(75, 3))).astype(np.float32)
    xy = lay_out(features).astype(float)
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (group[distance.argmin(axis=1)] == group).mean() == 1
