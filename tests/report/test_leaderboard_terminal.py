"""What a terminal shows, and which rows are the same number."""

from __future__ import annotations

import pytest

from mmclust.report.leaderboard import gather
from mmclust.report.leaderboard_terminal import fitted
from tests.report.boards import SCORES, Board, record

HEADS = ("row", "benchmark", "mean", "date", "params that differ from HEAD's", "notes")
ROWS = [
    ["a1", "coco", "0.5", "2026-01-01", "model.k=43, " * 9, ""],
    ["b2", "coco", "0.6", "2026-01-02", "", ""],
]


@pytest.mark.parametrize(
    ("width", "columns", "same", "left_out"),
    [
        # 3 + 9 + 4 + 10 + 28 characters, 3 more for each column, 1 at the end
        (70, (0, 1, 2, 3, 4), (), ()),
        (69, (0, 2, 3, 4), ("benchmark coco",), ()),
        (56, (0, 2, 3), ("benchmark coco",), (HEADS[4],)),
        (27, (0, 2, 3), ("benchmark coco",), (HEADS[4],)),
        (26, (0, 2), ("benchmark coco",), (HEADS[4], "date")),
        (1, (0, 2), ("benchmark coco",), (HEADS[4], "date")),
    ],
)
def test_columns_fit_the_width(width, columns, same, left_out):
    """What is the same everywhere goes first, then the least wanted columns."""
    fit = fitted(HEADS, ROWS, width)
    assert (fit.columns, fit.same, fit.left_out) == (columns, same, left_out)


def test_no_rows_and_one_row():
    """An empty table has no columns; of one row nothing is taken apart."""
    assert fitted(HEADS, [], 80).columns == ()
    assert fitted(HEADS, ROWS[1:], 20).same == ()


def test_a_number_of_two_branches_is_one_number(tmp_path):
    """Both first commits keep their rows; the later one says whose it repeats."""
    board = Board(tmp_path / "repo")
    value = {SCORES: {"hog": {"image": {"kmeans": record(0.5)}}}}
    board.commit(value)
    board.commit({SCORES: {"hog": {"image": {"kmeans": record(0.6)}}}})
    board.commit(value)
    first, other, again = gather(board.root).rows
    assert [row.now for row in (first, other, again)] == [True, False, True]
    assert (first.notes, other.notes) == ((), ())
    assert again.notes == (f"the same number as {first.id}",)
