"""``mmclust fetch``: bring a source's raw files, verified."""

from pathlib import Path
from typing import Annotated

import typer


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
) -> None:
    """Fetch a source's files and verify them; nothing is fetched twice."""
    from mmclust.core.params import read_params
    from mmclust.sources.fetch import fetch_source

    if mirror is None:
        mirror = "upstream" if from_dir else read_params().data.mirror
    out = out or Path("data/raw") / source
    facts = fetch_source(source, mirror=mirror, out=out, root=Path(), from_dir=from_dir)
    for name, file in facts["files"].items():
        how = "packed here" if file["from"] == "packed" else "not verified"
        if file["verified"] != "none":
            how = f"{file['verified']} verified"
        held = "".join(f", {note}" for note in file.get("contains", {}).values())
        typer.echo(f"{out / name}: {file['size']:,} bytes, {how}{held}")
    for name in facts["absent"]:
        typer.echo(f"{out / name}: not in the folder")
