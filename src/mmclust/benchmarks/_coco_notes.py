"""What a COCO benchmark's summary says beside the counts of its images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._source import source_facts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

ANNOTATED_UPSTREAM = 117_266
"""Images of the published train2017 that have at least one annotation."""


@dataclass(frozen=True)
class Published:
    """What the publication counts."""

    images: int
    classes: int


def count_notes(counts: Mapping[str, int], kept: Collection[str]) -> dict[str, Any]:
    """Return the single-category counts and what fell to the rule.

    Parameters
    ----------
    counts
        Single-category images of each category.
    kept
        The categories that stay.

    Returns
    -------
    dict
        ``single_category_per_class`` and ``dropped_categories``: by falling
        count, then by name.
    """
    ordered = {n: counts[n] for n in sorted(counts, key=lambda n: (-counts[n], n))}
    return {
        "single_category_per_class": ordered,
        "dropped_categories": {n: c for n, c in ordered.items() if n not in kept},
    }


def comparison(
    raw: Path, n_annotated: int, published: Published | None, built: Published
) -> dict[str, Any]:
    """Compare with the publication where the source is the published one.

    It is if fetching says so or, for a folder of the user's own, if as many
    images are annotated as in the published train2017.

    Parameters
    ----------
    raw
        Folder of the source.
    n_annotated
        Images with at least one annotation.
    published
        ``None`` when split or options are not the protocol's.
    built
        What this build counts.

    Returns
    -------
    dict
        ``published``, and ``matches_published``: ``None`` where the two cannot
        be compared.
    """
    if published is None:
        return {"published": None, "matches_published": None}
    mirror = source_facts(raw).get("mirror")
    upstream = mirror == "upstream" or n_annotated == ANNOTATED_UPSTREAM
    return {
        "published": asdict(published),
        "matches_published": published == built if upstream else None,
    }


def container_notes(raw: Path, containers: Iterable[Path]) -> dict[str, Any]:
    """Return each archive's size, and its sha256 where fetching recorded one.

    Parameters
    ----------
    raw
        Folder of the source.
    containers
        Folders and archives that images lie in.
    """
    recorded = source_facts(raw).get("files", {})
    notes: dict[str, Any] = {}
    for path in sorted(containers):
        if path.is_dir():
            notes[f"{path.name}/"] = "a folder"
            continue
        known = recorded.get(path.name) if isinstance(recorded, dict) else None
        sha256 = known.get("sha256") if isinstance(known, dict) else None
        size = {"bytes": path.stat().st_size}
        notes[path.name] = size | ({"sha256": sha256} if sha256 else {})
    return notes
