"""What files of a commit say: records, summaries, params and dvc.lock."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.text import json_value
from mmclust.core.yaml_file import Stage, parse_lock, parse_yaml
from mmclust.scoring.record import COLUMNS, STAGES, Record, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mmclust.scoring.record import Score

RECORDS = "metrics/details/"
"""Where the records of scores are."""
DATA = "data/benchmarks/"
"""Where the summaries are."""

_SUMMARY = re.compile(rf"{DATA}([^/]+?)(/summary)?\.json")
_LOCK = re.compile(rb"schema: '2\.0'\nstages:\n(?:(?:  [ \w][\t\x20-\x7e]*)?\n)+")
_STAGE = re.compile(rb"^(?=  \w)", re.MULTILINE)
_HEAD = ",".join(COLUMNS).encode()
_COMMON = ("seed", "numerics", "data", "model", "score")


@cache
def place_of(path: str) -> tuple[str, str] | None:
    """Return stage and benchmark of a record's path, None where it is none."""
    if not path.startswith(RECORDS) or not path.endswith(".csv"):
        return None
    stage, *rest = PurePosixPath(path).with_suffix("").parts[2:]
    return (stage, rest[0]) if stage in STAGES and rest else None


def summaries_of(benchmark: str) -> tuple[str, str]:
    """Return where a benchmark's summary is, and where earlier versions had it."""
    return f"{DATA}{benchmark}.json", f"{DATA}{benchmark}/summary.json"


@cache
def summarised(path: str) -> str:
    """Return the benchmark whose summary a path is; empty where it is none."""
    found = _SUMMARY.fullmatch(path)
    return found[1] if found else ""


@cache
def manifest_of(summary: bytes | None) -> str:
    """Return the digest of the manifest that a summary names; empty for none."""
    try:
        value = json_value(summary or b"{}")
    except ValueError:
        return ""
    digest = value.get("manifest", "") if isinstance(value, dict) else ""
    return digest if isinstance(digest, str) else ""


def flat_params(data: bytes | None) -> dict[str, Any]:
    """Return ``{"model.k": 43}`` of a params.yaml; empty where it cannot be read.

    Lists are values, and so are empty mappings.
    """
    try:
        value = parse_yaml(data or b"", "params.yaml")
    except MmclustError:
        return {}
    flat: dict[str, Any] = {}
    if isinstance(value, dict):
        _flatten(value, "", flat)
    return flat


def _flatten(value: Mapping[Any, Any], under: str, flat: dict[str, Any]) -> None:
    for name, inner in value.items():
        key = f"{under}.{name}" if under else str(name)
        if isinstance(inner, dict) and inner:
            _flatten(inner, key, flat)
        else:
            flat[key] = inner


def changed_params(
    then: Mapping[str, str], now: Mapping[str, str], about: Iterable[str] = ()
) -> dict[str, tuple[str | None, str | None]]:
    """Return the params that differ: key → before and after; None: unset."""
    names = {name for name in about if name}

    def far(key: str) -> tuple[bool, str]:
        parts = key.split(".")
        return not (parts[0] in _COMMON or names & set(parts)), key

    differ = {key for key in {*then, *now} if then.get(key) != now.get(key)}
    # An empty block that the other side fills is told by its keys.
    differ -= {key for key in differ if any(k.startswith(f"{key}.") for k in differ)}
    return {key: (then.get(key), now.get(key)) for key in sorted(differ, key=far)}


def texts_of(flat: Mapping[str, Any]) -> dict[str, str]:
    """Return flat params as they are compared and shown."""
    return {key: value if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False, default=str)
            for key, value in flat.items()}  # fmt: skip


def stages_of(data: bytes, known: dict[bytes, list[Stage]]) -> list[Stage]:
    """Return the stages of a dvc.lock, each of which is parsed once.

    Locks of neighbouring commits share nearly all of their stages. As DVC writes it, a
    stage is the lines from one that is indented by two blanks to the next; any other
    file is parsed whole.
    """
    if _LOCK.fullmatch(data):
        parts = _STAGE.split(data)[1:]
        try:
            for part in parts:
                if part not in known:
                    known[part] = parse_lock(b"stages:\n" + part)
        except MmclustError:
            return parse_lock(data)
        found = [stage for part in parts for stage in known[part]]
        if len({stage.name for stage in found}) == len(parts) == len(found):
            return found
    return parse_lock(data)


def record_of(data: bytes, known: dict[bytes, Score], where: object) -> Record:
    """Return a record, each line of which is parsed once: most are those of others."""
    head, *rows = data.split(b"\n")
    if (
        head != _HEAD
        or not rows
        or rows.pop()
        or not all(rows)
        or b'"' in data
        or b"\r" in data
    ):
        return parse(data, where)
    new = [row for row in dict.fromkeys(rows) if row not in known]
    try:
        scores = parse(b"\n".join([head, *new]), where)
    except MmclustError:  # and it says in which line
        return parse(data, where)
    known.update(zip(new, scores, strict=True))
    return Record(tuple(known[row] for row in rows))


def origins_of(stages: Iterable[Stage]) -> dict[str, list[str | None]]:
    """Return of each record its digest, and that of the summary its stage read.

    A stage of an earlier version read the manifest alone: then the summary is the one
    that was built together with it.
    """
    makers: dict[str, Stage] = {}
    for stage in stages:
        for path in stage.outs:
            makers.setdefault(path, stage)
    found: dict[str, list[str | None]] = {}
    for path, stage in makers.items():
        if (place := place_of(path)) is not None:
            paths = summaries_of(place[1])
            read = next(filter(None, map(stage.deps.get, paths)), None)
            build = makers.get(paths[1])
            manifest = f"{DATA}{place[1]}/manifest.parquet"
            if (
                read is None
                and build
                and (stage.deps.get(manifest) == build.outs.get(manifest))
            ):
                read = build.outs[paths[1]]
            found[path] = [stage.outs[path], read]
    return found
