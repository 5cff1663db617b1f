"""`mmclust reproduce` on a small repository that real DVC runs."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml

from mmclust.board import reproduce as work
from mmclust.board.reproduce import compare
from mmclust.board.rows import gather
from mmclust.core import numerics
from mmclust.core.errors import MmclustError
from mmclust.core.numerics import possible
from mmclust.scoring.record import COLUMNS, Record, write
from tests.board.boards import ENVIRONMENT, SCORES, git, score
from tests.conftest import ROOT

DATA = "import pathlib; pathlib.Path('data.txt').write_text('0.25')\n"
SCORE = f"""
import pathlib, yaml
import slow  # what a test puts there
shift = yaml.safe_load(open("params.yaml"))["shift"]
mean = float(pathlib.Path("data.txt").read_text()) + shift
more = ""
path = pathlib.Path("{SCORES}")
path.parent.mkdir(parents=True, exist_ok=True)
ends = f",,,,,,,,,{{more}},\\n"
path.write_text(
    "{",".join(COLUMNS)}\\n"
    f"hog,image,kmeans,3,acc,{{mean}},{{mean - 0.125}},{{mean + 0.125}}{{ends}}"
)
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
    return next(r for r in rows if r.score.mean == mean)


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
    assert not any("Running stage 'data'" in line for line in heard)
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
    """Commit code that gives other numbers than the record beside it."""
    code = SCORE.replace("+ shift", f"+ shift + {text}")
    code = code.replace('more = ""', 'more = "acc-1"')
    write(repo / SCORES, [score(0.75, low=0.6, high=0.875)])  # a row of its own
    commit(repo, score_py=code)
    rows = [r for r in gather(repo).rows if r.now]
    assert rows[0].notes == ("dvc.lock has another version of its file",)
    return rows[0]


def test_other_numbers_are_told_one_by_one(repo):
    """Which, by how much; more or fewer values are differences, too."""
    verdict = work.reproduce(repo, changed(repo, "0.125"))
    assert not verdict.same
    assert verdict.again == 0.875
    assert verdict.largest == pytest.approx(0.15)
    assert [name for name, *_ in verdict.differing] == [
        "hog image kmeans acc",
        "hog image kmeans acc: low",
        "hog image kmeans acc: high",
        "hog image kmeans acc: definition",
    ]
    assert verdict.differing[-1][1:] == ("(absent)", "acc-1")
    assert verdict.within  # the mean is at the end of its interval
    assert clean(repo)


@pytest.mark.parametrize(
    ("then", "now", "tolerance", "same"),
    [
        (score(1.0), score(1.0), 0.0, True),
        (score(1.0, half=None), score(1.0 + 1e-5, half=None), 0.0, False),
        (score(1.0), score(1.25), 0.25, True),
        (score(1.0), score(1.25), 0.2, False),
        (score(1.0), None, 9.0, False),
        (score(1.0, note="x"), score(1.0, note="y"), 9.0, False),
        (score(None, half=None, note="why"), score(0.0, half=None), 9.0, False),
    ],
)
def test_the_tolerance_is_for_numbers_alone(repo, then, now, tolerance, same):
    """A missing value, a text and an undefined score are no small difference."""
    row = row_of(repo, 0.25)
    sides = [Record(tuple(filter(None, [side]))) for side in (then, now)]
    assert compare(row, *sides, ("score",), tolerance).same is same


def test_a_failing_run_is_one_clear_error(repo):
    """With DVC's last lines; the worktree goes."""
    commit(repo, score_py="raise SystemExit('no luck')\n", params_yaml="shift: 1\n")
    write(repo / SCORES, [score(0.5)])
    commit(repo)
    with pytest.raises(MmclustError, match="dvc repro failed at that commit") as caught:
        work.reproduce(repo, row_of(repo, 0.5))
    assert "no luck" in str(caught.value)
    assert clean(repo)


def test_a_number_without_a_stage(repo):
    """dvc.lock decides; without it nothing is run."""
    row = row_of(repo, 0.75)
    with pytest.raises(MmclustError, match="Nothing says which stage made"):
        work.stage_of(repo, row.commit, "metrics/details/score/other.csv")


def test_rows_are_found_by_how_they_begin(repo):
    """One row, or an error that says what to copy."""
    row = row_of(repo, 0.25)
    assert work.find_row(repo, row.id[:6]) == row
    for wanted in ("", "zz"):
        with pytest.raises(MmclustError, match="No row begins with"):
            work.find_row(repo, wanted)
    write(repo / SCORES, [score(0.7)])
    with pytest.raises(MmclustError, match="is of the workspace alone"):
        work.find_row(repo, row_of(repo, 0.7).id)
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
    equal = f"equal to the byte: all 4 values of {SCORES} are equal"
    assert equal in output
    assert "numerics portable" in output or not possible()
    git(repo, "checkout", "-q", "requirements-cpu.lock")
    process = start(repo, "--quiet", "--upstream", changed(repo, "0.125").id)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert (
        "DIFFERENT: 4 of 4 values differ, by at most 0.15" in output or not possible()
    )
    assert "ran data, score; the rest" in output
    assert "Traceback" not in output
    assert "Running stage" not in output


@pytest.mark.parametrize(
    ("shift", "within"), [("0.0625", True), ("0.25", False), ("0.0", None)]
)
def test_equality_is_not_asked_for_where_it_is_not_promised(repo, shift, within):
    """Recorded by fast numerics: scores may move within their intervals, no further."""
    commit(repo, params_yaml="shift: 0.5\nnumerics: fast\n")
    row = changed(repo, shift)
    if within is None:  # values without an interval decide nothing
        write(repo / SCORES, [score(0.5, half=None)])
        commit(repo)
        row = row_of(repo, 0.5)
    process = start(repo, "--quiet", row.id)
    output, _ = process.communicate(timeout=60)
    assert "not promised there (recorded with numerics: fast" in output
    where = {True: "within the intervals", None: "no interval to hold it against",
             False: "outside the intervals: hog image kmeans acc"}  # fmt: skip
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
    write(repo / SCORES, [score(0.75, half=0.2)])
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
