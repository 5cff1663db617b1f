"""MSCOCO-FG and Flickr30K-FG: their files, held to what they promise, and their rows.

Captions are a JSON object, image stem to five strings; the pool of images is an array
of file names, the query images' and then the distractors', which have no captions. The
two are joined by name: in MSCOCO-FG their orders differ.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._coco_annotations import read_captions
from mmclust.benchmarks._image_places import captioned_rows
from mmclust.benchmarks._source_files import (
    container_notes,
    faulty,
    lacking,
    look_for,
    refuse,
    shown,
    source_folders,
    whole,
)
from mmclust.benchmarks._splits import NoParams, splits_of
from mmclust.benchmarks.flickr30k import FOLDER as FLICKR30K
from mmclust.benchmarks.flickr30k import Captioned, captions_and_splits
from mmclust.core.errors import some
from mmclust.core.io import file_digest, read_array
from mmclust.core.text import json_value, utf8
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path


AGAIN = "fetch fine_grained again, or give the publisher's own files"
_faulty, _refuse = partial(faulty, do=AGAIN), partial(refuse, do=AGAIN)
CAPTIONS = 5
COCO = "COCO_val2014_"
FOLDERS = ("Annotations", "Images")
"""Where the two files lie in a clone of the publisher's repository."""
DISTRACTOR = re.compile(r"\d{12}")  # COCO's stem of an image of unlabeled2017


@dataclass(frozen=True)
class FineGrained:
    """A fine-grained benchmark as published."""

    captions: dict[str, tuple[str, ...]]
    """The five of each query image, as they are, by the image's stem."""
    pool: list[str]  # stems of all images, in the order of the array
    where: Path
    digests: dict[str, str]


def read_fine_grained(
    stem: str, query: re.Pattern[str], folders: Sequence[Path]
) -> FineGrained:
    """Read captions and pool, and check that they belong together."""
    places = [folder / part for folder in folders for part in ("", *FOLDERS)]
    paths = []
    for part, name in zip(
        FOLDERS, (f"{stem}_FG_ann.json", f"{stem}_FG_img_filenames.npy"), strict=True
    ):
        path = next((p / name for p in places if (p / name).is_file()), None)
        if path is None:
            clone = f"{part}/{name}, as in the repository"
            raise lacking(folders, name, [name, clone])
        paths.append(path)
    annotations, array = paths
    captions, pool = _captions(annotations), _pool(array)
    held, distractors = set(pool), [stem for stem in pool if stem not in captions]
    _refuse(
        [stem for stem in captions if not query.fullmatch(stem)],
        "Captions are of images that are not the data set's",
        annotations,
        f"stems such as {query.pattern}",
        "others",
    )
    _refuse(
        [stem for stem in captions if stem not in held],
        "The pool lacks images that have captions",
        array,
        f"all {len(captions):,} images of {annotations}",
        "missing",
    )
    _refuse(
        [stem for stem in distractors if not DISTRACTOR.fullmatch(stem)],
        "The pool has images without captions that are no distractors",
        array,
        "names of COCO's unlabeled2017, twelve digits",
        "others",
    )
    digests = {path.name: file_digest(path) for path in paths}
    return FineGrained(captions, pool, annotations, digests)


