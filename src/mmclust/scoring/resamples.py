"""Resamples of the headline scores, so that two runs of the pipeline can be paired.

``metrics/details/resamples/<stage>/<benchmark>.csv`` keeps, of each headline score,
how far its mean over seeds is from itself on :data:`KEPT` resamples of the images
(words, queries). Equal seeds draw equal images; so where two runs scored the same
ones, their difference varies less than both of them apart, and this says how much.

====== ====================================================================
column meaning
====== ====================================================================
n      images (words, queries) that were resampled
of     which these are and how they were drawn: a digest
own    the part of the variance that is the runs' own; see ``intervals``
gaps   of each resample, less their mean, in units of :data:`UNIT`
====== ====================================================================
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import digest_of
from mmclust.scoring.intervals import Sampled, own_part, tested
from mmclust.scoring.record import HEADLINES, path_of, write_csv

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.scoring.record import Key, Score

Array = np.ndarray[Any, Any]

FOLDER = "resamples"
KEPT = 100
UNIT = 1e-5
COLUMNS = ("encoder", "view", "method", "metric", "n", "of", "own", "gaps")


@dataclass(frozen=True)
class Resamples:
    """Those of one score; gaps are float64 (:data:`KEPT`,)."""

    n: int
    of: str
    own: float
    gaps: Array

    @classmethod
    def of_score(cls, score: Sampled, of: str) -> Resamples:
        """Keep what :func:`between` needs of a score that all resamples have."""
        assert score.resampled is not None
        means = score.resampled[:KEPT].mean(1)
        return cls(score.n, of, own_part(score.resampled), means - means.mean())


def write_resamples(
    root: Path,
    stage: str,
    benchmark: str,
    figures: Mapping[Key, Mapping[str, Any]],
    drawn: Mapping[Key, object] | object,
) -> Path:
    """Write those of all headline scores that every kept resample has.

    ``drawn`` says how, and of which images, by key or of all alike. Scores of pairs of
    words are left out: their resamples count what is a pair's own more than once.
    """
    path = path_of(root, f"{FOLDER}/{stage}", benchmark)
    rows = []
    for key, each in figures.items():
        for metric in HEADLINES[stage]:
            score = each.get(metric)
            if not isinstance(score, Sampled) or score.range()[0] is None:
                continue
            found = score.resampled
            if score.of_pairs is not None or found is None or np.isnan(found).any():
                continue
            how = drawn.get(key) if isinstance(drawn, dict) else drawn
            of = digest_of(repr((how, score.of, len(found))))[:16]
            kept = Resamples.of_score(score, of)
            gaps = " ".join(map(str, np.rint(kept.gaps / UNIT).astype(int)))
            rows.append([*key, metric, kept.n, of, f"{kept.own:.6g}", gaps])
    write_csv(path, COLUMNS, rows)
    return path


def parse_resamples(data: bytes, where: object) -> dict[tuple[Key, str], Resamples]:
    """Read a file of :func:`write_resamples`."""
    rows = csv.DictReader(io.StringIO(data.decode(errors="replace"), newline=""))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise _no_resamples(where, f"the columns {', '.join(rows.fieldnames or '-')}")
    try:
        return {
            ((row["encoder"], row["view"], row["method"]), row["metric"]): Resamples(
                int(row["n"]), row["of"], float(row["own"]),
                UNIT * np.array(row["gaps"].split(), np.float64),
            )
            for row in rows
        }  # fmt: skip
    except (AttributeError, TypeError, ValueError) as error:
        raise _no_resamples(where, f"line {rows.line_num}: {error}") from error


def _no_resamples(where: object, found: str) -> MmclustError:
    return MmclustError(
        "These are no resamples of scores of this version of mmclust",
        where=where,
        expected=f"a table with the columns {', '.join(COLUMNS)}",
        found=found,
        do="score again: dvc repro",
    )


def between(
    before: Score, after: Score, old: Resamples | None, new: Resamples | None
) -> tuple[tuple[float, float], float | None] | None:
    """Compare one score of two runs on the same resamples; None where it cannot be.

    As :func:`mmclust.scoring.intervals.difference` does within a run: the interval of
    the difference, and p.
    """
    if old is None or new is None or old.of != new.of or len(old.gaps) != len(new.gaps):
        return None
    if before.mean is None or after.mean is None:
        return None
    seeds = [
        (score.sd**2 / score.n_seeds, score.n_seeds - 1.0)
        for score in (before, after)
        if score.sd is not None and score.n_seeds
    ]
    images = float(np.var(new.gaps - old.gaps, ddof=1)) - old.own - new.own
    # So few resamples are an estimate, too.
    df = max(min(new.n, len(new.gaps)) - 1.0, 1.0)
    diff = after.mean - before.mean
    found = tested(diff, [(images, df), *seeds], new.n)
    low, high = (found[end] for end in ("diff_low", "diff_high"))
    assert low is not None
    assert high is not None
    return (low, high), found["diff_p"]
