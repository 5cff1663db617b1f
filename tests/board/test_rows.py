"""The leaderboard against histories made by hand, and against this one's git show."""

import subprocess

import pytest

from mmclust.board.choice import choose
from mmclust.board.contents import summaries_of
from mmclust.board.rows import gather
from mmclust.core.errors import MmclustError
from mmclust.scoring.record import parse
from tests.board.boards import SCORES, Board, git, score, scores
from tests.conftest import ROOT

RETRIEVE = "metrics/details/retrieve/pool.csv"


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path / "repo")


def found(board, metric="acc", **options):
    """Return clusterer → (mean, spells, now) of each row, in order."""
    rows = [r for r in gather(board.root, **options).rows if r.metric == metric]
    return [(r.method, r.score.mean, r.spells, r.now) for r in rows]


def test_a_number_is_one_row_also_where_it_went_and_came_back(board):
    """One stays, one goes and comes back, one comes, one goes; none is told twice."""
    one = board.commit({SCORES: scores(kmeans=0.5, ward=0.6, gone=0.1)})
    two = board.commit({SCORES: scores(kmeans=0.5, ward=0.7, gone=0.1)})
    board.commit({"README.md": {}}, lock=False)
    three = board.commit({SCORES: scores(kmeans=0.5, ward=0.6, new=0.2)})
    assert found(board) == [
        ("kmeans", 0.5, ((one, three),), True),
        ("ward", 0.6, ((one, one), (three, three)), True),
        ("gone", 0.1, ((one, two),), False),
        ("ward", 0.7, ((two, two),), False),
        ("new", 0.2, ((three, three),), True),
    ]
    _, again, _, between, _ = gather(board.root).rows
    assert again.notes == (f"went after {one[:7]}, came back with {three[:7]}",)
    assert again.before == f"0.7 until {two[:7]}"
    assert between.before == f"0.6 until {one[:7]}"


def test_the_workspace_is_shown_with_what_is_not_committed(board):
    """A new number has no commit; an old one that is here again came back."""
    one = board.commit({SCORES: scores(kmeans=0.5)})
    two = board.commit({SCORES: scores(kmeans=0.6)})
    board.write({SCORES: scores(kmeans=0.7)})
    board.lock()
    rows = gather(board.root).rows
    assert [(r.score.mean, r.commit, r.now) for r in rows] == [
        (0.5, one, False), (0.6, two, False), (0.7, "", True),
    ]  # fmt: skip
    assert (rows[2].command, rows[2].before) == ("", f"0.6 until {two[:7]}")
    board.write({SCORES: scores(kmeans=0.5)})
    board.lock()
    rows = gather(board.root).rows
    assert [(r.score.mean, r.now) for r in rows] == [(0.5, True), (0.6, False)]
    assert rows[0].notes == (f"went after {one[:7]}, came back with the workspace",)
    assert git(board.root, "worktree", "list").count("\n") == 0


def test_another_interval_or_definition_is_another_row(board):
    """In every family; the id of the definition is told."""
    for name, half in (("one-1", 0.1), ("one-1", 0.2), ("one-2", 0.2)):
        word = score(0.5, key=("lsa", "main", ""), metric="rsum", definition=name)
        board.commit({SCORES: [score(half=half, definition=name)], RETRIEVE: [word]})
    rows = gather(board.root).rows
    told = [(r.stage, r.now, r.notes) for r in rows]
    other = ("defined as one-1, now one-2",)
    assert told == [
        ("retrieve", False, other), ("score", False, other), ("score", False, other),
        ("retrieve", True, ()), ("score", True, ()),
    ]  # fmt: skip


def test_side_branches(board):
    """A merged side branch counts, also where the merge took the other side's numbers;
    an unmerged one is asked for; what two branches have is one row."""
    board.commit({SCORES: scores(kmeans=0.5)})
    git(board.root, "checkout", "-qb", "side")
    side = board.commit({SCORES: scores(kmeans=0.6, both=0.3)})
    git(board.root, "checkout", "-qb", "other", "main")
    board.commit({SCORES: scores(kmeans=0.7)})
    git(board.root, "checkout", "-q", "main")
    main = board.commit({SCORES: scores(kmeans=0.4, both=0.3)})
    git(board.root, "merge", "-q", "-s", "ours", "-m", "m", "side")
    rows = [r for r in gather(board.root).rows if r.method == "kmeans"]
    assert {(r.score.mean, r.commit) for r in rows} >= {(0.6, side), (0.4, main)}
    assert 0.7 not in {r.score.mean for r in rows}
    assert 0.7 in {r[1] for r in found(board, branches=True)}
    assert [r.score.mean for r in rows if r.now] == [0.4]
    (both,) = [r for r in gather(board.root).rows if r.method == "both"]
    assert both.notes[0].startswith("recorded apart by")


