"""The command line: one file per group of commands; thin; alone prints.

Nothing heavy is imported before a command runs, so that ``mmclust --help`` answers
in a blink.
"""

from __future__ import annotations

import inspect
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
from mmclust.cli._options import ArraysCommand, NamesCommand
from mmclust.cli.benchmarks import build, export
from mmclust.cli.board import diff, leaderboard, reproduce
from mmclust.cli.clusterers import cluster, submit
from mmclust.cli.encoders import caption, embed, encode
from mmclust.cli.fit import assign, fit
from mmclust.cli.folder import folder
from mmclust.cli.heads import head, nouns, panels
from mmclust.cli.preset import preset
from mmclust.cli.report import budget, plots_page, report, track_report
from mmclust.cli.sources import fetch, sample, vocabulary
from mmclust.cli.words import learn, word_list

if TYPE_CHECKING:
    from collections.abc import Callable


ORDER = (
    "folder", "fit", "assign", "score", "diff", "preset", "sample", "fetch", "build",
    "vocabulary", "word-list", "caption", "encode", "nouns", "cluster", "head", "embed",
    "retrieve", "learn", "cognition", "grounding",
)  # fmt: skip
"""Of the help: what is wanted every day, then the stages; the rest as added."""


KINDS = {"Path": "PATH", "str": "TEXT", "int": "N", "float": "X"}
"""Of options in the help, by their type."""


class StoppedError(Exception):
    """Ctrl-C was pressed, of which typer would say no more than "Aborted!"."""


class StoppableGroup(TyperGroup):
    """Commands that Ctrl-C ends with :class:`StoppedError`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        place = {name: i for i, name in enumerate(ORDER)}
        in_order = sorted(self.commands, key=lambda name: place.get(name, len(place)))
        self.commands = {name: self.commands[name] for name in in_order}
        for command in self.commands.values():
            _make_plain(command)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise StoppedError from None


def _make_plain(command: Any) -> None:
    """Let help texts wrap as paragraphs, and show ``[brackets]``, else styles."""
    from rich.markup import escape

    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(
        text if "\n- " in text else " ".join(text.split("\n")) for text in paragraphs
    )
    for each in (command, *command.params):
        if getattr(each, "help", None):
            each.help = escape(each.help)
        if getattr(each, "metavar", "") is None and each.param_type_name == "option":
            each.metavar = _kind(each)
    for inner in getattr(command, "commands", {}).values():
        _make_plain(inner)


def _kind(option: Any) -> str | None:
    """Return what an option's value is, shorter and plainer than its Python type."""
    if option.is_flag:
        return ""
    name = option.bare_type().removeprefix("list[").removesuffix("]")
    return KINDS.get(name)


app = typer.Typer(
    cls=StoppableGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Reproducible clustering of images together with their captions. "
    "`dvc repro` runs every stage; each can be run by itself. Stage commands take "
    "names as arguments and everything else from params.yaml; commands on files of "
    "your own need no params.yaml.",
)
EVERYDAY = "Every day"
STAGES = "The stages of the pipeline, in order"
RESULTS = "Results"
DATA = "Data"
MEASURED = (build, caption, encode, nouns, cluster, head, submit)


def _add(panel: str, *commands: Callable[..., Any], names: bool = True) -> None:
    """Add commands to a panel of the help, most of which take names of dvc.yaml."""
    for command in commands:
        app.command(rich_help_panel=panel, cls=NamesCommand if names else None)(
            costed(command) if command in MEASURED else command
        )


_add(EVERYDAY, folder, names=False)
for _command in (fit, assign):
    app.command(rich_help_panel=EVERYDAY, cls=ArraysCommand)(_command)
app.add_typer(score.app, name="score", rich_help_panel=EVERYDAY)
_add(EVERYDAY, diff, names=False)
_add(EVERYDAY, preset)
_add(STAGES, sample, fetch, build, vocabulary, word_list, caption, encode, nouns)
_add(STAGES, cluster, head, embed)
app.add_typer(retrieval.app, name="retrieve", rich_help_panel=STAGES)
_add(STAGES, learn)
app.add_typer(cognition.app, name="cognition", rich_help_panel=STAGES)
app.add_typer(grounding.app, name="grounding", rich_help_panel=STAGES)
_add(STAGES, budget, report, names=False)
_add(RESULTS, leaderboard, reproduce, names=False)
app.add_typer(published.app, name="published", rich_help_panel=RESULTS)
_add(RESULTS, submit, track_report, panels)
app.add_typer(sources.app, name="sources", rich_help_panel=DATA)
_add(DATA, export, names=False)
app.add_typer(words.app, name="words", rich_help_panel=DATA)
app.command(hidden=True)(plots_page)
