"""Pictures and clusters for the page's scripts: sheets, methods, and the noun space.

Shapes: n images of the benchmark that are scored, d features.
"""

from __future__ import annotations

import base64
import contextlib
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import NOISE
from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised, require_sealed, view_of, views_of
from mmclust.core.images import Images, read_images
from mmclust.core.io import read_json, read_table
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.core.workers import in_order
from mmclust.report.read import ABSENT, AGAIN, check_manifest
from mmclust.report.scores import group_of, method_name
from mmclust.scoring.record import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from PIL import Image

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params
    from mmclust.report.read import Method, Run
    from mmclust.report.section import Bundle

Array = np.ndarray[Any, Any]

SIDE = 72
"""Of a thumbnail, in pixels."""
QUALITY = 75
COLUMNS = 16
EACH = COLUMNS * COLUMNS
"""Images on a sheet: about 400 kB of JPEG."""
GREY = 150
NAMED = 5
"""Pictures that could not be read and are named on the page."""
CONTACT = (80, 10)
"""Pictures on the contact sheet, and its columns."""
WORDS = 5
"""Keywords, and nouns, named for each cluster."""
NEAREST = 3
"""Clusters named as the nearest of each."""
NOUNS = 400
"""Nouns listed, at most."""
CONFIDENCE = "confidence"
CLOSENESS = "closeness"
HUNDRED = 100
"""Confidences are whole numbers from 0 to this."""


def pack(
    run: Run,
    drawn: dict[str, Any] | None,
    params: Params,
    bundle: Bundle,
    workers: int,
) -> dict[str, Any]:
    """Write a benchmark's files; return what the template says of them.

    Images are numbered in one order: by cluster of the primary method, the surest
    first, so that pictures which are looked at together lie on one sheet.
    """
    unit = {
        view: normalised(np.asarray(view_of(run.features, view)))
        for view in views_of(run.features)
    }
    told = {one.key: _told(one, unit, run) for one in run.methods}
    rows = _order(run.primary, told[run.primary.key])
    sheets = make_sheets(run.manifest, rows, bundle, workers)
    classes = sorted({name for name in run.classes if name})
    number = {name: i for i, name in enumerate(classes)} | {"": -1}
    data = {
        "sheets": sheets.pictures,
        "words": sheets.words,
        "each": EACH,
        "columns": COLUMNS,
        "side": SIDE,
        "first": params.report.thumbnails,
        "classes": classes,
        "label": [number[run.classes[row]] for row in rows.tolist()],
        "methods": [
            {
                "id": named(one.key),
                "name": method_name(one.key, run.encoder),
                "group": group_of(one.key, run),
                "src": bundle.add_data(_method(one, told[one.key], rows, number)),
            }
            for one in run.methods
        ],
        "primary": next(
            i for i, one in enumerate(run.methods) if one.key == run.primary.key
        ),
        "maps": None,
    }
    if drawn is not None:
        position = np.argsort(rows)
        points = position[drawn["rows"]].tolist()
        data["maps"] = {"points": points, "views": drawn["views"]}
    return {
        "data": bundle.add_data(data),
        "pictures": len(sheets.pictures),
        "unread": len(sheets.unread),
        "named": sheets.unread[:NAMED],
    }


@dataclass(frozen=True)
class Told:
    """How sure a method is of each image, and which clusters are near each other."""

    sure: Array | None  # (n,) from 0 to 1
    sure_of: str
    """:data:`CONFIDENCE` of the method, or :data:`CLOSENESS`: the cosine to the mean of
    the cluster, scaled to the range found, for a method without one."""
    nearest: dict[int, list[tuple[int, float]]]
    """Cluster to those whose means are nearest, and their cosines."""


