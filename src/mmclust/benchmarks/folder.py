"""folder: a directory of one's own pictures, with captions and labels if there are any.

Pictures: ``images/**`` if there is such a folder, else everything below the directory.
Captions: ``a.txt`` beside ``a.jpg``, one per line, or a table: ``metadata.csv``,
``.jsonl`` or ``.parquet`` as Hugging Face's imagefolder has them, ``captions.txt`` as
Flickr8k and Flickr30K have it, or what ``mmclust export`` writes.

Source: none; the pictures are your own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from mmclust.benchmarks._image_places import is_image, not_decoded_here, row_at
from mmclust.benchmarks._own_captions import read_metadata
from mmclust.benchmarks._own_folder import (
    class_folders,
    find_files,
    folder_labels,
    identities,
    read_pictures,
    told_of_folders,
    without,
    written,
)
from mmclust.core.archives import Place
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import digest_of
from mmclust.core.manifest import SPLITS
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmclust.benchmarks._own_captions import Metadata
    from mmclust.benchmarks._own_folder import Files, Picture

SOURCE = "folder"
DEFAULT_SPLIT = "all"
PROTOCOL = "2"
LABELS = ("auto", "folders", "none")
SPLITTING = ("auto", "none")
TABLES = {".csv", ".tsv", ".json", ".jsonl", ".parquet"}
ROWS = (
    ("rows_of_absent_pictures", "rows of pictures that are not there"),
    ("rows_of_files_left_out", "rows of files that are taken for no picture"),
    ("rows_that_say_nothing", "rows that say nothing of their picture"),
)  # keys of a table's note, and what they count
TABLES_HINT = "; tables are read if they are called metadata, captions or images"


@dataclass(frozen=True)
class Params:
    """Where pictures, labels and splits are from."""

    path: str | None = None
    """The directory; ``None``: ``data/raw`` and the benchmark's name. DVC sees changes
    below ``data/raw`` alone."""
    labels: str = "auto"
    """``auto``: a column of the metadata, such as ``label``, if there is one;
    ``folders``: the first folder on the way to a picture is its class, below the
    folders of the splits where there are any; ``none``."""
    splits: str = "auto"
    """``auto``: the first folders, if all of them are named like splits (``train``,
    ``test``), or the metadata's column ``split``; ``none``: all pictures are
    ``train``."""
    captions: str = ""
    """The column of captions, where its name does not say that it holds them."""
    tables: tuple[str, ...] = ()
    """Tables that lie elsewhere, or are named otherwise than metadata."""
    strays: Literal["fail", "leave_out"] = "fail"
    """What is done with pictures beside class folders, and with files that end like
    pictures and cannot be read as one, and rows of tables whose pictures are not there;
    what is left out is counted."""


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Take every picture below a directory."""
    _check_options(params, split)
    files, pictures, strays = _usable(find_files(raw), params, images=images)
    metadata = read_metadata(
        files,
        labels=params.labels == "auto",
        captions=params.captions,
        tables=[Path(name).expanduser() for name in params.tables],
        strict=params.strays == "fail",
    )
    labels = _labels(files, metadata, params)
    ids = metadata.ids or identities(files)
    splits = metadata.splits
    if files.splits:
        splits = {n: files.splits[n.partition("/")[0]] for n in files.pictures}
    if params.splits == "none":
        splits = {}
    rows = [
        row_at(
            ids[name],
            Place(files.root, name) if images else None,
            name,
            splits.get(name, "train"),
            metadata.captions.get(name, ()),
            pictures[name].size if images else (None, None),
        )
        for name in files.pictures
    ]
    sources = dict(metadata.sources)
    if images:
        sources |= {ids[name]: pictures[name].sha256 for name in files.pictures}
    there = [s for s in SPLITS if s in set(splits.values())] or ["train"]
    reported = next((s for s in ("test", "val") if s in there), "train")
    return Built(
        rows,
        {ids[name]: label for name, label in labels.items()},
        PROTOCOL,
        {"files": digest_of(sources)},  # one, as there may be many files
        _notes(files, metadata, labels, params, strays),
        fit=("train",) if "train" in there else tuple(there),
        evaluate=(reported,),
    )


