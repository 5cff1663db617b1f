"""Numbers as they are printed on the page and in reports."""

from __future__ import annotations

MINUS = "\u2212"


def number(value: float, digits: int = 3) -> str:
    """Return a number with a true minus sign, and none before zero."""
    return f"{value:z.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """Return a difference: always with a sign, but for zero."""
    text = number(value, digits)
    return f"+{text}" if float(text.replace(MINUS, "-")) > 0 else text


def span(low: float, high: float, digits: int = 3) -> str:
    """Return an interval in words, which a minus sign cannot blur."""
    return f"{number(low, digits)} to {number(high, digits)}"


def percent(share: float) -> str:
    """Return a share in percent, one decimal, without the sign."""
    return number(100 * share, 1)
