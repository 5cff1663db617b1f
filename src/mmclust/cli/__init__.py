"""The command line: one file per group of commands; thin; alone prints.

Nothing heavy is imported before a command runs, so that ``mmclust --help`` answers
in a blink.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from mmclust.cli import (
    cognition,
    grounding,
    published,
    retrieval,
    score,
    sources,
    words,
)
from mmclust.cli._costs import costed
from mmclust.cli._options import NamesCommand
from mmclust.cli.benchmarks import build, export
from mmclust.cli.board import diff, leaderboard, reproduce
from mmclust.cli.clusterers import cluster, submit
from mmclust.cli.encoders import caption, embed, encode
from mmclust.cli.folder import folder
from mmclust.cli.heads import assign, head, nouns, panels
from mmclust.cli.preset import preset
from mmclust.cli.report import budget, plots_page, report, track_report
from mmclust.cli.sources import fetch, sample
from mmclust.cli.words import learn

if TYPE_CHECKING:
    from collections.abc import Callable


class StoppedError(Exception):
    """Ctrl-C was pressed, of which typer would say no more than "Aborted!"."""


class StoppableGroup(TyperGroup):
    """Commands that Ctrl-C ends with :class:`StoppedError`."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise StoppedError from None


app = typer.Typer(
    cls=StoppableGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Reproducible clustering of images together with their captions. "
    "`dvc repro` runs every stage; each can be run by itself. Stage commands take "
    "names as arguments and everything else from params.yaml.",
)
_PIPELINE = "The pipeline, in order"
_BESIDE = "Beside it"
MEASURED = (build, caption, encode, nouns, cluster, head, submit)


def _add(panel: str, *commands: Callable[..., Any], names: bool = True) -> None:
    """Add commands to a panel of the help, most of which take names of dvc.yaml."""
    for command in commands:
        app.command(rich_help_panel=panel, cls=NamesCommand if names else None)(
            costed(command) if command in MEASURED else command
        )


_add("Your own pictures", folder, names=False)
_add(_PIPELINE, sample, fetch, build, caption, encode, nouns, cluster, head, embed)
app.add_typer(retrieval.app, name="retrieve", rich_help_panel=_PIPELINE)
_add(_PIPELINE, learn)
app.add_typer(cognition.app, name="cognition", rich_help_panel=_PIPELINE)
app.add_typer(grounding.app, name="grounding", rich_help_panel=_PIPELINE)
app.add_typer(score.app, name="score", rich_help_panel=_PIPELINE)
_add(_PIPELINE, budget, report, names=False)
_add(_BESIDE, diff, leaderboard, reproduce, names=False)
_add(_BESIDE, submit, track_report)
_add(_BESIDE, export, assign, names=False)
_add(_BESIDE, panels)
app.add_typer(sources.app, name="sources", rich_help_panel=_BESIDE)
app.add_typer(words.app, name="words", rich_help_panel=_BESIDE)
app.add_typer(published.app, name="published", rich_help_panel=_BESIDE)
_add(_BESIDE, preset)
app.command(hidden=True)(plots_page)
