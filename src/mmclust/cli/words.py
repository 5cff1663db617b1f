"""`mmclust words`: word models from elsewhere."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Word models from elsewhere.")


@app.callback()
def words() -> None:
    """Word models from elsewhere; `mmclust learn` trains our own."""


@app.command("import")
def import_(
    folder: Annotated[
        Path, typer.Argument(help="Has visual/NAME.mdl and text/NAME.mdl.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    name: Annotated[
        str | None, typer.Option(help="Of the model, where there are several.")
    ] = None,
) -> None:
    """Make a trained model of the original release (NAACL 2022) ours.

    mmclust words import RELEASE --out data/words/joint_model

    No code of the files is run: their one class becomes a plain record, and a file
    that names any other is refused. What is written is what `mmclust learn
    joint_model` writes, with one seed; cognition and grounding take it. Run `dvc
    commit learn` to let the pipeline keep it.
    """
    from mmclust.words._release import import_release

    learned = import_release(folder, out, name)
    facts = learned.meta
    typer.echo(
        f"{len(learned.words):,} words, {facts['clusters']} clusters, {facts['mode']}"
    )
    typer.echo(f"wrote {out}")
