"""Text of others: bytes, Unicode forms, halves of characters, names."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from collections.abc import Iterable

_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""Byte order marks, the longer first."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST = 100


def require_name(name: object, what: str, where: object) -> str:
    """Return a name that is safe as a part of paths and a word of a command."""
    if (
        isinstance(name, str)
        and _NAME.fullmatch(name)
        and not name.endswith(".")
        and len(name) <= _LONGEST
    ):
        return name
    shown = repr(name)
    raise MmclustError(
        f"The name of {what} cannot be used",
        where=where,
        expected="letters, digits, _, - and . only, first a letter or a digit: names "
        "become folders and words of commands",
        found=shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…",
        do="choose another name",
    )


def same_form(text: str) -> str:
    """Return the text in NFC: what looks the same is then the same."""
    return unicodedata.normalize("NFC", text)


def decoded(value: Any, where: object) -> Any:
    """Return bytes, also those in lists, as the UTF-8 text they hold."""
    if isinstance(value, list | tuple):
        return [decoded(each, where) for each in value]
    if not isinstance(value, bytes | bytearray | memoryview):
        return value
    try:
        return bytes(value).decode()
    except UnicodeDecodeError as error:
        raise MmclustError(
            "A binary column holds no text",
            where=where,
            expected="text, or bytes that are UTF-8",
            found=f"byte 0x{bytes(value)[error.start]:02x} in {bytes(value)[:20]!r}",
            do="save the column as text (a string type)",
        ) from error


def utf8(data: bytes, where: object, what: str = "A file") -> str:
    """Decode a file's bytes; a byte order mark of UTF-8 is left out."""
    mark = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    try:
        if mark is None:
            return data.decode("utf-8-sig")
        line, found = 1, f"the byte order mark of {mark}"
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"byte 0x{data[error.start]:02x}"
    raise MmclustError(
        f"{what} is not UTF-8",
        where=f"{where}, line {line}",
        expected="UTF-8",
        found=found,
        do="save the file as UTF-8",
    )


def json_value(text: str | bytes, **options: Any) -> Any:
    """Parse JSON; what nests deeper than Python can follow is a ValueError too."""
    try:
        return json.loads(text, **options)
    except RecursionError:
        message = "lists or objects are nested too deep"
    raise ValueError(message)


def look_alikes(names: Iterable[str]) -> str:
    """Return names that look the same and differ in Unicode form, as a hint; or ""."""
    forms: dict[str, set[str]] = {}
    for name in names:
        forms.setdefault(same_form(name), set()).add(name)
    alike = [f"{name} ({len(n)} ways)" for name, n in forms.items() if len(n) > 1]
    if not alike:
        return ""
    return (
        f"look the same and differ in Unicode form (composed or decomposed accents, "
        f"NFC or NFD): {some(alike)}"
    )
