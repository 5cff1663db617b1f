"""What the page shows, in order: the one place to add a section.

A section is made by a function of :class:`~mmclust.report.given.Given` that returns
:class:`~mmclust.report.given.Section` objects, none where a run has nothing to show.
A module with such a function, a template, and a line in :data:`SECTIONS` add one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.report.benchmark import benchmark_sections
from mmclust.report.learned_section import word_sections
from mmclust.report.pools import pool_sections
from mmclust.report.track_section import track_sections

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmclust.report.given import Given, Section

SECTIONS: tuple[Callable[[Given], list[Section]], ...] = (
    benchmark_sections,
    track_sections,
    pool_sections,
    word_sections,
)
"""Those before the provenance, which comes last and knows what all others read."""
