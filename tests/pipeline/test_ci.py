"""The workflow and the Dockerfile, as far as they can be checked without running."""

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mmclust.scoring.record import COLUMNS
from tests.board.boards import ENVIRONMENT, SCORES, Board, git, scores
from tests.conftest import ROOT

WORKFLOW = ROOT / ".github/workflows/ci.yml"
HOSTED = {"sudo", "gh"}  # what GitHub's runners have and a developer's machine may not
PASSED = re.compile(r"\$\{\{\s*([^}]+?)\s*\}\}")


def workflow():
    return yaml.safe_load(WORKFLOW.read_text())


def steps():
    for job in workflow()["jobs"].values():
        yield from job["steps"]


def test_the_workflow_runs_on_pushes_and_pull_requests():
    """YAML 1.1 reads the key `on` as true."""
    triggers = workflow()[True]
    assert {"push", "pull_request"} <= set(triggers)


def test_every_action_is_pinned_and_every_job_has_few_rights():
    """Forty digits and the version they are; what may write runs no code from here."""
    uses = re.findall(r"uses: *(.+)", WORKFLOW.read_text())
    assert len(uses) >= 10
    pins = {}
    for each in uses:
        match = re.fullmatch(
            r"(actions/[\w-]+)@([0-9a-f]{40}) +# v(\d+\.\d+\.\d+)", each
        )
        assert match, each
        assert pins.setdefault(match[1], match.groups()) == match.groups()
    assert workflow()["permissions"] == {}
    for name, job in workflow()["jobs"].items():
        rights = job["permissions"]
        if "write" not in rights.values():
            assert rights == {"contents": "read"}
            continue
        assert name in {"comment", "pages"}
        assert "contents" not in rights
        text = "\n".join(step.get("run", "") for step in job["steps"])
        assert not re.search(r"scripts/|\bdvc\b|python|checkout", text)
        used = [step["uses"] for step in job["steps"] if "uses" in step]
        assert not any("checkout" in each for each in used)
    for step in steps():
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_the_workflow_does_what_ci_run_does():
    """Set-up, checks and tests, a run of the pipeline, and a second that does none."""
    script = (ROOT / ".ci/run").read_text()
    text = "\n".join(step.get("run", "") for step in steps())
    for word in ("scripts/setup", "scripts/test", "dvc repro", "'Running stage'",
                 "test -s report/index.html"):  # fmt: skip
        assert word in script
        assert word in text


