"""``mmclust export`` as a user types it."""

from __future__ import annotations

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from mmclust.benchmarks._build import build_benchmark
from mmclust.cli.benchmarks import export
from mmclust.core.errors import MmclustError
from mmclust.core.features import write_features
from mmclust.core.manifest import read_manifest
from tests.benchmarks.toy_coco import write_coco


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command where COCO-cross has been built from the tiny COCO."""
    monkeypatch.chdir(tmp_path)
    raw = write_coco(tmp_path / "data/raw/coco2017")
    build_benchmark("coco_cross", raw, tmp_path / "data/benchmarks/coco_cross")
    app = typer.Typer()
    app.command()(export)

    def invoke(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def test_export_says_what_it_wrote_and_what_was_there(run, tmp_path):
    """The second time nothing is written, and that is said."""
    first = run("coco_cross", "--as", "raw", "--out", "mine")
    assert first.output == ("coco_cross: 5 images written to mine/raw\n")
    assert (tmp_path / "mine/raw/texts/stop sign/000000581929.txt").is_file()
    again = run("coco_cross", "--as", "raw", "--out", "mine")
    assert "already there, the same: mine/raw" in again.output


def test_another_folder_can_be_exported(run, tmp_path):
    """--benchmark-dir takes a benchmark that was built by hand."""
    (tmp_path / "data/benchmarks").rename(tmp_path / "data/elsewhere")
    with pytest.raises(MmclustError, match=r"manifest\.parquet is missing"):
        run("coco_cross", "--as", "raw", "--out", "mine")
    folder = "data/elsewhere/coco_cross"
    result = run(
        "coco_cross", "--as", "raw", "--out", "mine", "--benchmark-dir", folder
    )
    assert result.exit_code == 0


def test_a_folder_stands_for_its_benchmark(run, tmp_path):
    """What was built by hand is exported by its place alone."""
    (tmp_path / "data/benchmarks/coco_cross").rename(tmp_path / "by_hand")
    result = run("by_hand", "--as", "csv", "--out", "mine")
    assert result.output == "coco_cross: 5 images written to mine/csv/images.csv\n"


def test_mat_takes_every_encoder_of_both_views(run, tmp_path):
    """Without --features; those of one view are passed over."""
    with pytest.raises(MmclustError, match="mat needs features"):
        run("coco_cross", "--as", "mat", "--out", "mine")
    manifest = read_manifest(tmp_path / "data/benchmarks/coco_cross/manifest.parquet")
    rows = np.eye(5, dtype=np.float32)
    for name, views in (
        ("both", {"image": rows, "text": rows}),
        ("one", {"image": rows}),
        ("other", {"image": rows, "text": rows}),
    ):
        folder = tmp_path / "data/features/coco_cross" / name
        write_features(folder, views, {"encoder": name}, manifest)
    run("coco_cross", "--as", "mat", "--out", "mine")
    files = sorted(path.name for path in (tmp_path / "mine").glob("*.mat"))
    assert files == ["coco_cross_both.mat", "coco_cross_other.mat"]


def test_a_view_goes_with_a_map(run):
    """Of another layout, it would be passed over."""
    assert run("coco_cross", "--as", "csv", "--view", "image", "--out", "x").exit_code


def test_unknown_layouts_are_refused(run):
    """Those that exist are listed; leaving it out is a usage error."""
    with pytest.raises(MmclustError, match=r"Unknown layout 'huggingface'"):
        run("coco_cross", "--as", "huggingface", "--out", "mine")
    assert run("coco_cross", "--out", "mine").exit_code == 2
