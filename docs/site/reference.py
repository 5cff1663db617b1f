"""Reference pages, made of the code: one for each plugin, metric and command.

A plugin gets its page by existing: names are those of ``mmclust.core.plugins``, text
is the file's docstring, options are the fields of its ``Params``. Scores are the
modules with a ``DEFINITION``, the text that metrics files carry.
"""

from __future__ import annotations

import ast
import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docstrings
from docstrings import as_markdown

from mmclust.core import plugins
from mmclust.core.plugins import KNOWN, SHARED

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
KINDS = {
    "benchmarks": ("Benchmarks", "Which images and captions, in which classes.", ""),
    "encoders": ("Encoders", "Pictures and captions to features.", "encoders.md"),
    "clusterers": ("Clusterers", "Features to clusters.", "clusterers.md"),
    "heads": ("Heads", "Clusters with the help of nouns.", "heads.md"),
    "words": ("Word models", "Words from captioned images.", "words.md"),
}


def pages() -> dict[str, str]:
    """Return all reference pages: path below ``reference/`` to Markdown."""
    made: dict[str, str] = {}
    for kind in KINDS:
        names = plugins.names(kind)
        made[f"{kind}/index.md"] = _index(kind, names)
        made |= {f"{kind}/{name}.md": plugin_page(kind, name) for name in names}
    return made | _score_pages()


def _index(kind: str, names: tuple[str, ...]) -> str:
    title, text, page = KINDS[kind]
    more = f" More on them: [{title.lower()}](../../{page})." if page else ""
    rows = [
        f"| [`{name}`]({name}.md) | {_summary(plugins.load(kind, name))} |"
        for name in names
    ]
    head = f"# {title}\n\n{text}{more} Each is one file in `src/mmclust/{kind}/`.\n\n"
    return head + "| name | what it is |\n|---|---|\n" + "\n".join(rows) + "\n"


def _about(module: ModuleType) -> str:
    return inspect.cleandoc(getattr(module, "about", module.__doc__) or "")


def _summary(module: ModuleType) -> str:
    return as_markdown(_about(module).partition("\n\n")[0].replace("\n", " "))


def plugin_page(kind: str, name: str) -> str:
    """Return a plugin's page: definition, facts, options, source."""
    module = plugins.load(kind, name)
    doc = _about(module)
    source = docstrings.source_of(doc)
    if not source:
        message = f"{name}: its docstring has no paragraph 'Source: …'"
        raise ValueError(message)
    text = as_markdown(doc)
    lines = [f"# {name}", "", text, "", *_facts(kind, name, module), ""]
    lines += ["## Options", "", *_options(kind, name, module.Params)]
    lines += ["", *_counts(module)] if kind == "benchmarks" else []
    lines += ["", *_known_names(kind, name)]
    return "\n".join(lines) + "\n"


def _known_names(kind: str, plugin: str) -> list[str]:
    """Return the names that stand for a plugin with other options."""
    rows = []
    for name, block in sorted(KNOWN.get(kind, {}).items()):
        if block["is"] == plugin:
            options = {key: value for key, value in block.items() if key != "is"}
            rows.append(f"| `{name}` | `{json.dumps(options)}` |")
    if not rows:
        return []
    return ["## Known names", "", "| name | options that differ |", "|---|---|", *rows]


def _facts(kind: str, name: str, module: ModuleType) -> list[str]:
    file = SHARED.get(kind, {}).get(name, name)
    rows = [("file", f"`src/mmclust/{kind}/{file}.py`")]
    sources = getattr(module, "SOURCES", None) or (getattr(module, "SOURCE", None),)
    if kind == "benchmarks":
        known = [
            f"[{s}](../../sources/{s}.md)"
            if (ROOT / f"docs/sources/{s}.md").is_file()
            else f"`{s}`"
            for s in sources
        ]
        rows += [
            ("data", ", ".join(known)),
            ("default split", f"`{module.DEFAULT_SPLIT}`"),
        ]
        told = sorted((ROOT / "docs/benchmarks").glob("*.md"))
        more = [p for p in told if f"`{name}`" in p.read_text() or p.stem == name]
        links = [f"[{p.stem}](../../benchmarks/{p.name})" for p in more]
        rows += [("more", ", ".join(links))] if links else []
    if kind == "encoders":
        rows.append(("views", ", ".join(module.VIEWS)))
    if kind == "clusterers":
        both = getattr(module, "VIEWS", "") == "both"
        finds = getattr(module, "FINDS_K", False)
        rows += [
            ("number of clusters", "found" if finds else "asked for"),
            ("runs", "one: the seed makes no difference" if module.DETERMINISTIC
             else "one for each seed"),
            ("views", "both at once" if both else "image, text, concat"),
        ]  # fmt: skip
    if kind == "heads":
        made = module.offers(module.Params()) if hasattr(module, "offers") else module
        rows.append(("view", f"`{made.VIEW}`"))
    return [f"- **{key}**: {value}" for key, value in rows]


