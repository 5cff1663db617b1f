"""The plugins that CONTRIBUTING.md shows, written down and used word for word."""

import re

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.blocks import blocks
from tests.docs.clone import bash

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
EXAMPLES = re.findall(
    r"^### An? [^\n]+: `src/mmclust/((\w+)/(\w+)\.py)`\n\n```python\n(.+?)^```",
    TEXT,
    re.MULTILINE | re.DOTALL,
)
KINDS = ("encoders", "clusterers", "benchmarks", "heads", "words")


@pytest.fixture(scope="module")
def extended(prepared):
    """The clone with the examples' files, and their names in params.yaml."""
    path = prepared / "params.yaml"
    before = path.read_text()
    params = yaml.safe_load(before)
    files = [prepared / "src/mmclust" / name for name, *_ in EXAMPLES]
    for file, (_, kind, name, code) in zip(files, EXAMPLES, strict=True):
        file.write_text(code)
        options = re.search(rf"`{name}: (\{{.*?\}})`", TEXT)
        if options:
            params[kind][name] = yaml.safe_load(options[1])
        else:
            assert f"Name it in `model.{kind}`" in TEXT
            params["model"][kind].append(name)
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    yield prepared
    path.write_text(before)
    for file in files:
        file.unlink()


def test_there_is_one_of_each_kind():
    assert tuple(kind for _, kind, *_ in EXAMPLES) == KINDS


def test_the_commands_beside_them_run(extended):
    for block in blocks(ROOT / "CONTRIBUTING.md"):
        bash(extended, block.code)


def test_they_keep_the_rules_of_the_code(extended):
    files = " ".join(f"src/mmclust/{name}" for name, *_ in EXAMPLES)
    bash(extended, f"ruff check {files} && ruff format --check {files}")


def test_each_has_its_page_on_the_site(extended):
    """By existing: nothing but the file was added."""
    page = "import reference; print(reference.plugin_page(*'{}'.split()))"
    for _, kind, name, code in EXAMPLES:
        command = page.format(f"{kind} {name}")
        text = bash(extended, f'PYTHONPATH=src:docs/site python -c "{command}"')
        assert f"# {name}" in text
        assert code.splitlines()[0].strip('"') in text
        assert "| option |" in text or "nothing to set" in text
