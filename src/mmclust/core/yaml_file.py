"""YAML as DVC reads it, version 1.2: every file and option, and dvc.lock.

PyYAML alone reads version 1.1, where ``1e-05`` and ``5e-1`` are text, ``010`` is eight
and ``no`` is false. Its parser is used here, its meaning of words is not: composed by
it, or by what DVC uses, a file that nests deep enough ends the process.

What is read becomes frozen dataclasses by :func:`convert`, which accepts nothing that
they do not name.
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass, field
from itertools import repeat
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
import yaml

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")

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
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_BASES = {"b": 2, "o": 8, "x": 16}
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*[eE][-+]?[0-9]+)"
)
_INFINITE = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|nan|NaN|NAN)")
_TAG = "tag:yaml.org,2002:"


def read_yaml(path: Path, do: str | None = None, *, as_text: bool = False) -> Any:
    """Read a YAML file; see :func:`parse_yaml`."""
    return parse_yaml(require_file(path, do).read_bytes(), path, as_text=as_text)


def parse_yaml(text: str | bytes, where: object, *, as_text: bool = False) -> Any:
    """Turn YAML into mappings, lists, texts, numbers, truth values and ``None``.

    With ``as_text`` all that is no mapping and no list stays text.
    """
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
        """Each value that aliases may repeat, and how many it is made of."""
        self.values = 0
        self.repeated = 0

    def document(self) -> Any:
        value: Any = None
        for n, event in enumerate(self.events):
            if isinstance(event, yaml.DocumentStartEvent):
                if n > 1:
                    raise self.wrong(event, "a second document", "one document")
                if event.version not in (None, (1, 2)):
                    version = ".".join(map(str, event.version))
                    raise self.wrong(event, f"%YAML {version}", "YAML 1.2")
                value = self.node(next(self.events), 0)
            elif isinstance(event, yaml.StreamEndEvent):
                break
        return value

    def node(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if depth > _DEPTH:
            raise self.wrong(event, "deeper nesting", f"at most {_DEPTH} levels")
        self.anchors.pop(event.anchor, None)  # until it is complete
        before = self.values
        self.values += 1
        value: Any
        if isinstance(event, yaml.MappingStartEvent):
            value = self.mapping(event, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self.sequence(event, depth)
        else:
            value = self.scalar(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = value, self.values - before
        return value

    def alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            expected = f"&{event.anchor} before it, and not around it"
            raise self.wrong(event, f"*{event.anchor}", expected)
        value, size = self.anchors[event.anchor]
        self.values += size
        self.repeated += size
        if self.repeated > _REPEATED:
            found = "aliases of aliases, which repeat more"
            raise self.wrong(event, found, f"at most {_REPEATED:,} repeated values")
        return value

    def sequence(self, start: Any, depth: int) -> list[Any]:
        self.tag(start, "seq")
        values: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            values.append(self.node(event, depth + 1))
        return values

    def mapping(self, start: Any, depth: int) -> dict[Any, Any]:
        self.tag(start, "map")
        values: dict[Any, Any] = {}
        merged: list[Any] = []
        seen: set[Any] = set()
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.node(event, depth + 1)
            if isinstance(key, (dict, list)):
                raise self.wrong(event, "a list or mapping as a key", "a plain key")
            if key in seen:
                raise self.wrong(event, f"{key!r} twice", "each key once")
            seen.add(key)
            value = self.node(next(self.events), depth + 1)
            plain = getattr(event, "implicit", (False,))[0]
            if key == "<<" and plain and not self.as_text:
                merged += self.merged(event, value)
            else:
                values[key] = value
        for more in merged:  # what stands in the mapping itself goes first
            values |= {key: value for key, value in more.items() if key not in values}
        return values

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
        bare = text.replace("_", "")
        try:
            if _INT.fullmatch(text):
                return int(bare, _BASES.get(text.lstrip("+-")[1:2], 10))
            if _FLOAT.fullmatch(text):
                number = float(bare)
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


def convert(value: Any, kind: type[T], where: str, given: str = "params.yaml") -> T:
    """Turn plain YAML values into a frozen dataclass or what its fields are, strictly.

    ``where`` and ``given`` are the value's key, and the file it is in, for errors.
    What is inside is tried first, so that an error says which of it is wrong.
    """
    for inner, inner_kind, key in _inside(value, kind, where, given):
        convert(inner, inner_kind, key, given)
    try:
        found = msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        expected = str(error).removeprefix("Expected ").partition(", got ")[0]
        if where == "model.k":  # msgspec names neither the words nor the types alone
            expected = "a number from 1, null (as many as classes) or auto"
        elif words := _in_words(kind, any_number="Invalid" in expected):
            expected = words
        for json, word in (("object", "mapping"), ("array", "list")):
            expected = re.sub(rf"\b{json}\b", word, expected)
        raise _unfit(where, expected, value, given) from error
    if isinstance(value, float) and not math.isfinite(value):
        raise _unfit(where, "a finite number", value, given)
    return found


def _inside(
    value: Any, kind: Any, where: str, given: str
) -> Iterator[tuple[Any, Any, str]]:
    """Yield what a value holds, with its types and its key; refuse unknown keys."""
    for each in _kinds(kind):
        if isinstance(value, dict) and dataclasses.is_dataclass(each):
            fields = get_type_hints(each, include_extras=True)
            refuse_unknown(value, fields, where, given)
            for key, inner in value.items():
                yield inner, fields[key], dotted(where, key)
        elif isinstance(value, dict) and get_origin(each) is dict:
            for key, inner in value.items():
                if not isinstance(key, str):
                    expected = "text as a name; in quotes where YAML reads it otherwise"
                    raise _unfit(where, expected, key, given)
                yield inner, get_args(each)[1], dotted(where, key)
        elif isinstance(value, list) and get_origin(each) is tuple:
            first, *more = get_args(each)
            kinds = repeat(first) if more == [...] else (first, *more)
            for i, (inner, inner_kind) in enumerate(zip(value, kinds, strict=False)):
                yield inner, inner_kind, f"{where}[{i}]"


def _kinds(kind: Any) -> tuple[Any, ...]:
    """Return the types that a value may have, without their ranges."""
    if get_origin(kind) is Annotated:
        return _kinds(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return tuple(each for inner in get_args(kind) for each in _kinds(inner))
    return (kind,)


def _in_words(kind: Any, *, any_number: bool) -> str:
    """Say what a field takes that is true or false, or one of some words.

    Of one that may be a number, too, msgspec knows the range, unless it was given
    another word (``any_number``).
    """
    words: list[str] = []
    for each in _kinds(kind):
        if each is bool:
            words.append("true or false")
        elif each is NoneType:
            words.append("null")
        elif get_origin(each) is Literal:
            words += map(str, get_args(each))
        elif any_number and each is int:
            words.append("a whole number")
        else:
            return ""
    return " or ".join(words)


def _unfit(key: str, expected: str, found: object, given: str) -> MmclustError:
    return MmclustError(
        f"A value in {given} has the wrong type or is out of range",
        where=key or "the whole file",
        expected=expected,
        found=repr(found),
        do=f"correct {key or 'the file'} in {given}",
    )


def dotted(*keys: object) -> str:
    """Return the key of what is under other keys; empty ones are left out."""
    return ".".join(str(key) for key in keys if key != "")


def refuse_unknown(
    keys: Iterable[object], known: Iterable[str], where: str, given: str
) -> None:
    """Refuse keys that are not known, with the nearest that is."""
    known = set(known)
    for key in keys:
        if key not in known:
            raise MmclustError(
                f"Unknown key {dotted(where, key)!r} in {given}",
                where=where or "the top level",
                expected=nearest(str(key), known),
                found=key,
                do=f"correct or remove {dotted(where, key)}",
            )


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
        if isinstance(each, dict) and isinstance(each.get("path"), str)
    }
