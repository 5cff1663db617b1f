"""Pictures that lie in no file of their own: stored as PNGs beside the manifest."""

from __future__ import annotations

import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._images import Place
from mmclust.benchmarks._unpacked import NAME
from mmclust.core.io import writing
from mmclust.core.manifest import Row
from mmclust.core.progress import track
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mmclust.benchmarks._policy import Roles


@dataclass(frozen=True)
class Pixels:
    """One split of a data set that is one array.

    Parameters
    ----------
    rgb
        uint8 (n, h, w, 3), in file order.
    labels
        int64 (n,), positions in the list of classes.
    """

    rgb: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]


def pixels_built(
    parts: Mapping[str, Pixels],
    classes: Sequence[str],
    roles: Roles,
    sources: dict[str, str],
    notes: dict[str, Any],
    *,
    images: bool,
) -> Built:
    """Turn arrays into a benchmark; ids are ``<split>_<position>``, five digits.

    Parameters
    ----------
    parts
        The splits.
    classes
        Class names in label order.
    roles
        Of the splits.
    sources
        sha256 of each file read.
    notes
        For the summary.
    images
        Whether to hand on the pictures.

    Returns
    -------
    Built
        ``pictures`` makes each PNG when it is asked for.
    """
    rows: list[Row] = []
    labels: dict[str, str] = {}
    for split, part in parts.items():
        _, height, width, _ = part.rgb.shape
        for i, label in enumerate(part.labels.tolist()):
            name = f"{split}_{i:05d}"
            labels[name] = classes[label]
            rows.append(
                Row(name, None, f"{name}.png", None, None, width, height, (), split)
            )
    return Built(
        rows,
        labels,
        roles.protocol,
        sources,
        notes | {"classes_per_split": _class_counts(parts, classes)},
        fit=roles.fit,
        evaluate=roles.evaluate,
        pictures=_pngs(parts) if images else None,
    )


def _class_counts(
    parts: Mapping[str, Pixels], classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    counts = {split: Counter(part.labels.tolist()) for split, part in parts.items()}
    return {
        split: {name: count[i] for i, name in enumerate(classes)}
        for split, count in counts.items()
    }


def _pngs(parts: Mapping[str, Pixels]) -> Iterator[tuple[str, bytes]]:
    import cv2

    # Level 1 is as small as level 6 on 32 × 32 pixels.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    for split, part in parts.items():
        for i, rgb in enumerate(part.rgb):
            bgr = np.ascontiguousarray(rgb[:, :, ::-1])
            yield (
                f"{split}_{i:05d}.png",
                cv2.imencode(".png", bgr, options)[1].tobytes(),
            )


def store_pictures(built: Built, out: Path) -> list[Row]:
    """Write ``images.zip`` where pictures lie in no file; point the rows to it.

    Parameters
    ----------
    built
        With ``pictures``, or without: then nothing is written.
    out
        The benchmark's folder.

    Returns
    -------
    list of Row
        The benchmark's rows.

    Raises
    ------
    MmclustError
        When there is no space.
    """
    if built.pictures is None:
        return built.rows
    pictures = track(built.pictures, f"writing {NAME}", len(built.rows), "images")
    places = _write_stored(out / NAME, pictures)
    return [
        replace(row, container=p.container, offset=p.offset, length=p.length)
        for row in built.rows
        for p in (places[row.member],)
    ]


def _write_stored(path: Path, members: Iterable[tuple[str, bytes]]) -> dict[str, Place]:
    """Write a zip without compression or dates: equal members give equal bytes."""
    places: dict[str, Place] = {}
    with (
        writing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, data in members:
            info = zipfile.ZipInfo(name)  # dated 1980, as every other
            info.create_system = 3  # Unix, on every system
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
            start = archive.start_dir - len(data)
            places[name] = Place(path, name, start, len(data))
    return places
