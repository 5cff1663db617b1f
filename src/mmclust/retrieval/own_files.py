"""Retrieval scores of one's own embeddings or scores, joined to a benchmark by name."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.features import check_features, normalised
from mmclust.core.io import read_array, read_lines, require_file, write_bytes
from mmclust.core.text import same_form
from mmclust.retrieval.metrics import DEFINITION
from mmclust.retrieval.task import MAIN, MatrixScorer, Scorer, evaluate, read_task
from mmclust.scoring.intervals import flat, flat_differences
from mmclust.scoring.record import defined, rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.retrieval.task import Captions, Task

Array = np.ndarray[Any, Any]

_UNIT = 1e-3  # how far from 1 a norm may be
NUMBERED = re.compile(r"^(?P<image>.+)[#:_\- ](?P<number>\d+)$")
ENDING = re.compile(r"^\.[A-Za-z]\w{1,4}$")


@dataclass(frozen=True)
class Embedded:
    """Rows of an ``.npy`` of floats, and a text file of what they embed."""

    features: Path
    ids: Path


def score_embeddings(
    benchmark: Path,
    images: Embedded,
    texts: Embedded,
    originals: Embedded | None = None,
    *,
    baseline: tuple[Path, Path] | None = None,
    cosine: bool,
    n_resamples: int,
    seed: int,
    missing: Path,
    device: str = "cpu",
) -> dict[str, Any]:
    """Score embeddings of a benchmark's pool and captions."""
    often: dict[str, Any] = {"cosine": cosine, "n_resamples": n_resamples,
                             "seed": seed, "missing": missing,
                             "device": device}  # fmt: skip
    task = read_task(benchmark)
    kinds = {MAIN: texts} | ({"original": originals} if originals else {})
    figures, norm = _embedded(task, benchmark, images, kinds, **often)
    others: dict[str, dict[str, Any]] = {}
    if baseline is not None:
        theirs = {MAIN: replace(texts, features=baseline[1])}
        others, _ = _embedded(
            task, benchmark, replace(images, features=baseline[0]), theirs, **often
        )
    return {"similarity": "cosine" if cosine else "inner product",
            **_flat(figures, others), "rows_at_unit_norm": norm}  # fmt: skip


def _embedded(
    task: Task,
    benchmark: Path,
    images: Embedded,
    kinds: Mapping[str, Embedded],
    *,
    cosine: bool,
    n_resamples: int,
    seed: int,
    missing: Path,
    device: str,
) -> tuple[dict[str, dict[str, Any]], bool]:
    """Return each setting's figures, and whether all rows are at unit norm."""
    pool, norm = _rows(images, cosine)
    lines = names(images.ids, len(pool))
    order = image_order(lines, task, images.ids, missing)
    # An added image may be zero, and then scores 0: it never asks.
    asking = order if cosine else order[: task.n_queries]
    _refuse_zero(pool, asking, images.features)
    pool = pool[order]
    figures: dict[str, dict[str, Any]] = {}
    for kind, each in kinds.items():
        captions = _captions(task, kind, benchmark)
        array, text_norm = _rows(each, cosine)
        if array.shape[1] != pool.shape[1]:
            raise MmclustError(
                "Images and captions are embedded in spaces of different dimension",
                where=f"{images.features} and {each.features}",
                expected="the same number of columns",
                found=f"{pool.shape[1]} and {array.shape[1]}",
            )
        lines = names(each.ids, len(array))
        order = caption_order(lines, captions, task, each.ids, missing)
        _refuse_zero(array, order, each.features)
        scorer = Scorer(pool, array[order], device=device, top_k=0)
        result = evaluate(task, kind, scorer, n_resamples=n_resamples, seed=seed)
        figures |= result.figures
        norm = norm and text_norm
    return figures, norm


