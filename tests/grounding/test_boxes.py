"""Boxes and regions: by hand, against pycocotools, against slow references."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from mmclust.grounding.boxes import (
    assign,
    box_iou,
    box_of,
    inside,
    match_counts,
    min_max,
    peaks,
    random_boxes,
    random_points,
    region,
    scale_boxes,
)


def test_gold_boxes_are_truncated():
    """On 640 x 480: 101 * 224 / 640 = 35.35, 99 * 224 / 480 = 46.2."""
    scaled = scale_boxes([[0, 0, 640, 480], [101, 99, 103, 479]], 640, 480, 224)
    assert scaled.tolist() == [[0, 0, 224, 224], [35, 46, 36, 223]]
    assert scale_boxes([], 640, 480, 224).shape == (0, 4)
    # 45 * 224 / 63 is 160 exactly, and 159.99… when 224 / 63 is rounded first.
    assert scale_boxes([[45, 0, 63, 1]], 63, 9, 224)[0, 0] == 160


def test_overlap_by_hand():
    """Areas have no pixel more: 2 x 2 and 2 x 2 share 1, union 7."""
    iou = box_iou([[0, 0, 2, 2], [224, 224, 0, 0]], [[1, 1, 3, 3], [0, 0, 2, 2]])
    np.testing.assert_allclose(iou, [[1 / 7, 1], [0, 0]])
    assert box_iou([[1, 1, 1, 5]], [[1, 1, 1, 5]])[0, 0] == 0  # no area
    assert box_iou([], [[1, 1, 3, 3]]).shape == (0, 1)


def test_overlap_agrees_with_pycocotools():
    """An independent implementation, on boxes as x, y, w, h."""
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 30, 224), random_boxes(rng, 40, 224)

    def xywh(boxes):
        sizes = boxes[:, 2:] - boxes[:, :2]
        return np.concatenate([boxes[:, :2], sizes], axis=1).astype(float)

    expected = coco.iou(xywh(a), xywh(b), [0] * len(b))
    np.testing.assert_allclose(box_iou(a, b), expected)


def test_regions_are_the_largest_piece_with_diagonals():
    """8-connected: the diagonal of three beats the two in a row."""
    heat = np.array([[0.9, 0, 0, 0.5], [0, 0.5, 0, 1.0], [0, 0, 0.7, 0], [0, 0, 0, 0]])
    # (0,0)-(1,1)-(2,2)-(1,3)-(0,3) hang together by corners.
    assert region(heat).sum() == 5
    heat[2, 2] = 0.49  # below half of the maximum, 1.0
    assert region(heat).tolist() == [
        [True, False, False, False], [False, True, False, False],
        [False] * 4, [False] * 4,
    ]  # fmt: skip
    assert box_of(region(heat)).tolist() == [0, 0, 1, 1]


def test_of_regions_as_large_the_first_row_by_row_is_taken():
    """The piece at the right begins a row above the piece at the left."""
    heat = np.array([[0, 0, 0, 1.0], [1.0, 0, 0, 1.0], [1.0, 0, 0, 0]])
    assert box_of(region(heat)).tolist() == [3, 0, 3, 1]


def test_half_of_the_maximum_is_inclusive_and_of_the_map_itself():
    """Enlarging may lift the maximum above 1; half of that counts."""
    assert region(np.array([[1.2, 0.6, 0.59]])).tolist() == [[True, True, False]]


def test_a_flat_map_is_zero_and_has_no_region():
    """Nothing is divided by zero; the box is the published inverted one."""
    flat = min_max(np.full((1, 2, 3), 7.0))
    assert not flat.any()
    assert box_of(region(flat[0])).tolist() == [3, 2, 0, 0]
    assert min_max(np.array([[[1.0, 3.0, 2.0]]])).tolist() == [[[0.0, 1.0, 0.5]]]


@given(arrays(bool, (6, 7)))
def test_regions_agree_with_a_flood_fill(mask):
    """A search over pixels in plain Python."""
    heat = mask.astype(float)
    if not mask.any():
        return
    left = {(int(r), int(c)) for r, c in np.argwhere(mask)}
    best = []
    for start in sorted(left):
        piece, queue = [], deque([start] if start in left else [])
        left.discard(start)
        while queue:
            r, c = queue.popleft()
            piece.append((r, c))
            near = [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            queue.extend(p for p in near if p in left)
            left -= set(near)
        if len(piece) > len(best):
            best = piece
    assert sorted(best) == [tuple(p) for p in np.argwhere(region(heat)).tolist()]


def test_peaks_are_the_first_maximum():
    """Row, column."""
    maps = np.array([[[0, 2, 1], [2, 0, 0]], [[0, 0, 0], [0, 0, 5]]])
    assert peaks(maps).tolist() == [[0, 1], [1, 2]]
    assert peaks(np.zeros((0, 7, 7))).shape == (0, 2)


def test_points_on_an_edge_are_inside():
    """x and y; a box's corners belong to it."""
    boxes = [[1, 2, 3, 4]]
    points = [[1, 2], [3, 4], [2, 3], [0, 3], [2, 5]]
    assert inside(points, boxes)[:, 0].tolist() == [True, True, True, False, False]
    assert inside([], boxes).shape == (0, 1)


@given(arrays(bool, st.tuples(st.integers(0, 6), st.integers(0, 6))))
def test_pairs_are_one_to_one(matches):
    """None left that could be paired, and so at least half of the best."""
    pairs = assign(matches)
    assert len({p for p, _ in pairs}) == len({g for _, g in pairs}) == len(pairs)
    assert all(matches[pair] for pair in pairs)
    tp, fp, fn = match_counts(matches)
    assert (tp + fp, tp + fn) == matches.shape
    rows, columns = linear_sum_assignment(matches, maximize=True)
    assert tp <= matches[rows, columns].sum() <= 2 * tp


def test_random_boxes_and_points_lie_in_the_input():
    """Sorted on each axis; both ends of 0..223 occur."""
    rng = np.random.default_rng(0)
    boxes, points = random_boxes(rng, 5000, 224), random_points(rng, 5000, 224)
    assert (boxes[:, 2:] >= boxes[:, :2]).all()
    assert (boxes.min(), boxes.max(), points.min(), points.max()) == (0, 223, 0, 223)
    # The mean of the smaller of two draws is a third of the side.
    assert abs(boxes[:, :2].mean() / 223 - 1 / 3) < 0.01