def _options(kind: str, name: str, params: type) -> list[str]:
    rows = docstrings.options(params)
    if not rows:
        return ["None: there is nothing to set."]
    return [
        f"Under `{kind}.{name}` in params.yaml; what is left out has its default.",
        "",
        *table(rows),
    ]


def table(rows: list[tuple[str, str, str, str]]) -> list[str]:
    """Return a Markdown table of options."""
    cells = (" | ".join(row) for row in rows)
    head = ["| option | values | default | meaning |", "|---|---|---|---|"]
    return head + [f"| {each} |" for each in cells]


def _counts(module: ModuleType) -> list[str]:
    """Return how many images the protocol yields, where that is published."""
    if not hasattr(module, "expected"):
        return []
    counts = module.expected(module.Params(), module.DEFAULT_SPLIT)
    if not counts:
        return []
    total = sum(counts.values())
    if set(counts) == {""}:
        return ["## Size", "", f"{total:,} images; no classes."]
    rows = [f"    | {as_markdown(name)} | {n:,} |" for name, n in counts.items()]
    return [
        "## Size", "",
        f"{total:,} images in {len(counts)} classes.", "",
        "A build that comes out otherwise fails ([building](../../building.md)).", "",
        '??? note "Images of each class"', "",
        "    | class | images |", "    |---|---|", *rows,
    ]  # fmt: skip


def _score_pages() -> dict[str, str]:
    found = {}
    for path in sorted((ROOT / "src/mmclust").rglob("*.py")):
        if any(_defines(node) for node in ast.parse(path.read_text()).body):
            dotted = path.relative_to(ROOT / "src").with_suffix("").parts
            name = dotted[-1] if dotted[1] == "scoring" else "_".join(
                part for part in dotted[1:] if not part.startswith("_")
            )  # fmt: skip
            found[name] = import_module(".".join(dotted))
    rows = [f"| [{name}]({name}.md) | {_summary(m)} |" for name, m in found.items()]
    index = (
        "# Metrics\n\nA page for each group of scores. Its definition is the text that "
        "metrics files carry. How to read intervals and differences: "
        "[scores](../../scoring.md).\n\n| scores | what they say |\n|---|---|\n"
    )
    made = {"metrics/index.md": index + "\n".join(rows) + "\n"}
    return made | {
        f"metrics/{name}.md": _score_page(name, module)
        for name, module in found.items()
    }


def _defines(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(t, ast.Name) and t.id == "DEFINITION" for t in node.targets
    )


def _score_page(name: str, module: ModuleType) -> str:
    where = module.__name__.replace(".", "/")
    lines = [
        f"# {name.replace('_', ' ').capitalize()} scores", "",
        as_markdown(inspect.getdoc(module) or ""), "",
        f"Definition, as it stands in the file: {as_markdown(module.DEFINITION)}.", "",
        f"File: `src/{where}.py`.", "",
    ]  # fmt: skip
    if module.__name__.startswith("mmclust.scoring."):
        for key, function in vars(module).items():
            own = getattr(function, "__module__", "") == module.__name__
            if inspect.isfunction(function) and own and not key.startswith("_"):
                lines += [*_function(key, function), ""]
    return "\n".join(lines) + "\n"


def _function(name: str, function: Any) -> list[str]:
    parts = docstrings.sections(function.__doc__ or "")
    lines = [f"## {name}", "", as_markdown(parts.pop("")), ""]
    for title in ("Parameters", "Returns", "Raises"):
        listed = docstrings.entries(parts.get(title, ""))
        if listed:
            rows = [f"| `{key}` | {as_markdown(text)} |" for key, text in listed]
            head = "parameter" if title == "Parameters" else title.lower()
            lines += [f"| {head} | what it is |", "|---|---|", *rows, ""]
    return lines
