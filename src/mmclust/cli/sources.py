"""``mmclust sources``: what there is to fetch, on which terms, and if it is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmclust.core.registry import Source, SourceFile

app = typer.Typer(no_args_is_help=True, help="The sources of data.")
_RAW = Path("data/raw")


@app.command("list")
def list_sources() -> None:
    """List every source: size, known digests, whether it is on disk, licence."""
    for source in _sources().values():
        files = source.files.values()
        size = _size(sum(file.size or 0 for file in files))
        if any(file.size is None for file in files):
            size = f"at least {size}"
        digests = sorted({name for file in files for name in file.digests})
        typer.echo(f"{source.name}  {size}")
        typer.echo(f"  digests  {', '.join(digests) or 'none'}; {_known(source)}")
        typer.echo(f"  on disk  {_on_disk(source)}")
        typer.echo(f"  licence  {source.licence or 'not stated'}")
        if source.accept:
            typer.echo(f"  terms    {_terms(source)}")


@app.command()
def show(name: Annotated[str, typer.Argument(help="A source.")]) -> None:
    """Show one source: files, addresses, sizes, digests, licence, citation."""
    source = _find(name)
    facts = {
        "title": source.title,
        "homepage": source.homepage,
        "licence": source.licence,
        "citation": source.citation,
        "evidence": source.evidence,
        "on disk": _on_disk(source),
    }
    typer.echo(source.name)
    for key, value in facts.items():
        typer.echo(f"  {key:<9}{value or 'not stated'}")
    if source.accept:
        typer.echo(f"  {'terms':<9}{_terms(source)}")
    if source.manual:
        typer.echo(f"  {'by hand':<9}{source.manual}")
        typer.echo(f"  {'drop in':<9}data/drop/{name}")
    for host, variable in source.tokens.items():
        typer.echo(f"  {'token':<9}{variable} of the environment, for {host}")
    for file in source.files.values():
        _show_file(file)


@app.command()
def accept(
    name: Annotated[str, typer.Argument(help="A source.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="I have read the terms and accept them.")
    ] = False,
) -> None:
    """Show a source's terms, and record that you accept them.

    The record (source, date, digest of the terms) is yours alone: it lies in your
    configuration folder, not in the repository.
    """
    from mmclust.sources.terms import accept as record
    from mmclust.sources.terms import terms_of

    source = _find(name)
    typer.echo(f"{source.title or name}\n\n{terms_of(source)}\n")
    if not source.accept:
        typer.echo("Nothing has to be accepted before it is fetched.")
        return
    if not yes:
        typer.confirm("Do you accept these terms?", abort=True)
    typer.echo(f"accepted; recorded in {record(source)}")


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Sources; all on disk by default.")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every byte again.")
    ] = False,
) -> None:
    """Hash the files on disk; say which are damaged.

    Files that have not changed since they were last hashed are not read again,
    unless --deep is given. Ends with exit code 1 if anything is damaged.
    """
    from mmclust.core.errors import MmclustError, some
    from mmclust.sources.verify import audit

    on_disk = [name for name in _sources() if (_RAW / name).is_dir()]
    bad = []
    for name in names or on_disk:
        for found in audit(_find(name), _RAW / name, Path(), deep=deep):
            how = "" if found.read else ", unchanged since it was read"
            where = _RAW / name / found.name
            typer.echo(f"{where}: {found.state}{how} ({found.note})")
            if found.state != "right":
                bad.append(found)
    if bad:
        sources = list(dict.fromkeys(found.source for found in bad))
        raise MmclustError(
            f"{len(bad)} of the raw files cannot be trusted",
            where=some(f"{_RAW / found.source / found.name}" for found in bad),
            expected="the bytes that were fetched",
            found="others; `dvc status` says which stages read them",
            do=" and ".join(f"`mmclust fetch {name} --repair`" for name in sources),
        )


@app.command()
def nouns(
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    archive: Annotated[
        Path, typer.Option("--from", help="WordNet's archive, or its fetched folder.")
    ] = Path("data/raw/wordnet"),
    if_asked: Annotated[
        bool,
        typer.Option(
            "--if-asked",
            help="Write an empty list where wordnet is not among data.sources.",
        ),
    ] = False,
) -> None:
    """Make the list of WordNet 3.0's nouns, and check it against the known digest.

    The built-in sample has a short list of its own; it is copied.
    """
    from mmclust.core.params import read_params
    from mmclust.sources.wordnet import write_no_nouns, write_nouns

    if if_asked and "wordnet" not in read_params().data.sources:
        write_no_nouns(out)
        typer.echo(f"{out}: empty, for wordnet is not among data.sources")
        return
    typer.echo(f"{out}: {write_nouns(archive, out):,} nouns, sha256 verified")


@app.command()
def unpack(
    archive: Annotated[Path, typer.Argument(help="A zip, tar or compressed tar.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
) -> None:
    """Unpack an archive safely: all of it, or nothing."""
    from mmclust.sources.unpack import unpack as unpack_archive

    typer.echo(f"{out}: {unpack_archive(archive, out):,} files")


def _sources() -> dict[str, Source]:
    """Return the registry with its first-seen digests."""
    from mmclust.core.registry import read_registry
    from mmclust.sources.fetch import LOCK, REGISTRY
    from mmclust.sources.first_seen import locked, read_lock

    seen = read_lock(LOCK)
    registry = read_registry(REGISTRY)
    return {name: locked(source, seen) for name, source in registry.items()}


def _find(name: str) -> Source:
    from mmclust.sources.fetch import open_source

    return open_source(name, Path())


def _known(source: Source) -> str:
    """Say how many files are held to whose digests."""
    kinds = [file.known_by for file in source.files.values()]
    known = ("published", "first seen", "unknown")
    return ", ".join(f"{kinds.count(k)} {k}" for k in known if k in kinds)


def _terms(source: Source) -> str:
    from mmclust.sources.terms import accepted

    date = accepted(source)
    if date is not None:
        return f"accepted on {date}"
    return f"to be accepted first: `mmclust sources accept {source.name}`"


def _show_file(file: SourceFile) -> None:
    size = "size unknown" if file.size is None else f"{file.size:,} bytes"
    typer.echo(f"  {file.name}: {size}")
    for url in file.urls:
        typer.echo(f"    {'url':<9}{url}")
    if file.member_url:
        typer.echo(f"    {'members':<9}{file.member_url}")
    for algorithm, digest in file.digests.items():
        typer.echo(f"    {algorithm:<9}{digest} ({file.known_by})")
    for pattern, count in file.contains.items():
        typer.echo(f"    {'contains':<9}{pattern}: {count:,}")


def _on_disk(source: Source) -> str:
    folder = _RAW / source.name
    present = [name for name in source.files if (folder / name).is_file()]
    if not present:
        return "no"
    if (folder / "source.json").is_file():
        from mmclust.core.io import read_record

        facts = read_record(folder / "source.json", {"mirror": str})
        return f"{', '.join(present)} in {folder}, from {facts.get('mirror')}"
    return f"{', '.join(present)} in {folder}, not complete: run `mmclust fetch`"


def _size(n_bytes: int) -> str:
    gigabyte, megabyte = 10**9, 10**6
    if n_bytes >= gigabyte:
        return f"{n_bytes / gigabyte:.1f} GB"
    return f"{n_bytes / megabyte:.1f} MB"
