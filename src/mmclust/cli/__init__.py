"""The command line: one file per stage word; thin; the only place that prints.

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
    retrieve,
    score,
    sources,
    words,
)
from mmclust.cli._costs import costed
from mmclust.cli._names import NamesCommand
from mmclust.cli.assign import assign
from mmclust.cli.budget import budget
from mmclust.cli.build import build
from mmclust.cli.caption import caption
from mmclust.cli.cluster import cluster
from mmclust.cli.diff import diff
from mmclust.cli.embed import embed
from mmclust.cli.encode import encode
from mmclust.cli.export import export
from mmclust.cli.fetch import fetch
from mmclust.cli.head import head
from mmclust.cli.leaderboard import leaderboard
from mmclust.cli.learn import learn
from mmclust.cli.nouns import nouns
from mmclust.cli.panels import panels
from mmclust.cli.plots_page import plots_page
from mmclust.cli.preset import preset
from mmclust.cli.report import report
from mmclust.cli.reproduce import reproduce
from mmclust.cli.sample import sample
from mmclust.cli.submit import submit
from mmclust.cli.track_report import track_report

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
STAGES: tuple[Callable[..., Any], ...] = (
    sample, fetch, build, caption, encode, nouns, cluster, head, embed,
)  # fmt: skip
MEASURED = (build, caption, encode, nouns, cluster, head)
for stage in STAGES:
    app.command(rich_help_panel=_PIPELINE, cls=NamesCommand)(
        costed(stage) if stage in MEASURED else stage
    )
app.add_typer(retrieve.app, name="retrieve", rich_help_panel=_PIPELINE)
app.command(rich_help_panel=_PIPELINE, cls=NamesCommand)(learn)
app.add_typer(cognition.app, name="cognition", rich_help_panel=_PIPELINE)
app.add_typer(grounding.app, name="grounding", rich_help_panel=_PIPELINE)
app.add_typer(score.app, name="score", rich_help_panel=_PIPELINE)
app.command(rich_help_panel=_PIPELINE)(budget)
app.command(rich_help_panel=_PIPELINE)(report)
app.command(rich_help_panel=_BESIDE)(diff)
app.command(rich_help_panel=_BESIDE)(leaderboard)
app.command(rich_help_panel=_BESIDE)(reproduce)
app.command(rich_help_panel=_BESIDE, cls=NamesCommand)(costed(submit))
app.command(rich_help_panel=_BESIDE, cls=NamesCommand)(track_report)
app.command(rich_help_panel=_BESIDE)(export)
app.command(rich_help_panel=_BESIDE)(assign)
app.command(rich_help_panel=_BESIDE, cls=NamesCommand)(panels)
app.add_typer(sources.app, name="sources", rich_help_panel=_BESIDE)
app.add_typer(words.app, name="words", rich_help_panel=_BESIDE)
app.add_typer(published.app, name="published", rich_help_panel=_BESIDE)
app.command(rich_help_panel=_BESIDE, cls=NamesCommand)(preset)
app.command(hidden=True)(plots_page)
