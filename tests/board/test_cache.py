"""What is kept of git's blobs changes no row, and what is parsed by parts no value."""

import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
import yaml

from mmclust.board import cache
from mmclust.board.cache import Cache
from mmclust.board.contents import record_of, stages_of
from mmclust.board.history import Reader
from mmclust.board.rows import gather
from mmclust.core.errors import MmclustError
from mmclust.core.yaml_file import parse_lock
from mmclust.scoring.record import parse, write
from tests.board.boards import SCORES, Board, git, score, scores
from tests.conftest import ROOT

SUMMARY = "data/benchmarks/toy.json"


@pytest.fixture
def board(tmp_path):
    """A history in which params, data and scores change, one after another."""
    made = Board(tmp_path / "repo")
    made.commit({SCORES: scores(kmeans=0.5, ward=0.6), "params.yaml": {"k": 1}})
    made.commit({SUMMARY: {"manifest": "a" * 64}, "params.yaml": {"k": 2}})
    made.commit({SCORES: scores(kmeans=0.5, ward=0.7)})
    made.commit({SUMMARY: {"manifest": "b" * 64}, "params.yaml": {"k": "2"}})
    made.commit({"params.yaml": {"k": 3, "seed": 1.5}})
    return made


def told(board):
    """Return all that is said of the rows, and the remarks."""
    found = gather(board.root, branches=True)
    return [asdict(row) for row in found.rows], found.remarks


def made(_cache, _kind, _blob, make):
    """Stand in for a cache: make everything."""
    return make()


def kept(board):
    return board.root / ".git" / cache.NAME


def test_rows_are_the_same_with_any_cache(board, monkeypatch):
    """Without, cold, warm, damaged, cut, of other code and full of something else."""
    with monkeypatch.context() as patch:
        patch.setattr(Cache, "of", made)
        without = told(board)
    assert not kept(board).exists()
    assert len(without[0]) == 7  # kmeans of three data, ward of two twice
    assert without[0][0]["params"] == ("seed unset", "k=1")
    assert told(board) == without
    whole = kept(board).read_bytes()
    with monkeypatch.context() as patch:  # nothing is derived again
        patch.setattr("mmclust.board.history.stages_of", None)
        patch.setattr("mmclust.board.history.flat_params", None)
        assert told(board) == without
    at = len(whole) // 2
    other = zlib.compress(b"lock x\t{}")
    for damaged in (
        b"", whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
        b"0" * cache.DIGITS + other, b"\xff" * 200,
    ):  # fmt: skip
        kept(board).write_bytes(damaged)
        assert told(board) == without
        assert kept(board).read_bytes() == whole
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_code", lambda: b"another version")
        assert told(board) == without
        assert kept(board).read_bytes() != whole
    assert told(board) == without


def test_a_cache_that_cannot_be_read_or_written_costs_time_alone(board):
    """A folder in its place, or a file where its folder would be."""
    without = told(board)
    kept(board).unlink()
    kept(board).mkdir()
    assert told(board) == without
    kept(board).rmdir()
    kept(board).parent.rmdir()
    kept(board).parent.write_text("x")
    assert told(board) == without
    assert kept(board).parent.read_text() == "x"


def test_two_runs_at_once(board):
    """Each has its rows, and what is left is whole."""
    without = told(board)
    whole = kept(board).read_bytes()
    for _ in range(3):
        kept(board).unlink()
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(told, [board] * 4)) == [without] * 4
        assert kept(board).read_bytes() == whole
    assert [path.name for path in kept(board).parent.iterdir()] == ["board"]


def test_a_history_that_was_rewritten(board, monkeypatch):
    """Rows are those of the new commits; what only the old had is not shown."""
    told(board)
    git(board.root, "reset", "-q", "--hard", "HEAD~3")
    board.commit({SCORES: scores(kmeans=0.4, ward=0.6), "params.yaml": {"k": 9}})
    git(board.root, "commit", "-q", "--amend", "-m", "other", date=20)
    rows, remarks = told(board)
    assert {row["score"]["mean"] for row in (r["held"] for r in rows)} == {
        0.5,
        0.6,
        0.4,
    }
    monkeypatch.setattr(Cache, "of", made)
    assert told(board) == (rows, remarks)


