"""What dvc.lock says of the stages before the page."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.yaml_file import read_yaml

if TYPE_CHECKING:
    from pathlib import Path


def locked(root: Path, stage: str = "report") -> list[dict[str, Any]]:
    """Return the outputs of all stages that a stage depends on.

    Only those: a stage is run again when one of them changes, so what it writes
    about them stays true.

    Parameters
    ----------
    root
        The root of the repository, with ``dvc.yaml`` and ``dvc.lock``.
    stage
        The stage that asks.

    Returns
    -------
    list of dict
        ``stage``, ``path`` and ``digest`` (as DVC writes it: algorithm and value),
        in the order of the stages. Empty without a ``dvc.lock``.

    Raises
    ------
    MmclustError
        When a file is not valid YAML.
    """
    stages = _read(root / "dvc.lock").get("stages", {})
    asked = (_read(root / "dvc.yaml").get("stages") or {}).get(stage, {})
    wanted = [_path(dep) for dep in asked.get("deps", [])]
    found: dict[str, list[dict[str, Any]]] = {}
    while wanted:
        dep = wanted.pop()
        for name, entry in stages.items():
            if name in found or name == stage:
                continue
            outs = entry.get("outs", [])
            if any(_overlap(dep, str(out["path"])) for out in outs):
                found[name] = outs
                wanted += [_path(each) for each in entry.get("deps", [])]
    return [
        {"stage": name, "path": out["path"], "digest": _digest(out)}
        for name in stages
        for out in found.get(name, [])
    ]


def _read(path: Path) -> dict[str, Any]:
    values = read_yaml(path) if path.is_file() else None
    return values if isinstance(values, dict) else {}


def _path(dep: Any) -> str:
    """Return the path of a dep, which is a name, or a mapping from or with it."""
    if isinstance(dep, dict):
        return str(dep.get("path") or next(iter(dep)))
    return str(dep)


def _overlap(one: str, other: str) -> bool:
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first == second or first in second.parents or second in first.parents


def _digest(out: dict[str, Any]) -> str:
    kind = str(out.get("hash", "md5"))
    return f"{kind} {out.get(kind, 'unknown')}"
