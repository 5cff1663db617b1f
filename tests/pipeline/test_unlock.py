"""scripts/unlock: what a killed DVC leaves cut short no longer holds up every run."""

import fcntl
import json
import os
import subprocess
import sys

import pytest

from tests.board.boards import ENVIRONMENT
from tests.conftest import ROOT

WHOLE = {"read": {"data": [{"pid": 1, "cmd": "dvc repro"}]}, "write": {}}


@pytest.fixture
def repo(tmp_path):
    """A repository of one stage."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True, env=ENVIRONMENT)
    assert dvc(tmp_path, "init", "-q").returncode == 0
    (tmp_path / "dvc.yaml").write_text(
        "stages: {one: {cmd: echo 1 > a, outs: [a: {cache: false}]}}\n"
    )
    return tmp_path


def dvc(root, *arguments):
    return subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root,
                          env=ENVIRONMENT, capture_output=True, text=True, check=False,
                          )  # fmt: skip


def unlock(root):
    return subprocess.run([sys.executable, ROOT / "scripts/unlock"], cwd=root,
                          capture_output=True, text=True, check=False)  # fmt: skip


def test_a_list_that_is_cut_short_goes(repo):
    """Empty, as a kill leaves it: `dvc repro` refuses, and runs after the script."""
    path = repo / ".dvc/tmp/rwlock"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    assert "corrupted" in dvc(repo, "repro").stderr
    done = unlock(repo)
    assert (done.returncode, path.exists()) == (0, False)
    assert "removed .dvc/tmp/rwlock" in done.stderr
    again = dvc(repo, "repro")
    assert again.returncode == 0, again.stderr
    assert unlock(repo).stderr == ""


@pytest.mark.parametrize("cut", [1, 20])
def test_half_a_list_goes_and_a_whole_one_stays(tmp_path, cut):
    path = tmp_path / ".dvc/tmp/rwlock"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(WHOLE))
    assert unlock(tmp_path).returncode == 0
    assert json.loads(path.read_text()) == WHOLE
    os.truncate(path, cut)
    assert unlock(tmp_path).returncode == 0
    assert not path.exists()


def test_what_a_running_dvc_holds_stays(tmp_path):
    """The list is being written; or a DVC is at work in this folder."""
    path = tmp_path / ".dvc/tmp/rwlock"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    with path.with_name("rwlock.lock").open("ab") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        assert unlock(tmp_path).returncode == 0
        assert path.exists()
    (tmp_path / "dvc").write_text("print(flush=True); input()")
    other = subprocess.Popen([sys.executable, "dvc"], cwd=tmp_path,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    other.stdout.readline()
    try:
        done = unlock(tmp_path)
    finally:
        other.communicate(b"\n")
    assert (done.returncode, path.exists()) == (1, True)
    assert f"process {other.pid}" in done.stderr


def test_scripts_repro_calls_it_first():
    """After the set-up, which has what it needs, and before DVC."""
    lines = (ROOT / "scripts/repro").read_text().splitlines()
    order = ["scripts/setup", "python scripts/unlock", 'dvc repro "$@"']
    assert sorted(map(lines.index, order)) == list(map(lines.index, order))
