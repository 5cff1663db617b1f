"""``mmclust fetch``: bring a source's raw files, verified."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mmclust.sources.download import Network


def fetch(
    source: Annotated[str, typer.Argument(help="A source; see `sources list`.")],
    from_dir: Annotated[
        Path | None,
        typer.Option("--from", help="A folder with the archives, or unpacked files."),
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
        typer.Option(help="all, or benchmarks (a,b): only the pictures they take."),
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
    from mmclust.cli._select import selection
    from mmclust.core.params import DEFAULT_PATH, Params, read_params
    from mmclust.sources.fetch import fetch_source

    if from_dir is not None and (images is not None or mirror is not None):
        raise typer.BadParameter("--from takes what the folder holds; leave out "
                                 "--images and --mirror")  # fmt: skip
    out = out or Path("data/raw") / source
    if repair and mirror is None and from_dir is None:
        mirror = _mirror_before(out)
    choice = None
    if from_dir is None:
        by_hand = mirror is not None and not DEFAULT_PATH.is_file()
        params = Params() if by_hand else read_params()
        mirror = mirror or params.data.mirror
        named = params.data.images if images is None else _names(images)
        choice = selection(source, params, named)
    in_the_clear: list[str] = []
    facts = fetch_source(
        source,
        mirror=mirror or "upstream",
        out=out,
        root=Path(),
        from_dir=from_dir,
        network=_network(connections, timeout, attempts),
        choice=choice,
        on_clear=in_the_clear.append,
    )
    _tell(facts, out, in_the_clear, chosen=choice is not None)


def _tell(
    facts: dict[str, Any], out: Path, in_the_clear: list[str], *, chosen: bool
) -> None:
    for name, file in facts["files"].items():
        how = _how(file)
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


def _names(images: str) -> str | tuple[str, ...]:
    return images if images == "all" else tuple(images.split(","))


def _mirror_before(out: Path) -> str | None:
    """Return the mirror that ``source.json`` names; None if there is none."""
    from mmclust.core.errors import MmclustError
    from mmclust.core.io import read_note

    note = out / "source.json"
    mirror = read_note(note).get("mirror")
    if mirror == "folder":
        raise MmclustError(
            "The files came from a folder of yours",
            where=note,
            expected="that folder",
            found="no --from",
            do="give the folder again with --from",
        )
    return mirror if isinstance(mirror, str) else None


def _how(file: dict[str, Any]) -> str:
    """Say how a file of ``source.json`` is known to be right."""
    if file["from"] == "packed":
        return "packed here"
    said = {"none": "not verified", "first seen": "held to the first download"}
    return said.get(file["verified"], f"{file['verified']} verified")


def _network(connections: int, timeout: float, attempts: int) -> "Network":
    from mmclust.sources.download import Network
    from mmclust.sources.http_request import Patience, Timeouts

    return Network(Timeouts(read=timeout), Patience(attempts=attempts), connections)
