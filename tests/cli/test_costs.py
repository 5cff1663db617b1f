"""Wall clock and memory: recorded beside the run, and carried over when it broke."""

import json
import shutil

import pytest

from mmclust.cli._costs import costed
from mmclust.core.params import ModelParams, Params
from mmclust.report.budget import read_budget


@pytest.fixture
def repo(tmp_path, monkeypatch):
    folder = tmp_path / "data/benchmarks/b"
    folder.mkdir(parents=True)
    (folder / "manifest.parquet").write_bytes(b"")
    (tmp_path / "params.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cost_of(repo, name="encode-hog"):
    return json.loads((repo / f"data/costs/b/{name}.json").read_text())


def stage(*, fails=False):
    def encode(**given):
        if fails:
            raise KeyboardInterrupt

    return costed(encode)


def test_a_broken_run_counts_towards_the_next(repo):
    """And the one after that begins anew."""
    given = {"benchmark": "b", "encoders": ["hog"]}
    with pytest.raises(KeyboardInterrupt):
        stage(fails=True)(**given)
    path = repo / "data/costs/b/encode-hog.json"
    path.write_text(json.dumps(cost_of(repo) | {"seconds": 100.0}))
    assert not cost_of(repo)["complete"]
    stage()(**given)
    assert cost_of(repo)["complete"]
    assert cost_of(repo)["seconds"] >= 100
    stage()(**given)
    assert cost_of(repo)["seconds"] < 100


@pytest.mark.parametrize(
    "given",
    [
        {"benchmark": "b", "encoders": ["hog"], "dry_run": True},
        {"names": ["kmeans"], "image_features": "x.npy"},
        {"benchmark": "unknown", "encoders": ["hog"]},
        {"benchmark": None},
    ],
)
def test_runs_by_hand_are_not_recorded(repo, given):
    stage()(**given)
    assert not (repo / "data/costs").exists()


DAMAGED = ["", "{}", "[]", "{", "null", "\x00", '{"complete": false}', "[" * 100_000]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_record_is_said_and_written_anew(repo, text, capsys):
    """The stage has its result: what lies beside it does not fail it."""
    given = {"benchmark": "b", "encoders": ["hog"]}
    stage()(**given)
    path = repo / "data/costs/b/encode-hog.json"
    path.write_text(text)
    stage()(**given)
    assert "encode-hog.json was damaged; it is written anew" in capsys.readouterr().err
    assert cost_of(repo)["complete"]


@pytest.mark.parametrize("where", ["data/costs", "data/costs/b/encode-hog.json"])
def test_a_record_that_cannot_be_written_changes_nothing(repo, where, capsys):
    """A file for its folder, a folder for its file; the stage's own error is seen."""
    given = {"benchmark": "b", "encoders": ["hog"]}
    stage()(**given)
    shutil.rmtree(repo / "data/costs")
    if where.endswith("json"):
        (repo / where / "in the way").mkdir(parents=True)
    else:
        (repo / where).write_text("")
    stage()(**given)
    assert "what this run cost is not recorded" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        stage(fails=True)(**given)


def test_the_budget_counts_what_it_can_read(repo):
    """And names what it cannot."""
    stage()(benchmark="b", encoders=["blip"])
    (repo / "data/costs/b/cluster-hog.json").write_text("[]")
    params = Params(encoders={}, model=ModelParams(benchmarks=("b",), heads=()))
    found = read_budget(repo, params)
    assert [cost.names for cost in found.costs] == [["b", "blip"]]
    assert [path.name for path in found.damaged] == ["cluster-hog.json"]
