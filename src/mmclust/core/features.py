"""Features: float32 arrays in manifest order, and what they were made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.io import (
    file_digest,
    held,
    in_blocks,
    read_array,
    read_record,
    release,
    require_file,
    write_array,
    write_blocks,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from mmclust.core.manifest import Manifest
    from mmclust.core.types import Array

VIEWS = ("image", "text")
_NUMBERS = 1 << 21  # normalised at once where all would take a copy of the features


@dataclass(frozen=True)
class Features:
    """The features of one encoder on one benchmark.

    ``views``, ``image`` and/or ``text``, are float32 (n, d), memory-mapped, rows in
    manifest order; ``meta`` is ``features.json``. ``skipped`` are the rows, int64 and
    ascending, of images that were skipped in any view (a corrupt picture, no caption).
    They are NaN there and must be left out of whatever is made of any view, so that all
    views speak of the same images; :meth:`kept` does it.
    """

    views: dict[str, Array]
    meta: dict[str, Any]
    skipped: Array = field(default_factory=lambda: np.zeros(0, np.int64))

    def kept(self, rows: Array) -> Array:
        """Return those of some rows that have features in every view, in order.

        Whatever is made of features is made of these rows alone.
        """
        return rows[~np.isin(rows, self.skipped)]

    def require(self, rows: Array, manifest: Manifest) -> None:
        """Refuse rows that cannot be left out, if one was skipped."""
        lacking = np.setdiff1d(rows, self.kept(rows))
        if len(lacking):
            ids, encoder = manifest.image_ids, self.meta["encoder"]
            raise MmclustError(
                f"{encoder} skipped images that need a cluster",
                where=f"data/features/{manifest.benchmark}/{encoder}",
                expected=f"features of all {len(rows):,} images",
                found=f"none of {some(ids[row] for row in lacking)}",
                do="choose another encoder, or mend the pictures and encode again",
            )


def write_features(
    folder: Path,
    views: Mapping[str, Array],
    meta: Mapping[str, Any],
    manifest: Manifest,
    skipped: Mapping[str, Mapping[str, str]] | None = None,
    beside: Iterable[str] = (),
) -> None:
    """Write the arrays, then ``features.json``, which makes them count."""
    absent = {view: dict(ids) for view, ids in (skipped or {}).items() if ids}
    for view, array in views.items():
        without = _rows_of(absent.get(view, ()), manifest)
        check_features(array, folder / f"{view}.npy", len(manifest), without)
        write_array(folder / f"{view}.npy", array)
    write_json(
        folder / "features.json",
        {
            **meta,
            "dims": {view: int(array.shape[1]) for view, array in views.items()},
            "images": len(manifest),
            "benchmark": manifest.benchmark,
            "manifest": manifest.digest,
            **({"skipped": absent} if absent else {}),
            **sealed(folder, [*(f"{view}.npy" for view in views), *beside]),
        },
    )


def sealed(folder: Path, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return ``sha256`` of files, for the record beside them that makes them count."""
    return {"sha256": {name: file_digest(folder / name) for name in names}}


def require_sealed(
    folder: Path, record: str, meta: Mapping[str, Any], names: Iterable[str], do: str
) -> None:
    """Refuse files whose bytes are not those that their record names."""
    known = held(folder / record, dict(meta), {"sha256": dict}, do)["sha256"]
    for name in names:
        found = file_digest(require_file(folder / name, do))
        if found != known.get(name):
            raise MmclustError(
                f"{name} is not the file that {record} speaks of",
                where=folder / name,
                expected=f"sha256 {known.get(name, f'of {name} in {record}')}",
                found=f"sha256 {found}",
                do=do,
            )


def read_meta(folder: Path, do: str | None = None) -> dict[str, Any]:
    """Read ``features.json``, refusing what is no record of features."""
    do = do or "encode again: mmclust encode BENCHMARK ENCODER"
    meta = read_record(
        folder / "features.json",
        {"encoder": str, "benchmark": str, "manifest": str, "images": int,
         "dims": dict},
        do=do,
        sha256=dict, skipped=dict, params=dict, zero_rows=dict, captions_cut=int,
    )  # fmt: skip
    skipped = meta.get("skipped") or {}
    unknown = [*({*meta["dims"], *skipped} - {*VIEWS})]
    if unknown or not all(isinstance(ids, dict) for ids in skipped.values()):
        raise MmclustError(
            "features.json does not say dims or skipped as it must",
            where=folder / "features.json",
            expected=f"of the views {' and '.join(VIEWS)}, objects",
            found=some(unknown or skipped),
            do=do,
        )
    return meta


def read_features(folder: Path, manifest: Manifest) -> Features:
    """Read features and refuse those of another manifest."""
    again = f"encode again: mmclust encode {manifest.benchmark} {folder.name}"
    meta = read_meta(folder, again)
    if meta["manifest"] != manifest.digest:
        raise MmclustError(
            "These features were made from another manifest",
            where=folder,
            expected=f"manifest {manifest.digest[:16]}… ({len(manifest)} images)",
            found=f"manifest {meta['manifest'][:16]}… ({meta['images']} images)",
            do=again,
        )
    files = [f"{view}.npy" for view in meta["dims"]]
    require_sealed(folder, "features.json", meta, files, again)
    views = {view: read_array(folder / f"{view}.npy") for view in meta["dims"]}
    absent = meta.get("skipped") or {}
    for view, array in views.items():
        without = _rows_of(absent.get(view, ()), manifest)
        check_features(array, folder / f"{view}.npy", len(manifest), without)
    everywhere = {image_id for ids in absent.values() for image_id in ids}
    return Features(views, meta, _rows_of(everywhere, manifest))


