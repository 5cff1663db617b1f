"""dvc.yaml against the code: every import is a dep, and labels reach scoring alone."""

import re
from pathlib import PurePosixPath

import grimp
import pytest
import yaml

from mmclust.core.plugins import names
from tests.conftest import ROOT

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())

# What each stage's command runs. Plugins are loaded by name, so they are named here.
ENTRIES = {
    "sample": ["sources.sample.make"],
    "fetch": ["sources.fetch"],
    "build": ["benchmarks._stage", "benchmarks.{benchmark}"],
    "encode": ["encoders._stage", "encoders.{encoder}"],
    "cluster": ["clusterers._stage", *(f"clusterers.{n}" for n in names("clusterers"))],
    "score": ["scoring.stage"],
    "report": ["report.page"],
}
LABELS = PurePosixPath("data/benchmarks/${item.benchmark}/labels.parquet")


def deps(stage, **item):
    text = [next(iter(d)) if isinstance(d, dict) else d for d in STAGES[stage]["deps"]]
    text = [d.replace("${src}", "src/mmclust") for d in text]
    text = [d.replace("${core}", "src/mmclust/core") for d in text]
    for key, value in item.items():
        text = [d.replace(f"${{item.{key}}}", value) for d in text]
    return text


def closure(modules):
    graph = grimp.build_graph("mmclust", include_external_packages=False)
    found = set()
    for name in modules:
        full = f"mmclust.{name}"
        found |= {full} | graph.find_upstream_modules(full)
    packages = {m for m in found if graph.find_children(m)}
    return {f"src/{m.replace('.', '/')}.py" for m in found - packages}


def items():
    yield "sample", {}
    yield "fetch", {"source": "coco2017"}
    for benchmark in names("benchmarks"):
        yield "build", {"benchmark": benchmark}
        yield "score", {"benchmark": benchmark}
    for encoder in names("encoders"):
        yield "encode", {"benchmark": "coco_cross", "encoder": encoder}
        yield "cluster", {"benchmark": "coco_cross", "encoder": encoder}
    yield "report", {}


def test_the_stages_are_those_of_the_design():
    """One word each, in order; the table above knows them all."""
    words = ["sample", "fetch", "build", "encode", "cluster", "score", "report"]
    assert list(STAGES) == words == list(ENTRIES)
    assert {stage for stage, _ in items()} == set(words)


@pytest.mark.parametrize(("stage", "item"), list(items()))
def test_every_import_is_a_dep_and_every_dep_is_imported(stage, item):
    """Editing a file reruns exactly the stages whose code imports it."""
    entries = [entry.format(**item) for entry in ENTRIES[stage]]
    needed = closure(entries)
    assert len(needed) >= 3
    stated = [d for d in deps(stage, **item) if d.startswith("src/")]
    assert all((ROOT / d).exists() for d in stated)

    def covers(dep, file):
        return file == dep or file.startswith(dep.rstrip("/") + "/")

    missing = {f for f in needed if not any(covers(d, f) for d in stated)}
    assert missing == set()
    idle = {d for d in stated if not any(covers(d, f) for f in needed)}
    assert idle == set()


def test_labels_are_read_by_scoring_alone():
    """No other stage depends on labels, or on a folder that holds them."""
    readers = set()
    for stage in STAGES:
        for dep in map(PurePosixPath, deps(stage)):
            if dep == LABELS or dep in LABELS.parents:
                readers.add(stage)
    assert readers == {"score"}


def test_labels_are_opened_by_scoring_and_export_alone():
    """In the source, too: who imports core.labels or names the file."""
    word = re.compile(r"\bcore\.labels\b|labels\.parquet")
    users = {
        path.relative_to(ROOT / "src/mmclust").as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if word.search(path.read_text())
    }
    assert users == {
        "core/manifest.py",  # its docstring says where labels live
        "core/labels.py",
        "benchmarks/_stage.py",  # writes the file
        "benchmarks/_export.py",  # lays out folders by class, for people
        "scoring/stage.py",
    }


def test_scores_feed_nothing_but_the_report():
    """What scoring writes reaches no stage that fits, selects or stops."""
    outs = ("data/scores", "metrics", "plots")
    readers = {s for s in STAGES for d in deps(s) if d.startswith(outs)}
    assert readers == {"report"}


def test_metrics_and_plots_are_in_git():
    """cache: false, so that `dvc metrics diff` works in a clone without a remote."""
    seen = 0
    for stage in STAGES.values():
        for entry in [*stage.get("metrics", []), *stage.get("plots", [])]:
            (settings,) = entry.values()
            assert settings["cache"] is False
            seen += 1
    assert seen >= 4


def test_the_default_run_stays_small():
    """DVC's cost grows with the square of the stages: at most 45."""
    axes = {
        "${data.sources}": len(PARAMS["data"]["sources"]),
        "${benchmarks}": len(PARAMS["benchmarks"]),
        "${model.benchmarks}": len(PARAMS["model"]["benchmarks"]),
        "${encoders}": len(PARAMS["encoders"]),
    }
    total = 0
    for stage in STAGES.values():
        count = 1
        for axis in stage.get("matrix", {}).values():
            count *= axes[axis]
        total += count
    assert 20 <= total <= 45


def test_result_neutral_knobs_are_no_params():
    """Device, workers and batch size never enter params.yaml."""
    text = (ROOT / "params.yaml").read_text()
    assert not re.search(r"\b(device|workers|batch_size)\b", text)
