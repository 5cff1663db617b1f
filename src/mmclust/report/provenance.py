"""Where a page comes from: revision, params, digests, terms, packages, machine."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core import numerics
from mmclust.core.io import file_digest, read_json
from mmclust.core.manifest import read_summary, summary_path
from mmclust.core.yaml_file import parse_lock, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmclust.core.params import Params
    from mmclust.report.read import Pool, Run
    from mmclust.report.section import Section


SOURCES = ("src", "params.yaml", "dvc.yaml")
"""What decides the results. Commits of metrics and lock files come after a run,
so counting them would change the page each time its own results are committed."""


def revision(root: Path) -> str:
    """Say which code and params made the results."""
    if not is_checkout(root):
        return "not a git checkout"
    commit = _git(root, "log", "-1", "--format=%H", "--", *SOURCES)
    if not commit:
        return "not committed yet"
    return f"{commit} with uncommitted changes" if uncommitted(root) else commit


def uncommitted(root: Path) -> list[str]:
    """Return the files of :data:`SOURCES` that differ from the last commit."""
    if not is_checkout(root):
        return []
    # One file a line and NUL between them: names may hold anything else.
    status = _git(
        root, "status", "--porcelain", "-z", "-uall", "--no-renames", "--", *SOURCES
    )
    lines = (status or "").split("\0")
    return sorted(line.strip().partition(" ")[2].strip() for line in lines if line)


def is_checkout(root: Path) -> bool:
    """Tell whether a folder is the top of a git checkout."""
    top = _git(root, "rev-parse", "--show-toplevel")
    return top is not None and Path(top).resolve() == root.resolve()


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where it fails or is not installed."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
        [git, "-C", str(root), *arguments],
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    return done.stdout.strip() if done.returncode == 0 else None


def params_yaml(params: Params) -> str:
    """Return all params in effect, defaults included, as YAML."""
    import yaml

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(v) for v in value] if isinstance(value, list | tuple) else value

    values = plain(dataclasses.asdict(params))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def digests(
    root: Path, shown: Sequence[Run | Pool], sections: Sequence[Section]
) -> list[tuple[str, str, str]]:
    """Return what was read, each with its sha256, in a fixed order."""
    rows: list[tuple[str, str, str]] = []
    for one in shown:
        found = {
            **{f"source: {k}": str(v) for k, v in one.manifest.meta["sources"].items()},
            "manifest (its rows)": one.manifest.digest,
        }
        rows += [(one.name, what, digest) for what, digest in found.items()]
    rows += [
        (name, path.relative_to(root).as_posix(), file_digest(path))
        for section in sections
        for name, path in section.files
    ]
    return rows


FACTS = ("title", "licence", "citation", "homepage")


def licences(root: Path, params: Params) -> list[dict[str, Any]]:
    """Return what ``data/sources.yaml`` says of the sources that are fetched."""
    known = _mapping(root / "data/sources.yaml")
    entries = {name: known.get(name) for name in params.data.sources}
    return [
        {"name": name}
        | {fact: entry.get(fact) if isinstance(entry, dict) else None for fact in FACTS}
        for name, entry in entries.items()
    ]


SAMPLE = "sample"


def of_sample(summary: Mapping[str, Any]) -> bool:
    """Whether a benchmark's summary says that it was made from the built-in sample."""
    taken = summary.get("taken_from")
    return isinstance(taken, dict) and SAMPLE in taken.values()


def sample_benchmarks(root: Path, names: Iterable[str]) -> list[str]:
    """Return those benchmarks that were made from the built-in sample."""
    folders = {n: root / "data/benchmarks" / n for n in names}
    return [
        n
        for n, folder in folders.items()
        if summary_path(folder).is_file() and of_sample(read_summary(folder))
    ]


def sample_sources(root: Path, names: Iterable[str]) -> list[str]:
    """Return those sources whose files are the built-in sample's."""
    paths = {n: root / "data/raw" / n / "source.json" for n in names}
    return [
        name
        for name, path in paths.items()
        if path.is_file() and _object(path).get("mirror") == SAMPLE
    ]


def _object(path: Path) -> dict[str, Any]:
    """Read an object from a JSON file; what is none says nothing."""
    value = read_json(path)
    return value if isinstance(value, dict) else {}


def locked(root: Path, stage: str = "report") -> list[tuple[str, str, str]]:
    """Return the outputs of all stages that a stage depends on."""
    lock = root / "dvc.lock"
    stages = parse_lock(lock.read_bytes() if lock.is_file() else None, lock)
    asked = (_mapping(root / "dvc.yaml").get("stages") or {}).get(stage, {})
    wanted = [_dep_path(dep) for dep in asked.get("deps", [])]
    found: set[str] = set()
    while wanted:
        dep = wanted.pop()
        for each in stages:
            if each.name in found or each.name == stage:
                continue
            if any(_overlap(dep, out) for out in each.outs):
                found.add(each.name)
                wanted += each.deps
    return [
        (each.name, path, f"md5 {digest}")
        for each in stages
        if each.name in found
        for path, digest in each.outs.items()
    ]


def _mapping(path: Path) -> dict[str, Any]:
    values = read_yaml(path) if path.is_file() else None
    return values if isinstance(values, dict) else {}


def _dep_path(dep: Any) -> str:
    """Return the path of a dep, which is a name, or a mapping from or with it."""
    if isinstance(dep, dict):
        return str(dep.get("path") or next(iter(dep)))
    return str(dep)


def _overlap(one: str, other: str) -> bool:
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first == second or first in second.parents or second in first.parents


def versions() -> list[tuple[str, str]]:
    """Return the packages that this project asks for, with versions."""
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
    """Return what this machine is, and what it computes by."""
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
