"""`mmclust preset`: params files for what papers did, and for other set-ups."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmclust.core.params import Params
    from mmclust.core.registry import Source

_PRESETS = Path("presets")
_PARAMS = Path("params.yaml")


def preset(
    name: Annotated[
        str | None, typer.Argument(help="A preset; without, they are listed.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write no params.yaml: check the one there is."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="With --check: a file to write if all is right."),
    ] = None,
) -> None:
    """Write a preset to params.yaml, and say what it will download.

    What was there is kept as params.yaml.bak; an existing params.yaml.bak is not
    overwritten unless it is the same.

    mmclust preset --check

    reads all of params.yaml: keys, types, ranges, names, and the options of every
    plugin. Every other command that reads it does so, too; the pipeline begins with it.
    """
    from mmclust.core.errors import MmclustError, nearest
    from mmclust.core.io import write_bytes
    from mmclust.core.params import read_params

    if (check and name is not None) or (out is not None and not check):
        raise typer.BadParameter("--check takes no preset, and --out goes with it")
    if check:
        read_params(_PARAMS)
        if out is not None:
            write_bytes(out, b"params.yaml was checked, and all of it is right\n")
        typer.echo("params.yaml: all of it is right")
        return

    known = {path.stem: path for path in sorted(_PRESETS.glob("*.yaml"))}
    if name is None:
        for each, path in known.items():
            typer.echo(f"{each:<22}{_title(path)}")
        return
    if name not in known:
        raise MmclustError(
            f"Unknown preset {name!r}",
            where=_PRESETS,
            expected=nearest(name, known),
            found=name,
            do="correct the name; `mmclust preset` lists them",
        )
    wanted = known[name]
    params, complete = read_params(wanted), completed(wanted)
    if _PARAMS.is_file() and _PARAMS.read_bytes() != complete:
        before, backup = _PARAMS.read_bytes(), Path("params.yaml.bak")
        if backup.is_file() and backup.read_bytes() != before:
            raise MmclustError(
                "params.yaml.bak holds another params.yaml that was kept",
                where=backup.absolute(),
                do="move or delete it: this preset's predecessor goes there",
            )
        write_bytes(backup, before)
        typer.echo(f"kept the old params.yaml as {backup}")
    write_bytes(_PARAMS, complete)
    typer.echo(f"wrote params.yaml: {_title(wanted)}")
    _say_downloads(params)


def completed(path: Path) -> bytes:
    """Return a preset with all that it leaves to defaults, which DVC knows nothing of.

    Comments stay where they are.
    """
    import io

    from ruamel.yaml import YAML

    from mmclust.core.params import Params, read_params

    params = read_params(path)
    defaults = asdict(Params())
    defaults["model"]["benchmarks"] = list(params.clustered)
    yaml = YAML()
    yaml.width = 200
    text = yaml.load(path.read_text(encoding="utf-8"))
    if defaults.keys() <= set(text):
        return path.read_bytes()  # it says all by itself
    said = len(text)
    for section, values in defaults.items():
        if section not in text:
            text[section] = _plain(values)
        elif section not in PLUGINS and isinstance(values, dict):
            _fill(text[section], values)
    if said < len(text):
        first = [*text][said]
        text.yaml_set_comment_before_after_key(first, before="\nDefaults of the rest")
    out = io.StringIO()
    yaml.dump(text, out)
    return out.getvalue().encode()


SHORT = 70
"""Characters of what fits on a line."""
PLUGINS = ("benchmarks", "captioners", "encoders", "clusterers", "heads", "words")
"""Sections whose keys are names: nothing is added to them."""


def _fill(section: Any, defaults: dict[str, Any]) -> None:
    for key, value in defaults.items():
        if key not in section:
            section[key] = _plain(value)
        elif isinstance(value, dict):
            _fill(section[key], value)


def _plain(value: Any) -> Any:
    """Return a default as YAML has it, short lists and maps on one line."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, dict):
        found = CommentedMap((key, _plain(each)) for key, each in value.items())
        if len(str(value)) < SHORT:
            found.fa.set_flow_style()
        return found
    if isinstance(value, list | tuple):
        listed = CommentedSeq(map(_plain, value))
        listed.fa.set_flow_style()
        return listed
    return value


def _title(path: Path) -> str:
    from mmclust.core.errors import visible
    from mmclust.core.io import read_lines

    lines = read_lines(path, "restore it from git")
    return visible(lines[0]).removeprefix("# ") if lines else ""


def _say_downloads(params: Params) -> None:
    from mmclust.core.io import require_file
    from mmclust.core.registry import find_source, read_registry

    if params.data.mirror == "sample":
        typer.echo("downloads nothing: it runs on the built-in sample")
        return
    path = require_file(Path("data/sources.yaml"))
    registry = read_registry(path)
    weights = _weights(params)
    if not params.data.sources and not weights:
        typer.echo("downloads nothing")
        return
    typer.echo("`dvc repro` will download:")
    for name in params.data.sources:
        source = find_source(registry, name, path)
        typer.echo(f"  {name}: {_size(source)}")
        typer.echo(f"    licence: {source.licence or 'not stated'}")
        if source.manual:
            typer.echo(f"    by hand: {source.manual}")
        if source.accept:
            typer.echo(f"    first: mmclust sources accept {name}")
    if params.data.images != "all":
        typer.echo("  of pictures, only those of " + ", ".join(params.data.images))
    _say_weights(weights)


def _say_weights(models: Iterable[str]) -> None:
    """Name checkpoints with their sizes."""
    from mmclust.models.hub import SIZES

    for model in models:
        size = SIZES.get(model)
        typer.echo(f"  weights of {model}: " + (f"about {size}" if size else
                   "size not stated") + "; licence: see its publisher")  # fmt: skip


def _weights(params: Params) -> list[str]:
    """Return the checkpoints of encoders and captioners, each once."""
    blocks = [
        asdict(params.instance(kind, name).options)
        for kind in ("encoders", "captioners")
        for name in getattr(params, kind)
    ]
    return [*dict.fromkeys(each for block in blocks for each in _models(block))]


def _models(options: dict[str, Any]) -> Iterator[str]:
    """Yield what a plugin's options would download: its own model, or its members'."""
    from mmclust.models.packaged import PREFIX

    packaged = str(options.get("weights", options.get("model"))).startswith(PREFIX)
    for key, value in options.items():
        if key == "model" and not packaged:
            yield value
        elif isinstance(value, dict):
            yield from _models(value)


def _size(source: Source) -> str:
    sizes = [file.size for file in source.files.values()]
    total = sum(size or 0 for size in sizes) / 1e9
    if not total:
        return "size not stated"
    return f"{'at least ' if None in sizes else ''}{total:.1f} GB"
