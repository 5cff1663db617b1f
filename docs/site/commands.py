"""The page of commands: what ``--help`` says of each, from the command line itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from docstrings import as_markdown

from mmclust.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """# Commands

What `mmclust COMMAND --help` says. Stage commands take names as arguments and all that
a result depends on from params.yaml; options are what cannot change a result, and what
is needed to run on files of your own.
"""
HEADER = ("| argument or option | meaning |", "|---|---|")


def page() -> str:
    """Return the page of all commands."""
    texts = [_section(path, command) for path, command in walk()]
    return "\n".join([HEAD, *texts])


def walk() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each command that is not hidden and has no commands below it."""
    yield from _below((), typer.main.get_command(app))


def _below(path: tuple[str, ...], command: Any) -> Iterator[tuple[Any, Any]]:
    inside = getattr(command, "commands", None)
    if inside is None or getattr(command, "invoke_without_command", False):
        yield path, command
    for name, each in (inside or {}).items():
        if not each.hidden:
            yield from _below((*path, name), each)


def _section(path: tuple[str, ...], command: Any) -> str:
    lines = [f"## mmclust {' '.join(path)}", "", as_markdown(_text(command.help)), ""]
    rows = []
    for option in command.params:
        if getattr(option, "hidden", False):
            continue
        if option.param_type_name == "argument":
            names = f"`{(option.metavar or option.name).upper()}`"
        else:
            names = ", ".join(f"`{n}`" for n in (*option.opts, *option.secondary_opts))
        help_ = as_markdown(_text(getattr(option, "help", "") or ""))
        rows.append(f"| {names} | {help_}{_default(option)} |")
    return "\n".join([*lines, *([*HEADER, *rows, ""] if rows else [])])


def _text(text: str | None) -> str:
    return " ".join((text or "").replace("\b", "").replace("\\[", "[").split())


def _default(option: Any) -> str:
    shown = getattr(option, "show_default", True)
    value = option.default
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return f" Default: `{value}`." if shown and plain and value != "" else ""
