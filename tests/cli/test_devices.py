"""One check of --device, for every command that takes it."""

import pytest
import typer

from mmclust.cli import app
from mmclust.cli._options import all_usable, usable
from mmclust.core.errors import MmclustError
from mmclust.models.compute import require_device

COMMANDS = {
    "encode": ("encode", "coco_cross", "hog"),
    "caption": ("caption", "coco_cross", "blip"),
    "nouns": ("nouns", "coco_cross"),
    "head": ("head", "coco_cross", "concat_kmeans"),
    "embed": ("embed", "mscoco_fg", "miniclip"),
    "fit": ("fit", "tac", "--out", "o"),
    "folder": ("folder", "p"),
    "assign": ("assign", "x.jpg", "--head", "h"),
    "learn": ("learn", "random"),
    "grounding": ("grounding",),
    "retrieve benchmark": ("retrieve", "benchmark", "mscoco_fg", "miniclip"),
    "retrieve rerank": ("retrieve", "rerank", "mscoco_fg", "miniclip", "--model", "m"),
    "score retrieval": (
        "score", "retrieval", "--benchmark", "b", "--out", "o", "--image-ids", "i",
        "--text-ids", "t",
    ),
}  # fmt: skip
WRONG = ("cuda:99", "mps:7", "cudda", "banana", "meta", "cpu:1", "cuda:", "cuda:x", "")


def commands(command, path=()):
    """Walk the command line: each command that takes --device."""
    if any("--device" in p.opts for p in command.params):
        yield " ".join(path)
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


def test_all_commands_are_known_here():
    assert set(commands(typer.main.get_command(app))) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_device_that_is_not_there_is_refused_first(name, tmp_path, monkeypatch):
    """Before files are looked for: nothing is here at all but params.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("{}\n")
    arguments = list(COMMANDS[name])
    place = 1 if name == "grounding" else len(arguments)
    for device in WRONG:
        given = [*arguments[:place], "--device", device, *arguments[place:]]
        with pytest.raises(MmclustError, match="cannot be used"):
            app(given, standalone_mode=False)


def test_what_can_be_used(monkeypatch):
    """The CPU by either name; an accelerator up to the number there are."""
    import torch

    assert usable("cpu") == usable("cpu:0") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [usable(d) for d in ("cuda", "cuda:1")] == ["cuda", "cuda:1"]
    assert all_usable("cuda:0, cuda:1") == "cuda:0,cuda:1"
    with pytest.raises(MmclustError, match="Devices of several kinds"):
        all_usable("cpu,cuda")
    for number in ("01", "\uff11"):  # torch takes neither
        with pytest.raises(MmclustError, match="cannot be used"):
            usable(f"cuda:{number}")
    with pytest.raises(MmclustError, match="cuda:2") as caught:
        usable("cuda:2")
    assert "2 of that kind, from cuda:0" in str(caught.value)
    assert require_device("cuda:7", here=False) == "cuda:7"
    with pytest.raises(MmclustError, match="cannot be used"):
        require_device("cudda", here=False)


def test_a_variable_stands_for_the_option_that_is_left_out(
    run_mmclust, monkeypatch, tmp_path
):
    """So that `dvc repro` can use a GPU; the option itself goes first."""
    monkeypatch.setenv("MMCLUST_DEVICE", "banana")
    (tmp_path / "params.yaml").write_text("{}\n")
    for command in ("nouns", "encode", "head", "learn", "grounding"):
        done = run_mmclust(*COMMANDS[command], cwd=tmp_path)
        assert done.returncode == 1
        assert "'banana'" in done.stderr
    done = run_mmclust("nouns", "coco_cross", "--device", "cpu", cwd=tmp_path)
    assert "banana" not in done.stderr
