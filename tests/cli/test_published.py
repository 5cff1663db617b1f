"""`mmclust published`: facts with their source, and honest comparisons."""

import csv
import json
import shutil

import pytest

from mmclust.core.params import DataParams, ModelParams, Params
from mmclust.scoring.published import compare, other_data, read_published
from mmclust.scoring.record import Record, Score, path_of, write
from tests.conftest import ROOT

FOLDER = ROOT / "docs/published"
SAMPLE = {"expected": {"matches": None, "why": "the source is the built-in sample"}}


def record(mean, *, key, k=10, metric="acc"):
    """Return one method's record on ten classes."""
    scores = (
        Score(*key, metric, mean, k=k),
        Score(*key, "n_samples", 7429.0, k=k),
        Score(*key, "n_classes", 10.0, k=k),
    )
    return Record(scores)


def of(dataset, method, metric, table="dxmc-1"):
    (row,) = [
        r
        for r in read_published(FOLDER)
        if (r.table, r.dataset, r.method, r.metric) == (table, dataset, method, metric)
    ]
    return row


def test_averages_of_table_1_are_reproduced():
    """The mean of the 15 values of a complete row is the printed AVG, to 0.1."""
    rows = [r for r in read_published(FOLDER) if r.table == "dxmc-1"]
    checked = 0
    for printed in (r for r in rows if r.dataset == "average"):
        values = [
            r.value
            for r in rows
            if r.method == printed.method and r.dataset != "average"
        ]
        assert len(values) == 15
        mean = 100 * sum(values) / 15
        assert mean == pytest.approx(100 * printed.value, abs=0.1001)
        checked += 1
    assert checked == 14
    assert len({r.method for r in rows}) == 17


def test_values_are_those_of_the_specification():
    """Spot checks against the page the files were copied from."""
    assert of("imagenet_dogs", "DXMC", "acc").value == 0.861
    assert of("stl10", "CLIP (k-means)", "nmi").value == 0.917
    assert of("cifar20", "TAC", "ari", "tac-1").value == 0.448
    cross = [r for r in read_published(FOLDER) if r.dataset == "coco_cross"]
    assert (cross[0].value, cross[0].spread) == (0.7251, 0.0033)


def test_numbers_from_memory_are_left_out():
    """Rows of TAC's own table that no other source confirms are absent."""
    rows = [r for r in read_published(FOLDER) if r.table == "tac-1"]
    confirmed = {(r.dataset, r.method, r.metric) for r in rows}
    assert len(rows) == 17
    assert ("stl10", "TAC", "nmi") not in confirmed
    assert ("imagenet_dogs", "TAC", "acc") not in confirmed
    assert {r.status for r in read_published(FOLDER)} == {
        "A", "F", "M", "L", "participant report"}  # fmt: skip
    assert all(r.source and r.setup for r in read_published(FOLDER))


def test_newer_methods_are_known():
    """Values of the specifications; what labels chose is said; SCAN's is another."""
    assert of("cifar10", "TURTLE", "acc", "turtle-1").value == 0.995
    assert of("imagenet1k", "CPP", "acc", "cpp-1").status == "A"
    listed = of("stl10", "GradNorm (as listed by a third party)", "acc", "gradnorm-1")
    assert "backbone not stated" in listed.setup
    params = Params(benchmarks={"cifar10": {}}, model=ModelParams(encoder="clip"))
    summary = {"expected": {"matches": True, "verified": ["sha256"]}}
    rows = read_published(FOLDER)
    for head, method in (("turtle", "TURTLE"), ("sic", "SIC"), ("scan", None)):
        ours = record(0.9, key=("clip", "image", head))
        found = compare(rows, "cifar10", ours, params, summary)
        assert {row.published.method for row in found} == ({method} - {None})
        told = " ".join(text for row in found for text in row.differs)
        assert ("labels chose it" in told) == (head == "sic")
        assert all(row.difference is not None for row in found)


def test_the_setup_is_compared():
    """Encoder, data, k and split policy that are not theirs are named."""
    heads = record(0.9, key=("miniclip", "image", "tac"), k=20)
    ours = Params(
        benchmarks={"cifar10": {"split_policy": "train"}},
        model=ModelParams(encoder="miniclip"),
    )
    (row,) = [
        r
        for r in compare(read_published(FOLDER), "cifar10", heads, ours, SAMPLE)
        if r.published.table == "tac-1"
    ]
    assert row.difference is None
    assert row.name == "miniclip image tac"
    assert row.differs == [
        "our data are not the published ones: the source is the built-in sample",
        "our encoder is miniclip, theirs CLIP ViT-B/32",
        "our k is 20, not 10 (classes)",
        "our split policy is train, theirs tac",
    ]