def score_matrix(
    benchmark: Path,
    scores: Path,
    image_ids: Path,
    text_ids: Path,
    *,
    baseline: Path | None = None,
    n_resamples: int,
    seed: int,
    missing: Path,
) -> dict[str, Any]:
    """Score a matrix of scores, one row per caption, one column per image."""
    task = read_task(benchmark)
    often: dict[str, Any] = {"n_resamples": n_resamples, "seed": seed}
    sides = []
    for path in (scores, baseline):
        if path is None:
            continue
        matrix = read_array(require_file(path))
        if matrix.dtype.kind not in "iub":  # such as 1 for right and 0 for wrong
            check_features(matrix, path, single=False)
        elif matrix.ndim != 2:  # noqa: PLR2004
            raise MmclustError(
                "Scores must be a two-dimensional array",
                where=path,
                expected="a row per caption, a column per image",
                found=f"shape {matrix.shape}",
            )
        lines = names(image_ids, matrix.shape[1])
        columns = image_order(lines, task, image_ids, missing)
        lines = names(text_ids, len(matrix))
        rows = caption_order(lines, task.captions[MAIN], task, text_ids, missing)
        scorer = MatrixScorer(matrix, rows, columns)
        sides.append(evaluate(task, MAIN, scorer, **often).figures)
    return {"similarity": "scores as given", **_flat(*sides)}


