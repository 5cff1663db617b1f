"""Accepted terms: who may fetch what, written down for this user alone.

The record lies in the user's own configuration, never in the repository: nobody
accepts terms for somebody else by a commit.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import alone, digest_of, read_record, write_json

if TYPE_CHECKING:
    from mmclust.core.registry import Source


def record_path() -> Path:
    """Return the user's record: ``mmclust/accepted.json`` under XDG_CONFIG_HOME."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".config"
    return folder / "mmclust" / "accepted.json"


def terms_of(source: Source) -> str:
    """Return what the user is asked to accept."""
    return f"{source.licence}\n\n{source.terms}".strip()


def accept(source: Source) -> Path:
    """Record that this user accepts a source's terms as they are now."""
    path = record_path()
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    entry = {"date": now, "terms": digest_of(terms_of(source))}
    with alone(path.parent):
        write_json(path, {**_accepted(path), source.name: entry})
    return path


def accepted(source: Source) -> str | None:
    """Return when this user accepted the terms as they are now, if at all."""
    entry = _accepted(record_path()).get(source.name)
    if not isinstance(entry, dict) or entry.get("terms") != digest_of(terms_of(source)):
        return None
    return str(entry.get("date"))


def require_accepted(source: Source) -> None:
    """Refuse a source whose terms must be accepted and are not."""
    if not source.accept or accepted(source) is not None:
        return
    before = _accepted(record_path()).get(source.name)
    raise MmclustError(
        f"The terms of {source.name} have not been accepted",
        where=record_path(),
        expected="your acceptance of the terms as they are now",
        found="none" if before is None else "an acceptance of other terms",
        do=f"run `mmclust sources accept {source.name}`, which shows them",
    )


def _accepted(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    return read_record(path, {}, do="delete it, and accept again")