def _captions(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        text = utf8(path.read_bytes(), path, "The file of fine-grained captions")
        entries = json_value(text, object_pairs_hook=list)
    except ValueError as error:
        expected = "a complete JSON document in UTF-8"
        what = "The fine-grained captions are not JSON"
        raise _faulty(what, path, expected, error) from error
    if odd := _odd_entry(entries):
        what = "The fine-grained captions have an unexpected shape"
        expected = "an object of image stems, each with a list of strings"
        raise _faulty(what, path, expected, odd)
    twice = _repeated(stem for stem, _ in entries)
    _refuse(twice, "An image has two entries", path, "each image once")
    if not entries:
        what = "The fine-grained captions are of no image"
        raise _faulty(what, path, "images", "{}")
    captions = {
        whole(stem, path): tuple(whole(text, f"{path}, {stem}") for text in texts)
        for stem, texts in entries
    }
    counts = {s: sum(bool(t.strip()) for t in texts) for s, texts in captions.items()}
    wrong = [
        f"{stem} ({counts[stem]})"
        for stem, texts in captions.items()
        if not counts[stem] == len(texts) == CAPTIONS
    ]
    expected = f"{CAPTIONS} for each image, none of them empty"
    _refuse(wrong, "Images have not five captions", path, expected, "with others")
    return captions


def _odd_entry(entries: Any) -> str:
    """Return what is no image stem with a list of strings; empty where all are."""
    if not isinstance(entries, list):
        return type(entries).__name__
    for entry in entries:
        if not isinstance(entry, tuple):
            return shown(entry)
        stem, texts = entry
        parts = texts if isinstance(texts, list) else [texts]
        strange = [part for part in parts if not isinstance(part, str)]
        if strange or not stem or parts is not texts:
            return f"{shown(stem)}: {some(map(shown, strange or parts), 2)}"
    return ""


def _pool(path: Path) -> list[str]:
    array = read_array(path)
    if array.dtype.kind != "U" or array.ndim != 1 or not len(array):
        what = "The pool is no list of file names"
        expected = "an array of text with one axis, such as <U29 (31244,)"
        raise _faulty(what, path, expected, f"{array.dtype.str} {array.shape}")
    names: list[str] = array.tolist()
    twice = _repeated(names)
    _refuse(twice, "The pool lists images twice", path, "each image once", "twice")
    odd = [n for n in names if not n.endswith(".jpg") or PurePosixPath(n).name != n]
    what = "The pool has names that are no file names"
    _refuse(list(map(repr, odd)), what, path, "<name>.jpg, without folders")
    return [name.removesuffix(".jpg") for name in names]


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


UNLABELED = "unlabeled2017"


@dataclass(frozen=True)
class Enlarged:
    """A benchmark of fine-grained captions with an enlarged pool."""

    about: str
    SOURCES: tuple[str, ...]
    stem: str  # of the names of its two files
    query: re.Pattern[str]  # the stem of an image that has captions
    folder: str  # of these images
    originals: Callable[[Sequence[Path], Sequence[str]], Captioned | None]
    """The captions that the fine ones were made from."""
    published: tuple[int, int]  # images with captions, images of the pool
    LISTS: tuple[str, ...] = ("fine_grained",)
    DEFAULT_SPLIT: str = "test"
    Params: type = NoParams

    def expected(self, params: NoParams, split: str) -> dict[str, int] | None:
        """Return the size of the pool, as published."""
        del params, split
        return {"": self.published[1]}

    def build(self, raw: Path, params: NoParams, *, split: str, images: bool) -> Built:
        """Make the whole pool into rows: queries have captions, distractors none."""
        del params
        splits_of(split, ["test"])
        folders = source_folders(raw, self.SOURCES)
        fine = read_fine_grained(self.stem, self.query, folders)
        originals = self.originals(folders, list(fine.captions))
        n_queries, n_images = self.published
        if len(fine.pool) == n_images and len(fine.captions) != n_queries:
            n, of = len(fine.captions), "images with 5 captions"
            raise faulty(
                "The pool has the published size, and the captions have not",
                fine.where,
                f"{n_queries:,} {of}, {5 * n_queries:,} in all",
                f"{n:,} {of}, {5 * n:,} in all",
                "fetch fine_grained again",
            )
        found, told = _first_five(fine, originals) if originals else (None, None)
        files = {
            stem: f"{self.folder if stem in fine.captions else UNLABELED}/{stem}.jpg"
            for stem in fine.pool
        }
        splits = dict.fromkeys(fine.pool, "test")
        rows = captioned_rows(folders, files, splits, fine.captions, images=images)
        notes = {
            "pool": pool_notes(fine),
            "text": text_notes(fine.captions),
            "original_captions": told,
            "original_text": text_notes(found) if found else None,
            "image_files": container_notes(raw, rows) or "not looked for",
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


def _first_five(
    fine: FineGrained, originals: Captioned
) -> tuple[dict[str, tuple[str, ...]], dict[str, Any]]:
    """Return the first five original captions of each query, as the usual protocol.

    The file's digest goes into the notes, not into the manifest: with or without the
    originals it is the same benchmark.
    """
    captions = originals.captions
    refuse(
        [stem for stem in fine.captions if not captions.get(stem)],
        "Query images have no original caption",
        originals.name,
        f"captions of all {len(fine.captions):,} query images",
        "without",
        "fetch the source of the original captions again, or take it away to build "
        "without them",
    )
    kept = {image_id: texts[:5] for image_id, texts in captions.items()}
    n_all, n_kept = (sum(map(len, each.values())) for each in (captions, kept))
    notes = {"file": originals.name, "sha256": originals.digest, "captions": n_kept}
    return kept, notes | {"left_out": n_all - n_kept}


PATTERNS = {
    "with_final_full_stop": re.compile(r"\.\s*$"),
    "with_upper_case": re.compile(r"[A-Z]"),
    "with_double_blank": re.compile(r"  "),
    "with_digit": re.compile(r"[0-9]"),
    "with_comma": re.compile(r","),
    "with_hyphen": re.compile(r"-"),
    "with_non_ascii": re.compile(r"[^\x00-\x7f]"),
    "with_line_break": re.compile(r"[\r\n]"),
}


def text_notes(captions: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Count captions, what is shared and repeated, and what is in them."""
    texts = [text for each in captions.values() for text in each]
    owners = Counter(text for each in captions.values() for text in set(each))
    shared = {text: n for text, n in owners.items() if n > 1}
    words = np.array([len(text.split()) for text in texts])
    characters = np.array([len(text) for text in texts])
    return {
        "captions": len(texts),
        "distinct": len(owners),
        "shared_strings": len(shared),
        "shared_captions": sum(shared.values()),
        "repeats_within_image": len(texts) - sum(owners.values()),
        "words": _spread(words) | {"median": float(np.median(words))},
        "characters": _spread(characters),
        "distinct_words": len({word for text in texts for word in text.split()}),
        **{
            name: sum(bool(pattern.search(text.strip())) for text in texts)
            for name, pattern in PATTERNS.items()
        },
    }


def pool_notes(fine: FineGrained) -> dict[str, Any]:
    """Count the pool, and say how its order relates to that of the captions."""
    n_queries = len(fine.captions)
    first = fine.pool[:n_queries]
    n_distractors = len(fine.pool) - n_queries
    return {
        "images": len(fine.pool),
        "queries": n_queries,
        "distractors": n_distractors,
        "distractors_per_query": round(n_distractors / n_queries, 2),
        "queries_first": set(first) == fine.captions.keys(),
        "same_order": first == list(fine.captions),
    }


def _spread(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    mean = round(float(values.mean()), 2)
    return {"min": int(values.min()), "mean": mean, "max": int(values.max())}


_ANNOTATIONS = "annotations_trainval2014.zip"
_COCO_CAPTIONS = "annotations/captions_val2014.json"


def _of_coco(folders: Sequence[Path], stems: Sequence[str]) -> Captioned | None:
    found = look_for(folders, _ANNOTATIONS, _COCO_CAPTIONS)
    if found is None:
        return None
    by_id = {int(stem.removeprefix(COCO)): stem for stem in stems}
    read, _, digest = read_captions(found, by_id)
    captions = {stem: read[i] for i, stem in by_id.items() if i in read}
    return Captioned(_COCO_CAPTIONS, str(found), digest, captions)


def _of_flickr30k(folders: Sequence[Path], stems: Sequence[str]) -> Captioned | None:
    """Read Flickr30K's own captions of the query images, whichever file has them."""
    files = captions_and_splits(folders)
    if not files:
        return None
    known = files[0].captions
    captions = {stem: known[stem] for stem in stems if stem in known}
    return replace(files[0], captions=captions)


mscoco_fg = Enlarged(
    """MSCOCO-FG: fine-grained captions of COCO's 5,000 test images, an enlarged pool.

25,000 captions; 31,244 images, of which 26,244 are distractors without captions. The
original captions, where COCO 2014's annotations are there, go beside the manifest.

Source: Chen, Yao and Jin, SIGIR 2023 (arXiv 2304.10824).
""",
    ("fine_grained", "coco2014", "coco2017_unlabeled"),
    "MSCOCO",
    re.compile(COCO + r"\d{12}"),
    "val2014",
    _of_coco,
    (5_000, 31_244),
)

flickr30k_fg = Enlarged(
    """Flickr30K-FG: fine-grained captions of Flickr30K's 1,000 test images, a
larger pool.

5,000 captions; 6,867 images, of which 5,867 are distractors without captions, taken
from COCO's unlabeled images: they differ from the queries in source and style. The
original captions, where a file of Flickr30K is there, go beside the manifest.

Source: Chen, Yao and Jin, SIGIR 2023 (arXiv 2304.10824).
""",
    (
        "fine_grained",
        "flickr30k",
        "flickr30k_publisher",
        "karpathy_splits",
        "coco2017_unlabeled",
    ),
    "Flickr30K",
    re.compile(r"\d+"),
    FLICKR30K,
    _of_flickr30k,
    (1_000, 6_867),
)
