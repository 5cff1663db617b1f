"""What the two fine-grained benchmarks share: rows, checks, original captions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._coco_notes import container_notes
from mmclust.benchmarks._fg_notes import pool_notes, text_notes
from mmclust.benchmarks._layout import locate_files
from mmclust.benchmarks._rows import row_at
from mmclust.core.errors import MmclustError, some
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mmclust.benchmarks._fg import FineGrained
    from mmclust.benchmarks._images import Place

UNLABELED = "unlabeled2017"


@dataclass(frozen=True)
class Originals:
    """The captions that the fine-grained ones were made from.

    Parameters
    ----------
    captions
        Of each query image; ``None`` where their file is not there.
    notes
        The file, its sha256, and what became of the captions.
    """

    captions: dict[str, tuple[str, ...]] | None
    notes: dict[str, Any] = field(default_factory=dict)


def build_fine_grained(
    raw: Path,
    folders: Sequence[Path],
    fine: FineGrained,
    path_of: Callable[[str], str],
    originals: Originals,
    published: tuple[int, int],
    *,
    images: bool,
) -> Built:
    """Make the whole pool into rows: queries have captions, distractors none.

    Parameters
    ----------
    raw, folders
        The sources.
    fine
        Captions and pool.
    path_of
        Where a query image's file is, ``<folder>/<name>``, by its stem.
    originals
        The captions of before.
    published
        How many queries and images there are in the published benchmark.
    images
        Whether to look for the image files.

    Returns
    -------
    Built
        All rows in the split ``test``; ``alternatives["original"]`` where original
        captions were found.

    Raises
    ------
    MmclustError
        When the pool is the published one and the captions are not, a query has no
        original caption though others have, or images are missing.
    """
    _check_published(fine, published)
    _check_originals(fine, originals)
    stems = [name.removesuffix(".jpg") for name in fine.pool]
    files = {
        stem: path_of(stem) if stem in fine.captions else f"{UNLABELED}/{stem}.jpg"
        for stem in stems
    }
    places: dict[str, Place] = locate_files(folders, files) if images else {}
    rows = [
        row_at(
            stem,
            places.get(stem),
            member=files[stem],
            captions=fine.captions.get(stem, ()),
            split="test",
        )
        for stem in stems
    ]
    containers = {place.container for place in places.values()}
    found = originals.captions
    notes = {
        "pool": pool_notes(fine),
        "text": text_notes(fine.captions),
        "original_captions": originals.notes or None,
        "original_text": text_notes(found) if found else None,
        "image_files": container_notes(raw, containers) or "not looked for",
    }
    return Built(
        rows,
        {},
        protocol="1",
        sources=fine.digests,
        notes=notes,
        fit=("train",),
        evaluate=("test",),
        alternatives={"original": found} if found else {},
    )


def first_five(
    captions: dict[str, tuple[str, ...]], file: str, digest: str
) -> Originals:
    """Return the first five captions of each image, as the usual protocol takes them.

    The file's digest goes into the notes, not into the manifest: with or without the
    originals it is the same benchmark.
    """
    kept = {image_id: texts[:5] for image_id, texts in captions.items()}
    n_all, n_kept = (sum(map(len, each.values())) for each in (captions, kept))
    notes = {"file": file, "sha256": digest, "captions": n_kept}
    return Originals(kept, notes | {"left_out": n_all - n_kept})


def _check_published(fine: FineGrained, published: tuple[int, int]) -> None:
    """Refuse another number of queries in a pool of the published size."""
    n_queries, n_images = published
    if len(fine.pool) == n_images and len(fine.captions) != n_queries:
        raise MmclustError(
            "The pool has the published size, and the captions have not",
            where=fine.where,
            expected=f"{n_queries:,} images with 5 captions, {5 * n_queries:,} in all",
            found=f"{len(fine.captions):,} images with 5 captions, "
            f"{5 * len(fine.captions):,} in all",
            do="fetch fine_grained again",
        )


def _check_originals(fine: FineGrained, originals: Originals) -> None:
    if originals.captions is None:
        return
    bare = [stem for stem in fine.captions if not originals.captions.get(stem)]
    if bare:
        raise MmclustError(
            "Query images have no original caption",
            where=originals.notes["file"],
            expected=f"captions of all {len(fine.captions):,} query images",
            found=f"{len(bare):,} without: {some(bare)}",
            do="fetch the source of the original captions again, or take it away to "
            "build without them",
        )
