"""Reading one value per word from a user's CSV or parquet file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import UNKNOWN, read_words
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import read_lines, read_table, require_file
from mmclust.core.text import decoded, look_alikes, same_form
from mmclust.scoring.columns import read_columns, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def read_values(path: Path, column: str) -> dict[str, str]:
    """Read one value per word, as text.

    Parameters
    ----------
    path
        ``.csv`` or ``.parquet`` with columns ``word`` and ``column``.
    column
        ``cluster``, ``concreteness`` or ``count``.

    Returns
    -------
    dict
        Word as it stands (``null`` and ``nan`` are words), in Unicode's composed
        form (NFC), to value.

    Raises
    ------
    MmclustError
        When the file cannot be read, lacks a column, has a word twice or an empty
        value.
    """
    table = read_columns(path, ("word", column))
    cells = decoded(table["word"].to_pylist(), f"{path}, column word")
    written = ["" if w is None else str(w).rstrip("\0") for w in cells]
    words = [same_form(word) for word in written]
    values = [
        text_of(value, f"{path}, column {column}")
        for value in table[column].to_pylist()
    ]
    twice = sorted(w for w, n in Counter(words).items() if n > 1 and w)
    if twice:
        alike = look_alikes(written)
        raise MmclustError(
            f"{path.name} has a word twice",
            where=path,
            expected="each word once",
            found=some(twice) + (f"; {alike}" if alike else ""),
        )
    empty = [w for w, value in zip(words, values, strict=True) if not w or not value]
    if empty:
        raise MmclustError(
            f"{path.name} has an empty value",
            where=path,
            expected=f"a word and a {column} in every row",
            found=f"nothing for {some(empty)}",
            do="leave out the row of a word that the model does not know",
        )
    return dict(zip(words, values, strict=True))


def read_numbers(path: Path, column: str, *, whole: bool = False) -> dict[str, float]:
    """Read one number per word; see :func:`read_values`.

    Parameters
    ----------
    path, column
        See :func:`read_values`.
    whole
        Whether only whole numbers from 0 on will do.

    Raises
    ------
    MmclustError
        Also when a value is not such a number.
    """
    numbers = {}
    for word, text in read_values(path, column).items():
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not np.isfinite(number) or (whole and (number < 0 or number % 1)):
            raise MmclustError(
                f"{path.name} has a {column} that is not a number",
                where=f"{path}, word {word!r}",
                expected="a whole number from 0 on" if whole else "a finite number",
                found=text,
            )
        numbers[word] = number
    return numbers


def read_word_runs(paths: Sequence[Path]) -> list[dict[str, str]]:
    """Read the runs of a word model: word to cluster, -1 and absence for unknown.

    Parameters
    ----------
    paths
        One file per run with columns ``word`` and ``cluster``; or a ``words.parquet``
        of the project's own, all its seeds.

    Raises
    ------
    MmclustError
        See :func:`read_values`.
    """
    runs = []
    for path in paths:
        if _own(path):
            learned = read_words(path)
            runs += [
                dict(zip(learned.words, map(str, row.tolist()), strict=True))
                for row in learned.clusters
            ]
        else:
            runs.append(read_values(path, "cluster"))
    return runs


def read_estimates(path: Path) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Read estimates of concreteness: one run of a CSV, or all of a ``words.parquet``.

    Returns
    -------
    runs : list of dict
        Word to estimate.
    meta : dict
        Of a ``words.parquet``; empty otherwise.

    Raises
    ------
    MmclustError
        See :func:`read_numbers`; also when a model of the project's own has none.
    """
    if not _own(path):
        return [read_numbers(path, "concreteness")], {}
    learned = read_words(path)
    if learned.concreteness is None:
        raise MmclustError(
            "This model estimates no concreteness",
            where=path,
            expected="columns concreteness_0, …",
            found=learned.meta.get("kind", "a model without"),
        )
    return [
        dict(zip(learned.words, row.tolist(), strict=True))
        for row in learned.concreteness
    ], learned.meta


def read_list(path: Path) -> list[str]:
    """Read a list of words: UTF-8, one per line, repeated ones once.

    Raises
    ------
    MmclustError
        When the file is missing, is not UTF-8 or holds no word.
    """
    lines = read_lines(path, "give a text file with one word per line")
    words = list(dict.fromkeys(same_form(line) for line in lines if line))
    if not words:
        raise MmclustError(
            f"{path.name} holds no word",
            where=path,
            expected="one word per line",
            found="nothing",
        )
    return words


def known(run: dict[str, str]) -> dict[str, str]:
    """Return the words of a run that have a cluster."""
    return {word: name for word, name in run.items() if name != str(UNKNOWN)}


def _own(path: Path) -> bool:
    if path.suffix != ".parquet":
        return False
    return "seed_0" in read_table(require_file(path))[0].column_names
