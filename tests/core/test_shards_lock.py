"""One process at a time in a work folder; the dead hold nobody up."""

import os
import signal
import subprocess
import sys

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.locks import clear, locked
from tests.conftest import ROOT

HOLD = """
import pathlib, sys, time
from mmclust.core.locks import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_holder_is_named_and_its_death_frees_the_lock(tmp_path):
    """Process and machine are in the message; after SIGKILL the lock is taken over."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "w"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    with (
        pytest.raises(MmclustError, match="Another run is at work") as caught,
        locked(tmp_path / "w"),
    ):
        pass
    assert f"process {process.pid} on " in str(caught.value)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert (tmp_path / "w/lock").exists()
    with locked(tmp_path / "w"):
        clear(tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    """Told, with the path."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(MmclustError, match="cannot be locked"),
        locked(tmp_path / "file/w"),
    ):
        pass
