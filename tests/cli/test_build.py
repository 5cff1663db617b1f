"""``mmclust build`` as a user types it."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from mmclust.cli.build import build
from mmclust.core.errors import MmclustError
from tests.benchmarks.toy_coco import write_coco


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in an empty folder, with the tiny COCO in data/raw."""
    monkeypatch.chdir(tmp_path)
    write_coco(tmp_path / "data/raw/coco2017", "stored")
    app = typer.Typer()
    app.command()(build)

    def invoke(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def test_by_hand_no_params_file_is_needed(run, tmp_path):
    """With --raw and --out everything is said on the command line."""
    result = run("coco_cross", "--raw", "data/raw/coco2017", "--out", "mine")
    assert result.exit_code == 0
    assert result.output == (
        "coco_cross: 5 images, 4 classes, 26 captions\n"
        "  giraffe 2, cell phone 1, person 1, stop sign 1\n"
        "  written to mine\n"
    )
    names = sorted(path.name for path in (tmp_path / "mine").iterdir())
    assert names == ["labels.parquet", "manifest.parquet", "summary.json"]


def test_as_a_stage_options_come_from_params(run, tmp_path):
    """Without --raw and --out the folders are the pipeline's."""
    (tmp_path / "params.yaml").write_text("benchmarks: {coco_all: {min_images: 2}}")
    result = run("coco_all")
    assert "coco_all: 4 images, 2 classes" in result.output
    text = (tmp_path / "data/benchmarks/coco_all/summary.json").read_text()
    assert json.loads(text)["notes"]["min_images"] == 2
    assert "coco_all: 7 images, 5 classes" in run("coco_all", "--min-images", 1).output


def test_a_stage_without_params_is_explained(run):
    """Only by-hand runs do without params.yaml."""
    with pytest.raises(MmclustError, match=r"params\.yaml is missing"):
        run("coco_cross")


def test_threshold_is_refused_where_there_is_none(run):
    """The options that exist are listed."""
    with pytest.raises(
        MmclustError, match=r"coco_cross has no threshold[\s\S]*it has none"
    ):
        run("coco_cross", "--raw", "data/raw/coco2017", "--min-images", 3)


def test_annotations_only_counts_without_files(run, tmp_path):
    """Neither images nor captions need to be there."""
    write_coco(tmp_path / "bare", captions=b"", images={})
    result = run("coco_cross", "--raw", "bare", "--annotations-only")
    assert "5 images, 4 classes, 0 captions" in result.output
    assert (tmp_path / "data/benchmarks/coco_cross/summary.json").is_file()


def test_a_long_histogram_is_cut_and_the_verdict_told(run, capsys):
    """Ten classes are shown; whether the published counts are met is said."""
    from mmclust.cli.build import _tell

    per_class = {f"class {n}": 100 - n for n in range(12)}
    notes = {"matches_published": True, "published": {"images": 7429, "classes": 10}}
    _tell(
        {
            "benchmark": "coco_cross",
            "images": 7429,
            "n_classes": 12,
            "captions": 37145,
            "per_class": per_class,
            "notes": notes,
        },
        "out",
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("class 9 91 and 2 more")
    assert lines[2] == "  as published (7,429 images, 10 classes)"


def test_errors_are_one_message_and_exit_one(run_mmclust, tmp_path):
    """No traceback from the real program."""
    done = run_mmclust("build", "coco_cros", "--raw", ".", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: Unknown benchmark 'coco_cros'")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
