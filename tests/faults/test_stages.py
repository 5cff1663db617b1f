"""Every stage under kills, Ctrl-C and full disks: whole files, and the same bytes.

A small world is drawn, fetched, built, …, reported once, by the commands of dvc.yaml.
Then each stage is run again on a copy, under faults that strike at its writes.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.encoders import tiny as make
from tests.faults import stages
from tests.faults.toy import tree

HIDDEN = (".*.tmp", "*.work")
"""Names that git and DVC do not see; :func:`test_leftovers_are_unseen` has them try."""
SIGNALS = ("KILL", "TERM", "INT")
ENDS = {"KILL": {-9}, "TERM": {-15}, "INT": {130}}
PATIENCE_S = 60


class Runner:
    """Commands in processes forked from one that has imported everything."""

    def __init__(self, folder):
        self.said = folder / "said"
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.stages"],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        )  # fmt: skip

    def _ask(self, **what):
        self._server.stdin.write(json.dumps(what) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def start(self, root, command, **fault):
        """Return the process, whose group has the same number."""
        return self._ask(root=str(root), said=str(self.said),
                         arguments=command.split(), fault=fault)  # fmt: skip

    def end(self, process):
        """Wait; return the exit code and what was printed. Nobody may be left."""
        code = self._ask(wait=process)
        until(lambda: not members(process), f"left: {members(process)}")
        return code, self.said.read_text(errors="replace")

    def run(self, root, command, **fault):
        return self.end(self.start(root, command, **fault))

    def close(self):
        self._server.communicate()


def members(group):
    """Return the living processes of a group, each with its command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text()
        except OSError:
            continue
    return found


def until(condition, why):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, why
        time.sleep(0.02)


def is_hidden(name):
    return any(
        fnmatch.fnmatchcase(part, pattern)
        for part in name.split("/")
        for pattern in HIDDEN
    )


def visible(root):
    """Return what git and DVC may see; costs and fingerprints are no results."""
    return {
        name: data
        for name, data in tree(root).items()
        if not is_hidden(name)
        and not name.startswith(("data/costs/", "data/fingerprints/"))
    }


def hidden(root):
    found = [path.relative_to(root).as_posix() for path in root.rglob("*")]
    return [name for name in found if is_hidden(name)]


class World:
    """The finished pipeline, and what each stage wrote."""

    def __init__(self, root):
        self.root = root
        self.outputs: dict[str, list[str]] = {}
        self.writes: dict[str, int] = {}
        self.final: dict[str, bytes] = {}

    def copy(self, to, without=None):
        shutil.copytree(self.root, to)
        # With them, stages that keep a fingerprint would have nothing to do.
        shutil.rmtree(to / "data/fingerprints")
        for name in self.outputs.get(without, []):
            (to / name).unlink()
        return to


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    runner = Runner(tmp_path_factory.mktemp("runner"))
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def world(runner, tmp_path_factory):
    """Run every stage once, undisturbed."""
    folder = tmp_path_factory.mktemp("world")
    root = folder / "repo"
    (root / "data").mkdir(parents=True)
    shutil.copy(ROOT / "data/sources.yaml", root / "data/sources.yaml")
    shutil.copytree(ROOT / "docs/published", root / "docs/published")
    blip = {"model": str(make.blip(folder / "blip")), "revision": "", "size": 32,
            "n_captions": 1, "max_length": 8}  # fmt: skip
    params = stages.PARAMS | {"captioners": {"blip": blip}}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    made = World(root)
    before = set(visible(root))
    for stage, command in stages.STAGES.items():
        for other in stages.BEFORE.get(stage, []):
            code, said = runner.run(root, other)
            assert code == 0, said
            before = set(visible(root))
        code, said = runner.run(root, command)
        assert code == 0, (stage, said)
        made.writes[stage] = int(said.rpartition("writes: ")[2])
        made.final = visible(root)
        made.outputs[stage] = sorted(set(made.final) - before)
        before = set(made.final)
    assert hidden(root) == []
    return made


def test_every_stage_has_a_command_here():
    named = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert list(stages.STAGES) == list(named)


def require_whole(repo, final, why):
    """Every file that can be seen is one of the finished run, byte for byte."""
    now = visible(repo)
    assert set(now) <= set(final), why
    assert [name for name in now if now[name] != final[name]] == [], why


def require_completed(runner, repo, world, command):
    """Run a command again: all files of the finished run, and nothing beside."""
    code, said = runner.run(repo, command)
    assert code == 0, said
    assert visible(repo) == world.final
    assert hidden(repo) == []


