"""What ``data.images`` asks for: all pictures, or those that benchmarks take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mmclust.core.params import Params


def selection(
    source: str, params: Params, images: str | tuple[str, ...]
) -> Callable[[Path], dict[str, list[str]]] | None:
    """Return what :func:`mmclust.sources.fetch.fetch_source` takes as ``select``.

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
    callable or None
        None where all is wanted, or no benchmark named is of this source.
    """
    from mmclust.core.errors import MmclustError
    from mmclust.core.plugins import load

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
    names = [
        name
        for name in images
        if source == getattr(load("benchmarks", name), "SOURCE", None)
    ]

    def select(raw: Path) -> dict[str, list[str]]:
        from mmclust.benchmarks._members import needed_members

        members: dict[str, set[str]] = {}
        for name in names:
            needed = needed_members(name, raw, params.benchmarks.get(name))
            for archive, each in needed.items():
                members.setdefault(archive, set()).update(each)
        return {archive: sorted(each) for archive, each in members.items()}

    return select if names else None
