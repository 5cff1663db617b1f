"""dvc.lock: what each stage read and wrote when it last ran."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmclust.core.yaml_file import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Stage:
    """A stage as it last ran: path → md5 of what it read and wrote."""

    name: str
    deps: dict[str, str] = field(default_factory=dict)
    outs: dict[str, str] = field(default_factory=dict)


def parse_lock(data: bytes | None, where: object = "dvc.lock") -> list[Stage]:
    """Return the stages of a dvc.lock; none of none."""
    value = parse_yaml(data or b"", where, as_text=True)
    stages = value.get("stages") if isinstance(value, dict) else None
    if not isinstance(stages, dict):
        return []
    return [
        Stage(name, _digests(entry, "deps"), _digests(entry, "outs"))
        for name, entry in stages.items()
        if isinstance(entry, dict)
    ]


def _digests(entry: dict[str, Any], section: str) -> dict[str, str]:
    listed = entry.get(section)
    return {
        each["path"]: str(each.get("md5") or "unknown")
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict) and "path" in each
    }


def maker(stages: Iterable[Stage], path: str) -> Stage | None:
    """Return the stage that wrote a file, None where none is recorded."""
    return next((stage for stage in stages if path in stage.outs), None)


def md5(data: bytes) -> str:
    """Return DVC's digest of a file."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
