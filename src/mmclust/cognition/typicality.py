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
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from pathlib import Path

    import yaml

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
    categories = _pairs(_compose(path), path, "category")
    for category, node in categories.items():
        for word, rated in _pairs(node, path, f"word of {category!r}").items():
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


def _compose(path: Path) -> yaml.Node:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = require_file(path, "give the path of a typicality file").read_text(
            encoding="utf-8-sig"
        )
        node = yaml.compose(text, Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _shape(path, str(error).splitlines()[0]) from error
    if node is None:
        raise _shape(path, "nothing")
    return node


def _shape(path: Path, found: str) -> MmclustError:
    return MmclustError(
        f"{path.name} is not a typicality file",
        where=path,
        expected="YAML: categories, each with words and their ratings (dog: 6.2)",
        found=found,
    )


def _pairs(node: yaml.Node, path: Path, what: str) -> dict[str, yaml.Node]:
    """Return a mapping's keys, as text, and values; an empty value is no pair."""
    import yaml

    if isinstance(node, yaml.ScalarNode) and node.value in MISSING:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise _shape(path, f"line {node.start_mark.line + 1}: no {what} with a value")
    pairs: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = key.value.strip() if isinstance(key, yaml.ScalarNode) else ""
        if not name:
            raise _shape(path, f"line {key.start_mark.line + 1}: no name for a {what}")
        if name in pairs:
            raise MmclustError(
                f"{path.name} has a {what} twice",
                where=f"{path}, line {key.start_mark.line + 1}",
                expected="each once",
                found=name,
            )
        pairs[name] = value
    return pairs


def _rating(node: yaml.Node, path: Path, category: str, word: str) -> float | None:
    text = str(node.value).strip()
    if text in MISSING:
        return None
    try:
        rating = float(text)
    except ValueError:
        rating = math.nan
    if not math.isfinite(rating):
        raise MmclustError(
            f"{path.name} has a rating that is not a number",
            where=f"{path}, line {node.start_mark.line + 1}: {category}, {word}",
            expected="a number, such as 5.9, or nothing where it is missing",
            found=text,
        )
    return rating
