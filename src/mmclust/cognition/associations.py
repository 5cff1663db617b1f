"""Word associations: strengths of pairs in all layouts of the norms, and MAS.

Small World of Words comes in three layouts:

- ``strengths``: a header ``cue response R1 N R1.Strength`` or ``cue response R123 N
  R123.Strength``, tabs; a row per cue and response. The strength is the count.
- ``responses``: participants' answers (R100), commas, a header with ``cue``, ``R1``,
  ``R2``, ``R3``; every answer counts one.
- ``relations``: ``swow.en.csv``, tabs, no header: relation, cue, response, count.

Direction is ignored: a pair's strength is the sum over both. Mean association strength
(MAS) is of Berger et al. (NAACL 2022): over the pairs of words in one cluster that the
norms have; most pairs are not in them.

Shapes: n words; p pairs of the norms; s seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.io import require_file
from mmclust.core.words import UNKNOWN
from mmclust.scoring.intervals import Sampled, draws

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path

    import pyarrow as pa

BIDIRECTIONAL = "bidirectionalassociated"
ANSWERS = ("R1", "R2", "R3")
_COLUMNS = 4
"""Of the layout with relations: relation, cue, response, count."""


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
    from pyarrow import csv

    # A column without a name, or a name given twice, is none of those wanted.
    unique = [
        name if name and names.index(name) == i else f" {i}"
        for i, name in enumerate(names)
    ]
    try:
        return csv.read_csv(
            path,
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
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


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


Array = np.ndarray[Any, Any]

COUNTINGS = ("published", "forward_only")
MISSING = ("", "NA")
ABSENT, UNLISTED = -2, -1
NO_ANSWER = ("No more responses", "Unknown word", "#Missing", "#Unknown")
TWICE = (
    "this file repeats the count of a pair that was associated in both directions in "
    "rows of their own, so that such a pair has 2 (f_ab + f_ba) and a pair of one "
    "direction f_ab; forward_only leaves these rows out"
)


@dataclass(frozen=True)
class Strengths:
    """Pairs of listed words that the norms associate.

    Parameters
    ----------
    pairs
        int64 (p, 2), ascending: numbers of words in the list, smaller first.
    strengths
        float64 (p,).
    facts
        Flat: ``layout``, ``counting``, numbers of rows, and what they mean.
    """

    pairs: Array
    strengths: Array
    facts: dict[str, Any] = field(default_factory=dict)


def read_strengths(
    path: Path, words: Sequence[str], counting: str = "published"
) -> Strengths:
    """Read the strengths of all pairs of a list of words.

    Words are compared as they stand. Rows whose cue, response or count is missing
    (empty or ``NA``), and answers such as ``No more responses``, are left out and
    counted; a word that answers itself makes no pair.
    """
    import pyarrow.compute as pc

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
    cue, response = (_numbers(table[name], words) for name in ("cue", "response"))
    gap = (cue == ABSENT) | (response == ABSENT)
    facts["n_rows_missing"] = int(gap.sum())
    kept = np.flatnonzero((cue >= 0) & (response >= 0) & (cue != response))
    counts, present = _counts(table, kept, path)
    facts["n_rows_missing"] += int((~present).sum())
    kept, counts = kept[present], counts[present]
    a, b = np.minimum(cue, response)[kept], np.maximum(cue, response)[kept]
    facts["n_rows_used"] = len(kept)
    if layout != "responses":
        facts["n_rows_repeated"] = _repeated(table, kept, cue, response, len(words))
    codes, rows = np.unique(a * len(words) + b, return_inverse=True)
    strengths = np.bincount(rows, weights=counts, minlength=len(codes))
    pairs = np.stack(np.divmod(codes, max(len(words), 1)), axis=1)
    return Strengths(pairs, strengths, facts | {"n_pairs": len(codes)})


def _numbers(column: pa.ChunkedArray, words: Sequence[str]) -> Array:
    """Return each cell's place in the list; ABSENT or UNLISTED where it has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.utf8_normalize(column, form="NFC")
    # What stands for nothing goes first: of equal words the first is found.
    known = pa.array([*MISSING, *NO_ANSWER, *words], pa.string())
    first = len(MISSING) + len(NO_ANSWER)
    places = pc.fill_null(pc.index_in(column, value_set=known), len(known))
    found = places.to_numpy().astype(np.int64) - first
    found[found < 0] = ABSENT
    found[found == len(words)] = UNLISTED
    return np.asarray(found)


