"""Names of params.yaml are words of dvc.yaml's commands, and no more than that."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from dvc.parsing import DataResolver
from dvc.repo import Repo
from typer.testing import CliRunner

from mmclust.cli import app
from mmclust.core.errors import MmclustError
from tests.conftest import ROOT

TEXT = (ROOT / "dvc.yaml").read_text()
MATRICES = {
    name: list(stage["matrix"])
    for name, stage in yaml.safe_load(TEXT)["stages"].items()
    if "matrix" in stage
}
HOSTILE = [
    "x; touch PWNED #",
    "$(touch PWNED)",
    "`touch PWNED`",
    "x' ; touch PWNED ; 'y",
    'x" && touch PWNED || "y',
    "x | touch PWNED",
    "x & touch PWNED",
    "x > PWNED",
    "x\ntouch PWNED\n",
    "x'\ntouch PWNED\n'",
    "x\u2028touch PWNED",
    "two words",
    "-rf",
    "../..",
    "~",
    "*",
    "\\",
]


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """Return stage, names and command line of every stage for every hostile name."""
    root = tmp_path_factory.mktemp("repo")
    shutil.copy(ROOT / "dvc.yaml", root)
    blocks = {name: {} for name in HOSTILE}
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params |= dict.fromkeys(("benchmarks", "captioners", "encoders", "words"), blocks)
    params["data"]["sources"] = params["learning"]["word_lists"] = HOSTILE
    params["model"] |= {"benchmarks": HOSTILE, "heads": HOSTILE}
    params["retrieval"] |= {"benchmarks": HOSTILE, "encoders": HOSTILE}
    params["grounding"]["benchmarks"] = HOSTILE
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=root, check=True)
    resolver = DataResolver(Repo(str(root)), str(root), yaml.safe_load(TEXT))
    found = []
    for stage, keys in MATRICES.items():
        definition = resolver.definitions[stage]
        for key, item in definition.normalized_iterable.items():
            nodes = [item[k] for k in keys]
            names = [n if isinstance(n, str) else n.value for n in nodes]
            if len(set(names)) == 1:  # of two names, both the same: enough
                [resolved] = definition.resolve_one(key).values()
                found.append((stage, names, resolved["cmd"]))
    return found


def test_a_name_is_one_word_whatever_is_in_it(commands, tmp_path):
    """No command of dvc.yaml lets a name end it, begin another, or be expanded."""
    assert len(commands) == len(MATRICES) * len(HOSTILE)
    assert len(MATRICES) >= 13
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s\\0" "$@" > words\n')
    (tmp_path / "python").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    for stage, names, command in commands:
        (tmp_path / "words").unlink(missing_ok=True)
        lines = command.splitlines()  # as DVC runs it, up to the first that fails
        for line in lines:
            done = subprocess.run(
                ["/bin/sh", "-c", line], cwd=tmp_path, env={"PATH": path},
                check=False, capture_output=True,
            )  # fmt: skip
            assert not (tmp_path / "PWNED").exists(), (stage, names)
            if done.returncode:
                break
        if stage == "grounding":  # it is not told the name
            continue
        if len(lines) == 1:
            words = (tmp_path / "words").read_bytes().decode().split("\0")[:-1]
            assert words[-2 * len(names) + 1 :: 2] == names, (stage, names)
        else:
            assert done.returncode, (stage, names)


def test_names_stand_in_no_command_by_themselves():
    """${item.benchmark} would put a name on the command line as it is."""
    texts = re.findall(r"cmd: (.*)", TEXT)
    assert len(texts) == len(yaml.safe_load(TEXT)["stages"])
    free = {"mmclust", "item"}
    assert {v for text in texts for v in re.findall(r"\$\{([^}]*)\}", text)} == free


@pytest.mark.parametrize(
    "command",
    [
        ("fetch", "--source"), ("build", "--benchmark"), ("nouns", "--benchmark"),
        ("encode", "--benchmark", "coco_cross", "--encoder"),
        ("encode", "--encoder", "hog", "--benchmark"),
        ("score", "benchmark", "--benchmark"),
        ("word-list", "--name"), ("learn",), ("caption", "coco_cross"),
        ("published", "compare"), ("submit",), ("panels", "coco_cross"),
        ("retrieve", "benchmark"), ("track-report",), ("preset",),
    ],
)  # fmt: skip
def test_commands_refuse_what_is_no_name(tmp_path, monkeypatch, command):
    """Before anything is read or written."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    error = CliRunner().invoke(app, [*command, "../.."]).exception
    assert isinstance(error, MmclustError)
    assert "cannot be used" in str(error)
    assert "'../..'" in str(error)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["in"]


