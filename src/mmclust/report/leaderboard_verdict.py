"""Recorded metrics against those made again, value by value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmclust.report.leaderboard import Row


@dataclass(frozen=True)
class Verdict:
    """The recorded numbers against those made again.

    Parameters
    ----------
    row
        What was asked for.
    again
        Its number, made again; None where it is gone.
    ran
        The stages that ran; the others were taken from DVC's cache.
    n_values
        How many values the metrics file holds.
    differing
        Those that are not equal: name, recorded, made again.
    largest
        The largest difference between two numbers.
    tolerance
        What was allowed.
    outside
        Scores that left the interval recorded beside them.
    n_bounded
        How many of the differing values are scores with an interval.
    unpromised
        Why equality is not promised; empty where it is.
    same_bytes
        Whether the whole file is equal.
    """

    row: Row
    again: float | None
    ran: tuple[str, ...]
    n_values: int
    differing: tuple[tuple[str, Any, Any], ...]
    largest: float
    tolerance: float
    outside: tuple[str, ...] = ()
    n_bounded: int = 0
    unpromised: tuple[str, ...] = ()
    same_bytes: bool = False

    @property
    def same(self) -> bool:
        """Whether every value is equal, or a number within the tolerance."""
        return all(_close(then, now, self.tolerance) for _, then, now in self.differing)


def compare(
    row: Row,
    recorded: Any,
    made: Any,
    ran: tuple[str, ...],
    tolerance: float,
    *,
    unpromised: tuple[str, ...] = (),
    same_bytes: bool = False,
) -> Verdict:
    """Return the verdict on a metrics file, every leaf of it."""
    then, now = dict(_leaves(recorded)), dict(_leaves(made))
    absent = "(absent)"
    differing = tuple(
        (".".join(key), then.get(key, absent), now.get(key, absent))
        for key in {**then, **now}
        if then.get(key, absent) != now.get(key, absent)
    )
    largest = max(
        (abs(a - b) for _, a, b in differing if _number(a) and _number(b)), default=0.0
    )
    again = now.get((*row.number.keys, row.metric))
    number = again if _number(again) else None
    recorded_as = {".".join(key): value for key, value in then.items()}
    outside, n_bounded = [], 0
    for name, _, new in differing:
        low, high = (recorded_as.get(f"{name}_{end}") for end in ("low", "high"))
        if _number(low) and _number(high):
            n_bounded += 1
            if not (_number(new) and low <= new <= high):  # gone, or elsewhere
                outside.append(name)
    return Verdict(
        row,
        number,
        ran,
        len(then),
        differing,
        largest,
        tolerance,
        tuple(outside),
        n_bounded,
        unpromised,
        same_bytes,
    )


def _leaves(
    value: Any, under: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*under, key))
    else:
        yield under, value


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _close(then: Any, now: Any, tolerance: float) -> bool:
    both = _number(then) and _number(now)
    return both and math.isclose(then, now, rel_tol=0, abs_tol=tolerance)
