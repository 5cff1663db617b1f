"""Categories of words from ratings of typicality, as published.

``mcrae_typicality.yaml`` (Fountain & Lapata, CogSci 2010): a mapping of category to
a mapping of word to mean rating. A word belongs to the category that it is rated the
most typical of; of several, to the one that comes first in the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.text import same_form
from mmclust.core.yaml_file import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

MISSING = ("", "~", "null", "Null", "NULL", "nan", ".nan", ".NaN", ".NAN", "NaN", "NA")
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

    Parameters
    ----------
    path
        UTF-8 YAML.

    Raises
    ------
    MmclustError
        When the file is not such a mapping, a category or a word within a category
        is repeated, or a rating is not a finite number.
    """
    best: dict[str, tuple[float, str]] = {}
    tied: set[str] = set()
    n_ratings = n_missing = 0
    content = read_yaml(path, "give the path of a typicality file", as_text=True)
    categories = _pairs(content or {}, path, "at the top")
    for category, inner in categories.items():
        for word, rated in _pairs(inner, path, f"in {category!r}").items():
            rating = _rating(rated, path, category, word)
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


def _pairs(value: Any, path: Path, within: str) -> dict[str, Any]:
    """Return the pairs of a mapping, no blanks around keys; nothing has no pairs."""
    if isinstance(value, str) and value in MISSING:
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


def _rating(value: Any, path: Path, category: str, word: str) -> float | None:
    text = value.strip() if isinstance(value, str) else repr(value)
    if text in MISSING:
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
