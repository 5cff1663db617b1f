"""How each format writes the rows of the leaderboard."""

import csv
import io
import json
from dataclasses import replace

import pytest

from mmclust.board.choice import choose
from mmclust.board.rows import gather
from mmclust.board.tables import (
    HEADS_OF_BOARD,
    board_cells,
    board_csv,
    board_html,
    board_json,
    board_markdown,
)
from tests.board.boards import SCORES, Board, score

NASTY = 'a|b<script>alert(1)</script>"שלום"'


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    made = Board(tmp_path_factory.mktemp("board") / "repo")
    made.commit({SCORES: [score(0.5), score(0.3, metric="nmi")],
                 "params.yaml": {"note": NASTY}})  # fmt: skip
    made.commit(
        {
            SCORES: [
                score(0.6), score(0.3, metric="nmi"),
                score(0.55, key=("hog", "image", "ward"), k=20),
                score(0.4, key=("lsa", "text", "kmeans")),
            ],
            "metrics/details/score/bad.csv": b"x\n",
            "params.yaml": {"note": "plain"},
        }
    )  # fmt: skip
    return gather(made.root)


@pytest.fixture
def rows(board):
    return choose(board.rows, sort="name", every=True)


def test_csv_has_all_digits_and_the_command(rows):
    """One line per number, read back by any reader."""
    read = list(csv.DictReader(io.StringIO(board_csv(rows))))
    assert len(read) == len(rows) == 4
    first = read[0]
    assert first["command"] == f"mmclust reproduce {rows[0].id}"
    assert float(first["mean"]) == 0.5
    assert (first["low"], first["high"]) == ("0.4", "0.6")
    assert len(first["commit"]) == 40
    assert first["params"] == f"note={NASTY}"
    assert [line["now"] for line in read] == ["false", "true", "true", "true"]


def test_json_tells_what_was_skipped(board):
    """Rows, remarks and commits together."""
    value = json.loads(board_json(board, board.rows))
    assert len(value["rows"]) == len(board.rows)
    assert "metrics/details/score/bad.csv" in value["remarks"][0]
    assert len(value["commits"]) == 2


def test_markdown_cells_stay_in_their_columns(board, rows):
    """Pipes in params are escaped; every line has as many cells."""
    text = board_markdown(board, rows)
    table = [line for line in text.splitlines() if line.startswith("| ")]
    counts = {line.replace("\\|", "").count("|") for line in table}
    assert counts == {len(HEADS_OF_BOARD) + 1}
    assert len(table) == 2 + 4
    assert "- skipped metrics/details/score/bad.csv" in text
    assert "| 0.5000 | [0.4000, 0.6000] |" in text
    assert text.count("| now |") == 3
    assert "0.5 until" in text


def test_long_params_are_cut_in_tables_alone(rows):
    """Tables show how a value begins, and how many more there are; CSV has all."""
    long = f"data.sources={['coco'] * 20}"
    row = replace(rows[0], params=(long, *(f"k{i}=1" for i in range(4))))
    shown = board_cells(row)[-1]
    assert "…, k0=1, k1=1, and 2 more" in shown
    assert long not in shown
    assert long in board_csv([row]).replace('""', '"')


def test_the_page_opens_offline(board, browse, tmp_path):
    """No request, no error, and what params say stays text."""
    path = tmp_path / "board.html"
    html = board_html(board, board.rows)
    path.write_text(html)
    assert "<script>alert" not in html
    assert "http" not in html
    dom, console = browse(path)
    assert console == []
    assert dom.count("<tr") == 1 + len(board.rows)
    assert 'aria-label="All rows"' in dom


def test_the_page_sorts_and_filters(board, rows, browse, tmp_path):
    """A click on a head sorts by number; words in the box hide other rows."""
    html = board_html(board, rows)
    mean = HEADS_OF_BOARD.index("mean")
    drive = f"""
    heads[{mean}].firstElementChild.click();
    const box = document.querySelector("#filter");
    box.value = "KMEANS hog"; box.dispatchEvent(new Event("input"));
    document.title = [...body.rows].map(
      row => row.cells[{mean}].textContent + (row.hidden ? "-" : "+")).join(" ");
    </script>"""
    path = tmp_path / "board.html"
    path.write_text(html.replace("</script>", drive))
    dom, console = browse(path)
    assert console == []
    assert "<title>0.4000- 0.5000+ 0.5500- 0.6000+</title>" in dom
    assert ">2 rows<" in dom
