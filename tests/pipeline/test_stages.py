"""dvc.yaml against the code: every import is a dep, and labels reach scoring alone."""

import functools
import math
import re
from pathlib import PurePosixPath

import grimp
import pytest
import yaml

from mmclust.core.plugins import SHARED, names
from mmclust.scoring.record import STAGES as RECORDED
from tests.conftest import ROOT

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = PIPELINE["stages"]
VARS = {name: value for each in PIPELINE["vars"] for name, value in each.items()}
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


PLUGINS = ("benchmarks", "encoders", "clusterers", "heads", "words")


def plugins(kind):
    shared = SHARED.get(kind, {})
    return sorted({f"{kind}.{shared.get(name, name)}" for name in names(kind)})


# What each stage's command runs. Plugins are loaded by name, so they are named here.
ENTRIES = {
    "check": ["core.params", *(p for k in PLUGINS for p in plugins(k))],
    "sample": ["sample.make"],
    "fetch": ["sources.fetch"],
    "build": ["benchmarks._build", *plugins("benchmarks")],
    "vocabulary": ["sources.wordnet"],
    "word-list": ["cognition.norms"],
    "caption": ["encode.captioning"],
    "encode": ["encode.stage", *plugins("encoders")],
    "nouns": ["heads._nouns", *plugins("encoders")],
    "cluster": ["clusterers._stage", *plugins("clusterers")],
    "head": ["heads._stage", *plugins("heads"), *plugins("encoders")],
    "embed": ["encode.embed", *plugins("encoders")],
    "retrieve": ["retrieval.stage"],
    "learn": ["words._stage", *plugins("words")],
    "cognition": ["cognition.stage"],
    "score": ["scoring.stage", *plugins("encoders")],
    "grounding": ["grounding.stage"],
    "budget": ["report.budget"],
    "report": ["report.page"],
}
LABELS = PurePosixPath("data/benchmarks/BENCHMARK/labels.parquet")
HIDDEN = LABELS.with_name("hidden.parquet")
OBJECTS = LABELS.with_name("objects.parquet")


KEPT = ("caption", "encode", "nouns", "cluster", "head", "embed", "learn", "score")
"""Stages with a fingerprint."""


def deps(stage):
    text = " ".join(STAGES[stage]["deps"])
    for name in ("src", "core", "built"):
        text = text.replace(f"${{{name}}}", VARS[name])
    return text.split()


@functools.cache
def graph():
    return grimp.build_graph("mmclust", include_external_packages=False)


def closure(modules):
    found = set()
    for name in modules:
        full = f"mmclust.{name}"
        found |= {full} | graph().find_upstream_modules(full)
    packages = {m for m in found if graph().find_children(m)}
    return {f"src/{m.replace('.', '/')}.py" for m in found - packages}


def test_the_stages_are_those_of_the_design():
    """One word each, in order; the table above knows them all."""
    words = [
        "check", "sample", "fetch", "build", "vocabulary", "word-list", "caption",
        "encode",
        "nouns", "cluster", "head", "embed", "retrieve", "learn", "cognition", "score",
        "grounding", "budget", "report",
    ]  # fmt: skip
    assert list(STAGES) == words == list(ENTRIES)


def covers(dep, file):
    return file == dep or file.startswith(f"{dep}/")


@pytest.mark.parametrize("stage", STAGES)
def test_every_import_is_under_a_dep_and_every_dep_is_imported(stage):
    """Editing a file reruns the stages whose code imports it."""
    needed = closure(ENTRIES[stage])
    assert len(needed) >= 3
    stated = [d for d in deps(stage) if d.startswith("src/")]
    assert all((ROOT / d).exists() for d in stated)
    assert {f for f in needed if not any(covers(d, f) for d in stated)} == set()
    assert {d for d in stated if not any(covers(d, f) for f in needed)} == set()


def test_a_missing_dep_is_found():
    """The test above would fail: a stage that did not name the kernels."""
    needed = closure(ENTRIES["head"])
    left = [d for d in deps("head") if not d.endswith("kernels")]
    assert any(not any(covers(d, f) for d in left) for f in needed)


def test_no_stage_reads_files_of_the_package_that_are_not_code():
    """A fingerprint sees code alone; templates are the report's, which has none.

    Known names give options, and these are recorded.
    """
    files = {
        path.relative_to(ROOT / "src/mmclust").parts[0]
        for path in (ROOT / "src/mmclust").rglob("*")
        if path.is_file()
        and path.suffix not in (".py", ".pyc")
        and path.name != "known_names.yaml"
    }
    run = {f.split("/")[2] for stage in KEPT for f in closure(ENTRIES[stage])}
    assert files.isdisjoint(run)


