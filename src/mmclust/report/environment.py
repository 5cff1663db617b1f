"""The machine and the packages that a page was made with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from pathlib import Path

from mmclust.core import numerics


def versions() -> list[tuple[str, str]]:
    """Return the packages that this project asks for, with versions.

    Those of extras are listed where they are installed.
    """
    found = []
    names = {
        re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        for requirement in importlib.metadata.requires("mmclust") or []
    }
    for name in sorted({"mmclust", *names}, key=str.lower):
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """Return what this machine is, and what it computes by.

    No name of a host, a user or a folder. Nothing that is compared between machines
    may hold it.
    """
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count() or "unknown"),
        "memory": f"{pages / 2**30:.0f} GiB",
        "numerics": numerics.in_use(),
        "instructions": numerics.instructions(),
        "Python": platform.python_version(),
    }


def _processor() -> str:
    """Return the processor's own name; ``platform`` has none on Linux."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"
