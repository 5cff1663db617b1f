"""Kernels and heads on a device that is no CPU, which every machine has."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_no_tensor_is_on_the_wrong_device():
    """In a process of its own, to which torch gives a device of that kind."""
    script = Path(__file__).with_name("elsewhere.py")
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
