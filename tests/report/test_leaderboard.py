"""The leaderboard against histories made by hand, and against this one's git show."""

import json
import subprocess

import pytest

from mmclust.core.errors import MmclustError
from mmclust.report.leaderboard import gather
from tests.conftest import ROOT
from tests.report.boards import SCORES, Board, git, record, scores

SUMMARY = "data/benchmarks/toy/summary.json"


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path / "repo")


def found(board, metric="acc", **options):
    """Return clusterer → (mean, commit, until, now) of each row, in order."""
    rows = [r for r in gather(board.root, **options).rows if r.metric == metric]
    return [(r.method, r.number.mean, r.commit, r.until, r.now) for r in rows]


def test_a_number_is_one_row_from_the_first_commit_to_the_last(board):
    """One stays, one changes, one comes, one goes; none is told twice."""
    one = board.commit({SCORES: scores(kmeans=0.5, ward=0.6, gone=0.1)})
    two = board.commit({SCORES: scores(kmeans=0.5, ward=0.7, gone=0.1)})
    board.commit({"README.md": {}}, lock=False)
    three = board.commit({SCORES: scores(kmeans=0.5, ward=0.6, new=0.2)})
    assert found(board) == [
        ("kmeans", 0.5, one, three, True),
        ("ward", 0.6, one, one, True),  # the number HEAD has again …
        ("gone", 0.1, one, two, False),
        ("ward", 0.7, two, two, False),
        ("ward", 0.6, three, three, True),  # … and this is where it came back
        ("new", 0.2, three, three, True),
    ]


def test_another_interval_is_another_row(board):
    """Equal means of other resamples are not the same number."""
    board.commit({SCORES: {"hog": {"image": {"kmeans": record(0.5)}}}})
    wider = record(0.5) | {"acc_high": 0.9}
    board.commit({SCORES: {"hog": {"image": {"kmeans": wider}}}})
    assert [row[4] for row in found(board)] == [False, True]


def test_side_branches(board):
    """A merged side branch counts, also where the merge took the other side's numbers;
    an unmerged one is asked for."""
    board.commit({SCORES: scores(kmeans=0.5)})
    git(board.root, "checkout", "-qb", "side")
    side = board.commit({SCORES: scores(kmeans=0.6)})
    git(board.root, "checkout", "-qb", "other", "main")
    other = board.commit({SCORES: scores(kmeans=0.7)})
    git(board.root, "checkout", "-q", "main")
    main = board.commit({SCORES: scores(kmeans=0.4)})
    git(board.root, "merge", "-q", "-s", "ours", "-m", "m", "side")
    assert {(r[1], r[2]) for r in found(board)} >= {(0.6, side), (0.4, main)}
    assert 0.7 not in {r[1] for r in found(board)}
    assert (0.7, other) in {(r[1], r[2]) for r in found(board, branches=True)}
    assert [r[1] for r in found(board) if r[4]] == [0.4]


def test_experiments_show_what_their_base_does_not_have(board):
    """Only numbers that differ, with name and params; the base stays one row."""
    params = {"model": {"k": 3}, "encoders": {"hog": {}}}
    base = board.commit({SCORES: scores(kmeans=0.5, ward=0.6), "params.yaml": params})
    tried = board.commit(
        {SCORES: scores(kmeans=0.55, ward=0.6), "params.yaml": {"model": {"k": 4}}}
    )
    ref = f"refs/exps/{base[:2]}/{base[2:]}/bold-idea"
    git(board.root, "update-ref", ref, tried)
    git(board.root, "update-ref", "refs/exps/exec/EXEC_HEAD", tried)
    git(board.root, "reset", "-q", "--hard", base)
    rows = [r for r in gather(board.root).rows if r.metric == "acc"]
    assert [(r.method, r.number.mean, r.experiment) for r in rows] == [
        ("kmeans", 0.5, ""),
        ("ward", 0.6, ""),
        ("kmeans", 0.55, "bold-idea"),
    ]
    assert rows[2].params == ("encoders.hog unset", "model.k=4")
    assert not rows[2].now
    assert len(found(board, with_experiments=False)) == 2


def test_data_are_those_that_the_metrics_were_made_from(board):
    """A commit may rebuild the data and not score again: dvc.lock knows."""
    first = board.commit({SUMMARY: {"manifest": "a" * 64}, SCORES: scores(kmeans=0.5)})
    board.commit({SUMMARY: {"manifest": "b" * 64}}, lock=False)
    last = board.commit({})  # scored again: the same number, of other data
    rows = [r for r in gather(board.root).rows if r.metric == "acc"]
    assert [(r.data[0], r.commit, r.until, r.now) for r in rows] == [
        ("a", first, first, False),
        ("b", last, last, True),
    ]


