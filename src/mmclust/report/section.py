"""What sections share: what they are given and give, the files beside, numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmclust.core.io import sweep, write_bytes
from mmclust.scoring.record import show_p

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment

    from mmclust.core.params import Params
    from mmclust.report.read import Pool, Run


@dataclass(frozen=True)
class Given:
    """All that a section may draw from."""

    root: Path
    params: Params
    runs: list[Run]
    pools: list[Pool]
    bundle: Bundle
    workers: int
    kept: Path | None = None
    """Where maps stay for the next page of the same features."""


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its navigation."""

    id: str
    title: str
    template: str
    values: dict[str, Any]
    files: tuple[tuple[str, Path], ...] = ()


FOLDER = "files"
"""Beside the page."""
DIGITS = 20
"""Of a file's sha256 that make its name."""


@dataclass(frozen=True)
class Bundle:
    """Files that a page loads when they are looked at."""

    page: Path
    names: set[str] = field(default_factory=set)

    def add(self, data: bytes, suffix: str) -> str:
        """Write a file; return its address as seen from the page."""
        name = hashlib.sha256(data).hexdigest()[:DIGITS] + suffix
        path = self.page.parent / FOLDER / name
        if name not in self.names and not path.is_file():
            write_bytes(path, data)
        self.names.add(name)
        return f"{FOLDER}/{name}"

    def add_data(self, value: Any) -> str:
        """Write JSON as a script that hands it over: pages on disk cannot fetch."""
        return self.add(handed_over(value, sort_keys=True), ".js")

    def sweep(self) -> None:
        """Remove files that the page no longer uses."""
        folder = self.page.parent / FOLDER
        sweep(folder)
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name not in self.names and path.is_file():
                path.unlink()


def handed_over(value: Any, *, sort_keys: bool = False) -> bytes:
    """Return JSON as a script that gives it to the page which loads it."""
    text = json.dumps(
        value, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False
    )
    return f"mmclust.put({text});\n".encode()


def environment(*, html: bool = True) -> Environment:
    """Return what renders this folder's templates, of the page or of Markdown."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Templates end in .j2, so escaping is switched on for all, not by suffix.
    made = Environment(
        loader=PackageLoader("mmclust.report"),
        autoescape=html,  # noqa: S701 (Markdown is not HTML)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not html,
    )
    made.filters |= {
        "number": number, "signed": signed, "percent": percent, "show_p": show_p,
    }  # fmt: skip
    made.globals["span"] = span
    return made


MINUS = "\u2212"


def number(value: float, digits: int = 3) -> str:
    """Return a number with a true minus sign, and none before zero."""
    return f"{value:z.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """Return a difference: always with a sign, but for zero."""
    text = number(value, digits)
    return f"+{text}" if float(text.replace(MINUS, "-")) > 0 else text


def span(low: float, high: float, digits: int = 3) -> str:
    """Return an interval in words, which a minus sign cannot blur."""
    return f"{number(low, digits)} to {number(high, digits)}"


def percent(share: float) -> str:
    """Return a share in percent, one decimal, without the sign."""
    return number(100 * share, 1)
