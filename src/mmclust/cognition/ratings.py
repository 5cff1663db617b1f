"""Concreteness ratings, as published by Brysbaert, Warriner & Kuperman (2014).

``Concreteness_ratings_Brysbaert_et_al_BRM.txt``: a header line, then Word, Bigram
(0 or 1), Conc.M (1 to 5) and more, separated by tabs, with CRLF line ends. Words of two
parts hold a blank.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file
from mmclust.core.text import same_form, utf8

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ("Word", "Bigram", "Conc.M")
RANGE = (1.0, 5.0)
MISSING = ("", "NA", "na", "NaN", "nan", "#N/A", "NULL", ".")


@dataclass(frozen=True)
class Ratings:
    """Words and their mean ratings.

    Parameters
    ----------
    words
        Word to rating; a word of several parts has one blank between them.
    n_bigrams
        Words that the file flags as two.
    n_missing
        Rows without a rating, left out.
    """

    words: dict[str, float]
    n_bigrams: int
    n_missing: int


def read_ratings(path: Path) -> Ratings:
    """Read a file of concreteness ratings.

    Word, flag and rating are the first three columns between tabs. A line without
    tabs is read by the published rule, on white space, which gives the same for the
    public file: the first part that does not begin with a letter is the flag; what
    is before it is the word, what follows the rating. A row whose rating is missing
    is left out and counted.

    Parameters
    ----------
    path
        UTF-8 text; LF or CRLF.

    Raises
    ------
    MmclustError
        When the header is another one, a row has no flag or no number, a rating is
        outside 1 to 5, or a word is repeated.
    """
    data = require_file(path, "give the path of the ratings").read_bytes()
    first, *lines = same_form(utf8(data, path, path.name)).split("\n")
    if tuple(first.split()[:3]) != HEADER:
        raise _not_ratings(path, 1, repr(first.strip()[:80]))
    words: dict[str, float] = {}
    n_bigrams = n_missing = 0
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        word, flag, cell = _split(path, number, line)
        n_bigrams += flag == "1"
        if cell in MISSING:
            n_missing += 1
            continue
        if word in words:
            raise MmclustError(
                f"{path.name} has a word twice",
                where=f"{path}, line {number}",
                expected="each word once",
                found=word,
            )
        words[word] = _rating(path, number, cell)
    if not words:
        raise _not_ratings(path, 1, "no word with a rating")
    return Ratings(words, n_bigrams, n_missing)


def _split(path: Path, number: int, line: str) -> tuple[str, str, str]:
    """Return the word, the flag and what stands where the rating belongs."""
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) >= len(HEADER):
        # An empty cell would vanish from white space and let the next one slip in.
        word, flag, rating = " ".join(cells[0].split()), cells[1], cells[2]
    else:
        parts = line.split()
        at = next((i for i, p in enumerate(parts) if not p[:1].isalpha()), len(parts))
        word, (flag, rating) = " ".join(parts[:at]), [*parts[at:], "", ""][:2]
    if not word or flag not in ("0", "1"):
        raise _not_ratings(path, number, repr(line.strip()[:80]))
    return word, flag, rating


def _rating(path: Path, number: int, cell: str) -> float:
    try:
        rating = float(cell)
    except ValueError:
        rating = math.nan
    if not RANGE[0] <= rating <= RANGE[1]:
        raise MmclustError(
            f"{path.name} has a rating out of range",
            where=f"{path}, line {number}",
            expected="a number from 1 to 5",
            found=cell,
        )
    return rating


def _not_ratings(path: Path, number: int, found: str) -> MmclustError:
    return MmclustError(
        f"{path.name} is not a file of concreteness ratings",
        where=f"{path}, line {number}",
        expected="a header 'Word Bigram Conc.M …', then rows such as 'ice cream 1 "
        "4.9', separated by tabs",
        found=found,
    )
