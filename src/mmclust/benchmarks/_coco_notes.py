"""What a COCO benchmark's summary says beside the counts of its images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._source import source_facts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from mmclust.core.types import Built

ANNOTATED_UPSTREAM = 117_266
"""Images of the published train2017 that have at least one annotation."""


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


def incomparable(raw: Path, built: Built) -> str | None:
    """Return why counts say nothing about this source; ``None`` where they do.

    They do if fetching says that it is the published one or, for a folder of the
    user's own, if as many images are annotated as in the published train2017.

    Parameters
    ----------
    raw
        Folder of the source.
    built
        What the protocol chose; its notes count the annotated images.
    """
    n_annotated = built.notes["images_annotated"]
    if source_facts(raw).get("mirror") == "upstream":
        return None
    if n_annotated == ANNOTATED_UPSTREAM:
        return None
    return (
        f"not the published train2017, which has {ANNOTATED_UPSTREAM:,} annotated "
        f"images; here are {n_annotated:,}"
    )


def container_notes(raw: Path, containers: Iterable[Path]) -> dict[str, Any]:
    """Return each archive's size, and its sha256 where fetching recorded one.

    Parameters
    ----------
    raw
        Folder of the source; of several, the folder that holds theirs: what was
        fetched is recorded beside the archive.
    containers
        Folders and archives that images lie in.
    """
    notes: dict[str, Any] = {}
    for path in sorted(containers):
        if path.is_dir():
            notes[f"{path.name}/"] = "a folder"
            continue
        facts = source_facts(path.parent) or source_facts(raw)
        recorded = facts.get("files", {})
        known = recorded.get(path.name) if isinstance(recorded, dict) else None
        sha256 = known.get("sha256") if isinstance(known, dict) else None
        size = {"bytes": path.stat().st_size}
        notes[path.name] = size | ({"sha256": sha256} if sha256 else {})
    return notes