def require_nouns(
    folder: Path, features: Features, manifest: Manifest
) -> dict[str, Any]:
    """Return ``nouns.json``, if the nouns there were chosen for these features."""
    again = f"choose them again: mmclust nouns {manifest.benchmark}"
    facts = read_record(
        folder / "nouns.json", {"manifest": str, "encoder": str}, do=again
    )
    image = (features.meta.get("sha256") or {}).get("image.npy")
    for what, found, expected in (
        ("images", facts["manifest"], manifest.digest),
        ("an encoder", facts["encoder"], features.meta["encoder"]),
        ("features", facts.get("image_features"), image),
        ("weights", facts.get("model"), features.meta.get("model")),
    ):
        if found != expected:
            raise MmclustError(
                f"The nouns were chosen for {what} other than these",
                where=folder,
                expected=expected,
                found=found,
                do=again,
            )
    files = ("nouns.npy", "nouns.parquet", "counterparts.npy")
    require_sealed(folder, "nouns.json", facts, files, again)
    return facts


def _rows_of(ids: Collection[str], manifest: Manifest) -> Array:
    if not ids:
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.isin(manifest.image_ids, list(ids)))


def check_features(
    array: Array,
    where: Path,
    n_samples: int | None = None,
    skipped: Array | None = None,
    *,
    single: bool = True,
) -> None:
    """Refuse an array that cannot be clustered, naming the first bad row.

    It must be float (n, d) of finite numbers, but in ``skipped`` rows; if ``single``,
    computed with as float32, of numbers that float32 holds.
    """
    if array.ndim != 2 or array.dtype.kind != "f" or 0 in array.shape:  # noqa: PLR2004
        raise MmclustError(
            "Features must be a two-dimensional array of floats",
            where=where,
            expected="shape (n, d), float32",
            found=f"shape {array.shape}, {array.dtype}",
        )
    if n_samples is not None and len(array) != n_samples:
        raise MmclustError(
            "Features have the wrong number of rows",
            where=where,
            expected=f"{n_samples} rows, one per image",
            found=f"{len(array)} rows",
        )
    parts = [np.isfinite(part).all(axis=1) for part in in_blocks(array)]
    finite = np.concatenate(parts)
    if skipped is not None:
        finite[skipped] = True
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise MmclustError(
            "Features hold NaN or infinity",
            where=f"{where}, row {bad[0]}",
            expected="finite numbers",
            found=f"{len(bad)} bad rows",
            do="find out why the encoder gives no number for these images",
        )
    if single and array.dtype.itemsize > np.dtype(np.float32).itemsize:
        largest = np.maximum(array.max(axis=1), -array.min(axis=1))
        with np.errstate(over="ignore"):
            bad = np.flatnonzero(np.isinf(largest.astype(np.float32)))
        if len(bad):
            raise MmclustError(
                "Features hold numbers that are infinite as float32",
                where=f"{where}, row {bad[0]}",
                expected=f"numbers up to {np.finfo(np.float32).max:.2g}",
                found=f"{largest[bad[0]]:.3g}, and such numbers in {len(bad)} rows",
                do="find out why they are so large, or scale the array",
            )


def normalised(array: Array) -> Array:
    """Return rows scaled to unit L2 norm, float32 (n, d); zero rows stay zero."""
    # Through the largest value of each row, so that no square over- or underflows.
    largest = np.abs(array).max(axis=1, keepdims=True)
    scaled = (array / np.where(largest > 0, largest, 1)).astype(np.float32)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    unit: Array = scaled / np.where(norms > 0, norms, 1)
    return unit


def view_of(features: Features, view: str, rows: Array | slice = slice(None)) -> Array:
    """Return a view's rows at unit norm, all or some: float32 (n, d).

    ``concat`` is image features followed by text features, each normalised before, the
    whole after, so that both have equal weight.
    """
    if view != "concat":
        return normalised(features.views[view][rows])
    both = [normalised(features.views[v][rows]) for v in VIEWS]
    return normalised(np.hstack(both))


def write_view(path: Path, features: Features, view: str, rows: Array) -> None:
    """Write :func:`view_of` some rows, a few at a time: float32 (m, d)."""
    names = VIEWS if view == "concat" else (view,)
    width = sum(features.views[name].shape[1] for name in names)
    parts = in_blocks(rows, max(_NUMBERS // width, 1))

    def block(part: Array) -> Array:
        found = view_of(features, view, part)
        for array in features.views.values():  # let go of what was read of their files
            release(array)
        return found

    write_blocks(path, np.dtype(np.float32), (len(rows), width), map(block, parts))


def views_of(features: Features) -> list[str]:
    """Return the names :func:`view_of` takes: ``concat`` where both views exist."""
    have = [view for view in VIEWS if view in features.views]
    return [*have, "concat"] if len(have) == len(VIEWS) else have
