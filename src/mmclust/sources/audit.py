"""Whether raw files are still what was fetched, and which stages read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mmclust.core.errors import MmclustError
from mmclust.core.io import file_digest, held, read_note, read_record, write_json
from mmclust.core.yaml_file import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.registry import Source

State = Literal["right", "damaged", "missing"]
_CACHE = ".mmclust/verified.json"


@dataclass(frozen=True)
class Finding:
    """What is known of one file.

    Parameters
    ----------
    source, name
        Of which source, and its name.
    state
        Whether it is as ``source.json`` says.
    note
        In what it differs.
    read
        Whether its bytes were read now, or had not changed since they were.
    """

    source: str
    name: str
    state: State
    note: str = ""
    read: bool = True


def audit(source: Source, folder: Path, root: Path, *, deep: bool) -> list[Finding]:
    """Compare a source's files with what ``source.json`` and the registry say."""
    note = folder / "source.json"
    if not note.is_file():
        raise MmclustError(
            f"{source.name} is not complete",
            where=folder,
            expected="source.json, which comes with the last file",
            found="none",
            do=f"run `mmclust fetch {source.name}`",
        )
    again = f"run `mmclust fetch {source.name}`"
    facts = read_record(note, {"mirror": str, "files": dict}, do=again)
    cache = _read_cache(root)
    held(note, facts["files"], dict.fromkeys(facts["files"], dict), again)
    for entry in facts["files"].values():
        held(note, entry, {"size": int, "sha256": str, "from": str}, again)
    findings = [
        _finding(source, folder, name, entry, cache, mirror=facts["mirror"], deep=deep)
        for name, entry in facts["files"].items()
    ]
    write_json(root / _CACHE, cache)
    return findings


def stages_touched(root: Path, path: str) -> list[str]:
    """Return the stages of dvc.yaml that read a path, directly or by others."""
    try:
        stages = read_yaml(root / "dvc.yaml")
    except MmclustError:
        return []
    stages = stages.get("stages", {}) if isinstance(stages, dict) else {}
    touched: dict[str, list[str]] = {}
    changed = [path]
    for _ in stages:  # as many rounds as a chain of stages can be long
        for name, stage in stages.items():
            if name not in touched and _overlap(_paths(stage, ["deps"]), changed):
                touched[name] = _paths(stage, ["outs", "metrics", "plots"])
                changed += touched[name]
    return [name for name in stages if name in touched]


def _finding(
    source: Source,
    folder: Path,
    name: str,
    entry: dict[str, Any],
    cache: dict[str, Any],
    *,
    mirror: str,
    deep: bool,
) -> Finding:
    path = folder / name
    if not path.is_file():
        return Finding(source.name, name, "missing", "no such file")
    if path.stat().st_size != entry["size"]:
        note = f"{path.stat().st_size:,} bytes instead of {entry['size']:,}"
        return Finding(source.name, name, "damaged", note, read=False)
    digest, read = _digest(path, cache, deep=deep)
    file = source.files.get(name)
    known = file.sha256 if file is not None and mirror == "upstream" else None
    whole = entry["from"] == "archive"
    for said, expected in (
        ("source.json says", entry["sha256"]),
        ("the registry says", known if whole else None),
    ):
        if expected is not None and expected != digest:
            note = f"sha256 {digest}, {said} {expected}"
            return Finding(source.name, name, "damaged", note, read)
    return Finding(source.name, name, "right", f"sha256 {digest}", read)


def _digest(path: Path, cache: dict[str, Any], *, deep: bool) -> tuple[str, bool]:
    """Return the sha256, and whether the file was read for it."""
    stat = path.stat()
    # Not the time alone: clocks jump, and copies keep times.
    print_ = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    key = str(path.absolute())
    held = cache.get(key)
    if not deep and isinstance(held, dict) and held.get("stat") == print_:
        return str(held["sha256"]), False
    digest = file_digest(path)
    cache[key] = {"stat": print_, "sha256": digest}
    return digest, True


def _read_cache(root: Path) -> dict[str, Any]:
    """Read what was verified; a damaged record only costs reading again."""
    return read_note(root / _CACHE)


def _paths(stage: dict[str, Any], keys: list[str]) -> list[str]:
    """Return a stage's paths up to their first variable."""
    items = [item for key in keys for item in stage.get(key, [])]
    names = [next(iter(item)) if isinstance(item, dict) else item for item in items]
    return [str(name).partition("${")[0].rstrip("/") for name in names]


def _overlap(some: list[str], others: list[str]) -> bool:
    return any(
        a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")
        for a in some
        for b in others
    )
