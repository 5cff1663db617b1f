"""`mmclust leaderboard` as a user runs it."""

import csv
import json

import pytest

from tests.board.boards import SCORES, Board, scores


@pytest.fixture
def root(tmp_path):
    board = Board(tmp_path / "repo")
    board.commit({SCORES: scores(kmeans=0.5), "metrics/details/score/bad.csv": b"x\n"})
    board.commit({SCORES: scores(kmeans=0.6, ward=0.4)})
    return board.root


def test_the_table_and_what_was_skipped(run_mmclust, root):
    """Best first; the reason of what is left out, on the side, exit code 0."""
    done = run_mmclust("leaderboard", cwd=root)
    assert done.returncode == 0
    places = [done.stdout.index(f" {mean} ± 0.1000") for mean in ("0.6000", "0.4000")]
    assert places == sorted(places)
    assert " 0.5000 ± " not in done.stdout
    assert "2 of 3 numbers" in done.stdout
    assert "skipped metrics/details/score/bad.csv of" in done.stderr
    assert "Traceback" not in done.stderr
    assert " 0.5000 ± " in run_mmclust("leaderboard", "--history", cwd=root).stdout


def test_forty_rows_at_most(run_mmclust, tmp_path):
    """Unless more are asked for."""
    many = {f"m{n:02}": 0.5 + n / 1000 for n in range(60)}
    board = Board(tmp_path / "repo")
    board.commit({SCORES: scores(**many)})
    done = run_mmclust("leaderboard", cwd=board.root)
    assert "40 of 60 numbers" in done.stdout
    done = run_mmclust("leaderboard", "--top", "99", cwd=board.root)
    assert "60 of 60" in done.stdout


def test_files(run_mmclust, root):
    """Every format is written whole."""
    for kind in ("csv", "json", "html", "markdown"):
        done = run_mmclust("leaderboard", "--history", "--format", kind,
                           "--out", f"b.{kind}", cwd=root)  # fmt: skip
        assert done.stdout == f"wrote b.{kind} (3 rows)\n"
    with (root / "b.csv").open(newline="") as file:
        assert [row["mean"] for row in csv.DictReader(file)] == ["0.6", "0.5", "0.4"]
    assert len(json.loads((root / "b.json").read_text())["rows"]) == 3
    piped = run_mmclust("leaderboard", "-f", "csv", "--top", "1", cwd=root).stdout
    assert piped.splitlines() == (root / "b.csv").read_text().splitlines()[:2]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("leaderboard", "--metric", "ac"), 1, "Did you mean 'acc'?"),
        (("leaderboard", "--top", "0"), 2, "--top"),
        (("reproduce", "nothing"), 1, "No row begins with 'nothing'"),
    ],
)
def test_errors_are_one_message(run_mmclust, root, arguments, code, text):
    """What, where, and the nearest name; no traceback."""
    done = run_mmclust(*arguments, cwd=root)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
