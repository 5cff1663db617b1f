"""Write a page for each source: what it is, where it lies, how to cite it, its terms.

    python docs/site/source_pages.py [FOLDER]

`scripts/docs` does it. A test compares the pages with the registry, so that they never
say anything else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "src")]  # this checkout's code

from mmclust.core.registry import read_registry  # noqa: E402

if TYPE_CHECKING:
    from mmclust.core.registry import Source, SourceFile

_WIDTH = 88


def page(source: Source) -> str:
    """Return a source's page in Markdown."""
    parts = [
        f"# {source.title or source.name}",
        f"`{source.name}`" + (f" · <{source.homepage}>" if source.homepage else ""),
        "<!-- Written by `scripts/docs` from data/sources.yaml. -->",
        "## Getting it",
        *_getting(source),
        "## Citation",
        _text(source.citation or "Not stated."),
        "## Terms",
        _text(source.licence or "Not stated."),
    ]
    if source.terms:
        parts.append(_text(source.terms))
    parts += ["## Files", *(_file(file) for file in source.files.values())]
    if source.evidence:
        parts += ["## Where sizes and digests are from", _text(source.evidence)]
    return "\n\n".join(parts) + "\n"


def index(registry: dict[str, Source]) -> str:
    """Return the list of all pages."""
    rows = [
        f"| [{name}]({name}.md) | {source.title} | {_way(source)} |"
        for name, source in registry.items()
    ]
    head = "| source | what it is | how it is got |\n|---|---|---|\n"
    note = "<!-- Written by `scripts/docs` from data/sources.yaml. -->"
    return f"# Sources\n\n{note}\n\n{head}" + "\n".join(rows) + "\n"


def _way(source: Source) -> str:
    way = "by hand" if source.manual else "`mmclust fetch`"
    return f"{way}, once its terms are accepted" if source.accept else way


def _getting(source: Source) -> list[str]:
    lines = []
    if source.accept:
        lines.append(f"mmclust sources accept {source.name}   # shows the terms")
    lines.append(f"mmclust fetch {source.name} --mirror upstream")
    parts = []
    if source.manual:
        drop = (
            f"Put it into `data/drop/{source.name}/`; fetching verifies and copies it."
        )
        parts.append(_text(f"{source.manual} {drop}"))
    parts.append("**Needs** the publisher's files or server.")
    parts.append("```sh elsewhere\n" + "\n".join(lines) + "\n```")
    for host, variable in source.tokens.items():
        parts.append(
            _text(
                f"If {host} asks for a token, set {variable} in the environment. It is "
                f"sent to {host} alone, and never written or logged."
            )
        )
    return parts


def _file(file: SourceFile) -> str:
    size = "size unknown" if file.size is None else f"{file.size:,} bytes"
    known = {"published": "digest known beforehand"}.get(
        file.known_by, "held to the first download (`data/sources.lock`)"
    )
    if file.listed_in:
        known = f"made here of the pictures that {file.listed_in} lists"
    elif not file.urls and not file.digests and file.contains:
        known = "packed here from a folder of yours"
    lines = [f"- `{file.name}`: {size}; {known}"]
    lines += [f"  - <{url}>" for url in file.urls]
    if file.member_url:
        lines.append(f"  - single members: `{file.member_url}`")
    if not file.first_seen:
        lines += [f"  - {name} `{digest}`" for name, digest in file.digests.items()]
    lines += [f"  - holds {n:,} of `{what}`" for what, n in file.contains.items()]
    return "\n".join(lines)


def _text(text: str) -> str:
    return fill(" ".join(text.split()), _WIDTH, break_long_words=False,
                break_on_hyphens=False)  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs/sources"
    registry = read_registry(ROOT / "data/sources.yaml")
    for source in registry.values():
        (folder / f"{source.name}.md").write_text(page(source), encoding="utf-8")
    (folder / "README.md").write_text(index(registry), encoding="utf-8")
