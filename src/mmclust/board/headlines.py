"""The few metrics that stand for the others where not all can be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmclust.scoring.record import Record, Score

LAST = 10
"""Commits whose numbers are shown beside the workspace's, unless all are asked for."""
MOST = 40
"""Rows that are shown unless more are asked for."""
FEWEST_WORDS = 30
"""Of a correlation that is a headline."""
CORRELATION = "prediction_correlation_over_10"
"""The one that DVC lists, too: over words seen more than ten times."""
HEADLINES: dict[str, tuple[str, ...]] = {
    "score": ("acc", "nmi", "ari"),
    "retrieve": ("rsum", "t2i_r1", "i2t_r1"),
    "cognition": ("v_measure_score", CORRELATION, "mas"),
    "grounding": ("f1",),
    "cluster": (),
}
"""Of each stage; the first of a method's goes before the others."""


def is_headline(stage: str, score: Score, record: Record) -> bool:
    """Whether a number is shown unless others are asked for."""
    if score.metric not in HEADLINES[stage] or score.method == "include_unknown":
        return False
    if score.metric == CORRELATION:
        n = record.mean(score.key, f"{CORRELATION}_n")
        if n is None:
            n = record.mean(score.key, "n_words")
        return n is None or n >= FEWEST_WORDS
    return True
