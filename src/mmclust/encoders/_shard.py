"""What a worker does with a shard: decode, prepare, encode in batches of one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import CorruptImageError, Images
from mmclust.core.manifest import Manifest, read_manifest
from mmclust.core.plugins import load
from mmclust.core.types import Batch
from mmclust.encoders._captions import has_caption, reading
from mmclust.encoders._compute import computing
from mmclust.encoders._job import Done, Job, Plan, Prepared, Task, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Array = np.ndarray[Any, Any]

STAND_IN = np.zeros((64, 64, 3), np.uint8)
"""Prepared in the place of a picture that is skipped; its features are never kept."""


def whole_shards(job: Job) -> Callable[[Task], Done]:
    """Return the function that makes a shard's features from its pictures."""
    prepare, encode = prepared_shards(job), encoded_shards(job)
    return lambda task: encode(prepare(task))


def prepared_shards(job: Job) -> Callable[[Task], Prepared]:
    """Return the function that decodes and prepares; each picture once."""
    manifest = read_manifest(job.manifest)
    images = Images(manifest)

    def run(task: Task) -> Prepared:
        return prepare_shard(job, manifest, images, task)

    return run


def spooled_shards(job: Job, scratch: Path) -> Callable[[Task], Prepared]:
    """Return the same, with arrays in files for another process to map and delete."""
    prepare = prepared_shards(job)

    def run(task: Task) -> Prepared:
        prepared = prepare(task)
        files: dict[str, Path] = {}
        for encoder, array in prepared.arrays.items():
            files[encoder] = scratch / f"{encoder}.{task.start:08d}.npy"
            try:
                np.save(files[encoder], np.asarray(array))
            except OSError as error:
                raise MmclustError(
                    "Prepared pictures cannot be handed over",
                    where=files[encoder],
                    found=error.strerror or error,
                    do="free some space; finished shards are kept",
                ) from error
        return Prepared(task, files, prepared.skipped)

    return run


def encoded_shards(job: Job) -> Callable[[Prepared], Done]:
    """Return the function that encodes prepared pictures, and captions."""
    manifests = manifests_of(job, read_manifest(job.manifest))

    def run(prepared: Prepared) -> Done:
        arrays = {
            encoder: a if isinstance(a, np.ndarray) else np.load(a, mmap_mode="r")
            for encoder, a in prepared.arrays.items()
        }
        return encode_shard(job, manifests, prepared.task, arrays, prepared.skipped)

    return run


def manifests_of(job: Job, manifest: Manifest) -> dict[str, Manifest]:
    """Return the manifest as each encoder reads it: with the captions it asks for."""
    return {plan.encoder: reading(manifest, plan.captions) for plan in job.plans}


def prepare_shard(job: Job, manifest: Manifest, images: Images, task: Task) -> Prepared:
    """Decode each picture once and let every encoder prepare it."""
    pixels = ("prepared", "image")
    plans = [
        (plan, load("encoders", plan.encoder))
        for plan in job.plans
        if any((plan.encoder, name) in task.wanted for name in pixels)
    ]
    plans = [(plan, module) for plan, module in plans if hasattr(module, "prepare")]
    arrays: dict[str, Array] = {}
    skipped: dict[str, str] = {}
    for row in range(task.start, task.stop) if plans else ():
        image_id = manifest.table["image_id"][row].as_py()
        try:
            rgb = images.read(row)
        except CorruptImageError as error:
            if job.corrupt == "fail":
                raise
            skipped[image_id] = f"{error.what}: {error.parts['found']}"
            rgb = STAND_IN
        for plan, module in plans:
            made = np.asarray(module.prepare(rgb, plan.params))
            if row == task.start:
                shape = (task.stop - task.start, *made.shape)
                arrays[plan.encoder] = np.empty(shape, made.dtype)
            into = arrays[plan.encoder]
            if made.shape != into.shape[1:] or made.dtype != into.dtype:
                raise MmclustError(
                    f"{plan.encoder} prepares pictures to different shapes",
                    where=f"image {image_id}",
                    expected=f"shape {into.shape[1:]}, {into.dtype}, as before",
                    found=f"shape {made.shape}, {made.dtype}",
                    do=f"correct `prepare` in encoders/{plan.encoder}.py",
                )
            into[row - task.start] = made
    return Prepared(task, arrays, skipped)


def encode_shard(
    job: Job,
    manifests: Mapping[str, Manifest],
    task: Task,
    prepared: Mapping[str, Array],
    skipped: Mapping[str, str],
) -> Done:
    """Make the arrays a task wants; rows that have no features are NaN."""
    plans = {plan.encoder: plan for plan in job.plans}
    arrays = {}
    for encoder, name in task.wanted:
        if name == "prepared":
            arrays[encoder, name] = prepared[encoder]
            continue
        part = manifests[encoder].table.slice(task.start, task.stop - task.start)
        ids, captions = part["image_id"].to_pylist(), part["captions"].to_pylist()
        blank = [i in skipped for i in ids]
        batch = Batch(ids, captions, prepared.get(encoder))
        if name == "text":
            said = [has_caption(texts) for texts in captions]
            blank = [not (each or plans[encoder].zeros) for each in said]
            filled = next((c for c, ok in zip(captions, said, strict=True) if ok), [""])
            texts = [filled if b else c for c, b in zip(captions, blank, strict=True)]
            batch = Batch(ids, texts, None)
        rows = _encode(job, plans[encoder], name, batch)
        arrays[encoder, name] = _checked(rows, encoder, ids, np.array(blank))
    return Done(arrays, skipped)


def _encode(job: Job, plan: Plan, view: str, batch: Batch) -> Array:
    """Encode rows in batches of exactly ``job.batch``; the last is filled up."""
    module = load("encoders", plan.encoder)
    encode = getattr(module, f"encode_{view}", None)
    if encode is None:
        assert batch.images is not None
        return np.array(batch.images)
    n_rows = len(batch.image_ids)
    made = []
    with computing(job.device, job.precision, compiled=job.compiled, batch=job.batch):
        for start in range(0, n_rows, job.batch):
            # Kernels choose their order of sums by the shape of a batch.
            rows = np.minimum(np.arange(start, start + job.batch), n_rows - 1)
            each = rows_of(batch, rows)
            found = np.asarray(
                encode(each, plan.params, plan.fitted, device=job.device)
            )
            if len(found) != job.batch:
                raise _wrong_shape(plan.encoder, f"{job.batch} rows", found)
            made.append(found)
    return np.concatenate(made)[:n_rows]


def _checked(rows: Array, encoder: str, ids: Sequence[str], blank: Array) -> Array:
    """Refuse what are no features; the image is named. NaN where blank."""
    if rows.ndim != 2 or rows.dtype.kind != "f":  # noqa: PLR2004
        raise _wrong_shape(encoder, "floats of shape (n, d)", rows)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1) & ~blank)
    if len(bad):
        raise MmclustError(
            f"{encoder} gives NaN or infinity",
            where=f"image {ids[bad[0]]}",
            expected="finite numbers",
            found=f"{len(bad)} such images in this shard",
            do="find out why the encoder gives no number for them",
        )
    rows = rows.astype(np.float32)
    rows[blank] = np.nan
    return rows


def _wrong_shape(encoder: str, expected: str, found: Array) -> MmclustError:
    return MmclustError(
        f"{encoder} gives an array of the wrong shape",
        where=f"encoders/{encoder}.py",
        expected=expected,
        found=f"shape {found.shape}, {found.dtype}",
    )
