"""The command line starts without anything heavy, and tells errors as one message."""

import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from mmclust.cli import app
from mmclust.cli._options import require_plugins
from mmclust.core.errors import MmclustError
from mmclust.core.numerics import LIBRARIES, possible
from mmclust.core.params import Params
from tests.conftest import ROOT

HEAVY = (*LIBRARIES, "transformers", "dvc")


def test_help_loads_nothing_heavy():
    """Building the whole command line imports no numerical library."""
    code = (
        "import sys, mmclust.cli\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_numerics_are_settled_before_any_library_is_loaded(tmp_path):
    """The command's first lines; a library that is loaded earlier keeps its choice."""
    code = (
        "import sys\n"
        "from mmclust.core import numerics\n"
        "settle = numerics.settle\n"
        "def noted(*given):\n"
        f"    print('before', [name for name in {HEAVY!r} if name in sys.modules])\n"
        "    settle(*given)\n"
        "    print(numerics.in_use())\n"
        "numerics.settle = noted\n"
        "from mmclust.__main__ import main\n"
        "sys.argv = ['mmclust', '--help']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    expected = ["before []", "portable" if possible() else "fast"]
    assert done.stdout.splitlines()[:2] == expected


def test_every_stage_has_help(run_mmclust, tmp_path):
    """Help works anywhere and names the stages in order."""
    done = run_mmclust("--help", cwd=tmp_path)
    assert done.returncode == 0
    everyday = ["folder", "fit", "assign", "score", "diff", "preset"]
    words = ["sample", "fetch", "build", "encode", "cluster", "report"]
    parts = re.split(r"Every day|The stages of|Results|Data ─", done.stdout)
    assert len(parts) == 5
    for part, names in zip(parts[1:], (everyday, words), strict=False):
        places = [part.index(f"│ {name} ") for name in names]
        assert places == sorted(places)


def test_clusters_are_the_first_that_score_names():
    """What is wanted every day stands before what the pipeline calls."""
    names = ["clustering", "retrieval", "categorization", "concreteness", "association"]
    assert list(COMMANDS["score",].commands)[:5] == names


def test_help_shows_brackets_and_wraps(run_mmclust, tmp_path, monkeypatch):
    """What stands in brackets is text, and a paragraph fills the terminal's width."""
    monkeypatch.setenv("COLUMNS", "160")
    done = run_mmclust("fit", "--help", cwd=tmp_path)
    assert "cluster [and confidence]" in done.stdout
    assert "words.txt --k" in done.stdout


def _commands(command, path=()):
    """Yield every command that the help shows, with its words."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _commands(inner, (*path, name))


COMMANDS = dict(_commands(typer.main.get_command(app)))


def test_there_are_commands():
    assert len(COMMANDS) > 40


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_nothing_of_the_help_is_cut(path):
    """At 80 columns each … of a help text is one that its author wrote."""
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"}).output
    command = COMMANDS[path]
    inner = getattr(command, "commands", {}).values()
    firsts = [each.help.split("\n\n")[0] for each in inner if not each.hidden]
    written = [command.help or "", *(p.help or "" for p in command.params), *firsts]
    assert shown.count("…") == "".join(written).count("…")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_options_say_what_holds_without_them(path):
    """A default is shown, or the text says what goes without, or with what it goes."""
    said = re.compile(r"default|without|with --|in place of|compare with|zero_shot:")
    for option in COMMANDS[path].params:
        silent = option.default is None and not option.required
        if silent and not getattr(option, "is_flag", False):
            assert said.search(option.help.lower()), option.opts


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("encode", "coco_cross", "hog"), 1, "params.yaml is missing"),
        (("build", "coco_al", "--raw", "."), 1, "Did you mean 'coco_all'?"),
        (("build",), 2, "Missing argument"),
        (("nothing",), 2, "No such command"),
    ],
)
def test_errors_are_messages(run_mmclust, tmp_path, arguments, code, text):
    """User's errors exit 1, usage errors 2; neither shows a traceback."""
    done = run_mmclust(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_every_name_is_checked():
    """Of several encoders, not the first alone."""
    require_plugins(Params(), "coco_cross", "hog", "lsa")
    with pytest.raises(MmclustError, match="Unknown encoder 'hgo'"):
        require_plugins(Params(), "coco_cross", "hog", "hgo")
