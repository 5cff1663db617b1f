"""``mmclust sources``: what there is to fetch, and on which terms."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmclust.sources.types import Source, SourceFile

app = typer.Typer(no_args_is_help=True, help="The sources of data.")


@app.command("list")
def list_sources() -> None:
    """List every source: size, known digests, whether it is on disk, licence."""
    from mmclust.sources.fetch import REGISTRY
    from mmclust.sources.registry import read_registry

    for source in read_registry(REGISTRY).values():
        files = source.files.values()
        size = _size(sum(file.size or 0 for file in files))
        if any(file.size is None for file in files):
            size = f"at least {size}"
        digests = sorted({name for file in files for name in file.digests})
        typer.echo(f"{source.name}  {size}")
        typer.echo(f"  digests  {', '.join(digests) or 'none known'}")
        typer.echo(f"  on disk  {_on_disk(source)}")
        typer.echo(f"  licence  {source.licence or 'not stated'}")


@app.command()
def show(name: Annotated[str, typer.Argument(help="A source.")]) -> None:
    """Show one source: files, addresses, sizes, digests, licence, citation."""
    from mmclust.sources.fetch import REGISTRY
    from mmclust.sources.registry import find_source, read_registry

    source = find_source(read_registry(REGISTRY), name, REGISTRY)
    facts = {
        "title": source.title,
        "homepage": source.homepage,
        "licence": source.licence,
        "citation": source.citation,
        "on disk": _on_disk(source),
    }
    typer.echo(source.name)
    for key, value in facts.items():
        typer.echo(f"  {key:<9}{value or 'not stated'}")
    for file in source.files.values():
        _show_file(file)


def _show_file(file: "SourceFile") -> None:
    size = "size unknown" if file.size is None else f"{file.size:,} bytes"
    typer.echo(f"  {file.name}: {size}")
    for url in file.urls:
        typer.echo(f"    {'url':<9}{url}")
    for algorithm, digest in file.digests.items():
        typer.echo(f"    {algorithm:<9}{digest}")
    for pattern, count in file.contains.items():
        typer.echo(f"    {'contains':<9}{pattern}: {count:,}")


def _on_disk(source: "Source") -> str:
    folder = Path("data/raw") / source.name
    present = [name for name in source.files if (folder / name).is_file()]
    if not present:
        return "no"
    if (folder / "source.json").is_file():
        from mmclust.core.io import read_json

        facts = read_json(folder / "source.json")
        return f"{', '.join(present)} in {folder}, from {facts.get('mirror')}"
    return f"{', '.join(present)} in {folder}, not complete: run `mmclust fetch`"


def _size(n_bytes: int) -> str:
    gigabyte, megabyte = 10**9, 10**6
    if n_bytes >= gigabyte:
        return f"{n_bytes / gigabyte:.1f} GB"
    return f"{n_bytes / megabyte:.1f} MB"