def test_experiments_show_what_their_base_does_not_have(board):
    """Only numbers that differ, with name and params; the base stays one row."""
    params = {"model": {"k": 3}, "encoders": {"hog": {}}}
    base = board.commit({SCORES: scores(kmeans=0.5, ward=0.6), "params.yaml": params})
    tried = {SCORES: scores(kmeans=0.55, ward=0.6), "params.yaml": {"model": {"k": 4}}}
    commit = board.experiment("bold-idea", base, tried)
    git(board.root, "update-ref", "refs/exps/exec/EXEC_HEAD", commit)
    rows = gather(board.root).rows
    assert [(r.method, r.score.mean, r.experiment) for r in rows] == [
        ("kmeans", 0.5, ""),
        ("ward", 0.6, ""),
        ("kmeans", 0.55, "bold-idea"),
    ]
    assert rows[2].params == ("encoders.hog unset", "model.k=4")
    assert not rows[2].now
    assert len(found(board, with_experiments=False)) == 2


@pytest.mark.parametrize("summary", summaries_of("toy"))
def test_data_are_those_that_the_scores_were_made_from(board, summary):
    """A commit may rebuild the data and not score again: dvc.lock knows."""
    first = board.commit({summary: {"manifest": "a" * 64}, SCORES: scores(kmeans=0.5)})
    board.commit({summary: {"manifest": "b" * 64}}, lock=False)
    last = board.commit({})  # scored again: the same number, of other data
    rows = gather(board.root).rows
    assert [(r.held.data[0], r.spells, r.now) for r in rows] == [
        ("a", ((first, first),), False),
        ("b", ((last, last),), True),
    ]


@pytest.mark.parametrize(
    ("lock", "note"),
    [
        (b"", "dvc.lock does not list its file"),
        (None, "dvc.lock has another version of its file"),
    ],
)
def test_numbers_that_no_run_recorded_are_told(board, lock, note):
    """A record edited by hand, or committed without its dvc.lock."""
    board.commit({SCORES: scores(kmeans=0.5)})
    files = {SCORES: scores(kmeans=0.9)}
    board.commit(files if lock is None else files | {"dvc.lock": lock}, lock=False)
    assert [r.notes for r in gather(board.root).rows if r.now] == [(note,)]


def test_a_number_whose_run_is_committed_later_is_made_there(board):
    """Since the first commit, without a note; `reproduce` takes the second."""
    first = board.commit({SCORES: scores(kmeans=0.9), "dvc.lock": b""}, lock=False)
    second = board.commit({})
    (row,) = gather(board.root).rows
    assert (row.commit, row.made, row.notes) == (first, second, ())


def test_params_are_compared_with_those_here(board):
    """Flat keys, those that matter to the row first; lists are values."""
    then = {"model": {"k": 3, "n": 1}, "encoders": {"hog": {"c": 8}, "lsa": {"d": 1}}}
    now = {"model": {"k": None, "n": 1}, "encoders": {"hog": {}, "lsa": {"d": [1]}}}
    board.commit({SCORES: scores(kmeans=0.5), "params.yaml": then})
    board.commit({SCORES: scores(kmeans=0.6), "params.yaml": now})
    before, after = gather(board.root).rows
    assert before.params == ("encoders.hog.c=8", "model.k=3", "encoders.lsa.d=1")
    assert after.params == ()
    board.commit({SCORES: scores(kmeans=0.7)})  # params.yaml stays: it is read once
    told = [row.params for row in gather(board.root).rows]
    assert told == [before.params, (), ()]


def test_what_cannot_be_read_is_told(board):
    """A record of another version costs its own rows; older commits are counted."""
    old = {"metrics/clustering/toy.json": {"hog": {"image": {"kmeans": {"acc": 1}}}}}
    board.commit(old, lock=False)
    git(board.root, "rm", "-q", "metrics/clustering/toy.json")
    bad = "metrics/details/score/bad.csv"
    commit = board.commit({SCORES: scores(kmeans=0.5), bad: b"encoder,acc\n"})
    read = gather(board.root)
    assert [r.method for r in read.rows] == ["kmeans"]
    assert read.remarks == [
        f"skipped {bad} of {name}: of another version (the columns encoder, acc)"
        for name in (commit[:7], "the workspace")
    ] + ["1 commit before the record of scores was not read"]


def test_ids_stay(board):
    """The same whatever is asked for, and as history grows; one for each row."""
    board.commit({SCORES: scores(kmeans=0.5, ward=0.6)})
    board.commit({SCORES: scores(kmeans=0.5, ward=0.7)})
    before = [r.id for r in gather(board.root).rows]
    assert len(set(before)) == 3
    board.commit({SCORES: scores(kmeans=0.5, ward=0.8)})
    assert [r.id for r in gather(board.root).rows][:3] == before
    last = gather(board.root, max_commits=1).rows
    # The number of the first commit still stands: it is shown, with its first commit.
    assert (last[0].method, last[0].id) == ("kmeans", before[0])
    assert [r.score.mean for r in last] == [0.5, 0.8]


