"""A benchmark's summary says where each of its sources was taken from."""

from types import ModuleType, SimpleNamespace

import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.benchmarks._source_files import taken_from
from mmclust.core.io import write_json
from tests.benchmarks.toy_imagenet import jpeg

ONE = ModuleType("one")
ONE.SOURCE = "coco2017"
TWO = ModuleType("two")
TWO.SOURCES = ("coco2014", "coco2017")


def say(raw, **mirrors):
    for source, mirror in mirrors.items():
        write_json(raw / source / "source.json", {"mirror": mirror})


@pytest.mark.parametrize(
    ("mirror", "told"),
    [("sample", "sample"), ("upstream", "upstream"), ("/data/coco", "folder"),
     ("folder", "folder")],
)  # fmt: skip
def test_one_source(tmp_path, mirror, told):
    """As fetching noted it beside the files; a folder's path is nobody's business."""
    say(tmp_path, coco2017=mirror, coco2014="upstream")
    none = SimpleNamespace()
    assert taken_from(ONE, none, tmp_path / "coco2017") == {"coco2017": told}


def test_several_sources(tmp_path):
    """Those that are there; where the options name one, that one alone."""
    say(tmp_path, coco2017="sample")
    none, chosen = SimpleNamespace(), SimpleNamespace(source="coco2014")
    assert taken_from(TWO, none, tmp_path) == {"coco2017": "sample"}
    say(tmp_path, coco2014="upstream")
    both = {"coco2014": "upstream", "coco2017": "sample"}
    assert taken_from(TWO, none, tmp_path) == both
    assert taken_from(TWO, chosen, tmp_path) == {"coco2014": "upstream"}


def test_a_folder_of_ones_own_was_taken_by_hand(tmp_path):
    """Nothing was fetched: the summary and the card say nothing of a sample."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.jpg").write_bytes(jpeg(0))
    summary = build_benchmark("folder", tmp_path / "mine", tmp_path / "out")
    assert summary["taken_from"] == {"folder": "by hand"}
    assert "built-in sample" not in (tmp_path / "out/README.md").read_text()
    write_json(tmp_path / "mine/source.json", {"mirror": "sample"})
    summary = build_benchmark("folder", tmp_path / "mine", tmp_path / "out")
    assert summary["taken_from"] == {"folder": "sample"}
    assert "built-in sample" in (tmp_path / "out/README.md").read_text()
