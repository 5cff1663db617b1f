"""A temporary clone of the project with little of each kind, for the docs' commands."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tests.conftest import ROOT

GIT = {
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}


def clone(root: Path) -> None:
    """Clone the project as it is here, uncommitted changes too, with small params."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    bash(root, f"git clone -q --no-checkout '{ROOT}' . && git checkout -q -B main")
    for name in filter(None, listed):
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    (root / "params.yaml").write_text(yaml.safe_dump(small(), sort_keys=False))
    (root / ".venv").symlink_to(sys.prefix)
    bash(root, "python -m mmclust plots-page && git add -A && git commit -qm Small")


def small() -> dict:
    """Return the default params with little of each kind."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    built = ("coco_cross", "flickr30k_fg", "coco_words")
    params["benchmarks"] = {b: params["benchmarks"][b] for b in built}
    params["encoders"]["miniclip"] |= {"dim": 16, "size": 24, "steps": 10}
    model = {"benchmarks": ["coco_cross"], "clusterers": ["kmeans"], "n_seeds": 2}
    params["model"] |= model | {"k_sweep": [5]}
    for head in ("tac", "dxmc"):
        params["heads"][head] |= {"epochs": 1, "hidden": 32}
    params["retrieval"] |= {"benchmarks": ["flickr30k_fg"], "fitted_on": "coco_cross"}
    params["learning"] |= {"n_seeds": 1}
    params["words"]["joint_model"] |= {"size": 32, "epochs": 1}
    params["score"] |= {"n_resamples": 100}
    params["report"] = {"thumbnails": 2, "points": 100}
    return params


def bash(root: Path, code: str) -> str:
    """Run shell code in the clone, with the clone's code; fail with what it says."""
    programs = Path(sys.executable).parent
    environment = os.environ | GIT | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(root / "src"),
        "COLUMNS": "200",
    }  # fmt: skip
    with tempfile.TemporaryFile("w+") as said:  # a pipe would wait for daemons
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code], cwd=root, env=environment,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False,
        )  # fmt: skip
        said.seek(0)
        output = said.read()
    assert done.returncode == 0, f"{code}\n{output[-3000:]}"
    return output