def full_disk(runner, repo, world, command, step):
    """Meet a full disk; return whether the step was reached."""
    code, said = runner.run(repo, command, kind="ENOSPC", step=step)
    assert "Traceback" not in said
    assert [name for name in hidden(repo) if name.endswith(".tmp")] == []
    require_whole(repo, world.final, said)
    if code == 0:  # its last write is the record of costs, or it had less to write
        assert "is not recorded" in said or int(said.rpartition(": ")[2]) < step
        return False
    assert (code, said.count("No space left on device")) == (1, 1), said
    assert "what was there before is untouched" in said or "free some space" in said
    return True


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stage_survives_faults_at_its_writes(runner, world, stage, tmp_path):
    """A full disk, then KILL, TERM and INT; then a run that gives the same bytes."""
    command, last = stages.STAGES[stage], world.writes[stage]
    finished = world.copy(tmp_path / "finished")
    assert full_disk(runner, finished, world, command, 1)
    assert visible(finished) == world.final
    repo = world.copy(tmp_path / "repo", without=stage)
    for kind, step in zip(SIGNALS, ((last + 1) // 2, 1, 1), strict=True):
        code, said = runner.run(repo, command, kind=kind, step=step)
        assert code in ENDS[kind], said
        assert "Traceback" not in said
        require_whole(repo, world.final, kind)
    require_completed(runner, repo, world, command)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ENOSPC", *SIGNALS])
@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stage_survives_a_fault_at_every_write(runner, world, stage, kind, tmp_path):
    """Each from nothing, and each run after it gives the same bytes."""
    command = stages.STAGES[stage]
    for step in range(1, world.writes[stage] + 1):
        repo = world.copy(tmp_path / str(step), without=stage)
        if kind == "ENOSPC":
            full_disk(runner, repo, world, command, step)
        else:
            code, said = runner.run(repo, command, kind=kind, step=step, group=True)
            assert code in ENDS[kind], said
            require_whole(repo, world.final, kind)
        require_completed(runner, repo, world, command)
        shutil.rmtree(repo)


POOLS = ("sample", "cluster", "report")
"""Stages that start workers even in so small a world."""
FEW = [("cluster", "KILL", False), ("cluster", "TERM", False), ("cluster", "INT", True),
       ("sample", "KILL", True), ("report", "TERM", False)]  # fmt: skip
MANY = [(stage, kind, group) for stage in POOLS for kind in SIGNALS
        for group in (False, True)]  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "kind", "group"),
    [pytest.param(*each, marks=[] if each in FEW else pytest.mark.slow)
     for each in MANY],
)  # fmt: skip
def test_workers_end_with_the_main_process(runner, world, stage, kind, group, tmp_path):
    """The main process alone, or its group: nobody is left, and nothing is printed."""
    repo = world.copy(tmp_path / "repo", without=stage)
    command = stages.STAGES[stage].replace("--workers 1", "--workers 2")
    process = runner.start(repo, command)

    def at_work():
        """A worker has begun: its thread that watches for the parent's end runs."""
        return [pid for pid, line in members(process).items()
                if "spawn_main" in line and len(threads(pid)) > 1]  # fmt: skip

    until(at_work, "no worker came")
    number = getattr(signal, f"SIG{kind}")
    (os.killpg if group else os.kill)(process, number)
    code, said = runner.end(process)
    assert code in ENDS[kind], said
    assert "Traceback" not in said
    require_whole(repo, world.final, kind)
    code, said = runner.run(repo, command)
    assert code == 0, said
    assert visible(repo) == world.final
    assert hidden(repo) == []


def threads(pid):
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


WRITE = """
    import os, pathlib, signal, sys
    from mmclust.core.io import writing

    def die(_):
        os.kill(os.getpid(), signal.SIGKILL)

    with writing(pathlib.Path(sys.argv[1]), verify=die) as temporary:
        if sys.argv[2] == "folder":
            temporary.mkdir()
            temporary /= "a.json"
        temporary.write_text("{}")
"""


def test_leftovers_are_unseen(tmp_path):
    """By `git status` and `dvc status`: files and folders, in outputs and beside."""
    repo = tmp_path
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, repo / name)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}

    def call(*command):
        done = subprocess.run(command, cwd=repo, env=environment, capture_output=True,
                              text=True, check=False)  # fmt: skip
        return done.stdout + done.stderr

    dvc = (sys.executable, "-m", "dvc")
    call("git", "init", "-q")
    call(*dvc, "init", "-q")
    (repo / "dvc.yaml").write_text(yaml.safe_dump({"stages": {
        "one": {"cmd": "mkdir -p data/features/b metrics plots && "
                "echo 1 | tee data/features/b/x metrics/m.json plots/p.csv",
                "outs": ["data/features/b"],
                "metrics": [{"metrics/m.json": {"cache": False}}],
                "plots": [{"plots/p.csv": {"cache": False}}]},
        "two": {"cmd": "mkdir -p docs && cat metrics/m.json > docs/two",
                "deps": ["data/features", "metrics", "plots"], "outs": ["docs/two"]},
    }}))  # fmt: skip
    said = call(*dvc, "repro")
    assert "dvc.lock" in said, said
    call("git", "add", "-A")
    call("git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x")
    targets = {
        "data/features/b/x": "file",
        "data/features/new": "folder",
        "metrics/m.json": "file",
        "plots/p.csv": "folder",
        "dvc.yaml": "file",
    }
    for target, what in targets.items():
        script = textwrap.dedent(WRITE)
        command = [sys.executable, "-c", script, target, what]
        done = subprocess.run(command, cwd=repo, env=environment, check=False)
        assert done.returncode == -signal.SIGKILL
    for work in ("data/features/b.work", "metrics/m.work"):
        (repo / work).mkdir()
        (repo / work / "part.npy").write_bytes(b"half")
    left = hidden(repo)
    assert len([name for name in left if name.endswith(".tmp")]) == len(targets)
    assert call("git", "status", "--porcelain", "--untracked-files=all") == ""
    assert "up to date" in call(*dvc, "status")
