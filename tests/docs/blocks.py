"""The commands of the docs: every ```sh block, and how it is tried.

```sh            executed, in a temporary clone with little data
```sh slow       executed where slow tests are
```sh elsewhere  needs what a test has not; the text above it says **Needs** what
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

KINDS = ("run", "slow", "elsewhere")
FENCE = re.compile(r"^```(\S*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENDS = {"&&", "||", ";", "|", "&"}


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    kind: str
    code: str
    before: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]


def blocks(path: Path) -> list[Block]:
    """Return the ```sh blocks of a page, in order."""
    text = path.read_text()
    return [
        Block(
            str(path.relative_to(ROOT)),
            text.count("\n", 0, found.start()) + 1,
            found[2].strip() or "run",
            found[3],
            text[: found.start()].rstrip().rpartition("\n\n")[2],
        )
        for found in FENCE.finditer(text)
        if found[1] == "sh"
    ]


def commands(code: str) -> list[list[str]]:
    """Split shell code into simple commands, without assignments before them."""
    inner = re.findall(r"\$\(([^()]*)\)", code)
    found = [words for each in inner for words in commands(each)]
    code = re.sub(r"\$\([^()]*\)", "substituted", code)
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        now: list[str] = []
        for word in words:
            if word in ENDS:
                found.append(now)
                now = []
            else:
                now.append(word)
        found.append(now)
    return [each for each in map(_bare, found) if each]


def _bare(words: list[str]) -> list[str]:
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words
