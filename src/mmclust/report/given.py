"""What every section of the page is given, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.report.bundle import Bundle
    from mmclust.report.retrieval import Pool
    from mmclust.report.run import Run


@dataclass(frozen=True)
class Given:
    """All that a section may draw from.

    Parameters
    ----------
    root
        The root of the repository.
    params
        Those in effect.
    runs, pools
        Benchmarks that were clustered, and those for retrieval.
    bundle
        Takes files that go beside the page.
    workers
        Processes; they change no byte.
    """

    root: Path
    params: Params
    runs: list[Run]
    pools: list[Pool]
    bundle: Bundle
    workers: int


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its navigation.

    Parameters
    ----------
    id
        Of the element; unique on the page.
    title
        In the navigation.
    template
        Under ``templates/``; it is given ``values`` by their names.
    values
        What the template says.
    files
        What was read for it, for the digests.
    """

    id: str
    title: str
    template: str
    values: dict[str, Any]
    files: tuple[tuple[str, Path], ...] = ()