def _told(one: Method, unit: dict[str, Array], run: Run) -> Told:
    encoder, view, _ = one.key
    own = unit.get(view) if encoder == run.encoder else None
    sure = one.confidence
    if own is None:
        return Told(sure, CONFIDENCE, {})
    found, place = np.unique(one.clusters, return_inverse=True)
    sums = np.zeros((len(found), own.shape[1]))
    np.add.at(sums, place, own)
    centres = normalised(sums)
    nearest = _nearest(found, centres)
    if sure is not None:
        return Told(sure, CONFIDENCE, nearest)
    cosines = np.einsum("nd,nd->n", own, centres[place])
    return Told(_scaled(cosines, one.clusters >= 0), CLOSENESS, nearest)


def _scaled(cosines: Array, placed: Array) -> Array:
    """Return cosines from 0 (the farthest) to 1; 0 for images in no cluster."""
    if not placed.any():
        return np.zeros(len(cosines))
    low, high = cosines[placed].min(), cosines[placed].max()
    scaled = (cosines - low) / max(float(high - low), 1e-12)
    return np.where(placed, np.round(scaled, 4), 0.0)


def _nearest(found: Array, centres: Array) -> dict[int, list[tuple[int, float]]]:
    cosines = (centres @ centres.T).astype(float)
    np.fill_diagonal(cosines, -np.inf)
    cosines[:, found < 0] = -np.inf
    first = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
    return {
        int(cluster): [
            (int(found[other]), round(float(cosines[i, other]), 2))
            for other in first[i]
            if np.isfinite(cosines[i, other])
        ]
        for i, cluster in enumerate(found)
        if cluster >= 0
    }


def _order(one: Method, told: Told) -> Array:
    """Sort images by cluster, the largest first and none last, then the surest."""
    found, place, sizes = np.unique(
        one.clusters, return_inverse=True, return_counts=True
    )
    rank = np.argsort(np.lexsort((found, -sizes, found <= NOISE)))
    keys = np.zeros(len(place)) if told.sure is None else told.sure
    return np.lexsort((np.arange(len(place)), -keys, rank[place]))


def _method(
    one: Method, told: Told, rows: Array, number: dict[str, int]
) -> dict[str, Any]:
    """Return what the scripts read of a method, images in the order of the page."""
    clusters = one.clusters[rows] - ABSENT
    kind = "<u2" if clusters.max(initial=0) < 2**16 else "<u4"
    sure = None
    if told.sure is not None:
        sure = _packed(np.rint(told.sure[rows] * HUNDRED).clip(0, HUNDRED), "u1")
    return {
        "of": _packed(clusters, kind),
        "wide": kind == "<u4",
        "sure": sure,
        "sureOf": told.sure_of,
        "matched": {str(c): number[name] for c, name in one.matched.items()},
        "nearest": {str(c): near for c, near in told.nearest.items()},
        "names": {
            str(cluster): [
                keywords[:WORDS],
                [noun.replace("_", " ") for noun in nouns[:WORDS]],
            ]
            for cluster, (keywords, nouns) in one.names.items()
        },
    }


