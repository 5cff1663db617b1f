"""Which members of its source's archives a benchmark needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.benchmarks._expected import split_allowance
from mmclust.core.plugins import load, params_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from mmclust.core.types import Built


def needed_members(
    name: str, raw: Path, params_block: Mapping[str, Any] | None
) -> dict[str, list[str]]:
    """Run a COCO benchmark's protocol on the annotations alone.

    Parameters
    ----------
    name
        A file of this folder.
    raw
        Folder of the source, with the annotations in it.
    params_block
        The benchmark's options; what is left out takes its default.

    Returns
    -------
    dict of str to list of str
        By archive, the paths in it, sorted.

    Raises
    ------
    MmclustError
        When the benchmark or an option is unknown, or the annotations are damaged.
    """
    split = "train2017"
    plugin = load("benchmarks", name)
    options, _ = split_allowance(name, params_block)
    params = params_of("benchmarks", name, options, f"benchmarks.{name}")
    built: Built = plugin.build(raw, params, split=split, images=False)
    return {f"{split}.zip": sorted(f"{split}/{row.member}" for row in built.rows)}
