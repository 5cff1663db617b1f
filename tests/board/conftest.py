"""What tests of the board share with those of the page."""

from tests.report.conftest import browse

__all__ = ["browse"]
