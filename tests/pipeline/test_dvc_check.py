"""Wrong params under DVC stop in the first stage; benchmarks under names of one's own.

Two folders of pictures are built, encoded, clustered and scored side by side. Then each
wrong value is an experiment that must leave everything where it was.
"""

import hashlib
import sys

import pytest
import yaml

from mmclust.scoring.record import read
from tests.pipeline.test_dvc import commit, copy_project, dvc, run, stages_run
from tests.pipeline.test_dvc_own_pictures import write_pictures

BENCHMARKS = ("holiday", "work")


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    top = tmp_path_factory.mktemp("check")
    root = copy_project(top / "repo")
    params = yaml.safe_load((root / "presets/own-pictures.yaml").read_text())
    pictures = top / "pictures"
    params["data"]["mirror"] = str(top)
    params["benchmarks"] = {
        "holiday": {"is": "folder", "path": str(pictures), "labels": "folders"},
        "work": {"is": "folder", "labels": "folders"},
    }
    params["encoders"] = {"edges": {"is": "hog", "size": 56, "cell": 14}}
    params["model"] |= {
        "benchmarks": list(BENCHMARKS), "encoder": "edges", "n_seeds": 2, "k": 3,
        "clusterers": ["kmeans", "upgma"],
    }  # fmt: skip
    params["clusterers"] = {"upgma": {"is": "agglomerative", "linkage": "average"}}
    params["score"] = {"n_resamples": 100, "baseline": {"encoder": None}}
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    write_pictures(pictures, labelled=True)
    write_pictures(root / "data/raw/work", labelled=True)
    run(root, "git", "init", "-q", "-b", "main")
    commit(root, "Start")
    dvc(root, "repro", "score")
    commit(root, "Run")
    return root


def contents(root):
    """The sha256 of every file that a stage made."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in ("data", "metrics", "plots")
        for path in (root / top).rglob("*")
        if path.is_file() and "data/costs" not in str(path)
    }


def test_two_folders_side_by_side(repo):
    """Each under its own name, with a plugin under a name of one's own."""
    for benchmark in BENCHMARKS:
        scores = read(repo / f"metrics/details/score/{benchmark}.csv")
        assert {key[::2] for key in scores.methods()} == {
            ("edges", "kmeans"),
            ("edges", "upgma"),
        }
        assert (repo / f"data/benchmarks/{benchmark}/README.md").is_file()
    assert stages_run(dvc(repo, "repro", "score")) == set()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("model.clusterers=[kmean]", "Did you mean 'kmeans'?"),
        ("model.k=0", "model.k"),
        ("+model.kk=3", "Unknown key 'model.kk'"),
        ("+clusterers.upgma.linkag=ward", "Did you mean 'linkage'?"),
    ],
)
def test_a_wrong_value_stops_before_any_stage_and_loses_nothing(repo, change, told):
    """`dvc exp run`: one error, the same files, and a status with nothing new."""
    before = contents(repo)
    assert len(before) > 25
    output = dvc(repo, "exp", "run", "-S", change, "score", fails=True)
    assert told in output
    assert "Running stage 'check'" in output
    assert stages_run(output) == set()
    assert contents(repo) == before
    run(repo, "git", "checkout", "-q", ".")
    assert contents(repo) == before


def test_a_right_value_reruns_what_reads_it_alone(repo):
    """The check that passes makes no stage run: what it writes is always the same."""
    assert stages_run(dvc(repo, "repro", "score")) == set()
    output = dvc(repo, "exp", "run", "-S", "score.n_resamples=120", "score")
    assert "Running stage 'check'" in output
    assert stages_run(output) == {f"score@{b}" for b in BENCHMARKS}


def test_an_edit_of_params_by_hand_is_checked_by_every_command(repo):
    """Whatever it reads itself, before anything is written."""
    path = repo / "params.yaml"
    path.write_text(path.read_text().replace("cell: 14", "cel: 14"))
    before = contents(repo)
    command = (sys.executable, "-m", "mmclust", "cluster", "work", "edges")
    assert "Did you mean 'cell'?" in run(repo, *command, fails=True)
    assert contents(repo) == before
