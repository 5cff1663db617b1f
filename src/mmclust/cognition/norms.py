"""Norms of words: ratings of concreteness, typicality, associations.

``Concreteness_ratings_Brysbaert_et_al_BRM.txt`` (Brysbaert, Warriner & Kuperman 2014):
a header line, then Word, Bigram (0 or 1), Conc.M (1 to 5) and more, between tabs,
with CRLF line ends. Words of two parts hold a blank.

``mcrae_typicality.yaml`` (Fountain & Lapata, CogSci 2010): a mapping of category to
a mapping of word to mean rating. A word belongs to the category that it is rated the
most typical of; of several, to the one that comes first in the file.

Small World of Words comes in three layouts:

- ``strengths``: a header ``cue response R1 N R1.Strength`` or ``cue response R123 N
  R123.Strength``, tabs; a row per cue and response. The strength is the count.
- ``responses``: participants' answers (R100), commas, a header with ``cue``, ``R1``,
  ``R2``, ``R3``; every answer counts one.
- ``relations``: ``swow.en.csv``, tabs, no header: relation, cue, response, count.

Direction is ignored: a pair's strength is the sum over both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition.metrics import encode, scores
from mmclust.core.clusters import UNKNOWN
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import require_file, write_bytes
from mmclust.core.text import same_form, utf8
from mmclust.core.yaml_file import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

Array = np.ndarray[Any, Any]

HEADER = ("Word", "Bigram", "Conc.M")
RANGE = (1.0, 5.0)
NO_RATING = ("", "NA", "na", "NaN", "nan", "#N/A", "NULL", ".")


@dataclass(frozen=True)
class Ratings:
    """Words and their mean ratings; rows without one are left out and counted.

    A word of several parts has one blank between them; bigrams are what the file
    flags as two words.
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
    """Words and their one category each, in the file's order.

    Some of the file's categories may be no word's best. Ties are words whose highest
    rating several categories share.
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


def write_word_list(categories: Path, out: Path) -> int:
    """Write the words of a typicality file, alphabetically, without their ratings."""
    words = sorted(read_categories(categories).words)
    write_bytes(out, "".join(f"{word}\n" for word in words).encode())
    return len(words)


def judge_by(categories: Path) -> Callable[[Sequence[str], Array], float]:
    """Return the judge that selects epochs as published, by these very norms.

    It takes words and their clusters int (v,) and gives the F-score of all words of
    the categories, unknown ones included.
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


BIDIRECTIONAL = "bidirectionalassociated"
ANSWERS = ("R1", "R2", "R3")
_COLUMNS = 4
"""Of the layout with relations: relation, cue, response, count."""
COUNTINGS = ("published", "forward_only")
MISSING = ("", "NA")
NO_ANSWER = ("No more responses", "Unknown word", "#Missing", "#Unknown")
TWICE = (
    "this file repeats the count of a pair that was associated in both directions in "
    "rows of their own, so that such a pair has 2 (f_ab + f_ba) and a pair of one "
    "direction f_ab; forward_only leaves these rows out"
)


@dataclass(frozen=True)
class Strengths:
    """Pairs of listed words that the norms associate.

    ``pairs`` are int64 (p, 2), ascending: numbers of words in the list, smaller first.
    ``facts`` are ``layout``, ``counting``, numbers of rows, and what they mean.
    """

    pairs: Array
    strengths: Array
    facts: dict[str, Any]


def read_strengths(
    path: Path, words: Sequence[str], counting: str = "published"
) -> Strengths:
    """Read the strengths of all pairs of a list of words.

    Words are compared as they stand. Rows whose cue, response or count is missing
    (empty or ``NA``), and answers such as ``No more responses``, are left out and
    counted; a word that answers itself makes no pair.
    """
    import pyarrow.compute as pc
    from scipy.sparse import coo_array

    if counting not in COUNTINGS:
        raise MmclustError(
            "Unknown way of counting", expected=" or ".join(COUNTINGS), found=counting
        )
    layout, table = read_rows(path)
    facts: dict[str, Any] = {"layout": layout, "counting": counting,
                             "n_rows": table.num_rows}  # fmt: skip
    if layout == "relations":
        again = pc.equal(table["relation"], BIDIRECTIONAL)
        facts["n_rows_bidirectional"] = int(pc.sum(again).as_py() or 0)
        if counting == "forward_only":
            table = table.filter(pc.invert(again))
        elif facts["n_rows_bidirectional"]:
            facts["double_count"] = TWICE
    n = len(words)
    cue, response = (_numbers(table[name], words) for name in ("cue", "response"))
    facts["n_rows_missing"] = int(((cue < 0) | (response < 0)).sum())
    listed = (cue >= 0) & (cue < n) & (response >= 0) & (response < n)
    kept = np.flatnonzero(listed & (cue != response))
    counts, present = _counts(table, kept, path)
    facts["n_rows_missing"] += int((~present).sum())
    kept, counts = kept[present], counts[present]
    cue, response = cue[kept], response[kept]
    facts["n_rows_used"] = len(kept)
    if layout != "responses":
        facts["n_rows_repeated"] = _repeated(table, kept, cue, response, n)
    # Counts of one pair are added up, and pairs come out ascending.
    ends = np.minimum(cue, response), np.maximum(cue, response)
    sums = coo_array((counts, ends), shape=(n, n)).tocsr().tocoo()
    pairs = np.stack(sums.coords, axis=1).astype(np.int64)
    return Strengths(pairs, sums.data, facts | {"n_pairs": len(pairs)})


