"""YAML as DVC reads and writes it, version 1.2: every file and option, and dvc.lock.

PyYAML alone reads version 1.1, where ``1e-05`` and ``5e-1`` are text, ``010`` is eight
and ``no`` is false. Its parser is used here, its meaning of words is not.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_DEPTH = 50
_REPEATED = 10_000
"""How many values aliases may repeat, in all."""

_NOT_TEXT = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_WORDS = {"": None, "~": None} | {
    spelling: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for spelling in (word, word.title(), word.upper())
}
_INT = re.compile(r"([-+]?)(?:(0b)([01_]+)|(0o)([0-7_]+)|(0x)([0-9a-fA-F_]+)|"
                  r"()([0-9][0-9_]*))")  # fmt: skip
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*[eE][-+]?[0-9]+)"
)
_INFINITE = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|nan|NaN|NAN)")
_BASES = {"0b": 2, "0o": 8, "0x": 16, "": 10}
_TAG = "tag:yaml.org,2002:"


def read_yaml(path: Path, do: str | None = None, *, as_text: bool = False) -> Any:
    """Read a YAML file; see :func:`parse_yaml`."""
    return parse_yaml(require_file(path, do).read_bytes(), path, as_text=as_text)


def parse_yaml(text: str | bytes, where: object, *, as_text: bool = False) -> Any:
    """Turn YAML into mappings, lists, texts, numbers, truth values and ``None``."""
    import yaml

    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            byte = f"the byte 0x{error.object[error.start]:02x}"
            raise _wrong(where, line, byte, "text in UTF-8") from error
    text = text.removeprefix("\ufeff")
    if strange := _NOT_TEXT.search(text):
        line = text[: strange.start()].count("\n") + 1
        raise _wrong(where, line, f"the character U+{ord(strange[0]):04X}", "text")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Reader(yaml.parse(text, Loader=loader), where, as_text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _wrong(where, line, error.problem or error.context) from error


def _wrong(
    where: object, line: int, found: object, expected: str | None = None
) -> MmclustError:
    name = getattr(where, "name", where)
    return MmclustError(
        f"{name} is not valid YAML",
        where=f"{where}, line {line}",
        expected=expected,
        found=found,
        do="correct that line",
    )


class _Reader:
    """Makes values of the parser's events, and counts what aliases repeat."""

    def __init__(self, events: Iterator[Any], where: object, as_text: bool) -> None:
        self.events = events
        self.where = where
        self.as_text = as_text
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.repeated = 0

    def document(self) -> Any:
        from yaml import DocumentStartEvent, StreamEndEvent

        value: Any = None
        for n, event in enumerate(self.events):
            if isinstance(event, DocumentStartEvent):
                if n > 1:
                    raise self.wrong(event, "a second document", "one document")
                if event.version not in (None, (1, 2)):
                    version = ".".join(map(str, event.version))
                    raise self.wrong(event, f"%YAML {version}", "YAML 1.2")
                value, _ = self.node(next(self.events), 0)
            elif isinstance(event, StreamEndEvent):
                break
        return value

    def node(self, event: Any, depth: int) -> tuple[Any, int]:
        """Return a value and how many values it is made of."""
        from yaml import AliasEvent, MappingStartEvent, SequenceStartEvent

        if isinstance(event, AliasEvent):
            return self.alias(event)
        if depth > _DEPTH:
            raise self.wrong(event, "deeper nesting", f"at most {_DEPTH} levels")
        self.anchors.pop(event.anchor, None)  # until it is complete
        value: tuple[Any, int]
        if isinstance(event, MappingStartEvent):
            value = self.mapping(event, depth)
        elif isinstance(event, SequenceStartEvent):
            value = self.sequence(event, depth)
        else:
            value = self.scalar(event), 1
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def alias(self, event: Any) -> tuple[Any, int]:
        if event.anchor not in self.anchors:
            expected = f"&{event.anchor} before it, and not around it"
            raise self.wrong(event, f"*{event.anchor}", expected)
        value, size = self.anchors[event.anchor]
        self.repeated += size
        if self.repeated > _REPEATED:
            found = "aliases of aliases, which repeat more"
            raise self.wrong(event, found, f"at most {_REPEATED:,} repeated values")
        return value, size

    def sequence(self, start: Any, depth: int) -> tuple[list[Any], int]:
        from yaml import SequenceEndEvent

        self.tag(start, "seq")
        values: list[Any] = []
        total = 1
        for event in self.events:
            if isinstance(event, SequenceEndEvent):
                break
            value, size = self.node(event, depth + 1)
            values.append(value)
            total += size
        return values, total

    def mapping(self, start: Any, depth: int) -> tuple[dict[Any, Any], int]:
        from yaml import MappingEndEvent

        self.tag(start, "map")
        values: dict[Any, Any] = {}
        merged: list[Any] = []
        seen: set[Any] = set()
        total = 1
        for event in self.events:
            if isinstance(event, MappingEndEvent):
                break
            key, _ = self.node(event, depth + 1)
            if isinstance(key, (dict, list)):
                raise self.wrong(event, "a list or mapping as a key", "a plain key")
            if key in seen:
                raise self.wrong(event, f"{key!r} twice", "each key once")
            seen.add(key)
            value, size = self.node(next(self.events), depth + 1)
            total += size + 1
            plain = getattr(event, "implicit", (False,))[0]
            if key == "<<" and plain and not self.as_text:
                merged += self.merged(event, value)
            else:
                values[key] = value
        for more in merged:  # what stands in the mapping itself goes first
            values |= {key: value for key, value in more.items() if key not in values}
        return values, total

    def merged(self, event: Any, value: Any) -> list[dict[Any, Any]]:
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(each, dict) for each in mappings):
            raise self.wrong(event, "<< with something else", "<< with a mapping")
        return mappings

    def scalar(self, event: Any) -> Any:
        text = event.value
        if strange := _NOT_TEXT.search(text):  # written as "\\e" or "\\0"
            found = f"the character U+{ord(strange[0]):04X}"
            raise self.wrong(event, found, "text")
        if self.as_text:
            return text
        if event.implicit[0]:
            return self.plain(event)
        if event.tag in (None, "!", f"{_TAG}str"):
            return text
        value = self.plain(event)
        kind = self.tag(event, "str", "null", "bool", "int", "float")
        if kind == "float" and type(value) is int:
            value = float(value)
        if type(value).__name__.replace("NoneType", "null") != kind:
            raise self.wrong(event, repr(text), f"!!{kind}")
        return value

    def plain(self, event: Any) -> Any:
        """Return what text without quotes stands for."""
        text = event.value
        if text in _WORDS:
            return _WORDS[text]
        try:
            if found := _INT.fullmatch(text):
                sign, base, digits = (
                    part for part in found.groups() if part is not None
                )
                return int(sign + digits.replace("_", ""), _BASES[base])
            if _FLOAT.fullmatch(text):
                number = float(text.replace("_", ""))
                if abs(number) == float("inf"):
                    raise self.wrong(event, text, "a number below 1.8e308")
                return number
        except ValueError as error:  # 0x_, or thousands of digits
            raise self.wrong(event, f"{text[:40]!r}", "a number") from error
        if found := _INFINITE.fullmatch(text):
            return float(found[1] + "inf") if found[2] else float("nan")
        return text

    def tag(self, event: Any, *kinds: str) -> str:
        """Return what an event is tagged as, which must be one of ``kinds``."""
        kind = kinds[0]
        if event.tag not in (None, "!"):
            kind = str(event.tag).removeprefix(_TAG)
        if kind not in kinds:
            raise self.wrong(event, f"the tag {event.tag}", "no tags but YAML's own")
        return kind

    def wrong(self, event: Any, found: str, expected: str) -> MmclustError:
        return _wrong(self.where, event.start_mark.line + 1, found, expected)


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