def test_every_step_can_start():
    """Scripts exist and may be run; programs are there; bash parses all."""
    seen = 0
    for step in steps():
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            continue
        seen += 1
        code = step["run"]
        done = subprocess.run(["bash", "-n"], input=code, text=True, check=False,
                              capture_output=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
        for name in re.findall(r"\bscripts/[\w-]+", code):
            assert (ROOT / name).stat().st_mode & stat.S_IXUSR
        where = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        for line in filter(None, code.splitlines()):
            first = shlex.split(line.replace("|", " "))[0]
            if first in ("source", "if", "test", "echo") or first in HOSTED:
                continue
            assert (ROOT / first).exists() or shutil.which(first, path=where), line
    assert seen >= 6


def test_nothing_from_outside_reaches_a_shell_unquoted():
    """Contexts go through the environment, never into the text of a script."""
    for step in steps():
        assert not PASSED.search(step.get("run", ""))
        for name in step.get("env", {}):
            uses = re.findall(rf".\${name}\b.", step["run"])
            assert name == "GH_TOKEN" or all(u[0] + u[-1] in ('""', "()") for u in uses)


def test_the_cache_follows_the_lock_files():
    """Every file that the key hashes exists, and set-up reads the same ones."""
    caches = [s for s in steps() if s.get("uses", "").startswith("actions/cache@")]
    assert len(caches) == 3
    setup = (ROOT / "scripts/setup").read_text()
    for cache in caches:
        (hashed,) = re.findall(r"hashFiles\(([^)]+)\)", cache["with"]["key"])
        for name in shlex.split(hashed.replace(",", " ")):
            assert (ROOT / name).is_file()
        assert "requirements-$extra.lock" in setup
        assert cache["with"]["path"] == ".venv"


def instructions():
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    text = text.replace("\\\n", " ")
    return [line.split(None, 1) for line in text.splitlines() if line.strip()]


def test_the_dockerfile_has_both_targets_from_the_hashed_locks():
    """Known instructions; every stage is there before it is used; hashes required."""
    stages, locks, current = [], {}, None
    for word, rest in instructions():
        assert word in {"FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "CMD"}
        if word == "FROM":
            image, name = re.fullmatch(r"(\S+) AS (\w+)", rest).groups()
            assert image in stages or re.fullmatch(r"python:3\.1\d-[\w-]+", image)
            stages.append(name)
            current = name
        elif word == "COPY":
            for source in rest.removeprefix("--chown=mmclust ").split()[:-1]:
                assert (ROOT / source).exists()
        elif word == "CMD":
            assert json.loads(rest)[:3] == ["python", "-m", "mmclust"]
        elif word == "RUN":
            assert subprocess.run(["bash", "-nc", rest], check=False).returncode == 0
            if "uv pip install" in rest and "--no-deps" not in rest:
                assert "--require-hashes" in rest
                locks[current] = rest.split()[-1]
    assert stages == ["base", "cpu", "cuda"]
    assert locks == {"cpu": "requirements-cpu.lock", "cuda": "requirements-gpu.lock"}
    for name in locks.values():
        assert "--hash=sha256:" in (ROOT / name).read_text()


def test_the_image_has_the_package_and_does_not_run_as_root():
    """In both targets, in an order that works: copied, installed, then the user."""
    seen = {}
    for word, rest in instructions():
        if word == "FROM":
            target = rest.split()[-1]
        seen.setdefault(target, []).append(f"{word} {rest}")
    assert "useradd --uid 1000 --create-home mmclust" in "\n".join(seen["base"])
    for target in ("cpu", "cuda"):
        lines = seen[target]
        copied = lines.index("COPY --chown=mmclust . .")
        installed = lines.index("RUN uv pip install --no-deps --editable .")
        changed = lines.index("USER mmclust")
        assert copied < installed < changed < len(lines) - 1
        assert lines[-1].startswith("CMD ")
        assert not any(line.startswith("USER") for line in lines[changed + 1 :])


def test_the_image_gets_what_git_has_and_no_data():
    """Data, caches and environments stay out; nothing that is in git does."""
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".venv", ".dvc/cache", "data/*", "report"} <= set(ignored)
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    listed = git(ROOT, "ls-files", "data").splitlines()
    tracked = {"/".join(name.split("/")[:2]) for name in listed}
    assert tracked <= kept


@pytest.fixture
def compared(tmp_path):
    """Two commits of metrics in a DVC repository with the script beside them."""
    board = Board(tmp_path / "repo")
    root = board.root
    (root / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/compare", root / "scripts/compare")
    shutil.copytree(ROOT / "src", root / "src",
                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q"], cwd=root, env=ENVIRONMENT, check=True)
    pipeline = {"plots": [{"plots": {"x": "k", "y": "score"}}]}
    (root / "plots").mkdir()
    (root / "plots/a.csv").write_text("k,score\n1,0.5\n2,0.6\n")
    numbers = scores(kmeans=0.5, ward=0.5)
    base = board.commit({SCORES: numbers, "dvc.yaml": pipeline})
    board.commit({SCORES: scores(kmeans=0.9, ward=0.55)})
    return root, base


def call(root, *arguments):
    path = f"{Path(sys.executable).parent}{os.pathsep}{ENVIRONMENT['PATH']}"
    return subprocess.run(
        ["scripts/compare", *arguments], cwd=root, env=ENVIRONMENT | {"PATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_comment_tells_what_changed(compared):
    """Scores that moved by more than their noise, the best rows, a page of plots."""
    root, base = compared
    done = call(root, base, "out")
    assert done.returncode == 0, done.stderr
    comment = (root / "out/comment.md").read_text()
    assert "| 0.5000 → 0.9000 | +0.4000 |" in comment
    assert "1 row moved by more than its noise, 1 moved within its noise" in comment
    assert "| 0.9000 | [0.8000, 1.0000] |" in comment
    assert (root / "out/plots/index.html").is_file()
    assert call(root, "HEAD", "same").returncode == 0
    same = (root / "same/comment.md").read_text()
    assert "No rows moved by more than their noise" in same
    git(root, "rm", "-qr", "metrics")
    git(root, "commit", "-qm", "x")
    git(root, "checkout", "-q", "HEAD~1", "--", "metrics")
    assert call(root, "HEAD", "before").returncode == 0
    assert "has no record of scores" in (root / "before/comment.md").read_text()


def test_compare_says_what_is_wrong(compared):
    """A base that is no commit; a missing argument."""
    root, _ = compared
    done = call(root, "nowhere", "out")
    assert done.returncode == 1
    assert "error: nowhere is no commit of this repository" in done.stderr
    assert call(root).returncode == 2


RECORD = f"""
from pathlib import Path
mean = float(Path("score.txt").read_text())
path = Path("{SCORES}")
path.parent.mkdir(parents=True, exist_ok=True)
line = f"hog,image,kmeans,3,acc,{{mean}},{{mean - 0.125}},{{mean + 0.125}},,,,,,,,,,"
path.write_text("{",".join(COLUMNS)}\\n" + line + "\\n")
"""
STAGE = {
    "cmd": "mkdir -p report && echo x > report/index.html && python record.py",
    "deps": ["src/code.txt"],  # not score.txt: the other machine's other result
    "outs": ["report", {SCORES: {"cache": False}}],
}


@pytest.fixture
def project(tmp_path):
    """A repository with a run of its pipeline, and the scripts that run it again."""
    root = tmp_path / "repo"
    (root / ".venv/bin").mkdir(parents=True)
    (root / "src").mkdir()
    for name in (".ci/run", "scripts/repro", "scripts/verdict"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name in ("setup", "test"):
        (root / "scripts" / name).write_text("#!/usr/bin/env bash\necho $0\n")
        (root / "scripts" / name).chmod(0o755)
    (root / "scripts/unlock").write_text("")  # where scripts/repro calls it
    (root / ".venv/bin/activate").write_text(
        f"export PATH={Path(sys.executable).parent}:$PATH\n"
    )
    (root / ".gitignore").write_text(".venv\n/report\n")
    (root / "src/code.txt").write_text("1")
    (root / "src/mmclust").symlink_to(ROOT / "src/mmclust")
    (root / "record.py").write_text(RECORD)
    (root / "score.txt").write_text("0.5")
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"toy": STAGE}}))
    git(root, "init", "-q", "-b", "main")
    bash(root, "source .venv/bin/activate; dvc init -q; dvc repro -q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    return root


def bash(root, command):
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "MMCLUST_NUMERICS"}
    return subprocess.run(
        ["bash", "-c", command], cwd=root, env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def another_result(root):
    """The same code; the stage gives what it would give on another machine."""
    (root / "score.txt").write_text("0.625")
    git(root, "commit", "-qam", "x")
    shutil.rmtree(root / ".dvc/cache")
    shutil.rmtree(root / "report")


def test_repro_ends_with_whether_committed_scores_are_reproduced(project):
    """One line: to the byte; which differ most; not compared after own changes."""

    def last():
        done = bash(project, "scripts/repro")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    assert last() == "Committed scores: reproduced to the byte."
    another_result(project)
    assert last() == (
        "Committed scores: 1 of 1 differ, all within their noise; most hog image "
        "kmeans acc of toy, by 0.125; docs/numerics.md says where they must not."
    )
    (project / "src/code.txt").write_text("2")
    assert last().startswith("Committed scores: not compared")


def test_ci_fails_when_a_clean_clone_does_not_stay_clean(project):
    """Before the tests; with fast numerics, results may be others."""
    without_qemu = (
        "command() { [ $2 != qemu-x86_64 ] && builtin command $@; }; id() { :; }"
    )
    run = f"{without_qemu}; export -f command id; .ci/run"
    done = bash(project, run)
    assert done.returncode == 0, done.stderr
    assert "every committed result is reproduced to the byte" in done.stdout
    assert done.stdout.splitlines()[-1] == "scripts/test"
    assert "other processors go untested" in done.stderr
    another_result(project)
    done = bash(project, run)
    assert done.returncode == 1
    assert "error: dvc repro made other results than those committed" in done.stderr
    assert f" M {SCORES}" in done.stderr
    assert "scripts/test" not in done.stdout
    assert bash(project, f"export MMCLUST_NUMERICS=fast; {run}").returncode == 0