def outs(stage):
    for kind in ("outs", "metrics", "plots"):
        for out in STAGES[stage].get(kind, []):
            yield next(iter(out.items())) if isinstance(out, dict) else (out, {})


def test_fingerprints_persist_with_all_that_they_speak_of():
    """DVC would remove what does not before the stage looks at it."""
    for stage in STAGES:
        records = [name for name, _ in outs(stage) if "fingerprints" in name]
        assert len(records) == (stage in KEPT)
        if stage in KEPT:
            assert all(settings.get("persist") for _, settings in outs(stage))
            axes = [f"${{item.{axis}}}" for axis in STAGES[stage]["matrix"]]
            # A folder for each axis: no two names join to the same path.
            assert records == [f"data/fingerprints/{stage}/{'/'.join(axes)}.json"]


def test_nothing_depends_on_fingerprints():
    """So that an edit that changes no output stops there."""
    read = {d for stage in STAGES for d in deps(stage)}
    assert not any("fingerprints".startswith(d) or "fingerprints" in d for d in read)
    assert "data" not in read


def readers_of(*files):
    """Return stages that depend on one of the files, or on a folder that holds it."""
    found = set()
    for stage in STAGES:
        for text in deps(stage):
            name = re.sub(r"\$\{[\w.]*benchmark\w*\}", "BENCHMARK", text)
            dep = PurePosixPath(name)
            if dep in files or dep in files[0].parents:
                found.add(stage)
    return found


def test_labels_are_read_by_scoring_alone():
    """And no stage depends on all of a build, which holds them."""
    assert readers_of(LABELS, HIDDEN, OBJECTS) == {"score"}


def users_of(pattern):
    """Return source files in which a pattern is found."""
    word = re.compile(pattern)
    return {
        path.relative_to(ROOT / "src/mmclust").as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if word.search(path.read_text())
    }


def test_labels_are_opened_by_scoring_and_export_alone():
    """In the source, too: who imports core.labels or names the file."""
    assert users_of(r"\bcore\.labels\b|labels\.parquet") == {
        "core/labels.py",  # is what reads the file
        "core/manifest.py",  # its docstring says where labels live
        "benchmarks/_build.py",  # writes the file
        "export/stage.py",  # lays out folders by class, for people
        "scoring/own_files.py",  # the hidden ones, when revealed
        "scoring/references.py",  # what uses labels, apart from every method
        "scoring/runs.py",
        "scoring/stage.py",
    }


def test_objects_are_opened_by_grounding_alone():
    """What is where in the pictures reaches no model."""
    assert users_of(r"\bcore\.objects\b|objects\.parquet") == {
        "core/objects.py",  # is what reads the file
        "benchmarks/_build.py",  # writes the file
        "grounding/look.py",
        "grounding/draw.py",
        "grounding/stage.py",
    }


def test_norms_are_read_by_cognition_alone():
    """What learns depends on a list of words, whose stage lets no rating through."""
    readers = {s for s in STAGES for d in deps(s) if covers("data/raw", d)}
    assert readers == {"build", "vocabulary", "word-list", "cognition", "report"}
    word = re.compile(r"read_(ratings|strengths|categories)\b")
    users = {
        path.relative_to(ROOT / "src/mmclust").parts[0]
        for path in (ROOT / "src").rglob("*.py")
        if word.search(path.read_text())
    }
    assert users == {"cognition"}


def test_scores_feed_nothing_but_the_report():
    """What scoring writes reaches no stage that fits, selects or stops."""
    outs = ("data/scores", "metrics", "plots")
    readers = {s: d for s in STAGES for d in deps(s) if d.startswith(outs)}
    # Its choice between settings is made of scores that the cluster stage wrote.
    free = "metrics/details/cluster/${item.benchmark}"
    assert readers.keys() == {"report", "score"}
    assert [d for d in deps("score") if d.startswith(outs)] == [free]


def test_references_reach_the_page_alone():
    """The score stage writes their record; the board's stages do not know it."""
    assert "reference" not in RECORDED
    assert users_of(r"scoring\.references\b") == {"scoring/stage.py"}
    readers = {s for s in STAGES for d in deps(s) if "reference" in d}
    assert readers == set()


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
    """DVC's cost grows with the square of the stages: at most 60."""

    def length(axis):
        value = PARAMS
        for key in axis.removeprefix("${").removesuffix("}").split("."):
            value = value[key]
        return len(value)

    matrices = [stage.get("matrix", {}).values() for stage in STAGES.values()]
    total = sum(math.prod(map(length, axes)) for axes in matrices)
    assert 20 <= total <= 60


def test_result_neutral_knobs_are_no_params():
    """Device, workers and batch size never enter params.yaml."""
    text = (ROOT / "params.yaml").read_text()
    assert not re.search(r"\b(device|workers|batch_size)\b", text)
