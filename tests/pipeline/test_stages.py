"""dvc.yaml against the code: every import is a dep, and labels reach scoring alone."""

import functools
import math
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
    "build": [
        "benchmarks._build",
        "benchmarks.{benchmark}",
        *(f"benchmarks.{n}" for n in names("benchmarks")),
    ],
    "vocabulary": ["sources.nouns"],
    "word_list": ["cognition.lists"],
    "caption": ["encoders._caption_stage"],
    "encode": ["encoders._stage", "encoders.{encoder}"],
    "nouns": ["heads._nouns", f"encoders.{PARAMS['model']['encoder']}"],
    "cluster": ["clusterers._stage", *(f"clusterers.{n}" for n in names("clusterers"))],
    "head": [
        "heads._stage",
        "heads.{head}",
        f"encoders.{PARAMS['model']['encoder']}",
    ],
    "embed": ["encoders._embed", "encoders.{encoder}"],
    "retrieve": ["retrieval._stage"],
    "learn": ["words._stage", "words.{word_model}"],
    "cognition": ["cognition.stage"],
    "score": ["scoring.stage"],
    "grounding": ["grounding._stage"],
    "budget": ["report.budget"],
    "report": ["report.page"],
}
LABELS = PurePosixPath("data/benchmarks/BENCHMARK/labels.parquet")
HIDDEN = LABELS.with_name("hidden.parquet")
OBJECTS = LABELS.with_name("objects.parquet")


def deps(stage, **item):
    text = [next(iter(d)) if isinstance(d, dict) else d for d in STAGES[stage]["deps"]]
    text = [d.replace("${src}", "src/mmclust") for d in text]
    text = [d.replace("${core}", "src/mmclust/core") for d in text]
    text = [d.replace("${model.encoder}", PARAMS["model"]["encoder"]) for d in text]
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


@functools.cache
def shared_by_encoders():
    """Files in encoders/ and kernels/, and of weights, that some encoder imports."""
    files = closure(f"encoders.{name}" for name in names("encoders"))
    folders = ("encoders", "kernels")
    weights = "src/mmclust/core/weights.py"
    return {f for f in files if f.split("/")[2] in folders or f == weights}


@functools.cache
def shared_by_word_models():
    """Files that some word model imports, the models themselves apart."""
    files = closure(f"words.{name}" for name in names("words"))
    return files - {f"src/mmclust/words/{name}.py" for name in names("words")}


def items():
    yield "sample", {}
    yield "fetch", {"source": "coco2017"}
    for benchmark in names("benchmarks"):
        yield "build", {"benchmark": benchmark}
        yield "score", {"benchmark": benchmark}
        yield "nouns", {"benchmark": benchmark}
    for head in names("heads"):
        yield "head", {"benchmark": "coco_cross", "head": head}
    for encoder in names("encoders"):
        yield "encode", {"benchmark": "coco_cross", "encoder": encoder}
        yield "cluster", {"benchmark": "coco_cross", "encoder": encoder}
    yield "vocabulary", {}
    yield "word_list", {}
    yield "cognition", {"word_model": "cooccurrence"}
    yield "caption", {"benchmark": "coco_cross", "captioner": "blip"}
    for encoder in ("clip", "miniclip"):
        yield "embed", {"benchmark": "mscoco_fg", "encoder": encoder}
        yield "retrieve", {"benchmark": "mscoco_fg", "encoder": encoder}
    for model in names("words"):
        yield "learn", {"word_model": model}
    yield "grounding", {}
    yield "budget", {}
    yield "report", {}


def test_the_stages_are_those_of_the_design():
    """One word each, in order; the table above knows them all."""
    words = [
        "sample", "fetch", "build", "vocabulary", "word_list", "caption", "encode",
        "nouns", "cluster", "head", "embed", "retrieve", "learn", "cognition", "score",
        "grounding", "budget", "report",
    ]  # fmt: skip
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
    # A matrix cannot say which encoders a fusion joins: see docs/encoders.md.
    if stage == "encode":
        missing -= {f"src/mmclust/encoders/{name}.py" for name in names("encoders")}
    assert missing == set()
    # Nor can it say which encoder shares which helper with others.
    idle = {d for d in stated if not any(covers(d, f) for f in needed)}
    shared = shared_by_word_models if stage == "learn" else shared_by_encoders
    assert idle <= shared()


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
    """Objects are labels of another kind: their scores are a stage of their own."""
    assert readers_of(LABELS, HIDDEN) == {"score"}
    assert readers_of(OBJECTS) == {"grounding"}


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
        "core/manifest.py",  # its docstring says where labels live
        "core/labels.py",
        "benchmarks/_build.py",  # writes the file
        "export/stage.py",  # lays out folders by class, for people
        "scoring/files.py",
        "scoring/runs.py",
        "scoring/stage.py",
        "scoring/submitted.py",  # the hidden ones, when revealed
    }


def test_objects_are_opened_by_grounding_alone():
    """What is where in the pictures reaches no model."""
    assert users_of(r"\bcore\.objects\b|objects\.parquet") == {
        "core/objects.py",
        "benchmarks/_build.py",  # writes the file
        "grounding/_gold.py",
        "grounding/_show.py",
        "grounding/_stage.py",
    }


def test_norms_are_read_by_cognition_alone():
    """What learns depends on a list of words, whose stage lets no rating through."""
    readers = {s for s in STAGES for d in deps(s) if d.startswith("data/raw/norms")}
    assert readers == {"cognition", "word_list"}
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
