"""What DVC shows of a run can be read: metrics, their differences, experiments.

On the metrics of the default run as they are committed; before they are, on metrics of
the same names.
"""

import json
import shutil
import subprocess
import sys

import pytest
import yaml

from mmclust.scoring.record import FLOORS, write_means
from tests.board.boards import ENVIRONMENT, git
from tests.conftest import ROOT

STAGES = ("score", "retrieve", "cognition", "grounding")
WIDTH, NUMBERS, ROWS = 120, 200, 130
PARAMS, METRICS, HEADLINES = 12, 36, 12
IS_RECORDED = (ROOT / "metrics/details").is_dir()


def dvc(root, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, capture_output=True,
        text=True, check=False, env=ENVIRONMENT | {"COLUMNS": "400"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_metrics(root, params):
    """Write the means of a run by its names: what each stage lists for DVC."""
    model, metrics = params["model"], root / "metrics"
    methods = [*model["heads"], *model["clusterers"]]
    means = {
        "score": {
            name: {m: {"acc": 0.6102, "nmi": 0.4813, "ari": 0.3504}
                   for m in methods if m not in FLOORS}
            for name in model["benchmarks"]
        },
        "retrieve": {
            name: {e: {"t2i_r1": 0.1234, "rsum": 212.3456}
                   for e in params["retrieval"]["encoders"]}
            for name in params["retrieval"]["benchmarks"]
        },
        "cognition": {
            params["learning"]["benchmark"]: {
                m: {"nmi": 0.3586, "r": 0.5328, "mas": 44.9132} for m in params["words"]
            }
        },
        "grounding": {
            name: {params["grounding"]["model"]: {"f1": 0.2931}}
            for name in params["grounding"]["benchmarks"]
        },
    }  # fmt: skip
    for stage, benchmarks in means.items():
        for name, files in benchmarks.items():
            write_means(metrics / stage / name, files)


@pytest.fixture
def repo(tmp_path):
    """The project's metrics, params and pipeline in a repository of their own."""
    root = tmp_path / "repo"
    shutil.copytree(ROOT / ".dvc", root / ".dvc",
                    ignore=shutil.ignore_patterns("cache", "tmp"))  # fmt: skip
    shutil.copy(ROOT / "params.yaml", root)
    if IS_RECORDED:
        shutil.copytree(ROOT / "metrics", root / "metrics")
        for name in ("dvc.yaml", "dvc.lock", "data/sources.yaml"):
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    else:
        write_metrics(root, yaml.safe_load((root / "params.yaml").read_text()))
        shown = {"metrics": [f"metrics/{stage}" for stage in STAGES]}
        (root / "dvc.yaml").write_text(yaml.safe_dump(shown))
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
    """One of `-S model.k=43`: its param, and the means; of ACC alone where asked."""
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
    shown = ["exp", "show", "--only-changed", "--csv"]
    for more, most in (([], METRICS), (["--drop", ".*(nmi|ari)"], HEADLINES)):
        heads = dvc(repo, *shown, *more).splitlines()[0].split(",")
        params = [head for head in heads if "model" in head or "params.yaml" in head]
        means = [head for head in heads if head.startswith("metrics/score/")]
        assert 1 <= len(params) <= PARAMS
        assert 3 <= len(means) <= most
        assert not [head for head in heads if head.startswith("metrics/")
                    and head not in means]  # fmt: skip