def test_the_manifest_leads_to_the_summary(board):
    """Retrieval reads no summary; the build that made its manifest wrote one."""
    path = "metrics/retrieval/toy/hog.json"
    rsum = {"main": {"rsum": 200.0, "rsum_low": 190.0, "rsum_high": 210.0}}
    board.write({path: rsum, SUMMARY: {"manifest": "c" * 64}})
    board.lock()
    text = (board.root / "dvc.lock").read_text()
    md5 = "0" * 32
    manifest = f"    - path: data/benchmarks/toy/manifest.parquet\n      md5: {md5}\n"
    text = text.replace("    deps: []\n", f"    deps:\n{manifest}")
    summary = git(board.root, "hash-object", SUMMARY)
    assert summary  # the file is there; its md5 is what the lock holds
    import hashlib

    digest = hashlib.md5((board.root / SUMMARY).read_bytes()).hexdigest()
    text += f"  build@toy:\n    cmd: x\n    outs:\n{manifest}"
    text += f"    - path: {SUMMARY}\n      md5: {digest}\n"
    (board.root / "dvc.lock").write_text(text)
    board.commit({}, lock=False)
    (row,) = gather(board.root).rows
    assert (row.kind, row.view, row.metric, row.k) == ("retrieval", "main", "rsum", "")
    assert row.data == "c" * 64
    assert row.notes == ()


@pytest.mark.parametrize(
    ("lock", "note"),
    [
        (b"", "dvc.lock does not list its file"),
        (None, "dvc.lock has another version of its file"),
    ],
)
def test_numbers_that_no_run_recorded_are_told(board, lock, note):
    """A metrics file edited by hand, or committed without its dvc.lock."""
    board.commit({SCORES: scores(kmeans=0.5)})
    files = {SCORES: scores(kmeans=0.9)}
    board.commit(files if lock is None else files | {"dvc.lock": lock}, lock=False)
    rows = [r for r in gather(board.root).rows if r.now]
    assert [r.notes for r in rows] == [(note,)]


def test_params_are_compared_with_heads(board):
    """Flat keys, those that matter to the row first; lists are values."""
    then = {"model": {"k": 3, "n": 1}, "encoders": {"hog": {"c": 8}, "lsa": {"d": 1}}}
    now = {"model": {"k": None, "n": 1}, "encoders": {"hog": {}, "lsa": {"d": [1]}}}
    board.commit({SCORES: scores(kmeans=0.5), "params.yaml": then})
    board.commit({SCORES: scores(kmeans=0.6), "params.yaml": now})
    before, after = (r for r in gather(board.root).rows if r.metric == "acc")
    assert before.params == ("encoders.hog.c=8", "model.k=3", "encoders.lsa.d=1")
    assert after.params == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"hog": {"image": {"kmeans": {"k": 3, "acc": NaN}}}}', "NaN"),
        ({"hog": {"image": {"bad": record(57.0)}}}, "scores are in [0, 1]"),
        ({"hog": {"image": {"bad": {"k": 3, "accuracy": 0.5}}}}, "no score"),
        ({"hog": {"image": {"bad": {"acc": 0.5}}}}, "k, the number of clusters"),
        ({"hog": {"image": {"bad": record() | {"acc": "0.5"}}}}, "acc is str"),
        ({"hog": {"image": {"bad": 0.5}}}, "holds float, not an object"),
        ({"schema": 2, "rows": []}, "schema holds int, not an object"),
        ([1, 2], "holds list, not an object"),
        (None, "holds NoneType, not an object"),
    ],
)
def test_what_cannot_be_read_is_skipped_with_the_reason(board, content, reason):
    """Another schema or damage costs its own rows only, and is told."""
    good = scores(kmeans=0.5)
    bad = "metrics/clustering/bad.json"
    commit = board.commit({SCORES: good, bad: content})
    read = gather(board.root)
    assert [r.method for r in read.rows] == ["kmeans"]
    (skipped,) = read.skipped
    assert (skipped.commit, skipped.path) == (commit, bad)
    assert reason in skipped.reason


def test_a_record_that_cannot_be_read_leaves_the_others(board):
    """Record by record, not file by file."""
    value = scores(kmeans=0.5)
    value["hog"]["image"]["bad"] = record(57.0)
    board.commit({SCORES: value})
    read = gather(board.root)
    assert [r.method for r in read.rows] == ["kmeans"]
    assert read.skipped[0].reason.startswith("hog.image.bad: acc is 57")


