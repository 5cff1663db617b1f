"""Where the data of a page were taken from: the built-in sample, or anything real.

`build` writes it down for each benchmark, `fetch` for each source; what params.yaml
says of the next fetch is neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.io import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SAMPLE = "sample"


def of_sample(summary: Mapping[str, Any]) -> bool:
    """Whether a benchmark's summary says that it was made from the built-in sample."""
    taken = summary.get("taken_from")
    return isinstance(taken, dict) and SAMPLE in taken.values()


def sample_benchmarks(root: Path, names: Iterable[str]) -> list[str]:
    """Return those benchmarks that were made from the built-in sample."""
    paths = {n: root / "data/benchmarks" / n / "summary.json" for n in names}
    return [n for n, path in paths.items() if path.is_file() and of_sample(_read(path))]


def sample_sources(root: Path, names: Iterable[str]) -> list[str]:
    """Return those sources whose files are the built-in sample's."""
    paths = {n: root / "data/raw" / n / "source.json" for n in names}
    return [
        name
        for name, path in paths.items()
        if path.is_file() and _read(path).get("mirror") == SAMPLE
    ]


def _read(path: Path) -> dict[str, Any]:
    """Read an object from a JSON file; what is none says nothing."""
    value = read_json(path)
    return value if isinstance(value, dict) else {}
