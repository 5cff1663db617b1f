"""Text of servers, files and archives does not act on the terminal."""

from __future__ import annotations

import io
import pickle
import sys

import pytest

from mmclust.__main__ import main
from mmclust.cli._show import ShownOutput
from mmclust.core.errors import MmclustError, visible
from tests.faults.server import serving
from tests.faults.toy import write_registry

EVIL = "\x1b]0;title\x07\x1b[2J\r\x9b31m\u202egpj.exe\u2028\ud800"
SHOWN = r"\x1b]0;title\x07\x1b[2J\r\x9b31m\u202egpj.exe\u2028\ud800"


def test_what_a_terminal_obeys_is_spelled_out():
    """Line ends, tabs, accents, emoji and joiners stay as they are."""
    plain = "a\tb\nÉcole, e\u0301, 日本, 👩\u200d💻"
    assert visible(plain) == plain
    assert visible(EVIL) == SHOWN
    for code in [*range(32), *range(127, 160)]:
        assert (visible(chr(code)) == chr(code)) is (chr(code) in "\t\n")


def test_errors_show_foreign_text():
    """In every part; a line break cannot pose as a part of the message."""
    error = MmclustError(
        f"{EVIL}\n  do:       rm",
        where=EVIL,
        found=f"x\n  do:       rm {EVIL}",
        do=EVIL,
    )
    for each in (error, pickle.loads(pickle.dumps(error))):
        lines = str(each).split("\n")
        assert lines[0] == rf"{SHOWN}\n  do:       rm"
        assert [line[:12] for line in lines[1:]] == [
            "  where:    ", "  found:    ", " " * 12, "  do:       ",
        ]  # fmt: skip
        assert str(each).count(SHOWN) == 4
        str(each).encode()


def test_output_shows_foreign_text_and_keeps_colours():
    """What tables are coloured with is all that passes."""
    stream = io.StringIO()
    shown = ShownOutput(stream)
    assert shown.write(f"\x1b[1;31m{EVIL}\x1b[0m") == len(EVIL) + 11
    shown.writelines(["a\n", "\x07"])
    assert stream.getvalue() == f"\x1b[1;31m{SHOWN}\x1b[0ma\n\\x07"
    assert not shown.isatty()


def test_a_registry_that_would_steer_the_terminal_is_refused(tmp_path, monkeypatch):
    """By the character, which the message spells out."""
    monkeypatch.chdir(tmp_path)
    write_registry(tmp_path, {"a.txt": "raw/a"}, {}, licence="free\x1b]0;x\x07 \x1b[2K")
    monkeypatch.setattr(sys, "argv", ["mmclust", "sources", "show", "toy"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert "U+001B" in str(ended.value)
    assert "\x1b" not in str(ended.value)


@pytest.mark.parametrize("what", ["reason", "redirect", "type", "range"])
def test_a_servers_text_is_shown(what, tmp_path, monkeypatch, capsys):
    """Reason phrases, redirect targets and headers, in the error of a fetch."""
    evil = "\x1b[2J\x9b31m"

    def answer(it):
        status = {"redirect": 302, "type": 200, "range": 206}.get(what, 404)
        reason = evil if what == "reason" else "So"
        head = {
            "redirect": f"Location: {evil}://x\r\n",
            "type": f"Content-Type: text/html{evil}\r\n",
            "range": f"Content-Range: {evil}\r\n",
        }
        line = f"HTTP/1.1 {status} {reason}\r\n"
        it.wfile.write((line + head.get(what, "") + "\r\n").encode("latin-1"))

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    with serving(faults={"evil": answer}) as (_, url):
        write_registry(tmp_path, {"a.bin": f"{url}/evil"})
        command = ["mmclust", "fetch", "toy", "--mirror", "upstream", "--attempts", "1"]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
    told = str(ended.value.code) + capsys.readouterr().err
    assert told.startswith("error: ")
    assert visible(told) == told