def _counts(table: pa.Table, kept: Array, path: Path) -> tuple[Array, Array]:
    """Return the counts of rows, and which rows have one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "count" not in table.column_names:
        return np.ones(len(kept)), np.ones(len(kept), bool)
    cells = table["count"].take(pa.array(kept))
    present = pc.invert(pc.is_in(cells, value_set=pa.array(MISSING))).to_numpy()
    filled = pc.if_else(pc.is_in(cells, value_set=pa.array(MISSING)), "0", cells)
    try:
        counts = pc.cast(filled, pa.int64()).to_numpy()
        bad = [] if (counts >= 0).all() else [str(c) for c in counts[counts < 0]]
    except pa.ArrowInvalid:
        bad = [c for c in filled.to_pylist() if not c.isdigit()]
    if bad:
        raise MmclustError(
            f"{path.name} has a count that is not a number",
            where=path,
            expected="whole numbers from 0 on",
            found=some(bad),
        )
    return counts.astype(np.float64), np.asarray(present)


def _repeated(table: pa.Table, kept: Array, cue: Array, response: Array, n: int) -> int:
    """Count rows whose relation, cue and response an earlier row has."""
    codes = cue[kept] * n + response[kept]
    if "relation" in table.column_names:
        relations = table["relation"].combine_chunks().dictionary_encode()
        codes = codes + n * n * relations.indices.to_numpy()[kept].astype(np.int64)
    codes.sort()  # codes are our own
    return int((np.diff(codes) == 0).sum())


ASSOCIATION = "association-1"
"""See :data:`mmclust.scoring.record.DEFINITIONS`."""
NO_PAIR = "no pair of words in the same cluster is in the norms"
NO_TWO = "no cluster has two words"


def association(
    clusters: Array,
    pairs: Array,
    strengths: Array,
    *,
    n_resamples: int,
    rng: np.random.Generator,
    of: Hashable = None,
) -> dict[str, Any]:
    """Score clusters by association norms, sampled over words: figures.

    Parameters
    ----------
    clusters
        int (s, n): each run's cluster of each word; :data:`UNKNOWN` for none.
    pairs
        int (p, 2): distinct unordered pairs of word numbers that the norms have, no
        word with itself.
    strengths
        float64 (p,): of each pair.
    n_resamples, rng
        Of the bootstrap over words.
    of
        Which words these are.

    Returns
    -------
    dict
        Flat: ``mas``, ``found``, ``not_found``, ``coverage``, ``n_words``,
        ``n_unknown``, ``n_single_word_clusters`` (counts are means over runs); null
        with a reason where no pair is found.
    """
    runs = [_one(row, pairs, strengths) for row in clusters]
    found = np.array([run["found"] for run in runs], float)
    possible = np.array([run["possible"] for run in runs], float)
    total = np.array([run["total"] for run in runs], float)
    nothing = np.full(len(runs), np.nan)
    mas = np.divide(total, found, out=nothing.copy(), where=found > 0)
    coverage = np.divide(found, possible, out=nothing.copy(), where=possible > 0)
    resampled = _resampled(clusters, pairs, strengths, n_resamples, rng)
    n = clusters.shape[1]
    record: dict[str, Any] = {
        "mas": Sampled(
            mas, resampled["mas"], n, of, (0.0, np.inf),
            NO_PAIR if (possible > 0).all() else NO_TWO,
            of_pairs=_resampled_pairs(clusters, pairs, strengths, n_resamples, rng),
        ),
        "found": _whole(found),
        "not_found": _whole(possible - found),
        "coverage": Sampled(
            coverage, resampled["coverage"], n, of, (0.0, 1.0), NO_TWO
        ),
    }  # fmt: skip
    single = [run["single"] for run in runs]
    return record | {
        "n_words": clusters.shape[1],
        "n_unknown": _whole((clusters == UNKNOWN).sum(-1)),
        "n_single_word_clusters": _whole(np.array(single)),
        "n_seeds": len(clusters),
    }


def _whole(values: Array) -> float | int:
    """Return the mean over runs, as an integer where it is one."""
    mean = float(np.mean(values))
    return int(mean) if mean.is_integer() else mean


def _same(clusters: Array, pairs: Array) -> Array:
    a, b = clusters[pairs[:, 0]], clusters[pairs[:, 1]]
    return np.asarray((a == b) & (a != UNKNOWN))


def _one(clusters: Array, pairs: Array, strengths: Array) -> dict[str, float]:
    same = _same(clusters, pairs)
    _, sizes = np.unique(clusters[clusters != UNKNOWN], return_counts=True)
    return {
        "found": int(same.sum()),
        "possible": int((sizes * (sizes - 1) // 2).sum()),
        "total": float(strengths[same].sum()),
        "single": int((sizes == 1).sum()),
    }


def _resampled(
    clusters: Array,
    pairs: Array,
    strengths: Array,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Score resamples of the words, in which a pair counts as often as both do.

    A word drawn twice makes no pair with itself.
    """
    from scipy.sparse import csr_matrix

    n = clusters.shape[1]
    sames = [_same(row, pairs) for row in clusters]
    members = [_members(row, n) for row in clusters]
    mas: list[Array] = []
    coverage: list[Array] = []
    for weights in draws(n, n_resamples, rng, cells=2_000_000):
        ratios, shares = [], []
        for same, member in zip(sames, members, strict=True):
            a, b, s = *pairs[same].T, strengths[same]
            matrix = csr_matrix((np.ones(len(a)), (a, b)), shape=(n, n))
            strong = csr_matrix((s, (a, b)), shape=(n, n))
            found = (weights * (matrix @ weights.T).T).sum(-1)
            total = (weights * (strong @ weights.T).T).sum(-1)
            # Pairs of different words: all pairs of draws, less a word with itself.
            sizes = (member @ weights.T).T
            squares = (member @ (weights**2).T).T
            possible = ((sizes**2 - squares) / 2).sum(-1)
            ratios.append(np.where(found > 0, total / np.maximum(found, 1), np.nan))
            shares.append(
                np.where(possible > 0, found / np.maximum(possible, 1), np.nan)
            )
        mas.append(np.stack(ratios, axis=1))
        coverage.append(np.stack(shares, axis=1))
    none = np.zeros((0, len(clusters)))
    return {
        "mas": np.concatenate([none, *mas]),
        "coverage": np.concatenate([none, *coverage]),
    }


def _resampled_pairs(
    clusters: Array,
    pairs: Array,
    strengths: Array,
    n_resamples: int,
    rng: np.random.Generator,
) -> Array:
    """Score resamples of the norms' pairs: MAS (n_resamples, s)."""
    same = np.stack([_same(row, pairs) for row in clusters]).T.astype(np.float64)
    parts = [np.zeros((0, len(clusters)))]
    for weights in draws(len(pairs), n_resamples, rng, cells=2_000_000):
        found, total = weights @ same, (weights * strengths) @ same
        parts.append(np.where(found > 0, total / np.maximum(found, 1), np.nan))
    return np.concatenate(parts)


def _members(clusters: Array, n: int) -> Any:
    from scipy.sparse import csr_matrix

    known = np.flatnonzero(clusters != UNKNOWN)
    names, rows = np.unique(clusters[known], return_inverse=True)
    return csr_matrix((np.ones(len(known)), (rows, known)), shape=(len(names), n))
