"""What `build` wrote down, as the page tells it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mmclust.report.benchmark import facts

KEY = "against the published counts"


def test_facts_are_short_or_folded_away():
    """Notes join the rest, long ones apart; what is unknown is left out."""
    notes = {"min_images": 20, "published": None, "dropped": {"a_b": 1, "c": [2, 3]}}
    summary = {
        "images": 1683,
        "per_class": {"cat": 1683},
        "notes": notes,
        "x": "y" * 60,
    }
    assert facts(SimpleNamespace(summary=summary)) == {
        "short": [
            ("images", "1,683"),
            ("fewest images a class may have", "20"),
            ("dropped", "a b: 1, c: 2, 3"),
        ],
        "long": [("x", "y" * 60)],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "short", "long"),
    [
        ({"matches": True, "images": 7429, "classes": 10}, "as published", []),
        (
            {"matches": None, "why": "the source is the built-in sample"},
            "not compared: the source is the built-in sample",
            [],
        ),
        (
            {
                "matches": False,
                "images": 249,
                "different": {"kite": {"expected": 125, "found": 124}},
            },
            "not the published counts, allowed",
            [("not as published", "kite 124, published 125")],
        ),
    ],
)
def test_published_counts_appear_only_where_they_were_compared(expected, short, long):
    """As published, not compared and why, or different, class by class."""
    told = facts(SimpleNamespace(summary={"images": 468, "expected": expected}))
    assert told == {"short": [("images", "468"), (KEY, short)], "long": long}
