"""A build is the published benchmark, or says that it is not."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from mmclust.benchmarks import _build
from mmclust.benchmarks._build import build_benchmark, needed_pictures, told
from mmclust.benchmarks._source_files import taken_from
from mmclust.benchmarks.coco_single_category import coco_all, coco_cross
from mmclust.core.errors import MmclustError
from mmclust.core.io import write_json
from mmclust.core.manifest import read_manifest
from tests.benchmarks.toy_imagenet import jpeg
from tests.benchmarks.toy_pictures import NAME, install


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Build six pictures, three of class a and three of class b."""

    def run(block=None, *, options=None, **given):
        install(monkeypatch, **(options or {}))
        return build_benchmark(NAME, tmp_path / "raw", tmp_path / "out", block, **given)

    return run


def test_equal_counts_are_as_published(build):
    """Class by class, hidden ones included."""
    options = {"expected": {"a": 3, "b": 3}, "hidden": {"p1": "b"}}
    record = build(options=options)["expected"]
    assert record == {"matches": True, "images": 6, "classes": 2}


def test_how_the_files_were_verified_is_recorded(build, tmp_path):
    """As fetching wrote it down, of all files of the source."""
    files = {"a.zip": {"verified": "sha256"}, "b.zip": {"verified": "none"},
             "c.zip": {"verified": "sha256"}}  # fmt: skip
    (tmp_path / "raw").mkdir(exist_ok=True)
    note = json.dumps({"mirror": "upstream", "files": files})
    (tmp_path / "raw/source.json").write_text(note)
    record = build(options={"expected": {"a": 3, "b": 3}})["expected"]
    assert record["verified"] == ["none", "sha256"]


def test_builds_at_once_leave_one_of_them_whole(build, tmp_path, monkeypatch):
    """With pictures and without, over an older one: no file of one beside another's."""
    build()
    together = threading.Barrier(6)
    alone = _build.alone

    def late(folder):
        together.wait()
        return alone(folder)

    monkeypatch.setattr(_build, "alone", late)

    def run(images):
        build_benchmark(NAME, tmp_path / "raw", tmp_path / "out", images=images)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, [True, False] * 3))
    found = json.loads((tmp_path / "out.json").read_text())
    assert (tmp_path / "out/duplicates.parquet").exists() == ("duplicates" in found)
    assert read_manifest(tmp_path / "out/manifest.parquet").digest == found["manifest"]


def test_a_difference_fails_and_nothing_is_written(build, tmp_path):
    """Missing, too many and unknown classes are named with both numbers."""
    with pytest.raises(MmclustError) as error:
        build(options={"expected": {"a": 2, "c": 1_000}})
    text = str(error.value)
    assert text.startswith(f"{NAME} does not come out as published")
    assert "1,002 images in 2 classes" in text
    assert "6 images in 2 classes; different: a 3 (not 2), b 3 (not 0)" in text
    assert "c 0 (not 1,000)" in text
    assert "--allow-different" in text
    assert not (tmp_path / "out").exists()


def test_a_few_classes_are_named_and_the_rest_counted():
    """A wholly different source does not fill the screen."""
    different = {f"c{i}": {"expected": 2, "found": 1} for i in range(20)}
    assert told(different).endswith("c7 1 (not 2) and 12 more")


@pytest.mark.parametrize("way", ["option", "params"])
def test_a_difference_can_be_allowed_and_is_recorded(build, way):
    """By the command's option or in params.yaml; the plugin never sees it."""
    block = {"allow_different": True, "n": 5} if way == "params" else {"n": 5}
    record = build(
        block, options={"expected": {"a": 3, "b": 3}}, allow_different=way == "option"
    )["expected"]
    assert record == {
        "matches": False,
        "images": 6,
        "classes": 2,
        "different": {"b": {"expected": 3, "found": 2}},
    }


def test_allow_different_is_true_or_false(build):
    """Anything else is refused, before anything is read."""
    with pytest.raises(MmclustError, match=r"toy_pictures\.allow_different[\s\S]*'yes"):
        build({"allow_different": "yes please"})


def test_without_classes_images_are_counted(build):
    """The empty name stands for all of them."""
    options = {"labels": {}, "expected": {"": 6}}
    assert build(options=options)["expected"]["matches"] is True
    with pytest.raises(MmclustError, match=r"7 images[\s\S]*images 6 \(not 7\)"):
        build(options={"labels": {}, "expected": {"": 7}})


