"""`mmclust grounding` and `grounding show`, by their words."""

import pytest
from typer.testing import CliRunner

from mmclust.cli import app
from tests.grounding.toy import write_benchmark, write_model


@pytest.fixture
def run(tmp_path, monkeypatch):
    manifest, _ = write_benchmark(tmp_path)
    write_model(tmp_path, manifest, threshold=-1e9)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("score: {n_resamples: 100}\n")
    return lambda *words: CliRunner().invoke(app, ["grounding", *words])


def test_the_stage_prints_a_table_and_writes(run, tmp_path):
    """Boxes and classes with intervals; where everything went."""
    result = run("--workers", "1")
    assert result.exit_code == 0, result.output
    assert "joint_model on 5 of coco_words" in result.output
    assert "random points" in result.output
    assert (tmp_path / "metrics/details/grounding/coco_words.csv").is_file()
    header = (tmp_path / "plots/grounding/scores.csv").read_text().splitlines()[0]
    assert header.startswith("evaluation,precision,precision_low,precision_high,recall")


def test_show_draws_and_says_what(run, tmp_path):
    """Three clusters with their words."""
    result = run("show", "p1", "--out", "seen.png", "--most", "2")
    assert result.exit_code == 0, result.output
    assert "wrote seen.png, clusters: 2" in result.output
    assert (tmp_path / "seen.png").is_file()
    # The stage itself did not run.
    assert not (tmp_path / "metrics").exists()


def test_show_needs_no_params_for_a_model_of_one_s_own(run, tmp_path):
    """A file and a model's folder are enough."""
    (tmp_path / "params.yaml").unlink()
    result = run("show", "p1", "--out", "s.png", "--model", "data/words/joint_model")
    assert result.exit_code == 0, result.output
