"""Is it the published benchmark? Counts class by class, against the protocol's.

A benchmark states them in ``expected(params, split)``. They are compared unless the
source is the built-in sample, split or options are not the protocol's, or the
benchmark's own ``incomparable(raw, built)`` gives a reason: COCO-format files of the
user's own are no faulty COCO.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._source import taken_from, verified_by
from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    from mmclust.core.types import Built

ALLOW = "allow_different"
SHOWN = 8
"""Classes that an error spells out."""


def split_allowance(
    name: str, block: Mapping[str, Any] | None
) -> tuple[dict[str, Any], bool]:
    """Return a benchmark's options without ``allow_different``, and its value.

    Raises
    ------
    MmclustError
        When the value is neither true nor false.
    """
    options = dict(block or {})
    allowed = options.pop(ALLOW, False)
    if not isinstance(allowed, bool):
        raise MmclustError(
            "A value in params.yaml has the wrong type",
            where=f"benchmarks.{name}.{ALLOW}",
            expected="true or false",
            found=repr(allowed),
            do="true records a build whose counts are not the published ones",
        )
    return options, allowed


def compare(
    name: str,
    plugin: ModuleType,
    params: Any,
    split: str,
    raw: Path,
    built: Built,
    *,
    allow: bool,
) -> dict[str, Any]:
    """Compare what was built with what the protocol yields.

    Parameters
    ----------
    name, plugin, params, split, raw
        The benchmark and what it was built from.
    built
        What the protocol chose.
    allow
        Whether a difference is recorded rather than refused.

    Returns
    -------
    dict
        ``matches``: whether every count agrees, ``None`` where they cannot be
        compared, and then ``why``; else ``images`` and ``classes``, as expected;
        ``verified``, how fetching verified the files, where they were fetched; and,
        for a difference that is allowed, ``different``: by class, what was
        ``expected`` and ``found``.

    Raises
    ------
    MmclustError
        When counts differ and that is not allowed.
    """
    wanted, why = _wanted(plugin, params, split, raw, built)
    if wanted is None:
        return {"matches": None, "why": why}
    found = dict(per_class(built)) if wanted.keys() != {""} else {"": len(built.rows)}
    record: dict[str, Any] = {
        "matches": found == wanted,
        "images": sum(wanted.values()),
        "classes": len(wanted.keys() - {""}),
    }
    different = {
        key: {"expected": wanted.get(key, 0), "found": found.get(key, 0)}
        for key in sorted(wanted.keys() | found.keys())
        if wanted.get(key, 0) != found.get(key, 0)
    }
    if different and not allow:
        raise _refusal(name, raw, wanted, found, different)
    verified = verified_by(raw, getattr(plugin, "SOURCES", ()))
    record |= {"verified": verified} if verified else {}
    return record | ({"different": different} if different else {})


def per_class(built: Built) -> Counter[str]:
    """Return how many images each class has, hidden ones included."""
    return Counter([*built.labels.values(), *built.hidden.values()])


def told(different: Mapping[str, Mapping[str, int]], limit: int = SHOWN) -> str:
    """Return differences in words, for instance ``kite 124 (not 125)``."""
    each = (
        f"{key or 'images'} {count['found']:,} (not {count['expected']:,})"
        for key, count in different.items()
    )
    return some(each, limit)


def _wanted(
    plugin: ModuleType, params: Any, split: str, raw: Path, built: Built
) -> tuple[dict[str, int] | None, str]:
    """Return the counts to hold the build to, or why there are none."""
    expected = getattr(plugin, "expected", None)
    if expected is None:
        return None, "the benchmark has no published counts"
    if "sample" in taken_from(plugin, params, raw).values():
        return None, "the source is the built-in sample"
    counts: dict[str, int] | None = expected(params, split)
    if counts is None:
        return None, "split or options are not the protocol's"
    incomparable = getattr(plugin, "incomparable", None)
    reason = incomparable(raw, built) if incomparable else None
    return (None, reason) if reason else (counts, "")


def _refusal(
    name: str,
    raw: Path,
    wanted: Mapping[str, int],
    found: Mapping[str, int],
    different: Mapping[str, Mapping[str, int]],
) -> MmclustError:
    return MmclustError(
        f"{name} does not come out as published",
        where=raw,
        expected=_sums(wanted),
        found=f"{_sums(found)}; different: {told(different)}",
        do="fetch the source again, or record the difference: --allow-different, or "
        f"benchmarks.{name}.{ALLOW}: true in params.yaml",
    )


def _sums(counts: Mapping[str, int]) -> str:
    n_classes = len(counts.keys() - {""})
    classes = f" in {n_classes:,} classes" if n_classes else ""
    return f"{sum(counts.values()):,} images{classes}"
