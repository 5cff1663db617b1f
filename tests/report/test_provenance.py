"""The revision changes with code and params, not with committed results."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from mmclust.core.params import ModelParams, Params
from mmclust.report.provenance import params_yaml, revision


def git(root, *arguments):
    settings = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=0"]
    done = subprocess.run(
        ["git", "-C", str(root), *settings, *arguments],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "src").mkdir()
    for name in ("src/a.py", "params.yaml", "dvc.yaml", "metrics.json"):
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_committing_results_leaves_the_revision(checkout):
    """A commit of metrics alone is not the run's revision."""
    first = git(checkout, "rev-parse", "HEAD")
    (checkout / "metrics.json").write_text("2\n")
    assert revision(checkout) == first
    git(checkout, "commit", "-qam", "results")
    assert revision(checkout) == first


@pytest.mark.parametrize("name", ["src/a.py", "params.yaml", "dvc.yaml", "src/new.py"])
def test_changed_sources_are_told(checkout, name):
    """An edit is uncommitted first, and a new revision once committed."""
    first = git(checkout, "rev-parse", "HEAD")
    (checkout / name).write_text("2\n")
    assert revision(checkout) == f"{first} with uncommitted changes"
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "two")
    assert revision(checkout) == git(checkout, "rev-parse", "HEAD") != first


def test_outside_git(tmp_path, checkout):
    """No checkout, a folder inside another checkout, and no commit yet are told."""
    inside = checkout / "src" / "copy"
    inside.mkdir()
    assert revision(inside) == "not a git checkout"
    git(inside, "init", "-q")
    assert revision(inside) == "not committed yet"


def test_params_come_back_from_yaml():
    """The YAML on the page holds every value in effect, lists as lists."""
    params = Params(model=ModelParams(k=7), benchmarks={"toy": {"min_images": None}})
    values = yaml.safe_load(params_yaml(params))
    assert values["model"]["k"] == 7
    assert values["model"]["clusterers"] == ["kmeans", "agglomerative", "random"]
    assert values["benchmarks"] == {"toy": {"min_images": None}}
    assert values["report"] == {"thumbnails": 12, "points": 25000}
