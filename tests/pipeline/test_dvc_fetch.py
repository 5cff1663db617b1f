"""`dvc repro` of a fetch: an edit elsewhere asks the publisher's server for nothing."""

import hashlib
import shutil
import sys

import pytest
import yaml

from tests.conftest import ROOT
from tests.faults.files import serving_files
from tests.pipeline.test_dvc import commit, dvc, run, stages_run

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())
TEXTS = {"one": b"a word", "two": b"another word"}


def entry(url, name, *, digest):
    facts = {"url": f"{url}/{name}.txt"}
    if digest:
        facts["sha256"] = hashlib.sha256(TEXTS[name]).hexdigest()
    return {"licence": "any", "files": {f"{name}.txt": facts}}


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """The stages up to `fetch` as they are, two sources, and their server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    root, site = tmp_path / "repo", tmp_path / "site"
    site.mkdir()
    for name, text in TEXTS.items():
        (site / f"{name}.txt").write_bytes(text)
    shutil.copytree(
        ROOT / "src/mmclust", root / "src/mmclust",
        ignore=shutil.ignore_patterns("__pycache__"),
    )  # fmt: skip
    for name in (".gitignore", ".dvcignore", ".dvc/config"):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    kept = {k: STAGES["stages"][k] for k in ("check", "sample", "fetch")}
    (root / "dvc.yaml").write_text(
        yaml.safe_dump({"vars": STAGES["vars"], "stages": kept}, sort_keys=False)
    )
    params = {"sample": {"seed": 1}, "data": {"mirror": "upstream", "images": "all"}}
    params |= {"numerics": "portable"}
    params["data"]["sources"] = list(TEXTS)
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    run(root, "git", "init", "-q", "-b", "main")
    if not (root / ".dvc").is_dir():
        dvc(root, "init", "-q")
    with serving_files(site) as (server, url):
        # One is held to a published digest, one to the first download.
        registry = {name: entry(url, name, digest=name == "one") for name in TEXTS}
        write(root, registry)
        commit(root, "Start")
        yield root, registry, server.requests


def write(root, registry):
    (root / "data").mkdir(exist_ok=True)
    (root / "data/sources.yaml").write_text(yaml.safe_dump(registry))


def test_only_what_changed_is_fetched(repo):
    """Another source's text: no run; its own, or code: no request; a file: one."""
    root, registry, requests = repo
    first = stages_run(dvc(root, "repro"))
    assert first == {"sample", "fetch@one", "fetch@two"}
    assert requests == {"/one.txt": 1, "/two.txt": 1}
    before = (root / "data/raw/two/source.json").read_bytes()

    registry["one"]["licence"] = "another"
    write(root, registry)
    assert stages_run(dvc(root, "repro")) == {"fetch@one"}
    code = root / "src/mmclust/sources/fetch.py"
    code.write_text(code.read_text() + "# a remark\n")
    assert stages_run(dvc(root, "repro")) == {"fetch@one", "fetch@two"}
    assert requests == {"/one.txt": 1, "/two.txt": 1}
    now = (root / "data/raw/two/source.json").read_text()
    assert now == before.decode().replace('"none"', '"first seen"')

    # What a file is called now, and nothing of what it was called before.
    files = registry["two"]["files"]
    files["other.txt"] = {"url": files.pop("two.txt")["url"]}
    write(root, registry)
    assert stages_run(dvc(root, "repro")) == {"fetch@two"}
    assert requests == {"/one.txt": 1, "/two.txt": 2}
    there = {path.name for path in (root / "data/raw/two").iterdir()}
    assert there == {"other.txt", "source.json"}


def test_nothing_is_drawn_for_another_mirror(repo):
    """The sample's stage runs, and makes a registry of nothing."""
    root, _, _ = repo
    dvc(root, "repro", "sample")
    assert [path.name for path in (root / "data/sample").iterdir()] == ["registry.yaml"]
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("upstream", "sample"))
    run(root, sys.executable, "-m", "mmclust", "sample")
    assert [path.name for path in (root / "data/sample").iterdir()] == ["registry.yaml"]
