"""A manifest's row for an image whose size the source does not state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.core.manifest import Row

if TYPE_CHECKING:
    from mmclust.benchmarks._images import Place


def row_at(
    image_id: str,
    place: Place | None,
    *,
    member: str,
    captions: tuple[str, ...],
    split: str,
) -> Row:
    """Return the row of an image, and where its bytes are.

    Parameters
    ----------
    image_id, captions, split
        As in :class:`mmclust.core.manifest.Row`.
    place
        Where its bytes are; ``None`` when images were not looked for.
    member
        What to call it then.
    """
    return Row(
        image_id=image_id,
        container=place.container if place else None,
        member=place.member if place else member,
        offset=place.offset if place else None,
        length=place.length if place else None,
        width=None,
        height=None,
        captions=captions,
        split=split,
    )
