"""What an output was made of: which edits count, and which records hold."""

import ast
import json
import os
import shutil
import sys
from pathlib import Path

import grimp
import pytest

from mmclust.core import fingerprint as f
from mmclust.core.fingerprint import code, digests, fingerprint, libraries
from mmclust.core.io import write_bytes
from mmclust.core.plugins import names
from tests.conftest import ROOT

STAGES = {
    "encoders": "mmclust.encode.stage",
    "heads": "mmclust.heads._stage",
    "words": "mmclust.words._stage",
}
PLUGINS = [(kind, name) for kind in STAGES for name in names(kind)]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the source, to edit."""
    copy = tmp_path / "src/mmclust"
    shutil.copytree(
        ROOT / "src/mmclust", copy, ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(f, "PACKAGE", copy)
    f._module.cache_clear()
    yield copy
    f._module.cache_clear()


def codes():
    f._module.cache_clear()
    return {
        (kind, name): code(STAGES[kind], f"mmclust.{kind}.{name}")
        for kind, name in PLUGINS
    }


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def changed(before):
    after = codes()
    return {plugin for plugin in PLUGINS if after[plugin] != before[plugin]}


def test_the_closure_is_what_is_imported(monkeypatch):
    """As grimp, an independent reader of imports, finds it."""
    monkeypatch.setattr(f, "WITHOUT_CODE", ("mmclust.core.fingerprint",))
    f._module.cache_clear()
    graph = grimp.build_graph("mmclust", exclude_type_checking_imports=True)
    for edge in graph.find_modules_directly_imported_by("mmclust.core.fingerprint"):
        graph.remove_import(importer="mmclust.core.fingerprint", imported=edge)
    for kind, name in PLUGINS:
        entries = [STAGES[kind], f"mmclust.{kind}.{name}"]
        wanted = set(entries).union(*map(graph.find_upstream_modules, entries))
        found = {m for m in code(*entries) if not graph.find_children(m)}
        packages = {m for m in wanted if graph.find_children(m)}
        assert found == wanted - packages - {"mmclust.core.fingerprint"}


def test_an_encoder_changes_its_own_features(package):
    """And those of encoders that join it; no other encoder, no head."""
    before = codes()
    edit(package / "encoders/hog.py", "VIEWS = (", "OTHER = 1\nVIEWS = (")
    found = changed(before)
    assert ("encoders", "hog") in found
    assert ("encoders", "clip") not in found
    assert {kind for kind, _ in found} == {"encoders"}
    assert found == {p for p in PLUGINS if "mmclust.encoders.hog" in before[p]}


@pytest.mark.parametrize(
    "helper", ["models.pixels", "heads._train", "kernels.kmeans", "core.images"]
)
def test_a_helper_changes_what_imports_it(package, helper):
    """Exactly those plugins whose closure has it: some, and not all."""
    before = codes()
    path = package / f"{helper.replace('.', '/')}.py"
    path.write_text(path.read_text() + "\nOTHER = 1\n")
    found = changed(before)
    assert found == {p for p in PLUGINS if f"mmclust.{helper}" in before[p]}
    assert 0 < len(found) < len(PLUGINS)


def test_comments_docstrings_and_the_version_change_nothing(package):
    """Nor does the layout; a number does."""
    before = codes()
    path = package / "encoders/hog.py"
    path.write_text("# a remark\n" + path.read_text().replace('"""', '"""Or: ', 1))
    edit(path, "@dataclass", "\n\n\n\n@dataclass")
    edit(package / "__init__.py", '__version__ = "', '__version__ = "9')
    edit(package / "core/io.py", "CHUNK = 1 << 20\n", 'CHUNK = 1 << 20\n"""Bytes."""\n')
    assert changed(before) == set()
    edit(package / "core/io.py", "CHUNK = 1 << 20\n", "CHUNK = 1 << 21\n")
    assert changed(before) == set(PLUGINS)


def test_a_new_option_of_another_stage_changes_nothing(package):
    """Params give values, and these are recorded."""
    before = codes()
    path = package / "core/params.py"
    path.write_text(path.read_text() + "\nOTHER = 1\n")
    assert changed(before) == set()


NEUTRAL = {
    "huggingface_hub", "isal", "lxml", "msgspec", "psutil", "pyarrow", "ray", "rich",
    "safetensors", "threadpoolctl", "tqdm", "typer", "yaml",
}  # fmt: skip
"""What moves bytes and changes no number."""


def test_libraries_of_numbers_are_known():
    """What a stage or plugin imports is in LIBRARIES, or changes no number."""
    kinds = STAGES | {"clusterers": "mmclust.clusterers._stage"}
    entries = [f"mmclust.{kind}.{name}" for kind in kinds for name in names(kind)]
    modules = code(*kinds.values(), *entries, "mmclust.scoring.stage")
    imported = set()
    for name in modules:
        path = f._source(name)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        tree = ast.parse(path.read_bytes())
        imported |= {each.partition(".")[0] for each in f._imports(tree, package)}
    others = imported - {*sys.stdlib_module_names, "mmclust", "", *NEUTRAL}
    assert others <= f.LIBRARIES.keys()
    assert {"numpy", "torch", "sklearn"} <= others


def test_every_way_to_import(tmp_path, monkeypatch):
    """At the top, in functions, relative, by a name in text; not for types alone."""
    package = tmp_path / "mmclust"
    (package / "a/b").mkdir(parents=True)
    for name in ("", "a/", "a/b/"):
        (package / name / "__init__.py").write_text("")
    (package / "a/main.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "import mmclust.a.one, numpy\n"
        "from mmclust.a import two, b\n"
        "from . import three\n"
        "from .b.four import *\n"
        "if TYPE_CHECKING:\n    from mmclust.a import types\n"
        "else:\n    from mmclust.a import five\n"
        "def run():\n    from mmclust.a.six import thing\n    import torch.nn\n"
        "    importlib.import_module('mmclust.a.seven')\n"
        "    importlib.import_module('.eight', 'mmclust.a')\n"
        "    __import__('mmclust.a.nine')\n"
    )
    for name in (
        "one",
        "two",
        "three",
        "b/four",
        "types",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
    ):
        (package / f"a/{name}.py").write_text("")
    monkeypatch.setattr(f, "PACKAGE", package)
    f._module.cache_clear()
    found = code("mmclust.a.main")
    f_names = {name.removeprefix("mmclust.a.") for name in found}
    assert f_names == {
        "mmclust", "mmclust.a", "b", "b.four", "main",
        "one", "two", "three", "five", "six", "seven", "eight", "nine",
    }  # fmt: skip
    assert set(libraries(found)) == {"numpy", "torch"}
    f._module.cache_clear()


def test_a_table_beside_a_plugin_counts(package):
    """Where its code names it, whatever reads it: that plugin's alone."""
    edit(
        package / "encoders/hog.py", "VIEWS = (", 'TABLE = "tables/hog.csv"\nVIEWS = ('
    )
    before = codes()
    table = package / "encoders/tables/hog.csv"
    table.parent.mkdir()
    for text in ("1", "2"):
        table.write_text(text)
        found = changed(before)
        assert found == {p for p in PLUGINS if "mmclust.encoders.hog" in before[p]}
        before = codes()
    table.with_name("other.csv").write_text("1")
    assert changed(before) == set()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A stage that writes what it read; its fingerprint with other options."""
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("1")

    def take(**options):
        return fingerprint(
            ("stage", "name"), [Path("out"), Path("single.txt")],
            modules=["mmclust.core.seeds"], inputs=[Path("in.txt"), Path("none")],
            options={"seed": 1, **options},
        )  # fmt: skip

    def compute(made):
        write_bytes(Path("out/deep/a.txt"), Path("in.txt").read_bytes())
        write_bytes(Path("single.txt"), b"x")
        made.write()

    made = take()
    assert not made.holds()
    assert made.why() == ""
    compute(made)
    assert take().holds()
    take.compute = compute
    return take


def test_a_record_says_what_it_is_of(run):
    """In paths of the repository, without a time or a machine."""
    made = json.loads(Path("data/fingerprints/stage/name.json").read_text())
    assert made["made_of"]["inputs"]["none"] == "absent"
    assert set(made["outputs"]) == {"out/deep/a.txt", "single.txt"}
    assert str(Path.cwd()) not in json.dumps(made)
    before = Path("data/fingerprints/stage/name.json").read_bytes()
    run.compute(run())
    assert Path("data/fingerprints/stage/name.json").read_bytes() == before


def relink(path, target):
    """Replace a file by a link, as DVC links into its cache."""
    path.unlink()
    path.symlink_to(path.parent.absolute() / target)
    return path


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda: Path("in.txt").write_text("2"), "changed: inputs: in.txt"),
        (lambda: Path("none").write_text(""), "changed: inputs: none"),
        (lambda: Path("single.txt").unlink(), "an output is missing"),
        (lambda: Path("single.txt").write_bytes(b"y"), "an output is missing or"),
        (lambda: Path("out/stray.txt").write_bytes(b""), "an output is missing or"),
        (lambda: Path("out/stray.txt").symlink_to("gone"), "an output is missing or"),
        (lambda: relink(Path("out/deep/a.txt"), "gone"), "an output is missing or"),
        (lambda: shutil.rmtree("out"), "an output is missing"),
        (lambda: Path("data/fingerprints/stage/name.json").unlink(), ""),
        (lambda: Path("data/fingerprints/stage/name.json").write_text("{"), ""),
        (lambda: Path("data/fingerprints/stage/name.json").write_text("[1]"), ""),
        (lambda: Path("data/fingerprints/stage/name.json").write_text(
            '{"format": 0}'), ""),
    ],
)  # fmt: skip
def test_what_changed_is_made_again(run, change, why):
    """Inputs, outputs, records; once made, all holds."""
    change()
    made = run()
    assert not made.holds()
    assert made.why().startswith(why)
    assert bool(made.why()) == bool(why)
    run.compute(made)
    assert run().holds()
    assert not os.path.lexists("out/stray.txt")


def test_other_options_and_named_files_count(run):
    """A file that an option names counts by its bytes, wherever it lies."""
    assert not run(k=2).holds()
    Path("weights.bin").write_bytes(b"1")
    made = run(weights="weights.bin")
    run.compute(made)
    assert run(weights="weights.bin").holds()
    Path("weights.bin").write_bytes(b"2")
    assert run(weights="weights.bin").why() == "changed: files: weights.bin"


def test_numerics_count(run, monkeypatch):
    """Portable results are not those of fast libraries."""
    monkeypatch.setattr(f, "in_use", lambda: "other")
    assert run().why() == "changed: numerics"


def test_what_an_earlier_run_left_is_removed(run):
    """But not what this run wrote, nor what is not an output; empty folders go."""
    write_bytes(Path("out/deep/old/seed_2.bin"), b"")
    Path("beside.txt").write_text("")
    Path("in.txt").write_text("2")
    made = run()
    assert Path("out/deep/old/seed_2.bin").exists()
    run.compute(made)
    assert [p.name for p in Path("out").rglob("*")] == ["deep", "a.txt"]
    assert Path("beside.txt").exists()


def test_a_run_that_fails_leaves_what_was_there(run):
    """Its record, too, which holds again once the options are the old ones."""
    made = run(k=2)
    assert not made.holds()
    assert run().holds()


def test_large_files_are_read_once(run, monkeypatch):
    """Until they change, also into as many bytes with the times of before."""
    old = 1_000_000_000
    path = Path("big.bin")
    path.write_bytes(b"1" * 100)
    os.utime(path, (old, old))
    monkeypatch.setattr(f, "LARGE", 100)
    reads = []
    real = f.file_digest
    monkeypatch.setattr(f, "file_digest", lambda p: reads.append(p) or real(p))
    first = digests([path])
    assert digests([path]) == first
    assert len(reads) == 2  # its inode changed a moment ago: not remembered yet
    monkeypatch.setattr(f, "SETTLED", -1)
    assert digests([path]) == digests([path]) == first
    assert len(reads) == 3
    path.write_bytes(b"2" * 100)
    os.utime(path, (old, old))
    assert digests([path]) != first
    Path(".mmclust/digests.json").write_text("{")
    assert digests([path]) != first


def test_nothing_is_remembered_where_no_pipeline_is(tmp_path, monkeypatch):
    """``mmclust assign`` in a folder of pictures leaves nothing there."""
    (tmp_path / "big.bin").write_bytes(b"1" * 100)
    monkeypatch.setattr(f, "LARGE", 100)
    monkeypatch.setattr(f, "SETTLED", -1)
    monkeypatch.chdir(tmp_path)
    digests([Path("big.bin")])
    assert [p.name for p in tmp_path.iterdir()] == ["big.bin"]
    Path("data").mkdir()
    digests([Path("big.bin")])
    assert Path(".mmclust/digests.json").is_file()


def test_leftovers_of_killed_writers_do_not_count(run):
    """DVC does not see them, either."""
    folder = Path("out/.a.txt.0123456789ab.tmp")
    folder.mkdir()
    (folder / "new").write_bytes(b"")
    assert run().holds()