def _flat(
    figures: dict[str, dict[str, Any]],
    baseline: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Put each setting's name before its figures, the main one's excepted."""
    every = {
        name: flat(each) | flat_differences(each, (baseline or {}).get(name, {}))
        for name, each in figures.items()
    }
    found = {"definition": defined(DEFINITION), **every.get(MAIN, {})}
    for name, each in every.items():
        if name != MAIN:
            skip = {"n_images", "n_captions"}
            found |= {f"{name}_{k}": v for k, v in each.items() if k not in skip}
    return {key: rounded(value) for key, value in found.items()}


def _rows(each: Embedded, cosine: bool) -> tuple[Array, bool]:
    array = read_array(require_file(each.features))
    check_features(array, each.features, single=cosine)
    # Double precision is kept: rounding would make ties of what are none.
    array = np.asarray(array, dtype=np.result_type(array, np.float32))
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(array, axis=1).astype(np.float64)
    if not cosine and norms.max() ** 2 > np.finfo(array.dtype).max:
        raise MmclustError(
            "Inner products of these embeddings would be infinite",
            where=f"{each.features}, row {norms.argmax()}",
            expected=f"rows of a length below {np.finfo(array.dtype).max ** 0.5:.0e}",
            found=f"length {norms.max():.3g}",
            do="scale the embeddings, or compare them by cosine",
        )
    unit = bool(np.abs(norms - 1).max() < _UNIT)
    return (normalised(array) if cosine else array), unit


def _refuse_zero(array: Array, rows: Array, where: Path) -> None:
    """Refuse rows of zeros: to them every candidate is equally good."""
    zero = np.sort(rows[~array[rows].any(axis=1)])
    if len(zero):
        raise MmclustError(
            "An embedding is zero everywhere",
            where=f"{where}, row {zero[0]}",
            expected="a direction in every row",
            found=f"{len(zero):,} zero rows",
        )


def _captions(task: Task, kind: str, benchmark: Path) -> Captions:
    if kind not in task.captions:
        raise MmclustError(
            f"{task.benchmark} was built without its {kind} captions",
            where=benchmark,
            expected=f"captions_{kind}.parquet beside the manifest",
            do="build it again with the source of those captions present",
        )
    return task.captions[kind]


def names(path: Path, n_rows: int) -> list[str]:
    """Read one name per line."""
    lines = read_lines(path, "give a text file with one name per line")
    if len(lines) != n_rows or not all(lines):
        raise MmclustError(
            "Names and embeddings do not go together",
            where=path,
            expected=f"{n_rows} lines, one name for each row",
            found=f"{len(lines)} lines, {lines.count('')} of them empty",
        )
    return lines


def _image_of(name: str, known: dict[str, int]) -> int:
    """Find an image by its id or its file name; -1: there is none.

    Folders and an ending such as ``.jpg`` may be there or not; ``a.jpg#3`` has no
    ending and names no image, but a caption.
    """
    last = PurePosixPath(name)
    names = [name, last.name]
    if ENDING.match(last.suffix):
        names += [str(last.with_suffix("")), last.stem]
    names += [same_form(each) for each in names]
    return next((known[each] for each in names if each in known), -1)


def _known(pool: Sequence[str]) -> dict[str, int]:
    """Return positions by name, and by its composed form where that is one name's."""
    known = {name: i for i, name in enumerate(pool)}
    forms = Counter(map(same_form, pool))
    alone = {same_form(n): i for n, i in known.items() if forms[same_form(n)] == 1}
    return alone | known


def image_order(lines: list[str], task: Task, ids: Path, missing: Path) -> Array:
    """Return the row of each image of the pool: int64 (pool,).

    ``lines`` are image ids or file names, in the order of the rows, from the file
    ``ids``; what it lacks is listed in ``missing``.
    """
    known = _known(task.pool)
    found = [_image_of(name, known) for name in lines]
    return _rows_of(lines, found, task.pool, ids, missing, "images of the pool")


def caption_order(
    lines: list[str], captions: Captions, task: Task, ids: Path, missing: Path
) -> Array:
    """Return the row of each caption, int64 (m,), as :func:`image_order` does.

    A line is ``<image>#<n>``, or the image alone for its next caption.
    """
    known = _known(task.pool[: task.n_queries])
    place = captions.of_image
    seen: Counter[int] = Counter()
    found = []
    for name in lines:
        image, number = _image_of(name, known), -1
        if image >= 0:
            number = seen[image]
            seen[image] += 1
        elif match := NUMBERED.match(name):
            image = _image_of(match["image"], known)
            number = int(match["number"])
        inside = image >= 0 and 0 <= number < place.shape[1]
        found.append(int(place[image, number]) if inside else -1)
    own = np.arange(len(captions.image)) - place[captions.image, 0]
    named = [
        f"{task.pool[image]}#{number}"
        for image, number in zip(captions.image.tolist(), own.tolist(), strict=True)
    ]
    return _rows_of(
        lines, found, named, ids, missing, "captions", ", such as <image>#0"
    )


def _rows_of(
    lines: list[str],
    found: list[int],
    wanted: list[str],
    ids: Path,
    missing: Path,
    what: str,
    such: str = "",
) -> Array:
    """Return the row of each that is wanted; ``found`` has which one each line names.

    Lines that name none or one twice are refused; so is what no line names.
    """
    unknown = [n for n, i in zip(lines, found, strict=True) if i < 0]
    if unknown:
        raise MmclustError(
            "Names match nothing in the benchmark",
            where=ids,
            expected=f"names of {what}{such}",
            found=f"{len(unknown):,} of {len(lines):,} unknown: {some(unknown)}",
            do="give the names that the benchmark's manifest has",
        )
    count = Counter(found)
    twice = [n for n, i in zip(lines, found, strict=True) if count[i] > 1]
    if twice:
        raise MmclustError(
            "Names occur twice",
            where=ids,
            expected="each image and each caption once",
            found=some(twice),
        )
    absent = sorted(set(range(len(wanted))) - set(found))
    if absent:
        names_left = [wanted[i] for i in absent]
        write_bytes(missing, "".join(f"{name}\n" for name in names_left).encode())
        raise MmclustError(
            f"Embeddings of some {what} are missing",
            where=ids,
            expected=f"all {len(wanted):,} {what}",
            found=f"{len(absent):,} missing: {some(names_left)}",
            do=f"embed those that {missing} lists",
        )
    order = np.empty(len(found), dtype=np.int64)
    order[found] = np.arange(len(found))
    return order
