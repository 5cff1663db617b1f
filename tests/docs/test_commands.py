"""Every command of the docs is run; those that cannot be run here are parsed.

How a block is tried, its fence says: see blocks.py.
"""

import os
import re
from pathlib import Path

import pytest
import typer

from tests.conftest import ROOT
from tests.docs.blocks import FENCE, KINDS, blocks, commands, pages
from tests.docs.clone import bash

ALL = [block for page in pages() for block in blocks(page)]
OTHERS = {
    "cp", "docker", "export", "git", "head", "id", "mkdir", "mv", "pip", "rm", "sed",
    "source", "true",
}  # fmt: skip


def pages_with(kind):
    return sorted({block.page for block in ALL if block.kind == kind})


@pytest.mark.parametrize("block", ALL, ids=str)
def test_commands_are_spelt_right(block):
    """The real parsers of mmclust and dvc take every command; scripts exist."""
    for words in commands(block.code):
        parse(words)


def parse(words):
    program, *arguments = words
    if program == "mmclust":
        parse_mmclust(arguments)
    elif program == "dvc":
        parse_dvc(arguments)
    elif program.startswith("scripts/"):
        assert os.access(ROOT / program, os.X_OK), program
    else:
        assert program in OTHERS, words


def parse_mmclust(arguments):
    from mmclust.models.compute import require_device

    command, rest = find(arguments)
    for option in command.params:
        if (
            option.name == "device" and option.callback
        ):  # pages name devices that are not here
            option.callback = lambda _, __, devices: ",".join(
                require_device(each, here=False) for each in devices.split(",")
            )
    try:
        command.make_context("mmclust", rest)
    except Exception as error:  # click's own or the one that typer brings along
        if not hasattr(error, "format_message"):
            raise
        pytest.fail(f"mmclust {' '.join(arguments)}: {error.format_message()}")


def find(arguments):
    """Return the command that arguments name, and what is left of them."""
    from mmclust.cli import app

    command, rest = typer.main.get_command(app), list(arguments)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    return command, rest


def parse_dvc(arguments):
    from dvc.cli import DvcParserError, parse_args

    try:
        parse_args(arguments)
    except (DvcParserError, SystemExit) as error:
        pytest.fail(f"dvc {' '.join(arguments)}: {error}")


@pytest.mark.parametrize(
    "command", ["mmclust encode coco_cross hog --divice cpu", "dvc repro --dri"]
)
def test_a_misspelt_option_is_found(command):
    with pytest.raises(pytest.fail.Exception):
        parse(command.split())


@pytest.mark.parametrize("block", ALL, ids=str)
def test_what_is_not_run_says_what_it_needs(block):
    """A block is of a known kind; `elsewhere` has a visible reason."""
    assert block.kind in KINDS
    if block.kind == "elsewhere":
        assert "**Needs** " in block.before


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_command_hides(page):
    """Commands stand in ```sh; a synopsis, in ```text, names options that exist."""
    text = page.read_text()
    for language, _, code in FENCE.findall(text):
        if language not in {"sh", "text"}:
            assert not re.search(r"^\s*(mmclust|dvc) ", code, re.MULTILINE), code
        if language == "text":
            for line in re.sub(r"\n +", " ", code).splitlines():
                check_synopsis(line)
    prose = FENCE.sub("", text)
    assert not re.search(r"^ {4,}(mmclust|dvc) ", prose, re.MULTILINE)
    for code in re.findall(r"`(mmclust [^`]+)`", prose):
        check_synopsis(" ".join(code.split()))


def check_synopsis(line):
    """Hold the options of ``mmclust …`` to those of the command."""
    words = line.partition("#")[0].split()
    if words[:1] != ["mmclust"]:
        return
    command, rest = find(words[1:])
    inside = getattr(command, "commands", {})
    placeholder = not rest or not re.fullmatch(r"[a-z_]{3,}", rest[0])
    assert not inside or placeholder or "|" in line, line
    known = {n for p in command.params for n in (*p.opts, *p.secondary_opts)}
    if not rest or rest[0].isupper():
        return
    for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", line):
        assert option in known | {"--help"}, line


RUN_BY_OTHERS = {
    "docs/pipeline.md",  # its commands made the clone
    "CONTRIBUTING.md",  # after the files it shows: test_examples.py
}


@pytest.mark.parametrize("page", sorted(set(pages_with("run")) - RUN_BY_OTHERS))
def test_commands_run(prepared, page):
    """In a clone with little data, where the pipeline's stages ran by hand."""
    for block in blocks(ROOT / page):
        if block.kind == "run":
            bash(prepared, block.code)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("slow"))
def test_slow_commands_run(reproduced, page):
    """In a clone where `dvc repro` ran; blocks of a page in their order."""
    for block in blocks(ROOT / page):
        if block.kind != "elsewhere":
            bash(reproduced, block.code)
    bash(reproduced, "git checkout -qf main && dvc checkout --force -q")


def test_pages_that_are_made_are_not_kept_twice():
    """The start page is README.md itself."""
    assert not Path(ROOT / "docs/index.md").exists()


def test_the_readme_says_what_every_folder_of_the_code_is():
    """Under "What is where"."""
    listed = (ROOT / "README.md").read_text().partition("## What is where")[2]
    folders = [path.parent.name for path in ROOT.glob("src/mmclust/*/__init__.py")]
    assert len(folders) > 15
    assert [each for each in folders if f" {each}/" not in listed] == []
