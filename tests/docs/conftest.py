"""The built site, and clones that the docs' commands run in; each made once."""

import pytest

from tests.conftest import ROOT
from tests.docs.blocks import blocks
from tests.docs.build import mkdocs
from tests.docs.clone import bash, clone
from tests.docs.files import make_files


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A clone in which the stages of docs/pipeline.md ran, by hand, in order."""
    root = tmp_path_factory.mktemp("docs")
    clone(root)
    for block in blocks(ROOT / "docs/pipeline.md"):
        if block.kind == "run":
            bash(root, block.code)
    bash(root, "mmclust fetch fine_grained && mmclust fetch pascal_sentences")
    make_files(root)
    return root


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory):
    """A clone in which `dvc repro` ran, its results committed."""
    root = tmp_path_factory.mktemp("docs-slow")
    clone(root)
    bash(root, "dvc repro && git add -A && git commit -qm Run")
    make_files(root)
    bash(root, "git add -A && git commit -qm Files")
    return root


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site, built without a warning."""
    out = tmp_path_factory.mktemp("site")
    done = mkdocs(ROOT, out)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return out
