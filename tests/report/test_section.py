"""Numbers in print."""

from __future__ import annotations

import pytest

from mmclust.report.section import number, percent, signed, span


def test_minus_signs_are_not_hyphens():
    """An interval across zero reads as two numbers."""
    assert span(-0.004, 0.004) == "−0.004 to 0.004"
    assert number(-0.0001) == "0.000"
    assert number(-12.34, 1) == "−12.3"
    assert percent(0.12345) == "12.3"


@pytest.mark.parametrize(
    ("value", "text"), [(0.05, "+0.050"), (-0.05, "−0.050"), (-0.0001, "0.000")]
)
def test_differences_have_a_sign(value, text):
    """Zero has none."""
    assert signed(value) == text