def test_a_shallow_clone_is_told(board, tmp_path):
    """First commits cannot be known there."""
    board.commit({SCORES: scores(kmeans=0.5)})
    board.commit({SCORES: scores(kmeans=0.5, ward=0.6)})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{board.root}", "shallow")
    assert "the clone is shallow" in gather(tmp_path / "shallow").remarks[0]


def test_no_history_is_one_clear_error(board, tmp_path):
    """No repository, no commit, no record, not the root."""
    (tmp_path / "plain").mkdir()
    with pytest.raises(MmclustError, match="There is no git history to read"):
        gather(tmp_path / "plain")
    with pytest.raises(MmclustError, match="There is no git history to read"):
        gather(board.root)
    board.commit({"params.yaml": {}}, lock=False)
    with pytest.raises(MmclustError, match="No commit has a record of scores"):
        gather(board.root)
    (board.root / "sub").mkdir()
    with pytest.raises(MmclustError, match="not the root of the repository"):
        gather(board.root / "sub")


def means(rows, **choice):
    return [r.score.mean for r in choose(rows, **choice)]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    made = Board(tmp_path_factory.mktemp("board") / "repo")
    made.commit({SCORES: [score(0.5), score(0.3, metric="nmi")]})

    def rank(encoder, mean):
        key = (encoder, "main", "")
        return [score(200 + mean, key=key, metric="rsum", k=None),
                score(mean, key=key, metric="i2t_median_rank", k=None)]  # fmt: skip

    made.commit(
        {
            SCORES: [
                score(0.6), score(0.3, metric="nmi"),
                score(0.55, key=("hog", "image", "ward"), k=20),
                score(0.4, key=("lsa", "text", "kmeans")),
            ],
            RETRIEVE: rank("hog", 3.0) + rank("lsa", 9.0),
        }
    )  # fmt: skip
    return gather(made.root).rows


def test_one_row_for_each_method_by_its_first_headline(rows):
    """acc of clusters, rsum of retrieval; all: every number there was."""
    assert means(rows) == [209.0, 203.0, 0.6, 0.55, 0.4]
    assert means(rows, metric=["nmi"]) == [0.3]
    assert len(means(rows, metric=["all"], every=True)) == len(rows) == 9


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"encoder": ["lsa"], "benchmark": ["toy"]}, [0.4]),
        ({"method": ["ward"]}, [0.55]),
        ({"view": ["text", "image"], "every": True}, [0.6, 0.55, 0.5, 0.4]),
        ({"benchmark": ["toy"], "current": True, "every": True}, [0.6, 0.55, 0.4]),
        ({"benchmark": ["toy"], "top": 2}, [0.6, 0.55]),
        ({"most": 3}, [209.0, 203.0, 0.6]),  # each benchmark in its turn
        ({"benchmark": ["toy"], "sort": "name", "every": True}, [0.5, 0.6, 0.55, 0.4]),
        ({"metric": ["i2t_median_rank"], "top": 1}, [3.0]),  # lower is better
    ],
)
def test_filters_and_order(rows, choice, expected):
    """Best first within benchmark and metric; by name, then date."""
    assert means(rows, **choice) == expected


def test_latest_first(rows):
    """Sorted by date."""
    dates = [r.date for r in choose(rows, sort="date", every=True)]
    assert dates == sorted(dates, reverse=True)
    assert dates[0] != dates[-1]


def test_a_name_that_no_row_has(rows):
    """Named, with the nearest that rows have."""
    with pytest.raises(MmclustError, match="No number is of encoder") as caught:
        choose(rows, encoder=["hogg"])
    assert "Did you mean 'hog'?" in str(caught.value)
    assert "--encoder" in str(caught.value)


def test_every_row_of_this_repository_is_what_git_shows():
    """Over all its commits of records: mean, interval and k of first and last."""
    if not (ROOT / ".git").exists():
        pytest.skip("no history here")
    try:
        read = gather(ROOT, with_experiments=False)
    except MmclustError:
        pytest.skip("no record of scores here")
    files = {}
    for row in read.rows:
        for commit in {row.commit, row.until} - {""}:
            at = (commit, row.held.path)
            if at not in files:
                shown = subprocess.run(
                    ["git", "show", ":".join(at)], cwd=ROOT, capture_output=True,
                    check=True,
                ).stdout  # fmt: skip
                files[at] = parse(shown, at)
            recorded = files[at].get(row.score.key, row.metric)
            assert recorded.mean == row.score.mean
            assert (recorded.low, recorded.high) == (row.score.low, row.score.high)
            assert row.k == ("" if recorded.k is None else str(recorded.k))
