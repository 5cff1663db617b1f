"""Fixtures that several test folders share."""

from __future__ import annotations

# isort: off
from mmclust.core import numerics

numerics.settle()  # as a command does, before numpy or torch can be loaded
# isort: on

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from mmclust.core.labels import write_labels
from mmclust.core.manifest import Row, write_manifest

ROOT = Path(__file__).parents[1]
RUN = Path(os.environ.get("MMCLUST_RUN", ROOT))
"""Where the default run may have been made; `.ci/run` says where it made one."""

settings.register_profile("mmclust", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("mmclust")

# Jobs in the background of a shell ignore Ctrl-C, and what they start does, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Let the longest files come first, so that two processes end together."""
    longest = ("test_dvc.py", "test_other_processors.py")
    items.sort(key=lambda item: item.path.name not in longest)


@pytest.fixture
def run_mmclust():
    """Run the command line as a user does, in a process of its own."""

    def run(*arguments, cwd):
        return subprocess.run(
            [sys.executable, "-m", "mmclust", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def save_jpeg(path, rgb):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path, quality=90)


WORDS = ("red square", "green disc", "blue bar")


@pytest.fixture
def tiny(tmp_path):
    """A repository with one built benchmark: 36 pictures of 3 classes.

    A class has a colour, a word in its captions, and noise.
    """
    rng = np.random.default_rng(0)
    rows, labels = [], {}
    for i in range(36):
        kind = i % 3
        rgb = rng.integers(0, 90, (40, 48, 3), dtype=np.uint8)
        rgb[8:30, 8:30, kind] += 150
        image_id = f"{i:012d}"
        save_jpeg(tmp_path / "raw" / f"{image_id}.jpg", rgb)
        thing = WORDS[kind]
        captions = tuple(
            f"{opening} {thing} on {ground}"
            for opening, ground in (("a", "grey"), ("one", "noise"), ("some", "grey"))
        )
        rows.append(
            Row(
                image_id,
                tmp_path / "raw",
                f"{image_id}.jpg",
                None,
                None,
                48,
                40,
                captions,
                "train",
            )
        )
        labels[image_id] = thing.split()[1]
    folder = tmp_path / "data/benchmarks/tiny"
    write_manifest(
        folder / "manifest.parquet",
        rows,
        benchmark="tiny",
        protocol="1",
        sources={"tiny": "0"},
    )
    write_labels(folder / "labels.parquet", labels)
    folder.with_name("tiny.json").write_text('{"n_classes": 3}\n')
    return tmp_path


@pytest.fixture
def cli():
    """Run the command line in this process; errors are printed as ``main`` does."""
    from typer.testing import CliRunner

    from mmclust.cli import app
    from mmclust.core.errors import MmclustError

    def run(*arguments):
        done = CliRunner().invoke(app, [str(each) for each in arguments])
        if isinstance(done.exception, MmclustError):
            done.output_bytes += f"error: {done.exception}\n".encode()
        elif done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run