def test_names_are_taken_as_dvc_writes_them(tmp_path, monkeypatch):
    """--benchmark NAME --encoder NAME are the two words NAME NAME."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("seed: 1")
    plain, named = (
        str(CliRunner().invoke(app, ["encode", *words]).exception)
        for words in (
            ("coco_cross", "hog"),
            ("--benchmark", "coco_cross", "--encoder", "hog"),
        )
    )
    assert "manifest.parquet is missing" in plain
    assert plain == named


def test_a_name_does_not_empty_a_folder_of_ones_own(tmp_path):
    """DVC removes the outputs of a stage before it runs; it refuses those of nobody."""
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    output = "data/features/${item.benchmark}/${item.encoder}"
    assert f"- {output}" in TEXT
    stage = {
        "matrix": {"benchmark": "${benchmarks}", "encoder": "${encoders}"},
        "cmd": "touch RAN",
        "outs": [output],
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"encode": stage}}))
    kept = [tmp_path / "data/mine/kept.txt", tmp_path / "mine/kept.txt"]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.write_text("of the user")
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=tmp_path, check=True)
    for name in ("../../mine", "../../../mine"):
        params = {"benchmarks": ["folder"], "encoders": [name]}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        done = subprocess.run(
            ["dvc", "repro"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode
        assert "is ignored by" in done.stderr
        assert all(path.is_file() for path in kept)
    assert not (tmp_path / "RAN").exists()
    params["encoders"] = ["hog"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    done = subprocess.run(
        ["dvc", "repro"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (tmp_path / "RAN").exists(), done.stderr


def test_the_outputs_of_stages_are_seen(tmp_path):
    """And what they depend on: nothing that dvc.yaml names is in .dvcignore."""
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=tmp_path, check=True)
    content = yaml.safe_load(TEXT)
    known = {name: path for each in content["vars"] for name, path in each.items()}
    known["nouns.vocabulary"] = "data/vocabulary/WordNetNouns.csv"
    named = set()
    for stage in content["stages"].values():
        for kind in ("deps", "outs", "metrics", "plots"):
            for each in stage.get(kind, ()):
                [path] = each if isinstance(each, dict) else [each]
                for _ in range(2):  # ${core} is ${src}/core
                    path = re.sub(
                        r"\$\{([^}]*)\}", lambda m: known.get(m[1], "name"), path
                    )
                named.add(path)
    assert len(named) > 80
    listed = subprocess.run(
        ["dvc", "check-ignore", *sorted(named), "data/fingerprints/x", "data/mine"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    # DVC walks no folder .dvc, but sees what is named in it.
    seen = [name for name in listed.split() if not name.startswith(".dvc/plots/")]
    assert seen == ["data/mine"]


def test_the_page_is_made_anew_when_a_curve_s_template_changes(tmp_path):
    """DVC sees a file of .dvc/plots by its name: what the page draws by is a dep."""
    used = {path.stem for path in (ROOT / ".dvc/plots").glob("*.json")
            if any(f'"{path.stem}"' in file.read_text()
                   for file in (ROOT / "src/mmclust/report").glob("*.py"))}  # fmt: skip
    deps = [f".dvc/plots/{name}.json" for name in sorted(used)]
    assert deps
    assert set(deps) <= set(map(str, yaml.safe_load(TEXT)["stages"]["report"]["deps"]))
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=tmp_path, check=True)
    template = tmp_path / deps[0]
    template.parent.mkdir()
    template.write_text("{}")
    stage = {"cmd": "echo x > page", "deps": deps[:1], "outs": ["page"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"report": stage}}))
    subprocess.run(["dvc", "repro", "-q"], cwd=tmp_path, check=True)
    template.write_text('{"width": 1}')
    told = subprocess.run(
        ["dvc", "status"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert deps[0] in told