def _check_options(params: Params, split: str) -> None:
    for value, known, where in (
        (params.labels, LABELS, "benchmarks.folder.labels"),
        (params.splits, SPLITTING, "benchmarks.folder.splits"),
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


def _usable(
    files: Files, params: Params, *, images: bool
) -> tuple[Files, dict[str, Picture], dict[str, list[str]]]:
    """Read the pictures; return those to take, and why others are left out."""
    strays: dict[str, list[str]] = {}
    if params.strays == "leave_out" and params.labels == "folders":
        found, loose, _ = class_folders(files)
        if not found:
            folder_labels(files)  # refuses it
        strays["pictures in no class folder"] = loose
        files = without(files, loose)
    pictures, bad = read_pictures(files, params.strays) if images else ({}, [])
    if bad:
        strays["files that cannot be read as a picture"] = bad
        files = without(files, bad)
    return files, pictures, {why: names for why, names in strays.items() if names}


def _labels(files: Files, metadata: Metadata, params: Params) -> dict[str, str]:
    """Return the label of each picture; of all or of none."""
    if params.labels == "none":
        return {}
    if params.labels == "folders":
        return folder_labels(files, strict=params.strays == "fail")
    bare = [name for name in files.pictures if name not in metadata.labels]
    if metadata.labels and bare:
        if params.strays == "leave_out":
            return {}
        raise MmclustError(
            "Some pictures have no label",
            where=files.root,
            expected="a label for each picture, or for none",
            found=f"{len(bare):,} of {len(files.pictures):,} without: {some(bare)}",
            do="complete the column label, or set benchmarks.folder.labels to none",
        )
    return metadata.labels


def _notes(
    files: Files,
    metadata: Metadata,
    labels: Mapping[str, str],
    params: Params,
    strays: Mapping[str, list[str]],
) -> dict[str, Any]:
    """Say where captions and labels are from, and what was left out."""
    top = files.root.relative_to(files.raw)
    gone = {(top / name).as_posix() for names in strays.values() for name in names}
    read, classes = {*metadata.sidecars, *metadata.tables, *gone}, set(labels.values())
    out = [name for name in files.others if name not in read]
    endings: dict[str, list[str]] = {}
    for name in out:
        endings.setdefault(PurePosixPath(name).suffix.lower(), []).append(written(name))
    left_out = {
        written(ending): {"files": len(names), "first": some(names, 3)}
        for ending, names in sorted(endings.items())
    }
    bare = len(files.pictures) - len(metadata.captions)
    one = "".join(classes) if len(classes) == 1 else ""
    told = [
        *(told_of_folders(files) if params.splits == "auto" else []),
        *([f"all pictures are of ONE class, {one}"] if one else []),
        *_told_of_classes(files, metadata, labels, params),
        *(
            f"{why}, NOT used: {len(names):,} ({some(map(written, names), 3)})"
            for why, names in strays.items()
        ),
        *_told_of_tables(files, metadata, params, labelled=bool(labels)),
        *([f"images without caption: {bare:,}"] if metadata.captions and bare else []),
        *_told_of_files(files, endings),
    ]
    return {
        "labels": params.labels,
        "splits": params.splits,
        "metadata": metadata.tables,
        "caption_files": len(metadata.sidecars),
        "images_without_caption": bare,
        "left_out": left_out,
        "special_files": [written(name) for name in files.special],
        "told": told,
    }


def _told_of_classes(
    files: Files, metadata: Metadata, labels: Mapping[str, str], params: Params
) -> list[str]:
    """Say which classes there might be, and are not used."""
    if labels or params.labels == "none":
        return []
    if known := metadata.labels:
        n, of = f"{len(known):,}", f"{len(files.pictures):,}"
        return [f"classes are known of {n} of {of} pictures, and NOT used"]
    found, loose, _ = class_folders(files)
    names = sorted(set(found.values()))
    if loose or len(names) < 2:  # noqa: PLR2004
        return []
    what = f"its {len(names)} folders ({some(names, 3)}) may be classes"
    return [f"{what}: labels=folders takes them for such"]


def _told_of_tables(
    files: Files, metadata: Metadata, params: Params, *, labelled: bool
) -> list[str]:
    """Say what of each table was used, and loudly if nothing."""
    ids = bool(metadata.ids)
    splits = params.splits == "auto" and bool(metadata.splits) and not files.splits
    told = []
    for name, table in metadata.tables.items():
        if not table["rows"]:
            told.append(f"NOTHING of {written(name)} is used: {table['not_used']}")
            continue
        used, unused = [], list(table["not_used"])
        if table["captions"]:
            used.append(f"captions from {', '.join(table['captions'])}")
        if table["label"]:
            known = f"classes from {table['label']}" if labelled else table["label"]
            (used if labelled else unused).append(known)
        for what, usable in (("image_id", ids), ("split", splits)):
            column = table[what]
            if column and usable:
                used.append(f"{what}s from {column}")
            elif column and column != table["pictures"]:
                unused.append(column)
        left = [f"columns {', '.join(unused)}"] if unused else []
        left += [f"{words}: {table[key]:,}" for key, words in ROWS if table[key]]
        rest = f"; NOT used: {'; '.join(left)}" if left else ""
        told.append(
            f"read {written(name)} (rows: {table['rows']:,}): {', '.join(used)}{rest}"
            if used
            else f"NOTHING of {written(name)} is used{rest}; captions come from a "
            "column caption, text, prompt or the like, classes from label, class or "
            "category"
        )
    return told


def _told_of_files(files: Files, endings: Mapping[str, list[str]]) -> list[str]:
    """Say which files were not used: pictures that cannot be decoded, and others."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for ending, names in sorted(endings.items()):
        if not_decoded_here(f"a{ending}"):
            what = "PICTURES that Pillow cannot decode"
        elif is_image(f"a{ending}"):
            what = f"PICTURES outside {files.root.name}/"
        else:
            what = "other files"
        kinds.setdefault(what, {})[ending or "without ending"] = names
    told = []
    for what, kind in sorted(kinds.items()):
        counts = some(f"{len(names):,} {ending}" for ending, names in kind.items())
        first = some((name for names in kind.values() for name in names), 3)
        hint = TABLES_HINT if TABLES & kind.keys() else ""
        told.append(f"{what}, NOT used: {counts} ({first}){hint}")
    if files.special:
        first = some(map(written, files.special), 3)
        told.append(f"links to folders, fifos and the like, NOT used: {first}")
    return told
