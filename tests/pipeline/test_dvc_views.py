"""What DVC shows of a run can be read: metrics, their differences, experiments.

On the metrics of the default run as they are committed.
"""

import json
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.board.boards import ENVIRONMENT, git
from tests.conftest import ROOT

STAGES = ("score", "retrieve", "cognition", "grounding")
WIDTH, NUMBERS, ROWS = 120, 200, 130
PARAMS, METRICS = 12, 16


def dvc(root, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, capture_output=True,
        text=True, check=False, env=ENVIRONMENT | {"COLUMNS": "400"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def repo(tmp_path):
    """The project's metrics, params and pipeline in a repository of their own."""
    root = tmp_path / "repo"
    shutil.copytree(ROOT / ".dvc", root / ".dvc",
                    ignore=shutil.ignore_patterns("cache", "tmp"))  # fmt: skip
    shutil.copy(ROOT / "params.yaml", root)
    shutil.copytree(ROOT / "metrics", root / "metrics")
    for name in ("dvc.yaml", "dvc.lock", "data/sources.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    return root


def numbers_of(value):
    if isinstance(value, dict):
        return sum(map(numbers_of, value.values()))
    return 1


def change(root, *stages):
    """Give every mean of the stages another value."""
    for stage in stages:
        for path in sorted((root / "metrics" / stage).rglob("*.json")):
            value = json.loads(path.read_text())
            path.write_text(json.dumps({k: v + 0.0123 for k, v in value.items()}))


def test_metrics_fit_a_page(repo):
    """At most 120 columns and 200 numbers; no text, no interval."""
    table = dvc(repo, "metrics", "show")
    assert max(map(len, table.splitlines())) <= WIDTH, table
    shown = json.loads(dvc(repo, "metrics", "show", "--json"))
    files = shown[""]["data"]
    assert len(files) > 10
    assert 20 < sum(numbers_of(each["data"]) for each in files.values()) <= NUMBERS
    assert "_low" not in table


def test_differences_are_few(repo):
    """A row a mean, also where all of them change."""
    change(repo, *STAGES)
    table = dvc(repo, "metrics", "diff")
    rows = [line for line in table.splitlines() if "metrics" in line]
    assert 20 < len(rows) <= ROWS
    assert max(map(len, table.splitlines())) <= WIDTH, table


def test_experiments_have_few_columns(repo):
    """One of `-S model.k=43`: its param, and ACC of the methods worth a column."""
    shown = {"metrics": [f"metrics/{stage}" for stage in STAGES]}
    shown |= {"params": ["params.yaml"]}
    (repo / "dvc.yaml").write_text(yaml.safe_dump(shown))  # without deps to be there
    (repo / "dvc.lock").unlink(missing_ok=True)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "y", "--allow-empty")
    text = (repo / "params.yaml").read_text()
    assert "\n  k: null" in text
    (repo / "params.yaml").write_text(text.replace("\n  k: null", "\n  k: 43", 1))
    change(repo, "score")
    dvc(repo, "exp", "save", "-n", "k43")
    git(repo, "checkout", "-q", ".")
    rows = json.loads(dvc(repo, "exp", "show", "--json"))
    assert "k43" in json.dumps(rows)
    heads = dvc(repo, "exp", "show", "--only-changed", "--csv").splitlines()[0]
    params = [h for h in heads.split(",") if "model" in h or "params.yaml" in h]
    means = [h for h in heads.split(",") if h.startswith("metrics/")]
    assert 1 <= len(params) <= PARAMS
    assert 3 <= len(means) <= METRICS
    assert all(head.startswith("metrics/score/") for head in means)