def test_heads_words_and_grounding(board):
    """A head's row has the encoder whose space it was trained in, and its own kind."""
    interval = {"x": 0.3, "x_low": 0.2, "x_high": 0.4, "x_why": "", "none": None,
                "none_low": None, "none_high": None}  # fmt: skip
    board.commit(
        {
            SCORES: {"clip": {"image": {"tac": record(0.4)}},
                     "heads": {"image": {"tac": record(0.6)}}},
            "metrics/cognition/joint.json": {"model": "joint"} | interval,
            "metrics/grounding.json": {"benchmark": "toy", "model": "joint"} | interval,
            "params.yaml": {"model": {"encoder": "clip"},
                            "learning": {"benchmark": "w"}},
        }
    )  # fmt: skip
    rows = {
        (r.kind, r.benchmark, r.encoder, r.method, r.metric): r.number.mean
        for r in gather(board.root).rows
    }
    assert rows == {
        ("clustering", "toy", "clip", "tac", "acc"): 0.4,
        ("heads", "toy", "clip", "tac", "acc"): 0.6,
        ("cognition", "w", "joint", "cognition", "x"): 0.3,
        ("grounding", "toy", "joint", "grounding", "x"): 0.3,
    }


def test_another_definition_is_told(board):
    """The same name with another meaning is not compared in silence."""
    path = "metrics/retrieval/toy/hog.json"
    for text in ("old", "new"):
        value = {"rsum": 2.0, "rsum_low": 1.0, "rsum_high": 3.0, "definition": text}
        board.commit({path: {"main": value}})
    assert [(r.now, r.notes) for r in gather(board.root).rows] == [
        (False, ("defined in another way than at HEAD",)),
        (True, ()),
    ]


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
    assert [r.number.mean for r in last] == [0.5, 0.8]


def test_nothing_is_checked_out_and_a_dirty_tree_is_told(board):
    """Uncommitted numbers are not shown, and not touched."""
    board.commit({SCORES: scores(kmeans=0.5)})
    assert gather(board.root).remarks == []
    board.write({SCORES: scores(kmeans=0.9), "metrics/clustering/new.json": {}})
    read = gather(board.root)
    assert [r.number.mean for r in read.rows] == [0.5]
    (remark,) = read.remarks
    assert remark.startswith("the working tree is dirty (2 paths differ from HEAD)")
    assert json.loads((board.root / SCORES).read_text()) == scores(kmeans=0.9)
    assert git(board.root, "worktree", "list").count("\n") == 0


def test_a_shallow_clone_is_told(board, tmp_path):
    """First commits cannot be known there."""
    board.commit({SCORES: scores(kmeans=0.5)})
    board.commit({SCORES: scores(kmeans=0.5, ward=0.6)})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{board.root}", "shallow")
    assert "the clone is shallow" in gather(tmp_path / "shallow").remarks[0]


def test_no_history_is_one_clear_error(board, tmp_path):
    """No repository, no commit, no metrics, not the root."""
    (tmp_path / "plain").mkdir()
    with pytest.raises(MmclustError, match="There is no git history to read"):
        gather(tmp_path / "plain")
    with pytest.raises(MmclustError, match="There is no git history to read"):
        gather(board.root)
    board.commit({"params.yaml": {}}, lock=False)
    with pytest.raises(MmclustError, match="No commit has metrics"):
        gather(board.root)
    (board.root / "sub").mkdir()
    with pytest.raises(MmclustError, match="not the root of the repository"):
        gather(board.root / "sub")


def show(commit, path):
    done = subprocess.run(
        ["git", "show", f"{commit}:{path}"], cwd=ROOT, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def test_every_row_of_this_repository_is_what_git_shows():
    """Over all its commits of metrics, three at least: mean, interval and k."""
    if not (ROOT / ".git").exists():
        pytest.skip("no history here")
    read = gather(ROOT, with_experiments=False)
    if len({r.commit for r in read.rows}) < 3:
        pytest.skip("fewer than three commits with numbers here")
    files = {}
    for row in read.rows:
        for commit in {row.commit, row.until}:
            at = (commit, row.number.path)
            shown = files[at] = files.get(at) or show(*at)
            for key in row.number.keys:
                shown = shown[key]
            number = row.number
            assert shown[row.metric] == number.mean
            assert shown[f"{row.metric}_low"] == number.low
            assert shown[f"{row.metric}_high"] == number.high
            assert str(shown.get("k", "")) == row.k
