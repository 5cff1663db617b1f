"""Numbers in print."""

from __future__ import annotations

import pytest

from mmclust.report.numbers import number, p_value, percent, signed, span


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


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (1e-9, "< 0.001"),
        (0.000999, "< 0.001"),
        (0.0012345, "0.00123"),
        (0.042, "0.042"),
        (1, "1"),
        (None, "–"),
    ],
)
def test_small_p_values_are_bounds(p, text):
    """No p-value is printed as zero."""
    assert p_value(p) == text
