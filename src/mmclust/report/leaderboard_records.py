"""Metrics files of any commit to numbers; what cannot be read is told, not guessed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.text import json_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCORES = ("acc", "nmi", "ari", "purity", "f1")
HEADLINE = {"clustering": ("acc",), "heads": ("acc",), "retrieval": ("rsum",)}
"""What is shown unless other metrics are asked for; of other kinds, all."""

HEADS = "heads"
"""Stands where encoders do, for clusters that a trained head made; and the kind of
these numbers, as a head and a clusterer may share a name."""

CLUSTERS = ("clustering", HEADS)

_SUFFIXES = ("_diff", "_seeds")  # their intervals are of no score

Key = tuple[str, str, str, str, str, str, str]
"""Kind, benchmark, encoder, view, method, k, metric."""


@dataclass(frozen=True)
class Number:
    """One number of a metrics file.

    Parameters
    ----------
    mean, low, high
        The score and its 95 % interval, None where the file has no interval.
    std, n_seeds
        Spread over seeds, and how many there were; None where not told.
    path
        The metrics file.
    keys
        Where the record is in it.
    definition
        How the file says that it is defined; empty where it does not.
    """

    mean: float
    low: float | None
    high: float | None
    std: float | None
    n_seeds: int | None
    path: str
    keys: tuple[str, ...]
    definition: str = ""


class OtherSchemaError(Exception):
    """A metrics file that is not laid out as this version writes it."""


@dataclass(frozen=True)
class Names:
    """What metrics files do not say themselves, from params.yaml of the commit.

    Parameters
    ----------
    learned
        The benchmark that word models learn from.
    encoder
        Whose space the heads were trained in.
    """

    learned: str = ""
    encoder: str = HEADS


def parse_file(
    path: str, data: bytes, names: Names
) -> tuple[dict[Key, Number], list[str]]:
    """Return the numbers of one metrics file, and why the others are left out.

    Parameters
    ----------
    path
        Its path in the repository; decides what it holds.
    data
        Its bytes.
    names
        Of what the file may not name.

    Returns
    -------
    numbers
        By :data:`Key`.
    skipped
        One reason for each part that could not be read.
    """
    try:
        value = json_value(data, parse_constant=_refuse)
    except ValueError as error:
        return {}, [f"not valid JSON: {error}"]
    numbers: dict[Key, Number] = {}
    skipped = []
    try:
        for keys, place, record in _records(path, value, names):
            try:
                for metric, number in _numbers(path, keys, record, place[0]):
                    numbers[*place, _k(record), metric] = number
            except OtherSchemaError as error:
                skipped.append(f"{'.'.join(keys) or 'the file'}: {error}")
    except OtherSchemaError as error:
        skipped.append(str(error))
    return numbers, skipped


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number of JSON")


Place = tuple[str, str, str, str, str]


def _records(
    path: str, value: Any, names: Names
) -> Iterator[tuple[tuple[str, ...], Place, dict[str, Any]]]:
    """Yield the records of a file: where in it, what they are of, and themselves."""
    parts = PurePosixPath(path).with_suffix("").parts[1:]
    kind = parts[0]
    if kind == "clustering":
        for encoder, views in _items(value, "the file"):
            for view, methods in _items(views, encoder):
                for method, record in _items(methods, f"{encoder}.{view}"):
                    place = (kind, parts[1], encoder, view, method)
                    if encoder == HEADS:
                        place = (HEADS, parts[1], names.encoder, view, method)
                    yield (encoder, view, method), place, record
    elif kind == "retrieval":
        encoder = "/".join(parts[2:])
        for setting, record in _items(value, "the file"):
            place = (kind, parts[1], encoder, setting, "retrieve")
            yield (setting,), place, record
    elif isinstance(value, dict):
        model = parts[1] if kind == "cognition" else str(value.get("model", ""))
        named = str(value.get("benchmark", names.learned))
        yield (), (kind, named, model, "", kind), value
    else:
        raise OtherSchemaError("expected an object of numbers")


def _items(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise OtherSchemaError(f"{where} holds {type(value).__name__}, not an object")
    yield from value.items()


def _k(record: Mapping[str, Any]) -> str:
    k = record.get("k")
    return "" if k is None else str(k)


def _numbers(
    path: str, keys: tuple[str, ...], record: Any, kind: str
) -> Iterator[tuple[str, Number]]:
    """Yield each score of a record: those with an interval, and the known ones."""
    if not isinstance(record, dict):
        raise OtherSchemaError(f"holds {type(record).__name__}, not an object")
    clusters = kind in CLUSTERS
    if clusters and not isinstance(record.get("k"), int):
        raise OtherSchemaError("k, the number of clusters, is not a whole number")
    names = [name for name in record if _is_score(name, record, kind)]
    if not names:
        raise OtherSchemaError("has no score that is known here")
    for name in names:
        mean = _number(record, name)
        if mean is None:  # undefined; the file says why
            continue
        if clusters and not -1 <= mean <= 1:
            raise OtherSchemaError(f"{name} is {mean:g}; scores are in [0, 1]")
        low, high = (_number(record, f"{name}_{end}") for end in ("low", "high"))
        seeds = record.get("n_seeds")
        yield (
            name,
            Number(
                mean,
                low,
                high,
                _number(record, f"{name}_std"),
                seeds if isinstance(seeds, int) else None,
                path,
                keys,
                str(record.get("definition", "")),
            ),
        )


def _is_score(name: str, record: Mapping[str, Any], kind: str) -> bool:
    if name.endswith(_SUFFIXES):
        return False
    known = kind in CLUSTERS and name in SCORES
    return known or (f"{name}_low" in record and f"{name}_high" in record)


def _number(record: Mapping[str, Any], name: str) -> float | None:
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OtherSchemaError(f"{name} is {type(value).__name__}, not a number")
    if not math.isfinite(value):
        raise OtherSchemaError(f"{name} is not finite")
    return float(value)
