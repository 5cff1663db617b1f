"""folder: a directory of one's own pictures, with captions and labels if there are any.

Pictures: ``images/**`` if there is such a folder, else everything below the directory.
Captions: ``a.txt`` beside ``a.jpg``, one per line, or ``metadata.csv`` or
``metadata.jsonl`` as Hugging Face's imagefolder has them.

Source: none; the pictures are your own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._folder import (
    find_files,
    folder_labels,
    identities,
    read_pictures,
)
from mmclust.benchmarks._folder_captions import read_metadata, read_sidecars
from mmclust.benchmarks._raw import check_folder
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import digest_of
from mmclust.core.manifest import Row
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.benchmarks._folder import Files, Picture
    from mmclust.benchmarks._folder_captions import Metadata

SOURCE = "folder"
DEFAULT_SPLIT = "all"
PROTOCOL = "1"
LABELS = ("auto", "folders", "none")


@dataclass(frozen=True)
class Params:
    """Where labels are from."""

    labels: str = "auto"
    """``auto``: the column ``label`` of the metadata, if there is one; ``folders``: the
    first folder on the way to a picture is its class; ``none``."""


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Take every picture below a directory.

    Parameters
    ----------
    raw
        The directory. Hidden files and folders are passed over.
    params
        Where labels are from.
    split
        ``all``.
    images
        Whether to read the pictures: their headers must be those of images, and
        their digests go into the manifest.

    Returns
    -------
    Built
        One row per picture, in the split ``train``. Ids are paths below the
        directory without their ending, or with it where two would be one. Files
        with other endings are listed in the notes.

    Raises
    ------
    MmclustError
        When there is no picture, one is empty, too large or no image, metadata
        name a picture that is not there, a file of captions is not UTF-8, a
        picture has two labels, or only some have one.
    """
    _check_options(params, split)
    check_folder(raw)
    files = find_files(raw)
    metadata = read_metadata(files)
    labels = _labels(files, metadata, params.labels)
    ids = identities(files.pictures)
    captions, used = read_sidecars(files, metadata.captions)
    pictures = read_pictures(files) if images else {}
    rows = [
        _row(name, ids[name], files, pictures.get(name), captions.get(name, ()))
        for name in files.pictures
    ]
    sources = dict(metadata.sources)
    if images:
        sources |= {ids[name]: pictures[name].sha256 for name in files.pictures}
    return Built(
        rows,
        {ids[name]: label for name, label in labels.items()},
        PROTOCOL,
        _one_digest(sources),
        _notes(files, metadata, captions, used, params.labels),
        fit=("train",),
        evaluate=("train",),
    )


def _check_options(params: Params, split: str) -> None:
    for value, known, where in (
        (params.labels, LABELS, "benchmarks.folder.labels"),
        (split, (DEFAULT_SPLIT,), "--split"),
    ):
        if value not in known:
            raise MmclustError(
                f"Unknown value {value!r}",
                where=where,
                expected=nearest(value, known),
                found=value,
                do=f"correct {where}, or leave it out",
            )


def _one_digest(sources: Mapping[str, str]) -> dict[str, str]:
    """Return one digest of all pictures and captions files, whose names are many."""
    return {"files": digest_of(dict(sources))}


def _labels(files: Files, metadata: Metadata, kind: str) -> dict[str, str]:
    """Return the label of each picture; of all or of none."""
    if kind == "none":
        return {}
    if kind == "folders":
        return folder_labels(files)
    bare = [name for name in files.pictures if name not in metadata.labels]
    if metadata.labels and bare:
        raise MmclustError(
            "Some pictures have no label",
            where=files.root,
            expected="a label for each picture, or for none",
            found=f"{len(bare):,} of {len(files.pictures):,} without: {some(bare)}",
            do="complete the column label, or set benchmarks.folder.labels to none",
        )
    return metadata.labels


def _row(
    name: str,
    image_id: str,
    files: Files,
    picture: Picture | None,
    captions: tuple[str, ...],
) -> Row:
    return Row(
        image_id=image_id,
        container=files.root if picture else None,
        member=name,
        offset=None,
        length=None,
        width=picture.width if picture else None,
        height=picture.height if picture else None,
        captions=captions,
        split="train",
    )


def _notes(
    files: Files,
    metadata: Metadata,
    captions: Mapping[str, tuple[str, ...]],
    used: set[str],
    labels: str,
) -> dict[str, Any]:
    """Say where captions and labels are from, and what was left out."""
    out = [name for name in files.others if name not in used]
    endings: dict[str, list[str]] = {}
    for name in out:
        stem, dot, ending = name.rpartition("/")[2].rpartition(".")
        endings.setdefault(f".{ending.lower()}" if dot and stem else "", []).append(
            name
        )
    return {
        "labels": labels,
        "metadata": sorted(metadata.files),
        "caption_files": len(used),
        "images_without_caption": len(files.pictures) - len(captions),
        "left_out": {
            ending: {"files": len(names), "first": some(names, 3)}
            for ending, names in sorted(endings.items())
        },
    }
