"""Where a page comes from: revision, params, digests."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mmclust.core.io import file_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params
    from mmclust.report.given import Section

SOURCES = ("src", "params.yaml", "dvc.yaml")
"""What decides the results. Commits of metrics and lock files come after a run,
so counting them would change the page each time its own results are committed."""


class Shown(Protocol):
    """A benchmark that the page shows."""

    @property
    def name(self) -> str:
        """The benchmark."""
        ...

    @property
    def manifest(self) -> Manifest:
        """Its images."""
        ...


def revision(root: Path) -> str:
    """Say which code and params made the results.

    Parameters
    ----------
    root
        The root of the repository.

    Returns
    -------
    str
        The last commit that touched :data:`SOURCES`, with a remark where they
        have changed since; a sentence where there is no git history.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return "not a git checkout"
    commit = _git(root, "log", "-1", "--format=%H", "--", *SOURCES)
    if not commit:
        return "not committed yet"
    return f"{commit} with uncommitted changes" if uncommitted(root) else commit


def uncommitted(root: Path) -> list[str]:
    """Return the files of :data:`SOURCES` that differ from the last commit."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return []
    # One file a line and NUL between them: names may hold anything else.
    status = _git(
        root, "status", "--porcelain", "-z", "-uall", "--no-renames", "--", *SOURCES
    )
    lines = (status or "").split("\0")
    return sorted(line.strip().partition(" ")[2].strip() for line in lines if line)


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
    root: Path, shown: Sequence[Shown], sections: Sequence[Section]
) -> list[dict[str, str]]:
    """Return what was read, each with its sha256, in a fixed order.

    Parameters
    ----------
    root
        The root of the repository; names are relative to it.
    shown
        The benchmarks.
    sections
        Of the page, with the files that each was made from.

    Returns
    -------
    list of dict
        ``benchmark``, ``what`` and ``sha256``: the publishers' files and the rows of
        each manifest, then the files the page was made from.
    """
    rows = []
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
    return [
        {"benchmark": name, "what": what, "sha256": digest}
        for name, what, digest in rows
    ]
