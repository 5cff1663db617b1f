"""What dvc.lock of a commit says of a metrics file: its stage, and the data it read."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_STAGE = re.compile(r"  (\S.*):$")
_SECTION = re.compile(r"    (\w+):")
_PATH = re.compile(r"    - path: (.+)$")
_MD5 = re.compile(r"      md5: (\w+)")


@dataclass
class Stage:
    """A stage as it last ran: path → md5 of what it read and wrote."""

    name: str
    deps: dict[str, str] = field(default_factory=dict)
    outs: dict[str, str] = field(default_factory=dict)


def parse_lock(data: bytes | None) -> list[Stage]:
    """Return the stages of a dvc.lock; those of a damaged one as far as they go.

    DVC writes the file line by line in one way, and it has thousands of lines per
    commit, so it is read as lines rather than as YAML.
    """
    stages: list[Stage] = []
    section, path = "", ""
    for line in (data or b"").decode(errors="replace").splitlines():
        if found := _STAGE.match(line):
            stages.append(Stage(_unquoted(found[1])))
            section = ""
        elif found := _SECTION.match(line):
            section = found[1]
        elif found := _PATH.match(line):
            path = _unquoted(found[1])
        elif stages and section in ("deps", "outs") and (found := _MD5.match(line)):
            getattr(stages[-1], section)[path] = found[1]
    return stages


def _unquoted(text: str) -> str:
    return text.strip("'\"")


def maker(stages: Iterable[Stage], path: str) -> Stage | None:
    """Return the stage that wrote a file, None where none is recorded."""
    return next((stage for stage in stages if path in stage.outs), None)


def summary_read(stages: list[Stage], stage: Stage, benchmark: str) -> str | None:
    """Return the md5 of the summary of the data that a stage read.

    Parameters
    ----------
    stages
        All of dvc.lock.
    stage
        The one that wrote the metrics.
    benchmark
        Whose data.

    Returns
    -------
    str or None
        Of the summary itself where the stage reads it; else of the one that was
        built together with the manifest that it read; None where neither is known.
    """
    folder = f"data/benchmarks/{benchmark}"
    summary, manifest = f"{folder}/summary.json", f"{folder}/manifest.parquet"
    if summary in stage.deps:
        return stage.deps[summary]
    build = maker(stages, summary)
    if build is None or stage.deps.get(manifest) != build.outs.get(manifest, ""):
        return None
    return build.outs[summary]


def md5(data: bytes) -> str:
    """Return DVC's digest of a file."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
