"""`mmclust reproduce` on a small repository that real DVC runs."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml

from mmclust.core import numerics
from mmclust.core.errors import MmclustError
from mmclust.core.numerics import possible
from mmclust.report import leaderboard_reproduce as work
from mmclust.report.leaderboard import gather
from mmclust.report.leaderboard_verdict import compare
from tests.conftest import ROOT
from tests.report.boards import ENVIRONMENT, SCORES, git

DATA = "import pathlib; pathlib.Path('data.txt').write_text('0.25')\n"
SCORE = """
import json, pathlib, sys, yaml
import slow  # what a test puts there
shift = yaml.safe_load(open("params.yaml"))["shift"]
mean = float(pathlib.Path("data.txt").read_text()) + shift
record = {"k": 3, "acc": mean, "acc_low": mean - 0.1, "acc_high": mean + 0.1}
path = pathlib.Path("metrics/clustering/toy.json")
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps({"hog": {"image": {"kmeans": record}}}))
"""
STAGES = {
    "data": {"cmd": "python data.py", "deps": ["data.py"], "outs": ["data.txt"]},
    "score": {
        "cmd": "python score.py",
        "deps": ["data.txt"],  # not score.py: an edit of it goes unseen by the lock
        "params": ["shift"],
        "metrics": [{SCORES: {"cache": False}}],
    },
}


def dvc(root, *arguments):
    path = f"{Path(sys.executable).parent}:{ENVIRONMENT['PATH']}"
    subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, check=True,
        env=ENVIRONMENT | {"PATH": path}, capture_output=True,
    )  # fmt: skip


def commit(root, **files):
    for name, text in files.items():
        (root / name.replace("_", ".")).write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two runs of another ``shift``, then a commit whose code gives other numbers."""
    root = tmp_path_factory.mktemp("made") / "repo"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    dvc(root, "init", "-q")
    dvc(root, "config", "core.analytics", "false")
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    (root / "params.yaml").write_text("shift: 0\nnumerics: portable\n")
    (root / "requirements-cpu.lock").write_text("a==1\n")
    (root / "slow.py").write_text("")
    (root / "data.py").write_text(DATA)
    (root / "score.py").write_text(SCORE)
    dvc(root, "repro")
    commit(root)
    (root / "params.yaml").write_text("shift: 0.5\nnumerics: portable\n")
    dvc(root, "repro")
    commit(root)
    return root


@pytest.fixture
def repo(made, tmp_path, monkeypatch):
    """A copy of it, and an own folder for temporary files."""
    shutil.copytree(made, tmp_path / "repo", symlinks=True)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "repo"


def row_of(repo, mean):
    rows = gather(repo, branches=True).rows
    return next(r for r in rows if r.number.mean == mean)


def clean(repo):
    """Nothing of the worktree is left, and the checkout is as it was."""
    return (
        list((repo.parent / "tmp").iterdir()) == []
        and git(repo, "worktree", "list").count("\n") == 0
        and git(repo, "status", "--porcelain") == ""
    )


def test_the_same_numbers_again(repo):
    """An older commit: its params, its code; the data from the cache."""
    row = row_of(repo, 0.25)
    heard = []
    verdict = work.reproduce(repo, row, tell=heard.append)
    assert verdict.same
    assert (verdict.again, verdict.differing) == (0.25, ())
    assert verdict.ran == ("score",)  # ran, rather than came from the run cache
    assert any("'data' is cached" in line for line in heard)
    assert clean(repo)


def test_without_a_cache_the_stages_before_run(repo):
    """What the cache lacks is made."""
    row = row_of(repo, 0.75)
    shutil.rmtree(repo / ".dvc/cache")
    verdict = work.reproduce(repo, row)
    assert verdict.same
    assert verdict.ran == ("data", "score")
    assert clean(repo)


def changed(repo, text):
    """Commit code that gives other numbers than the metrics beside it."""
    score = SCORE.replace("+ shift", f"+ shift + {text}").replace('"k"', '"n": 1, "k"')
    path = repo / SCORES
    value = json.loads(path.read_text())
    value["hog"]["image"]["kmeans"]["acc_low"] = 0.6  # a row of its own
    path.write_text(json.dumps(value))
    commit(repo, score_py=score)
    rows = [r for r in gather(repo).rows if r.now]
    assert rows[0].notes == ("dvc.lock has another version of its file",)
    return rows[0]


