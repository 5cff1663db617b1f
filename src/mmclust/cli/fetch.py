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
    """Fetch a source's files and verify them; nothing is fetched twice."""
    from mmclust.core.params import read_params
    from mmclust.sources.fetch import fetch_source

    if mirror is None:
        mirror = "upstream" if from_dir else read_params().data.mirror
    out = out or Path("data/raw") / source
    facts = fetch_source(
        source,
        mirror=mirror,
        out=out,
        root=Path(),
        from_dir=from_dir,
        network=_network(connections, timeout, attempts),
    )
    for name, file in facts["files"].items():
        how = _how(file)
        held = "".join(f", {note}" for note in file.get("contains", {}).values())
        typer.echo(f"{out / name}: {file['size']:,} bytes, {how}{held}")
    for name in facts["absent"]:
        typer.echo(f"{out / name}: not in the folder")


def _how(file: dict[str, Any]) -> str:
    """Say how a file of ``source.json`` is known to be right."""
    if file["from"] == "packed":
        return "packed here"
    said = {"none": "not verified", "first seen": "held to the first download"}
    return said.get(file["verified"], f"{file['verified']} verified")


def _network(connections: int, timeout: float, attempts: int) -> "Network":
    from mmclust.sources.asking import Timeouts
    from mmclust.sources.attempts import Patience
    from mmclust.sources.download import Network

    return Network(Timeouts(read=timeout), Patience(attempts=attempts), connections)