def _numbers(column: pa.ChunkedArray, words: Sequence[str]) -> Array:
    """Return each cell's place in the list: below 0 no word, past its end another."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # What stands for nothing goes first: of equal words the first is found.
    known = pa.array([*MISSING, *NO_ANSWER, *words], pa.string())
    places = pc.fill_null(pc.index_in(column, value_set=known), len(known))
    return np.asarray(places.to_numpy() - (len(MISSING) + len(NO_ANSWER)))


def _counts(table: pa.Table, kept: Array, path: Path) -> tuple[Array, Array]:
    """Return the counts of rows, and which rows have one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "count" not in table.column_names:
        return np.ones(len(kept)), np.ones(len(kept), bool)
    cells = table["count"].take(pa.array(kept))
    absent = pc.is_in(cells, value_set=pa.array(MISSING))
    filled = pc.if_else(absent, "0", cells)
    try:
        counts = pc.cast(filled, pa.int64()).to_numpy()
        bad = [] if (counts >= 0).all() else [str(c) for c in counts[counts < 0]]
    except pa.ArrowInvalid:
        texts = filled.to_pylist()
        bad = [c for c in texts if not c.isdigit()] or [max(texts, key=len)]
    if bad:
        raise MmclustError(
            f"{path.name} has a count that is not a number",
            where=path,
            expected="whole numbers from 0 on",
            found=some(bad),
        )
    return counts.astype(np.float64), ~absent.to_numpy()


def _repeated(table: pa.Table, kept: Array, cue: Array, response: Array, n: int) -> int:
    """Count rows whose relation, cue and response an earlier row has."""
    codes = cue.astype(np.int64) * n + response
    if "relation" in table.column_names:
        relations = table["relation"].combine_chunks().dictionary_encode()
        codes = codes + n * n * relations.indices.to_numpy()[kept].astype(np.int64)
    codes.sort()  # codes are our own
    return int((np.diff(codes) == 0).sum())


def read_rows(path: Path) -> tuple[str, pa.Table]:
    """Read a file of associations."""
    first, second = _opening(path)
    tabs = [cell.strip().strip('"') for cell in first.split("\t")]
    commas = [cell.strip().strip('"') for cell in first.split(",")]
    if tabs[:2] == ["cue", "response"] and tabs[2:3] in (["R1"], ["R123"]):
        quoted = first.startswith('"')
        table = _read(path, "\t", tabs, ("cue", "response", tabs[2]), 1, quoted=quoted)
        return "strengths", table.rename_columns(["cue", "response", "count"])
    if {"cue", *ANSWERS} <= set(commas):
        table = _read(path, ",", commas, ("cue", *ANSWERS), 1, quoted=True)
        return "responses", _answers(table)
    skip = int(tabs[1:3] == ["cue", "response"])
    line = second.split("\t") if skip else tabs
    # A response that is a number: strengths without their header.
    if len(line) >= _COLUMNS and line[3].strip().isdigit() and not line[2].isdigit():
        names = ["relation", "cue", "response", "count"]
        every = names + [f"column {i}" for i in range(_COLUMNS, len(line))]
        return "relations", _read(path, "\t", every, names, skip, quoted=False)
    raise MmclustError(
        f"{path.name} is not a file of word associations",
        where=f"{path}, line 1",
        expected="a header 'cue response R1 N R1.Strength' or with R123, separated by "
        "tabs; a header with cue,R1,R2,R3, separated by commas; or rows 'relation cue "
        "response count', separated by tabs, without a header",
        found=repr(first[:80]),
    )


def _opening(path: Path) -> tuple[str, str]:
    with require_file(path, "give the path of the association norms").open("rb") as f:
        start = [f.readline(10_000), f.readline(10_000)]
    try:
        first, second = (line.decode("utf-8-sig").rstrip("\r\n") for line in start)
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from error
    return first, second


def _read(
    path: Path,
    delimiter: str,
    names: list[str],
    wanted: tuple[str, ...] | list[str],
    skip: int,
    *,
    quoted: bool,
) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    data = path.read_bytes()
    plain = data.isascii()  # in NFC as it stands
    # A column without a name, or a name given twice, is none of those wanted.
    unique = [
        name if name and names.index(name) == i else f" {i}"
        for i, name in enumerate(names)
    ]
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(
                column_names=unique, skip_rows=skip, block_size=1 << 22
            ),
            parse_options=csv.ParseOptions(
                delimiter=delimiter, quote_char='"' if quoted else False
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()),
                include_columns=list(wanted),
                strings_can_be_null=False,
                check_utf8=not plain,
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    if plain:
        return table
    forms = [pc.utf8_normalize(column, form="NFC") for column in table.columns]
    return pa.table(forms, table.column_names)


def _unreadable(path: Path, error: Exception) -> MmclustError:
    return MmclustError(
        f"{path.name} cannot be read as word associations",
        where=path,
        expected="UTF-8 text with as many columns in every row",
        found=str(error).splitlines()[0],
    )


def _answers(table: pa.Table) -> pa.Table:
    """Stack the three answers: a row each."""
    import pyarrow as pa

    cues = [table["cue"]] * len(ANSWERS)
    chunks = [chunk for column in cues for chunk in column.chunks]
    answers = [chunk for name in ANSWERS for chunk in table[name].chunks]
    return pa.table(
        {
            "cue": pa.chunked_array(chunks, pa.string()),
            "response": pa.chunked_array(answers, pa.string()),
        }
    )
