"""The command line starts without anything heavy, and tells errors as one message."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = ("torch", "transformers", "dvc", "sklearn", "pyarrow", "cv2", "faiss", "numpy")


def test_help_loads_nothing_heavy():
    """Building the whole command line imports no numerical library."""
    code = (
        "import sys, mmclust.cli\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_every_stage_has_help(run_mmclust, tmp_path):
    """Help works anywhere and names the stages in order."""
    done = run_mmclust("--help", cwd=tmp_path)
    assert done.returncode == 0
    words = ["sample", "fetch", "build", "encode", "cluster", "report"]
    places = [done.stdout.index(f" {word} ") for word in words]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("encode", "coco_cross", "hog"), 1, "params.yaml is missing"),
        (("build", "coco_al", "--raw", "."), 1, "Did you mean 'coco_all'?"),
        (("build",), 2, "Missing argument"),
        (("nothing",), 2, "No such command"),
    ],
)
def test_errors_are_messages(run_mmclust, tmp_path, arguments, code, text):
    """User's errors exit 1, usage errors 2; neither shows a traceback."""
    done = run_mmclust(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
