"""Wall clock and memory: recorded beside the run, and carried over when it broke."""

import json

import pytest

from mmclust.cli._costs import costed


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