@pytest.mark.parametrize(
    ("name", "block", "told"),
    [
        ("clip", {}, ""),
        ("mine", {"is": "clip"}, ""),
        ("clip", {"model": "a/large"}, "clip (a/large)"),
        ("mine", {"is": "clip", "model": "a/large"}, "mine (a/large)"),
        ("mine", {"is": "hog"}, "mine"),
        ("gone", None, "gone"),
    ],
)
def test_their_clip_is_known_by_its_model(name, block, told):
    """Not by its name: another CLIP's numbers are not those of theirs."""
    blocks = {} if block is None else {name: block}
    params = Params(encoders=blocks, model=ModelParams(encoder=name))
    ours = record(0.9, key=(name, "image", "tac"))
    found = compare(read_published(FOLDER), "cifar10", ours, params, SAMPLE)
    assert found
    for row in found:
        about = [text for text in row.differs if text.startswith("our encoder")]
        expected = f"our encoder is {told}, theirs CLIP ViT-B/32"
        assert about == [expected] * bool(told)


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        ({"matches": True, "verified": ["md5", "sha256"]}, ""),
        ({"matches": True, "verified": ["crc32", "first seen", "sha256"]}, ""),
        ({"matches": True, "verified": ["none", "sha256"]}, "not all their files"),
        ({"matches": True}, "not fetched by mmclust"),
        ({"matches": False, "verified": ["md5"]}, "their counts are others"),
        ({"matches": None, "why": "split or options"}, "split or options"),
        (SAMPLE["expected"], "the built-in sample"),
        ({}, "nothing says"),
    ],
)
@pytest.mark.parametrize("mirror", ["sample", "upstream"])
def test_one_rule_says_whether_data_are_the_published_ones(expected, why, mirror):
    """Of a benchmark's own counts and digests; whatever shows a difference asks it."""
    summary = {"expected": expected}
    assert why in other_data(summary)
    assert bool(other_data(summary)) == bool(why)
    ours = record(0.5, key=("hog", "concat", "kmeans"))
    params = Params(data=DataParams(mirror=mirror), model=ModelParams(encoder="hog"))
    rows = compare(read_published(FOLDER), "coco_cross", ours, params, summary)
    shown = [row.difference for row in rows]
    if why:
        assert set(shown) == {None}
        assert all(why in row.differs[0] for row in rows)
    else:
        assert shown[0] == pytest.approx(0.5 - 0.7251)


def test_compare(tmp_path, run_mmclust):
    """What is printed: theirs, ours, the difference, and why not to trust it."""
    shutil.copytree(FOLDER, tmp_path / "docs/published")
    (tmp_path / "params.yaml").write_text(
        "benchmarks: {coco_cross: {}}\nencoders: {hog: {}}\nmodel: {encoder: hog}\n"
    )
    path = path_of(tmp_path, "score", "coco_cross")
    write(path, record(0.5, key=("hog", "concat", "kmeans")))
    built = tmp_path / "data/benchmarks/coco_cross.json"
    built.parent.mkdir(parents=True)
    for expected, told in (
        (SAMPLE["expected"], "other data"),
        ({"matches": True, "verified": ["sha256"]}, "-0.225"),
    ):
        built.write_text(json.dumps({"expected": expected}))
        done = run_mmclust("published", "compare", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        line = next(x for x in done.stdout.splitlines() if "theirs 0.725" in x)
        assert "ours 0.500" in line
        assert told in line
        assert "hog concat kmeans" in line
        assert ("built-in sample" in done.stdout) == (told == "other data")
        done = run_mmclust(
            "published", "compare", "--table", "multimodal-1", cwd=tmp_path
        )
        left_out = "ours of coco_cross are left out: our data are not the published"
        assert (left_out in done.stdout) == (told == "other data")
        assert ("ours: hog concat kmeans" in done.stdout) == (told != "other data")
        assert "0.7251 ± 0.0033" in done.stdout
    write(path, [])
    done = run_mmclust("published", "compare", cwd=tmp_path)
    assert "No method has a score on coco_cross" in done.stderr


def test_list(tmp_path, run_mmclust):
    """A line a number, or a table as printed; a wrong name has the nearest."""
    shutil.copytree(FOLDER, tmp_path / "docs/published")
    done = run_mmclust("published", "list", "stl10", cwd=tmp_path)
    numbers = [row for row in read_published(FOLDER) if row.dataset == "stl10"]
    lines = [x for x in done.stdout.splitlines() if x.startswith("  stl10 ")]
    assert len(lines) == len(numbers)
    assert any("DXMC " in x and "nmi  0.958" in x for x in lines)
    done = run_mmclust("published", "list", "--table", "dxmc-1", cwd=tmp_path)
    (line,) = [x for x in done.stdout.splitlines() if x.split()[:1] == ["DXMC"]]
    values = [float(cell) for cell in line.split() if "." in cell]
    theirs = [r.value for r in read_published(FOLDER)
              if (r.table, r.method) == ("dxmc-1", "DXMC")]  # fmt: skip
    assert sorted(values) == sorted(theirs)
    for arguments, told in (
        (["stl"], "Did you mean 'stl10'?"),
        (["--table", "dxmc1"], "Did you mean 'dxmc-1'?"),
    ):
        done = run_mmclust("published", "list", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert told in done.stderr


def test_a_broken_file(tmp_path, run_mmclust):
    """Other columns, or a value that is no number, are named."""
    folder = tmp_path / "docs/published"
    folder.mkdir(parents=True)
    lines = (FOLDER / "words.csv").read_text().splitlines()
    (folder / "words.csv").write_text("\n".join([lines[0], "2,a,b,c,x,,s,M,t"]))
    done = run_mmclust("published", "list", cwd=tmp_path)
    assert done.returncode == 1
    assert "line 2" in done.stderr
    (folder / "words.csv").write_text("a,b\n")
    assert (
        "no file of published" in run_mmclust("published", "list", cwd=tmp_path).stderr
    )
    rows = list(csv.reader(lines))
    assert {len(row) for row in rows} == {9}