def test_other_numbers_are_told_one_by_one(repo):
    """Which, by how much; more or fewer values are differences, too."""
    verdict = work.reproduce(repo, changed(repo, "0.125"))
    assert not verdict.same
    assert verdict.again == 0.875
    assert verdict.largest == pytest.approx(0.175)
    assert [name for name, *_ in verdict.differing] == [
        "hog.image.kmeans.acc",
        "hog.image.kmeans.acc_low",
        "hog.image.kmeans.acc_high",
        "hog.image.kmeans.n",
    ]
    assert verdict.differing[-1][1:] == ("(absent)", 1)
    assert clean(repo)


@pytest.mark.parametrize(
    ("then", "now", "tolerance", "same"),
    [
        ({"a": 1.0, "b": "x"}, {"a": 1.0, "b": "x"}, 0.0, True),
        ({"a": 1.0}, {"a": 1.0 + 1e-12}, 0.0, False),
        ({"a": 1.0}, {"a": 1.25}, 0.25, True),
        ({"a": 1.0}, {"a": 1.25}, 0.2, False),
        ({"a": 1.0}, {}, 9.0, False),
        ({"a": 1.0, "b": "x"}, {"a": 1.0, "b": "y"}, 9.0, False),
        ({"a": None}, {"a": 0.0}, 9.0, False),
    ],
)
def test_the_tolerance_is_for_numbers_alone(repo, then, now, tolerance, same):
    """A missing value, a text and an undefined score are no small difference."""
    row = row_of(repo, 0.25)
    assert compare(row, then, now, ("score",), tolerance).same is same


def test_a_failing_run_is_one_clear_error(repo):
    """With DVC's last lines; the worktree goes."""
    commit(repo, score_py="raise SystemExit('no luck')\n", params_yaml="shift: 1\n")
    value = {"hog": {"image": {"kmeans": {"k": 3, "acc": 0.5}}}}
    (repo / SCORES).write_text(json.dumps(value))
    commit(repo)
    with pytest.raises(MmclustError, match="dvc repro failed at that commit") as caught:
        work.reproduce(repo, row_of(repo, 0.5))
    assert "no luck" in str(caught.value)
    assert clean(repo)


def test_a_number_without_a_stage(repo):
    """dvc.lock decides; without it nothing is run."""
    row = row_of(repo, 0.75)
    with pytest.raises(MmclustError, match="Nothing says which stage made"):
        work.stage_of(repo, row.commit, "metrics/clustering/other.json")


def test_rows_are_found_by_how_they_begin(repo):
    """One row, or an error that says what to copy."""
    row = row_of(repo, 0.25)
    assert work.find_row(repo, row.id[:6]) == row
    for wanted in ("", "zz"):
        with pytest.raises(MmclustError, match="No row begins with"):
            work.find_row(repo, wanted)
    first = {r.id[0] for r in gather(repo).rows}
    if len(first) == 1:
        with pytest.raises(MmclustError, match="Several rows begin"):
            work.find_row(repo, first.pop())


def test_other_lock_files_are_named(repo):
    """The environment is this checkout's; where it may be another, that is said."""
    row = row_of(repo, 0.25)
    assert work.other_locks(repo, row.commit) == []
    (repo / "requirements-cpu.lock").write_text("a==2\n")
    (repo / "requirements-gpu.lock").write_text("")
    assert work.other_locks(repo, row.commit) == [
        "requirements-cpu.lock",
        "requirements-gpu.lock",
    ]


def start(repo, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "mmclust", "reproduce", *arguments],
        cwd=repo, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={k: v for k, v in ENVIRONMENT.items() if k != numerics.VARIABLE}
        | {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(repo.parent / "tmp")},
    )  # fmt: skip


