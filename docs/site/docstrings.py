"""Docstrings as Markdown, and what a plugin's ``Params`` say of themselves."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import types
import typing
from importlib import import_module
from typing import Any

import msgspec
import yaml

SHOWN = 72
"""Characters of a default that are shown, at most."""
_ROLE = re.compile(r":(?:func|class|data|mod|meth):`~?(?:[\w.]*\.)?(\w+)`")
_REFERENCE = re.compile(r":(class|func):`~?([\w.]+)\.(\w+)`")
_SECTION = re.compile(r"^(\w[\w ]+)\n-{3,}\n", re.MULTILINE)


def as_markdown(text: str) -> str:
    """Turn a docstring's roles and double backticks into Markdown."""
    text = _ROLE.sub(r"`\1`", text).replace("``", "`")
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        p if p.startswith("`") else p.replace("<", "&lt;").replace("|", "&#124;")
        for p in pieces
    )


def sections(doc: str) -> dict[str, str]:
    """Split a numpydoc docstring: the text under "", then its sections."""
    pieces = _SECTION.split(inspect.cleandoc(doc))
    return {"": pieces[0].strip()} | dict(
        zip(pieces[1::2], (p.strip() for p in pieces[2::2]), strict=True)
    )


def entries(section: str) -> list[tuple[str, str]]:
    """Split a section into its names and what is said of them."""
    found: list[tuple[str, str]] = []
    for block in re.split(r"\n(?=\S)", section):
        name, _, text = block.partition("\n")
        if name:
            found.append((name, " ".join(textwrap.dedent(text).split())))
    return found


def source_of(doc: str) -> str:
    """Return the paragraph ``Source: …`` of a docstring, without that word."""
    found = re.search(
        r"^Source[^:\n]*: (.+?)(?:\n\n|\Z)", doc, re.DOTALL | re.MULTILINE
    )
    return " ".join(found.group(1).split()) if found else ""


def meanings(cls: type) -> dict[str, str]:
    """Return what is said of each field of a dataclass.

    Under the field; in the class's ``Parameters``; or in the class or function that
    its docstring names.
    """
    doc = cls.__doc__ or ""
    found: dict[str, str] = {}
    for kind, module, name in _REFERENCE.findall(doc):
        other = getattr(import_module(module), name)
        if kind == "class":
            found |= meanings(other)
        else:
            found |= _parameters(other.__doc__ or "")
    found |= _parameters(doc)
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, below in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(below.value.value).split())
    return found


def _parameters(doc: str) -> dict[str, str]:
    listed = entries(sections(doc).get("Parameters", ""))
    return {n.strip(): text for names, text in listed for n in names.split(",")}


def options(cls: type) -> list[tuple[str, str, str, str]]:
    """Return name, values, default and meaning of each field, as Markdown.

    Raises
    ------
    ValueError
        When nothing says what a field means.
    """
    said = meanings(cls)
    hints = typing.get_type_hints(cls, include_extras=True)
    rows = []
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[field.name]):
            said.setdefault(field.name, "Its options.")
        if not said.get(field.name):
            message = f"{cls.__module__}.{cls.__name__}.{field.name} has no meaning"
            raise ValueError(message)
        meaning = said[field.name].replace("``None``", "``null``")
        values = readable(hints[field.name])
        rows.append((f"`{field.name}`", values, _default(field), as_markdown(meaning)))
    return rows


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "none: to be given"
    if dataclasses.is_dataclass(value):
        return "its defaults"
    plain = msgspec.to_builtins(value)
    text = yaml.safe_dump(
        plain, default_flow_style=True, width=10**6, allow_unicode=True
    )
    text = text.removesuffix("...\n").strip()
    return f"`{text}`" if len(text) <= SHOWN else f"`{text[:SHOWN]} …`"


def readable(hint: Any) -> str:  # noqa: PLR0911 (one per kind of hint)
    """Say in words what values a type hint allows."""
    origin, given = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return readable(given[0]) + _limits(given[1:])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in given)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(readable(each) for each in given)
    if origin in (tuple, list):
        kinds = {readable(each) for each in given if each is not Ellipsis}
        many = "list" if Ellipsis in given or origin is list else f"{len(given)}"
        return f"{many} of {', '.join(sorted(kinds))}"
    if origin is dict:
        return "names with options"
    if dataclasses.is_dataclass(hint):
        name = hint.__module__.rpartition(".")[2]
        return f"as [{name}]({name}.md)"
    words = {int: "integer", float: "number", str: "text", bool: "`true`, `false`"}
    return "`null`" if hint is type(None) else words.get(hint, str(hint))


def _limits(notes: tuple[Any, ...]) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f" {sign} {limit:g}"
        for note in notes
        for key, sign in signs.items()
        if (limit := getattr(note, key, None)) is not None
    ]
    found += [
        f", a multiple of {m}" for n in notes if (m := getattr(n, "multiple_of", None))
    ]
    return " and".join(f for f in found if not f.startswith(",")) + "".join(
        f for f in found if f.startswith(",")
    )
