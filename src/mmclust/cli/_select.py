"""What ``data.images`` asks for: all pictures, or those that benchmarks take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.sources.choice import Choice


def selection(
    source: str, params: Params, images: str | tuple[str, ...]
) -> Choice | None:
    """Return what :func:`mmclust.sources.fetch.fetch_source` takes as ``choice``.

    Parameters
    ----------
    source
        What is fetched.
    params
        Where the benchmarks' options are.
    images
        ``all``, or names of benchmarks.

    Returns
    -------
    Choice or None
        None where all is wanted. Of a source that none of the benchmarks reads no
        picture is.
    """
    from mmclust.benchmarks._build import lists_of, needed_pictures, sources_of
    from mmclust.core.errors import MmclustError
    from mmclust.sources.choice import Choice

    if images == "all":
        return None
    if isinstance(images, str):
        raise MmclustError(
            "data.images is neither all nor a list",
            where="data.images in params.yaml",
            expected="all, or a list of benchmarks, such as [coco_cross]",
            found=repr(images),
            do="correct data.images",
        )
    blocks = {name: params.benchmarks.get(name) for name in images}
    takers = [name for name in blocks if source in sources_of(name, blocks[name])]
    lists = (each for name in takers for each in lists_of(name) if each != source)

    def pictures(raw: Path) -> set[str]:
        return {p for name in takers for p in needed_pictures(name, raw, blocks[name])}

    return Choice(tuple(dict.fromkeys(lists)), pictures)