def test_what_cannot_be_compared_says_why(build, tmp_path):
    """No counts, other options, the built-in sample."""
    assert build()["expected"] == {
        "matches": None,
        "why": "the benchmark has no published counts",
    }
    options = {"expected": {"a": 9}}
    other = build(options=options, split="half")["expected"]
    assert other["why"] == "split or options are not the protocol's"
    (tmp_path / "raw/source.json").write_text('{"mirror": "sample"}')
    sample = build(options=options)["expected"]
    assert sample == {"matches": None, "why": "the source is the built-in sample"}
    (tmp_path / "raw/source.json").write_text('{"mirror": "upstream"}')
    with pytest.raises(MmclustError, match="does not come out"):
        build(options=options)


def test_a_failed_build_leaves_the_one_before(build, tmp_path):
    """All files of a build are those of one build; leftovers of others go."""
    build(options={"hidden": {"p1": "b"}, "alternatives": {"old": {"p0": ("x",)}}})
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    summary = (tmp_path / "out.json").read_bytes()
    assert {"hidden.parquet", "captions_old.parquet", "README.md"} <= before.keys()
    (tmp_path / "out/mine.txt").touch()
    with pytest.raises(MmclustError, match=r"id occurs twice|no image") as error:
        build({"n": 0})
    assert f"{tmp_path}/out/manifest.parquet" in str(error.value)
    after = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert after == before | {"mine.txt": b""}
    assert (tmp_path / "out.json").read_bytes() == summary
    build(images=False)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["README.md", "labels.parquet", "manifest.parquet", "mine.txt"]


@pytest.mark.parametrize("options", [
    {"captions": ("fine", "half \ud83d")},
    {"alternatives": {"old": {"p0": ("\ud83d",)}}},
])  # fmt: skip
def test_a_text_that_cannot_be_written_is_named(build, tmp_path, options):
    """Of all the texts of a benchmark, the one that holds half a character."""
    with pytest.raises(MmclustError, match=r"middle of a char[\s\S]*a caption of p0"):
        build(options=options)
    assert not (tmp_path / "out").exists()


def test_coco_counts_are_the_specs():
    """All classes sum to the published totals, for the protocol's options alone."""
    cross, every = coco_cross.Params(), coco_all.Params()
    assert sum(coco_cross.expected(cross, "train2017").values()) == 7_429
    assert sum(coco_all.expected(every, "train2017").values()) == 23_189
    assert coco_cross.PUBLISHED.items() <= coco_all.PUBLISHED.items()
    assert (len(coco_all.PUBLISHED), min(coco_all.PUBLISHED.values())) == (43, 109)
    assert coco_cross.expected(cross, "val2017") is None
    assert coco_all.expected(coco_all.Params(min_images=99), "train2017") is None
    assert coco_all.expected(coco_all.Params(min_images=100), "train2017")


def test_coco_is_held_to_them_where_it_is_the_published_one(coco):
    """By fetching's word, or by the number of annotated images."""
    raw = coco()
    few = SimpleNamespace(notes={"images_annotated": 9})
    assert "here are 9" in coco_cross.incomparable(raw, few)
    all_of_it = SimpleNamespace(notes={"images_annotated": 117_266})
    assert coco_cross.incomparable(raw, all_of_it) is None
    (raw / "source.json").write_text(json.dumps({"mirror": "upstream"}))
    assert coco_all.incomparable(raw, few) is None


def test_choosing_pictures_to_fetch_ignores_the_allowance(coco, tmp_path):
    """allow_different is the stage's own key, wherever options are read."""
    block = {"min_images": 2, "allow_different": True}
    (tmp_path / "raw_of_all").mkdir()
    (tmp_path / "raw_of_all/coco2017").symlink_to(coco())
    pictures = needed_pictures("coco_all", tmp_path / "raw_of_all", block)
    assert pictures
    assert {name.partition("/")[0] for name in pictures} == {"train2017"}


BOTH = {"coco2014": "upstream", "coco2017": "sample"}


@pytest.mark.parametrize(
    ("mirrors", "options", "told"),
    [
        ({"coco2017": "sample"}, {}, {"coco2017": "sample"}),
        ({"coco2017": "upstream"}, {}, {"coco2017": "upstream"}),
        ({"coco2017": "/data/coco"}, {}, {"coco2017": "folder"}),
        (BOTH, {}, BOTH),
        (BOTH, {"source": "coco2014"}, {"coco2014": "upstream"}),
    ],
)
def test_where_sources_were_taken_from(tmp_path, mirrors, options, told):
    """As fetching noted it beside the files; a folder's path is nobody's business.

    Those that are there; where the options name one, that one alone.
    """
    for source, mirror in mirrors.items():
        write_json(tmp_path / source / "source.json", {"mirror": mirror})
    options = SimpleNamespace(**options)
    two = SimpleNamespace(SOURCES=("coco2014", "coco2017"))
    assert taken_from(two, options, tmp_path) == told
    if len(mirrors) == 1:
        one = SimpleNamespace(SOURCE="coco2017")
        assert taken_from(one, options, tmp_path / "coco2017") == told


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
