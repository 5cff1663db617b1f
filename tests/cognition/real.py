"""Pieces of the real norms, where they are at hand."""

import pytest

from tests.conftest import ROOT

NORMS = ROOT.parent / "shared/data/norms"
real = pytest.mark.skipif(
    not NORMS.is_dir(), reason="the excerpts of the norms are not at hand"
)
