"""The sources of data: the drawn sample, fetching, what is on disk and if it is right.

``fetch`` and ``benchmarks`` meet here alone: which pictures benchmarks take.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmclust.cli._options import Workers

if TYPE_CHECKING:
    from mmclust.core.params import Params
    from mmclust.core.registry import Source
    from mmclust.sources.fetch import Choice

app = typer.Typer(no_args_is_help=True, help="The sources of data.")
_RAW = Path("data/raw")


def sample(
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path(
        "data/sample"
    ),
    workers: Workers = 0,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Draw every source, whatever params.yaml says."),
    ] = False,
) -> None:
    """Draw the built-in world, in the publishers' own formats.

    Drawn are the sources that data.sources names, where data.mirror is sample; each
    is the same whatever else is drawn. In all, about 2,700 scenes with boxes, polygons
    and captions, packed as COCO 2017, and 1,750 more as Pascal Sentences, Flickr30K
    (both layouts), MSCOCO-FG and Flickr30K-FG with the pools of COCO 2014 and 2017 that
    they name; the Karpathy splits; a list of nouns. ``sample.seed`` in params.yaml
    chooses the world.
    """
    from mmclust.core.params import read_params
    from mmclust.sample.make import make_sample

    start = time.perf_counter()
    params = read_params()
    asked = params.data.sources if params.data.mirror == "sample" else ()
    n_images = make_sample(
        out, params.sample.seed, workers, sources=None if everything else asked
    )
    size = sum(file.stat().st_size for file in out.glob("*/*") if file.is_file())
    seconds = time.perf_counter() - start
    typer.echo(f"{out}: {n_images:,} images, {size / 1e6:.1f} MB, {seconds:.0f} s")


def fetch(
    source: Annotated[str, typer.Argument(help="A source; see `sources list`.")],
    from_dir: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A folder with the archives, or unpacked files; default: --mirror.",
        ),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(help="sample, upstream or a folder (default: data.mirror)."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to put it (default: data/raw/SOURCE)."),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            help="all, or benchmarks (a,b): only the pictures they take; default: "
            "data.images."
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="From where it was fetched before.")
    ] = False,
    connections: Annotated[
        int, typer.Option(min=1, help="Connections at once, over files and ranges.")
    ] = 4,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds without data before a new attempt.")
    ] = 60.0,
    attempts: Annotated[
        int, typer.Option(min=1, help="In a row without progress, for each mirror.")
    ] = 5,
) -> None:
    """Fetch a source's files and verify them; nothing is fetched twice.

    What is on disk and right stays, so a second run fetches only what is missing or
    damaged. --repair does the same from the mirror that source.json names.
    """
    from mmclust.core.errors import MmclustError
    from mmclust.core.io import read_note
    from mmclust.core.params import DEFAULT_PATH, Params, read_params
    from mmclust.sources.fetch import fetch_source
    from mmclust.sources.http_request import Network

    if from_dir is not None and (images is not None or mirror is not None):
        raise typer.BadParameter("--from takes what the folder holds; leave out "
                                 "--images and --mirror")  # fmt: skip
    out = out or _RAW / source
    if repair and mirror is None and from_dir is None:
        note = out / "source.json"
        before = read_note(note).get("mirror")
        mirror = before if isinstance(before, str) else None
        if mirror == "folder":
            raise MmclustError(
                "The files came from a folder of yours",
                where=note,
                expected="that folder",
                found="no --from",
                do="give the folder again with --from",
            )
    choice = None
    if from_dir is None:
        by_hand = mirror is not None and not DEFAULT_PATH.is_file()
        params = Params() if by_hand else read_params()
        mirror = mirror or params.data.mirror
        named = params.data.images if images is None else images
        if images not in {None, "all"}:
            named = tuple(images.split(","))
        choice = selection(source, params, named)
    in_the_clear: list[str] = []
    facts = fetch_source(
        source,
        mirror=mirror or "upstream",
        out=out,
        root=Path(),
        from_dir=from_dir,
        network=Network(connections, read=timeout, attempts=attempts),
        choice=choice,
        on_clear=in_the_clear.append,
    )
    _tell(facts, out, in_the_clear, chosen=choice is not None)


def _tell(
    facts: dict[str, Any], out: Path, in_the_clear: list[str], *, chosen: bool
) -> None:
    said = {"none": "not verified", "first seen": "held to the first download"}
    for name, file in facts["files"].items():
        how = said.get(file["verified"], f"{file['verified']} verified")
        how = "packed here" if file["from"] == "packed" else how
        held = "".join(f", {note}" for note in file.get("contains", {}).values())
        typer.echo(f"{out / name}: {file['size']:,} bytes, {how}{held}")
    for name in in_the_clear:
        typer.echo(
            f"{out / name}: came over http, and its publisher states no digest: "
            "somebody on the way could have changed it"
        )
    why = "not in the folder" if facts["mirror"] == "folder" else "not fetched"
    why += ", or not among the pictures that data.images chooses" if chosen else ""
    for name in facts["absent"]:
        typer.echo(f"{out / name}: {why}")


def selection(
    source: str, params: Params, images: str | tuple[str, ...]
) -> Choice | None:
    """Return what ``fetch_source`` takes as ``choice``; None where all is wanted.

    ``images`` is ``all``, or names of benchmarks. Of a source that none of them reads
    no picture is wanted.
    """
    from mmclust.benchmarks._build import lists_of, needed_pictures, sources_of
    from mmclust.sources.fetch import Choice

    if images == "all":
        return None
    blocks = {name: params.benchmarks.get(name) for name in images}
    takers = [name for name in blocks if source in sources_of(name, blocks[name])]
    lists = (o for name in takers for o in lists_of(name, blocks[name]) if o != source)

    def pictures(raw: Path) -> set[str]:
        return {p for name in takers for p in needed_pictures(name, raw, blocks[name])}

    return Choice(tuple(dict.fromkeys(lists)), pictures)


@app.command("list")
def list_sources() -> None:
    """List every source: size, known digests, whether it is on disk, licence."""
    from mmclust.core.registry import read_registry
    from mmclust.sources.fetch import LOCK, REGISTRY
    from mmclust.sources.verify import locked, read_lock

    seen = read_lock(LOCK)
    for registered in read_registry(REGISTRY).values():
        source = locked(registered, seen)
        files = source.files.values()
        n_bytes = sum(file.size or 0 for file in files)
        giga, mega = 10**9, 10**6
        large = n_bytes >= giga
        size = f"{n_bytes / giga:.1f} GB" if large else f"{n_bytes / mega:.1f} MB"
        if any(file.size is None for file in files):
            size = f"at least {size}"
        digests = sorted({name for file in files for name in file.digests})
        kinds = Counter(file.known_by for file in files)
        known = [kind for kind in ("published", "first seen", "unknown") if kinds[kind]]
        held = ", ".join(f"{kinds[kind]} {kind}" for kind in known)
        typer.echo(f"{source.name}  {size}")
        typer.echo(f"  digests  {', '.join(digests) or 'none'}; {held}")
        typer.echo(f"  on disk  {_on_disk(source)}")
        typer.echo(f"  licence  {source.licence or 'not stated'}")
        if source.accept:
            typer.echo(f"  terms    {_terms(source)}")


@app.command()
def show(name: Annotated[str, typer.Argument(help="A source.")]) -> None:
    """Show one source: files, addresses, sizes, digests, licence, citation."""
    from mmclust.sources.fetch import open_source

    source = open_source(name, Path())
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
    from mmclust.sources.fetch import open_source
    from mmclust.sources.terms import accept as record
    from mmclust.sources.terms import terms_of

    source = open_source(name, Path())
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
    from mmclust.core.registry import read_registry
    from mmclust.sources.fetch import REGISTRY, open_source
    from mmclust.sources.verify import audit

    on_disk = [name for name in read_registry(REGISTRY) if (_RAW / name).is_dir()]
    bad: dict[str, list[Path]] = {}
    for name in names or on_disk:
        source = open_source(name, Path())
        for found in audit(source, _RAW / name, Path(), deep=deep):
            how = "" if found.read else ", unchanged since it was read"
            typer.echo(f"{found.path}: {found.state}{how} ({found.note})")
            if found.state != "right":
                bad.setdefault(name, []).append(found.path)
    if bad:
        paths = [path for of_source in bad.values() for path in of_source]
        raise MmclustError(
            f"{len(paths)} of the raw files cannot be trusted",
            where=some(paths),
            expected="the bytes that were fetched",
            found="others; `dvc status` says which stages read them",
            do=" and ".join(f"`mmclust fetch {name} --repair`" for name in bad),
        )


def vocabulary(
    archive: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="WordNet's archive, or its fetched folder; default: data/raw/wordnet.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The CSV file to write.")] = Path(
        "data/vocabulary/WordNetNouns.csv"
    ),
) -> None:
    """Make the list of WordNet 3.0's nouns, and check it against the known digest.

    mmclust vocabulary --from WordNet-3.0.tar.gz --out nouns.csv

    The built-in sample has a short list of its own; it is copied. In the pipeline the
    list is empty where wordnet is not among data.sources.
    """
    from mmclust.core.io import write_bytes
    from mmclust.core.params import read_params
    from mmclust.sources.wordnet import noun_list, write_nouns

    if archive is None and "wordnet" not in read_params().data.sources:
        write_bytes(out, noun_list(b""))  # its header alone
        typer.echo(f"{out}: empty, for wordnet is not among data.sources")
        return
    n_nouns = write_nouns(archive or _RAW / "wordnet", out)
    typer.echo(f"{out}: {n_nouns:,} nouns, sha256 verified")


def _terms(source: Source) -> str:
    from mmclust.sources.terms import accepted

    date = accepted(source)
    if date is not None:
        return f"accepted on {date}"
    return f"to be accepted first: `mmclust sources accept {source.name}`"


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
