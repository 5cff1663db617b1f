"""Run in a process of its own: fetch, and die at a named point.

    python -m tests.faults.killing POINT ROOT

The points lie where a power cut would hurt most. SIGKILL runs no handler.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def fetch(root):
    from mmclust.sources.fetch import fetch_source

    fetch_source("toy", mirror="upstream", out=root / "out", root=root)


def while_downloading(root):
    """When the first half has been written."""
    from mmclust.sources.parts import Part

    write = Part.write

    def writing(self, chunk):
        write(self, chunk)
        if self.size > 1_000_000:
            die()

    Part.write = writing
    fetch(root)


def between_verify_and_rename(root):
    """All is verified, nothing has its name."""
    from mmclust.sources import download

    download._publish = die
    fetch(root)


def between_two_renames(root):
    """The first file has its name, the second has not."""
    from mmclust.sources import download

    publish, published = download._publish, []

    def publishing(*arguments):
        if published:
            die()
        published.append(1)
        publish(*arguments)

    download._publish = publishing
    fetch(root)


def before_the_note(root):
    """All files are there, source.json is not."""
    from mmclust.sources import fetch as module

    module.write_json = die
    fetch(root)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
