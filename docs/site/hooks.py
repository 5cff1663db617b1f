"""What MkDocs is told beyond its settings.

README.md is the start page, CONTRIBUTING.md, CHANGELOG.md and params.yaml are pages;
none is kept twice. Reference pages are made of the code. Links that work in the
repository work on the site, and one that does not fails the build.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File

sys.path[:0] = [str(Path(__file__).parents[2] / "src")]  # this checkout's code

import commands  # noqa: E402
import reference  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
AT_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "params.yaml": "reference/params.md",
    "docs/benchmarks": "reference/benchmarks/index.md",
}
"""Files of the repository that are pages, and folders that have one."""
TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PARAMS = """# params.yaml

Every choice a result depends on, as it stands in the file. What is left out takes the
default that the pages of [benchmarks](benchmarks/index.md),
[encoders](encoders/index.md), [clusterers](clusterers/index.md),
[heads](heads/index.md) and [word models](words/index.md) state.

```yaml
{text}
```
"""
log = get_plugin_logger("mmclust")
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s]+)\)")
_INNER = re.compile(r"^ {2,3}(?=[-*] )", re.MULTILINE)
_FENCE = re.compile(r"^(```.*?^```)", re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write folders out in the nav, and add the pages that it does not name."""
    made = sorted(reference.pages())
    titles = {kind: title for kind, (title, *_) in reference.KINDS.items()}
    titles["metrics"] = "Metrics"
    config.nav = [_expanded(entry) for entry in config.nav or []]
    for section in config.nav:
        for title, entries in section.items():
            if title == "Reference":
                entries[:] = ["reference/params.md", "reference/commands.md"]
                for kind, name in titles.items():
                    mine = [f"reference/{p}" for p in made if p.startswith(f"{kind}/")]
                    entries.append({name: sorted(mine, key=_index_first)})
    named = set(_names(config.nav))
    docs = Path(config.docs_dir)
    rest = [p.name for p in sorted(docs.glob("*.md")) if p.name not in named]
    if rest:
        config.nav.append({"More": rest})
    return config


def _expanded(entry: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Replace ``folder/`` by a section of the pages in it."""
    found: dict[str, list[Any]] = {}
    for title, pages in entry.items():
        found[title] = []
        for page in pages:
            folder = ROOT / "docs" / str(page)
            if not str(page).endswith("/") or page == "reference/":
                found[title].append(page)
                continue
            inside = [f"{page}{p.name}" for p in sorted(folder.glob("*.md"))]
            name = page.strip("/").capitalize()
            found[title].append({name: sorted(inside, key=_index_first)})
    return found


def _index_first(page: str) -> tuple[bool, str]:
    return (not page.endswith(("index.md", "README.md")), page)


def _names(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    inside = nav.values() if isinstance(nav, dict) else nav
    return [name for each in inside for name in _names(each)]


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are made: of files at the root, and of the code."""
    texts = {AT_ROOT[name]: (ROOT / name).read_text() for name in TEXTS}
    params = (ROOT / "params.yaml").read_text().rstrip()
    texts["reference/params.md"] = PARAMS.format(text=params)
    texts["reference/commands.md"] = commands.page()
    texts |= {f"reference/{name}": text for name, text in reference.pages().items()}
    for name, text in texts.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(
    markdown: str, *, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Make links of the repository links of the site; fences plain."""
    del config
    here = page.file.src_uri
    at = {AT_ROOT[name]: name for name in TEXTS}.get(here, f"docs/{here}")

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return found.group()
        in_repository = posixpath.normpath(posixpath.join(posixpath.dirname(at), path))
        to = AT_ROOT.get(in_repository, in_repository.removeprefix("docs/"))
        if files.get_file_from_path(to) is None:
            log.warning("%s: link to %s, which is no page", at, target)
            return found.group()
        relative = posixpath.relpath(to, posixpath.dirname(here) or ".")
        return f"{text}({relative}{hash_}{anchor})"

    pieces = _FENCE.split(markdown)
    pieces[::2] = [_LINK.sub(link, piece) for piece in pieces[::2]]
    # Python-Markdown takes a list inside a list from four blanks on.
    pieces[::2] = [_INNER.sub("    ", piece) for piece in pieces[::2]]
    fences = (re.sub(r"^```sh .*", "```sh", piece) for piece in pieces[1::2])
    pieces[1::2] = list(fences)
    return "".join(pieces)