def _packed(values: Array, kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode()


@dataclass(frozen=True)
class Sheets:
    """Addresses of the sheets, of :data:`EACH` images."""

    pictures: list[str]  # empty for a benchmark that was built without images
    words: list[str]  # beside each: ids and captions
    unread: list[tuple[str, str]]  # ids of images that could not be read, and why


def make_sheets(
    manifest: Manifest, rows: Array, bundle: Bundle, workers: int
) -> Sheets:
    """Write sheets of thumbnails and captions, in an order of the manifest's rows."""
    table = manifest.table.take(rows)
    parts = [
        replace(manifest, table=table.slice(start, EACH).combine_chunks())
        for start in range(0, len(rows), EACH)
    ]
    pictures, unread = [], []
    if table["container"].null_count < len(table):
        for data, failed in _drawn(parts, workers):
            pictures.append(bundle.add(data, ".jpg"))
            unread += failed
    words = [
        bundle.add_data({"ids": part.image_ids, "captions": part.captions})
        for part in parts
    ]
    return Sheets(pictures, words, unread)


def _drawn(
    parts: Sequence[Manifest], workers: int
) -> Iterator[tuple[bytes, list[tuple[str, str]]]]:
    name = f"thumbnails of {parts[0].benchmark}"
    if len(parts) <= 2:  # noqa: PLR2004 (not worth a process)
        workers = 1
    sheets = in_order(
        draw_sheet, parts, workers, describe=lambda p: f"{name}, {p.image_ids[0]} on"
    )
    return track(sheets, name, len(parts), unit="sheets")


def draw_sheet(
    manifest: Manifest, columns: int = COLUMNS
) -> tuple[bytes, list[tuple[str, str]]]:
    """Draw thumbnails side by side; name those that could not be read, and why."""
    from PIL import Image

    height = -(-len(manifest) // columns)
    sheet = Image.new("RGB", (columns * SIDE, height * SIDE), (GREY,) * 3)
    unread = []
    with contextlib.closing(Images(manifest)) as images:
        for row, image_id in enumerate(manifest.image_ids):
            try:
                small = square(images.read(row))
            except MmclustError as error:
                unread.append((image_id, error.what))
                continue
            sheet.paste(small, (row % columns * SIDE, row // columns * SIDE))
    buffer = io.BytesIO()
    # Without chroma subsampling no colour runs over from a thumbnail to the next.
    sheet.save(buffer, "JPEG", quality=QUALITY, optimize=True, subsampling=0)
    return buffer.getvalue(), unread


def square(rgb: Array) -> Image.Image:
    """Return the middle square of an image (h, w, 3), :data:`SIDE` pixels wide.

    Where many pixels become one, they are averaged in blocks first: half the time, and
    a third of a grey level's difference.
    """
    from PIL import Image

    picture = Image.fromarray(rgb)
    side = min(picture.size)
    left, top = ((whole - side) / 2 for whole in picture.size)
    box = (left, top, left + side, top + side)
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box, reducing_gap=3)


def thumbnails(manifest: Manifest, rows: Iterable[int]) -> dict[int, str]:
    """Return ``data:`` addresses of the thumbnails of rows, each image read once."""
    wanted = sorted({int(row) for row in rows})
    images = track(
        read_images(manifest, wanted), "thumbnails", len(wanted), unit="images"
    )
    return {row: encode(rgb) for row, (_, rgb) in zip(wanted, images, strict=True)}


def encode(rgb: Array) -> str:
    """Return the middle square of an image as a small JPEG in a ``data:`` address."""
    buffer = io.BytesIO()
    square(rgb).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def contact_sheet(run: Run, params: Params, bundle: Bundle) -> dict[str, Any]:
    """Write a picture of some images, drawn at random; say where and how large."""
    most, columns = CONTACT
    rng = generator(params.seed, "report", "sheet", run.name)
    rows = rng.permutation(len(run.manifest))[:most]
    part = replace(run.manifest, table=run.manifest.table.take(rows))
    data, _ = draw_sheet(part, columns)
    return {
        "src": bundle.add(data, ".jpg"),
        "images": len(rows),
        "width": columns * SIDE,
        "height": -(-len(rows) // columns) * SIDE,
    }


def noun_space(root: Path, run: Run) -> dict[str, Any] | None:
    """Return the distinct nouns that heads use, the surest first."""
    folder = root / "data/nouns" / run.name
    if not folder.is_dir():
        return None
    meta = read_json(folder / "nouns.json")
    check_manifest(meta["manifest"], run.manifest, folder)
    if not meta["nouns"]:
        return None
    require_sealed(folder, "nouns.json", meta, ["nouns.parquet"], AGAIN)
    found: dict[str, dict[str, Any]] = {}
    rows = read_table(folder / "nouns.parquet")[0].to_pylist()
    for row in sorted(rows, key=lambda row: -row["confidence"]):
        word = row["word"].replace("_", " ")
        noun = found.setdefault(word, {**row, "word": word, "centres": set()})
        noun["centres"].add(row["centre"])
    nouns = sorted(found.values(), key=lambda n: (-n["confidence"], n["word"]))
    return {
        "meta": meta,
        "path": folder / "nouns.parquet",
        "distinct": len(nouns),
        "nouns": [noun | {"centres": len(noun["centres"])} for noun in nouns[:NOUNS]],
    }
