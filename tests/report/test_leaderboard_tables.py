"""Which rows are shown, and how each format writes them."""

import csv
import io
import json
from dataclasses import replace

import pytest

from mmclust.core.errors import MmclustError
from mmclust.report.leaderboard import gather
from mmclust.report.leaderboard_tables import (
    HEADS_OF_TABLE,
    Choice,
    cells,
    choose,
    to_csv,
    to_html,
    to_json,
    to_markdown,
)
from tests.report.boards import SCORES, Board, record

RANK = {"main": {"rsum": 200.0, "rsum_low": 190.0, "rsum_high": 210.0,
                 "i2t_median_rank": 3.0, "i2t_median_rank_low": 2.0,
                 "i2t_median_rank_high": 4.0}}  # fmt: skip
NASTY = 'a|b<script>alert(1)</script>"שלום"'


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    made = Board(tmp_path_factory.mktemp("board") / "repo")
    both = {"nmi": 0.3, "nmi_low": 0.2, "nmi_high": 0.4}
    made.commit({SCORES: {"hog": {"image": {"kmeans": record(0.5, **both)}}},
                 "params.yaml": {"note": NASTY}})  # fmt: skip
    made.commit(
        {
            SCORES: {"hog": {"image": {"kmeans": record(0.6, **both),
                                       "ward": record(0.55, k=20)}},
                     "lsa": {"text": {"kmeans": record(0.4)}}},
            "metrics/retrieval/pool/hog.json": RANK,
            "metrics/retrieval/pool/lsa.json": {
                "main": RANK["main"] | {"i2t_median_rank": 9.0}
            },
            "metrics/clustering/bad.json": b"{",
            "params.yaml": {"note": "plain"},
        }
    )  # fmt: skip
    return gather(made.root)


def means(board, **choice):
    return [r.number.mean for r in choose(board.rows, Choice(**choice))]


def test_headlines_unless_metrics_are_asked_for(board):
    """acc of clusterings, rsum of retrieval; all: every number."""
    assert {r.metric for r in choose(board.rows, Choice())} == {"acc", "rsum"}
    assert means(board, metrics=["nmi"]) == [0.3]
    assert len(means(board, metrics=["all"])) == len(board.rows) == 9


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"encoders": ["lsa"], "benchmarks": ["toy"]}, [0.4]),
        ({"methods": ["ward"]}, [0.55]),
        ({"views": ["text", "image"]}, [0.6, 0.55, 0.5, 0.4]),
        ({"benchmarks": ["toy"], "current": True}, [0.6, 0.55, 0.4]),
        ({"benchmarks": ["toy"], "top": 2}, [0.6, 0.55]),
        ({"benchmarks": ["toy"], "sort": "name"}, [0.5, 0.6, 0.55, 0.4]),
        ({"metrics": ["i2t_median_rank"], "top": 1}, [3.0]),  # lower is better
    ],
)
def test_filters_and_order(board, choice, expected):
    """Best first within benchmark and metric; latest first; or by name, then date."""
    assert means(board, **choice) == expected


def test_latest_first(board):
    """Sorted by date."""
    dates = [r.date for r in choose(board.rows, Choice(sort="date"))]
    assert dates == sorted(dates, reverse=True)
    assert dates[0] != dates[-1]


def test_a_name_that_no_row_has(board):
    """Named, with the nearest that rows have."""
    with pytest.raises(MmclustError, match="No number in the history is of") as caught:
        choose(board.rows, Choice(encoders=["hogg"]))
    assert "Did you mean 'hog'?" in str(caught.value)
    assert "--encoder" in str(caught.value)


def test_csv_has_all_digits_and_the_command(board):
    """One line per number, read back by any reader."""
    rows = choose(board.rows, Choice(sort="name", benchmarks=["toy"]))
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert len(read) == len(rows)
    first = read[0]
    assert first["command"] == f"mmclust reproduce {rows[0].id}"
    assert float(first["mean"]) == 0.5
    assert (first["low"], first["high"]) == ("0.4", "0.6")
    assert len(first["commit"]) == 40
    assert first["params"] == f"note={NASTY}"
    assert [line["now"] for line in read] == ["false", "true", "true", "true"]


def test_json_tells_what_was_skipped(board):
    """Rows, skipped parts and remarks together."""
    value = json.loads(to_json(board, board.rows))
    assert len(value["rows"]) == len(board.rows)
    assert value["skipped"][0]["path"] == "metrics/clustering/bad.json"
    assert len(value["commits"]) == 2


def test_markdown_cells_stay_in_their_columns(board):
    """Pipes in params are escaped; every line has as many cells."""
    text = to_markdown(board, choose(board.rows, Choice(benchmarks=["toy"])))
    table = [line for line in text.splitlines() if line.startswith("| ")]
    counts = {line.replace("\\|", "").count("|") for line in table}
    assert counts == {len(HEADS_OF_TABLE) + 1}
    assert len(table) == 2 + 4
    assert "- skipped metrics/clustering/bad.json" in text


def test_intervals_and_ends_are_shown(board):
    """Four digits of scores; until: a commit, or now."""
    rows = choose(board.rows, Choice(benchmarks=["toy"], sort="name"))
    text = to_markdown(board, rows)
    assert "| 0.5000 | [0.4000, 0.6000] |" in text
    assert text.count("| now |") == 3
    long = replace(rows[0], params=tuple(f"k{i}=1" for i in range(5)))
    assert "k0=1, k1=1, k2=1, and 2 more" in to_markdown(board, [long])


def test_the_page_opens_offline(board, browse, tmp_path):
    """No request, no error, and what params say stays text."""
    path = tmp_path / "board.html"
    html = to_html(board, choose(board.rows, Choice(metrics=["all"])))
    path.write_text(html)
    assert "<script>alert" not in html
    assert "http" not in html
    dom, console = browse(path)
    assert console == []
    assert dom.count("<tr") == 1 + len(board.rows)
    assert 'aria-label="All rows"' in dom


def test_the_page_sorts_and_filters(board, browse, tmp_path):
    """A click on a head sorts by number; words in the box hide other rows."""
    html = to_html(board, choose(board.rows, Choice(benchmarks=["toy"])))
    mean = HEADS_OF_TABLE.index("mean")
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


def test_long_params_are_cut_in_tables_alone(board):
    """Tables show how a value begins; CSV has all of it."""
    long = f"data.sources={['coco'] * 20}"
    row = replace(board.rows[0], params=[long])
    (shown,) = (text for text in cells(row) if text.startswith("data.sources"))
    assert len(shown) == 40
    assert shown.endswith("…")
    assert long in cells(row, None)
    assert long in to_csv([row]).replace('""', '"')