def test_worktrees_share_it(board, tmp_path):
    """It is in the folder of git that they have in common."""
    git(board.root, "worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    gather(tmp_path / "other")
    assert kept(board).is_file()


def test_it_is_bounded(board, monkeypatch):
    """What was not used for longest goes; what does not fit is made again."""
    without = told(board)
    whole = len(kept(board).read_bytes())
    kept(board).unlink()
    monkeypatch.setattr(cache, "LIMIT", 250)
    assert told(board) == without
    assert len(kept(board).read_bytes()) < whole
    assert told(board) == without
    held = Cache(kept(board))
    for blob in "abcdefgh":
        held.of("x", blob, lambda: "y" * 60)
    held.of("x", "d", lambda: "never")
    held.save()
    again = Cache(kept(board))
    assert [again.of("x", blob, lambda: 0) for blob in "fghd"] == [0] + ["y" * 60] * 3


def test_what_is_not_equal_to_itself_is_not_kept(tmp_path):
    """NaN is made each time."""
    held = Cache(tmp_path / "cache")
    held.of("x", "a", lambda: [float("nan")])
    held.save()
    assert Cache(tmp_path / "cache").of("x", "a", lambda: 1) == 1


LOCK = """schema: '2.0'
stages:
  one:
    cmd: true
    outs:
    - path: a
      md5: '1'
  two@x-y:
    cmd: |-
      first

      second
    deps:
    - path: a
      md5: '1'
    params:
      params.yaml:
        text: 'a long line
          goes on'
"""


@pytest.mark.parametrize(
    "text",
    [
        LOCK,
        LOCK.replace("\n", "\r\n"),
        LOCK.replace("schema: '2.0'\n", ""),
        f"# by hand\n{LOCK}",
        f"{LOCK}schema: '2.0'\n",
        f"{LOCK}  one: {{}}\n",  # a stage twice
        f"{LOCK}  three: 3\n",
        LOCK.replace("cmd: true", 'cmd: "a\n  four: {outs: [{path: b}]}"'),
        LOCK.replace("cmd: true", "cmd: {\n  five: 1\n  }"),
        LOCK.replace("path: a\n      md5: '1'\n  t", "&a path: a\n  t").replace(
            "- path: a\n      md5: '1'\n    p", "- *a : b\n    p"
        ),
        LOCK.replace("goes on", "göht"),
        LOCK.replace("goes on'", "goes on"),
        "", "stages: 1\n", "schema: '2.0'\nstages:\n",
    ],
)  # fmt: skip
def test_a_lock_is_read_by_stages_as_it_is_read_whole(text):
    """Whatever it looks like, and whatever was read before; errors are errors."""

    def read(how):
        try:
            return how(text.encode())
        except MmclustError as error:
            return str(error)

    known = {}
    stages_of(LOCK.encode(), known)
    assert len(known) == 2
    assert read(lambda data: stages_of(data, known)) == read(parse_lock)
    assert read(lambda data: stages_of(data, {})) == read(parse_lock)


def test_only_a_stage_that_changed_is_parsed(monkeypatch):
    """Of a second lock; its value is the new one."""
    known = {}
    stages_of(LOCK.encode(), known)
    parsed = []
    monkeypatch.setattr(
        "mmclust.board.contents.parse_lock",
        lambda data: parsed.append(data) or parse_lock(data),
    )
    changed = LOCK.replace("md5: '1'\n  two", "md5: '7'\n  two").encode()
    assert stages_of(changed, known)[0].outs == {"a": "7"}
    (part,) = parsed
    assert list(yaml.safe_load(part)["stages"]) == ["one"]


def test_this_repository_s_lock_and_records():
    """By parts, they are what they are whole."""
    data = (ROOT / "dvc.lock").read_bytes()
    known = {}
    assert stages_of(data, known) == parse_lock(data)
    assert len(known) == len(parse_lock(data)) > 10
    lines = {}
    paths = sorted((ROOT / "metrics/details").rglob("*.csv"))
    for path in [*paths, *paths]:
        data = path.read_bytes()
        try:
            whole = parse(data, path)
        except MmclustError:  # such as resamples
            continue
        assert repr(record_of(data, lines, path)) == repr(whole)  # an sd may be NaN
    assert len(lines) > 100


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"0.6", b"0.7"), (b"ward", b'"a\nb"'), (b"\n", b"\r\n"), (b"0.6", b"x"),
        (b"\nhog", b"\n\nhog"), (b"view", b"vew"), (b"ward", b"\xff"), (b"0.6", b"nan"),
    ],
)  # fmt: skip
def test_a_record_is_read_by_lines_as_it_is_read_whole(tmp_path, old, new):
    """Also one with quotes, other line ends, a blank line or an error, by its line."""
    write(tmp_path / "a.csv", [*scores(kmeans=0.5, ward=0.6), score(0.1, versus="b")])
    data = (tmp_path / "a.csv").read_bytes()
    lines = {}
    assert record_of(data, lines, "a") == parse(data, "a")

    def read(how):
        try:
            return repr(list(how(data.replace(old, new))))
        except MmclustError as error:
            return str(error)

    whole = read(lambda data: parse(data, "a"))
    assert read(lambda data: record_of(data, lines, "a")) == whole
    assert read(lambda data: record_of(data, {}, "a")) == whole
    assert record_of(data[:-1], lines, "a") == parse(data[:-1], "a")


def test_a_tree_is_what_git_lists(board):
    """Of what is read of a commit, and no more."""
    board.commit(
        {"params.yaml.old": b"", "data/other.json": b"", "data/benchmarks/toy/x": b"",
         "metrics/ä b.json": b"", "metricsx/a.csv": b"", "other/dvc.lock": b""},
    )  # fmt: skip
    with Reader(board.root) as reader:
        for commit in git(board.root, "rev-list", "HEAD").split():
            listed = subprocess.run(
                ["git", "ls-tree", "-rz", commit, "--", "metrics", "data/benchmarks/",
                 "params.yaml", "dvc.lock"],
                cwd=board.root, capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            entries = [line.split("\t") for line in listed.split("\0") if line]
            assert list(reader.tree(commit).items()) == [
                (path, facts.split()[2]) for facts, path in entries
            ]
        with pytest.raises(MmclustError, match="git has no such object"):
            reader.tree("0" * 40)