def test_the_command_says_its_verdict(repo):
    """Exit 0 and 1; the environment's lock files; DVC's output on the side."""
    (repo / "requirements-cpu.lock").write_text("a==2\n")
    process = start(repo, row_of(repo, 0.25).id)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "requirements-cpu.lock differ from that commit's" in output
    assert "acc: recorded 0.25, made again 0.25" in output
    equal = "equal to the byte: all 4 values of metrics/clustering/toy.json are equal"
    assert equal in output
    assert "numerics portable" in output or not possible()
    git(repo, "checkout", "-q", "requirements-cpu.lock")
    process = start(repo, "--quiet", "--upstream", changed(repo, "0.125").id)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert (
        "DIFFERENT: 4 of 4 values differ, by at most 0.175" in output or not possible()
    )
    assert "ran data, score; the rest" in output
    assert "Traceback" not in output
    assert "Running stage" not in output


@pytest.mark.parametrize(
    ("shift", "within"), [("0.0625", True), ("0.125", False), ("0.0", None)]
)
def test_equality_is_not_asked_for_where_it_is_not_promised(repo, shift, within):
    """Recorded by fast numerics: scores may move within their intervals, no further."""
    commit(repo, params_yaml="shift: 0.5\nnumerics: fast\n")
    row = changed(repo, shift)
    if within is None:  # values without an interval decide nothing
        path = repo / SCORES
        record = {"k": 3, "acc": 0.5}
        path.write_text(json.dumps({"hog": {"image": {"kmeans": record}}}))
        commit(repo)
        row = row_of(repo, 0.5)
    process = start(repo, "--quiet", row.id)
    output, _ = process.communicate(timeout=60)
    assert "not promised there (recorded with numerics: fast" in output
    where = {True: "within the intervals", None: "no interval to hold it against",
             False: "outside the intervals: hog.image.kmeans.acc"}  # fmt: skip
    assert where[within] in output
    assert process.returncode == (0 if within else 1), output


def test_what_takes_a_promise_away(repo, monkeypatch):
    """Numerics of then and now, the packages, the machine."""
    monkeypatch.delenv(numerics.VARIABLE, raising=False)
    row = row_of(repo, 0.25)
    monkeypatch.setattr(numerics, "possible", lambda: True)
    assert work.unpromised(repo, row.commit) == ()
    monkeypatch.setenv(numerics.VARIABLE, "fast")
    monkeypatch.setattr(numerics, "possible", lambda: False)
    (repo / "requirements-cpu.lock").write_text("a==2\n")
    assert work.unpromised(repo, row.commit) == (
        "MMCLUST_NUMERICS=fast here",
        "this machine has no AVX2",
        "other packages",
    )
    commit(repo, params_yaml="shift: 1\n")
    then = work.unpromised(repo, git(repo, "rev-parse", "HEAD").strip())
    assert then[0] == "recorded before numerics was a param"


def test_a_killed_run_leaves_nothing(repo):
    """SIGTERM in the middle of a stage: its processes end, the worktree goes."""
    commit(repo, slow_py="import time; print('busy', flush=True); time.sleep(600)\n")
    (repo / SCORES).write_text((repo / SCORES).read_text().replace("0.65", "0.64"))
    commit(repo)
    row = next(r for r in gather(repo).rows if r.now)
    process = start(repo, row.id)
    for line in process.stdout:
        if "busy" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode != 0
    for _ in range(50):
        if clean(repo):
            break
        time.sleep(0.1)
    assert clean(repo)


def test_a_users_own_worktree_stays_registered(repo, tmp_path):
    """Also where its disk is not mounted; what a killed run registered goes."""
    git(repo, "worktree", "add", "-q", "--detach", tmp_path / "away/mine")
    shutil.move(tmp_path / "away", tmp_path / "unmounted")
    killed = tmp_path / "tmp/.mmclust-reproduce.0123456789ab.tmp"
    git(repo, "worktree", "add", "-q", "--detach", killed / "tree")
    with work.worktree(repo, "HEAD") as tree:
        assert (tree / "dvc.yaml").is_file()
    assert not killed.exists()
    listed = git(repo, "worktree", "list")
    assert str(tmp_path / "away/mine") in listed
    assert "mmclust-reproduce" not in listed
