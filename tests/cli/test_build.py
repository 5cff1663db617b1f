"""``mmclust build`` as a user types it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from mmclust.cli.benchmarks import _tell, build
from mmclust.core.errors import MmclustError
from tests.benchmarks.toy_coco import write_coco
from tests.conftest import save_jpeg


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
        "  no readable picture: 5 (000000000007, 000000000045, 000000000101, "
        "000000000900, 000000581929)\n"
        "  counts not compared: not the published train2017, which has 117,266 "
        "annotated images; here are 9\n"
        "  written to mine\n"
    )
    names = sorted(path.name for path in (tmp_path / "mine").iterdir())
    assert names == [
        "README.md",
        "duplicates.parquet",
        "labels.parquet",
        "manifest.parquet",
    ]
    assert (tmp_path / "mine.json").is_file()


def test_as_a_stage_options_come_from_params(run, tmp_path):
    """Without --raw and --out the folders are the pipeline's."""
    (tmp_path / "params.yaml").write_text("benchmarks: {coco_all: {min_images: 2}}")
    result = run("coco_all")
    assert "coco_all: 4 images, 2 classes" in result.output
    text = (tmp_path / "data/benchmarks/coco_all.json").read_text()
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
        run("coco_cross", "--out", "mine", "--min-images", 3)


def test_options_are_given_by_name_and_in_yaml(run, tmp_path):
    """--set takes any option of the benchmark, and says what it does not take."""
    (tmp_path / "params.yaml").write_text("benchmarks: {coco_all: {min_images: 1}}")
    result = run("coco_all", "--set", "min_images=2")
    assert "coco_all: 4 images, 2 classes" in result.output
    assert "`dvc repro` builds it without them" in result.output
    assert "without them" not in run("coco_all").output
    by_hand = run("coco_all", "--out", "mine", "--set", "min_images=2")
    assert "without them" not in by_hand.output
    with pytest.raises(
        MmclustError, match=r"'min_image' in --set[\s\S]*Did you mean 'min_images'"
    ):
        run("coco_all", "--set", "min_image=2")
    with pytest.raises(
        MmclustError, match=r"in --set has the wrong type[\s\S]*where: *min_images"
    ):
        run("coco_all", "--set", "min_images=many")
    with pytest.raises(MmclustError, match="not valid YAML"):
        run("coco_all", "--set", "min_images=[")
    with pytest.raises(MmclustError, match=r"expected: *key=value"):
        run("coco_all", "--set", "min_images")


def test_by_hand_the_pipelines_folder_is_not_written_unasked(run, tmp_path):
    """--raw needs --out."""
    with pytest.raises(MmclustError, match=r"--raw needs --out[\s\S]*coco_cross"):
        run("coco_cross", "--raw", "data/raw/coco2017")
    assert not (tmp_path / "data/benchmarks").exists()


def test_annotations_only_counts_without_files(run, tmp_path):
    """Neither images nor captions need to be there."""
    write_coco(tmp_path / "bare", captions=b"", images={})
    result = run("coco_cross", "--raw", "bare", "--out", "mine", "--annotations-only")
    assert "5 images, 4 classes, 0 captions" in result.output
    names = sorted(path.name for path in (tmp_path / "mine").iterdir())
    assert names == ["README.md", "labels.parquet", "manifest.parquet"]


SUMMARY = {
    "benchmark": "coco_cross",
    "images": 7429,
    "n_classes": 12,
    "captions": 37145,
    "per_class": {f"class {n}": 100 - n for n in range(12)},
}


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        (
            {"matches": True, "images": 7429, "classes": 10},
            "as published (7,429 images, 10 classes)",
        ),
        (
            {"matches": True, "images": 1000, "classes": 0},
            "as published (1,000 images)",
        ),
        (
            {"matches": False, "different": {"kite": {"expected": 2, "found": 1}}},
            "NOT as published, allowed: kite 1 (not 2)",
        ),
        ({"matches": None, "why": "no counts"}, "counts not compared: no counts"),
    ],
)
def test_a_long_histogram_is_cut_and_the_verdict_told(capsys, expected, line):
    """Ten classes are shown; whether the published counts are met is said."""
    _tell({**SUMMARY, "expected": expected}, "out")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("class 9 91 and 2 more")
    assert lines[2] == f"  {line}"


def test_duplicates_are_told_where_there_are_any(capsys):
    """Leaks first of all."""
    none = {"pairs": 0, "across_splits": 0}
    found = {
        "exact": none,
        "near": {"pairs": 1200, "across_splits": 3},
        "not_decoded": {"images": 0, "first": []},
    }
    expected = {"matches": None, "why": "no counts"}
    _tell({**SUMMARY, "expected": expected, "duplicates": found}, "out")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "  near duplicates: 1,200 pairs, 3 of them across splits"
    assert len(lines) == 5


def test_what_is_not_used_of_a_folder_is_told(run, tmp_path):
    """On the terminal: splits, columns, and files by ending."""
    for name in ("train/a.jpg", "test/b.jpg"):
        save_jpeg(tmp_path / "mine" / name, np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "mine/train/notes.pdf").touch()
    data = "file_name,text,u\na.jpg,one,x\n"
    (tmp_path / "mine/train/metadata.csv").write_text(data)
    lines = run("folder", "--raw", "mine", "--out", "out").output.splitlines()
    assert lines[1:5] == [
        "  folders taken for splits, not for classes: test/ (test), train/ (train)",
        "  read train/metadata.csv (rows: 1): captions from text; NOT used: columns u",
        "  images without caption: 1",
        "  other files, NOT used: 1 .pdf (train/notes.pdf)",
    ]


def test_errors_are_one_message_and_exit_one(run_mmclust, tmp_path):
    """No traceback from the real program."""
    done = run_mmclust("build", "coco_cros", "--out", "mine", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: Unknown benchmark 'coco_cros'")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
