"""Norms of words: ratings of concreteness, typicality, and what may be seen of them.

``Concreteness_ratings_Brysbaert_et_al_BRM.txt`` (Brysbaert, Warriner & Kuperman 2014):
a header line, then Word, Bigram (0 or 1), Conc.M (1 to 5) and more, between tabs,
with CRLF line ends. Words of two parts hold a blank.

``mcrae_typicality.yaml`` (Fountain & Lapata, CogSci 2010): a mapping of category to
a mapping of word to mean rating. A word belongs to the category that it is rated the
most typical of; of several, to the one that comes first in the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition.metrics import encode, scores
from mmclust.core.clusters import UNKNOWN
from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file, write_bytes
from mmclust.core.text import same_form, utf8
from mmclust.core.yaml_file import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HEADER = ("Word", "Bigram", "Conc.M")
RANGE = (1.0, 5.0)
NO_RATING = ("", "NA", "na", "NaN", "nan", "#N/A", "NULL", ".")


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
        if cell in NO_RATING:
            n_missing += 1
            continue
        if word in words:
            raise MmclustError(
                f"{path.name} has a word twice",
                where=f"{path}, line {number}",
                expected="each word once",
                found=word,
            )
        words[word] = _concreteness(path, number, cell)
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


def _concreteness(path: Path, number: int, cell: str) -> float:
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


NOTHING = ("", "~", "null", "Null", "NULL", "nan", ".nan", ".NaN", ".NAN", "NaN", "NA")
"""How a rating that does not exist is written."""


@dataclass(frozen=True)
class Categories:
    """Words and their one category each.

    Parameters
    ----------
    words
        Word to category, in the file's order.
    n_categories
        In the file; some may be no word's best.
    n_ratings, n_missing
        Ratings read, and ratings left out because they are missing.
    n_ties
        Words whose highest rating several categories share.
    """

    words: dict[str, str]
    n_categories: int
    n_ratings: int
    n_missing: int
    n_ties: int


def read_categories(path: Path) -> Categories:
    """Read a typicality file.

    Words and categories are taken as the text that stands there (``no`` and ``null``
    are words), without blanks around them; blanks inside belong to the word. A rating
    that is missing is left out and counted.
    """
    best: dict[str, tuple[float, str]] = {}
    tied: set[str] = set()
    n_ratings = n_missing = 0
    content = read_yaml(path, "give the path of a typicality file", as_text=True)
    categories = _names_with_values(content or {}, path, "at the top")
    for category, inner in categories.items():
        for word, rated in _names_with_values(inner, path, f"in {category!r}").items():
            rating = _typicality(rated, path, category, word)
            if rating is None:
                n_missing += 1
                continue
            n_ratings += 1
            highest = best.get(word, (-math.inf, ""))[0]
            if rating > highest:
                best[word] = (rating, category)
                tied.discard(word)
            elif rating == highest:
                tied.add(word)
    if not best:
        raise _shape(path, "no rating")
    words = {word: category for word, (_, category) in best.items()}
    return Categories(words, len(categories), n_ratings, n_missing, len(tied))


def _shape(path: Path, found: str) -> MmclustError:
    return MmclustError(
        f"{path.name} is not a typicality file",
        where=path,
        expected="YAML: categories, each with words and their ratings (dog: 6.2)",
        found=found,
    )


def _names_with_values(value: Any, path: Path, within: str) -> dict[str, Any]:
    """Return the pairs of a mapping, no blanks around keys; nothing has no pairs."""
    if isinstance(value, str) and value in NOTHING:
        return {}
    if not isinstance(value, dict):
        raise _shape(path, f"no names with values {within}")
    pairs: dict[str, Any] = {}
    for key, inner in value.items():
        name = same_form(key.strip())
        if not name or name in pairs:
            raise MmclustError(
                f"{path.name} has a name twice, or one that is empty",
                where=f"{path}, {within}",
                expected="each category once, and each word once in a category",
                found=repr(key),
            )
        pairs[name] = inner
    return pairs


def _typicality(value: Any, path: Path, category: str, word: str) -> float | None:
    text = value.strip() if isinstance(value, str) else repr(value)
    if text in NOTHING:
        return None
    try:
        rating = float(text)
    except ValueError:
        rating = math.nan
    if not math.isfinite(rating):
        raise MmclustError(
            f"{path.name} has a rating that is not a number",
            where=f"{path}: {category}, {word}",
            expected="a number, such as 5.9, or nothing where it is missing",
            found=text[:100],
        )
    return rating


Array = np.ndarray[Any, Any]


def write_word_list(categories: Path, out: Path) -> int:
    """Write the words of a typicality file, alphabetically, without their ratings."""
    words = sorted(read_categories(categories).words)
    write_bytes(out, "".join(f"{word}\n" for word in words).encode())
    return len(words)


def judge_by(categories: Path) -> Callable[[Sequence[str], Array], float]:
    """Return the judge that selects epochs as published, by these very norms.

    Parameters
    ----------
    categories
        See :func:`mmclust.cognition.norms.read_categories`.

    Returns
    -------
    callable
        Words and their clusters int (v,) to the F-score of all words of the
        categories, unknown ones included.
    """
    gold = read_categories(categories).words

    def judge(words: Sequence[str], clusters: Array) -> float:
        run = {
            word: str(cluster)
            for word, cluster in zip(words, clusters.tolist(), strict=True)
            if cluster != UNKNOWN
        }
        _, codes, rows = encode(gold, [run])
        assigned = np.where(rows[0] == UNKNOWN, rows.max(initial=0) + 1, rows[0])
        table = np.zeros((int(assigned.max()) + 1, int(codes.max()) + 1), np.int64)
        np.add.at(table, (assigned, codes), 1)
        return float(scores(table)["fscore"])

    return judge
