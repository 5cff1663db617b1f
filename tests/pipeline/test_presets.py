"""Every preset against dvc.yaml: what a stage needs is in git or made by another."""

import itertools
import re
import subprocess
from pathlib import PurePosixPath

import pytest
import yaml

from mmclust.cli.preset import completed
from tests.conftest import ROOT

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
VARS = {key: value for entry in PIPELINE["vars"] for key, value in entry.items()}
PRESETS = sorted((ROOT / "presets").glob("*.yaml"))


def lookup(values, key):
    for part in key.split("."):
        values = values[part]
    return values


def filled(text, values):
    """Put values for ${…}, again for those that hold some themselves."""
    found = re.sub(r"\$\{([^}]+)\}", lambda m: str(lookup(values, m[1])), text)
    return found if found == text else filled(found, values)


def stages(params):
    """Each run of each stage: its deps and its outs."""
    for name, stage in PIPELINE["stages"].items():
        matrix = stage.get("matrix", {})
        axes = [lookup(params, text[2:-1]) for text in matrix.values()]
        for item in itertools.product(*axes):
            values = params | VARS | {"item": dict(zip(matrix, item, strict=True))}
            made = [entry for kind in ("outs", "metrics", "plots")
                    for entry in stage.get(kind, [])]  # fmt: skip
            deps, outs = (
                [
                    filled(next(iter(e)) if isinstance(e, dict) else e, values)
                    for e in es
                ]
                for es in (stage.get("deps", []), made)
            )
            for key in stage.get("params", []):
                if isinstance(key, str):
                    lookup(params, filled(key, values))
            yield f"{name}{item}", deps, outs


@pytest.fixture(scope="module")
def tracked():
    """Files in git, or about to be, and the folders that they make."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return with_parents(listed)


def with_parents(names):
    paths = [PurePosixPath(name) for name in names]
    return {str(p) for path in paths for p in (path, *path.parents)}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_what_a_stage_needs_exists_or_is_made(path, tracked):
    """Else `dvc repro` ends with a missing dependency."""
    every = list(stages(yaml.safe_load(completed(path))))
    assert len(every) >= 8
    outs = [out for _, _, made in every for out in made]
    assert len(outs) == len(set(outs))
    there = tracked | with_parents(outs)

    def exists(dep):
        return dep in there or not with_parents([dep]).isdisjoint(outs)

    missing = {(n, d) for n, deps, _ in every for d in deps if not exists(d)}
    assert missing == set()
