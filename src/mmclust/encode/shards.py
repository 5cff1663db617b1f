"""What a worker does with a shard: decode, prepare, encode in batches of one shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import CorruptImageError, Images
from mmclust.core.io import read_array
from mmclust.core.manifest import PLACES, Manifest, read_manifest
from mmclust.core.plugins import Instance  # noqa: TC001
from mmclust.core.types import Batch, Fitted
from mmclust.encode.captions import has_caption, reading
from mmclust.encode.engine import Done, Prepared, Task
from mmclust.models.compute import Device  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from mmclust.core.types import Array

    Makers = Mapping[str, tuple[ModuleType, Any]]

STAND_IN = np.zeros((64, 64, 3), np.uint8)
"""Prepared in the place of a picture that is skipped; its features are never kept."""


@dataclass(frozen=True)
class Plan:
    """An encoder with its options and what it learned.

    Parameters
    ----------
    instance, fitted
        See :class:`mmclust.core.types.Encoder`.
    captions
        The file of the captions it reads; ``None`` for those of the manifest.
    zeros
        Whether an image without captions has features of zeros, not none at all.
    """

    instance: Instance
    fitted: Fitted = field(default_factory=Fitted)
    captions: Path | None = None
    zeros: bool = False

    @property
    def encoder(self) -> str:
        """Its name."""
        return self.instance.name

    @property
    def params(self) -> Any:
        """Its options."""
        return self.instance.options


@dataclass(frozen=True)
class FeatureJob:
    """Features of some encoders, on ``device`` in batches of ``device.rows`` rows.

    ``corrupt`` is ``fail`` or ``skip``.
    """

    manifest: Path
    plans: tuple[Plan, ...]
    corrupt: str
    device: Device

    def prepared(self) -> Callable[[Task], Prepared]:
        """Return the function that decodes and prepares; each picture once."""
        plans = self.plans
        makers = {p.encoder: (p.instance.module, p.params) for p in plans}
        return preparing(self.manifest, makers, self.corrupt)

    def encoded(self) -> Callable[[Prepared], Done]:
        """Return the function that encodes prepared pictures, and captions."""
        manifest = read_manifest(self.manifest, ("image_id", "captions"))
        manifests = {p.encoder: reading(manifest, p.captions) for p in self.plans}

        def run(prepared: Prepared) -> Done:
            return encode_shard(self, manifests, prepared)

        return run


@dataclass(frozen=True)
class FittedJob(FeatureJob):
    """Features of one encoder that has learned, from what was prepared before.

    ``file`` has the prepared arrays of all rows, for encoders that read pictures;
    ``skipped`` says why some images are left out.
    """

    file: Path | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)

    def prepared(self) -> Callable[[Task], Prepared]:
        """Return the function that takes a shard of what was prepared."""
        encoder = self.plans[0].encoder
        everything = None if self.file is None else read_array(self.file)
        ids = read_manifest(self.manifest, ["image_id"]).table["image_id"]

        def run(task: Task) -> Prepared:
            rows = slice(task.start, task.stop)
            arrays = {} if everything is None else {encoder: everything[rows]}
            here = ids.slice(task.start, task.stop - task.start).to_pylist()
            why = {i: self.skipped[i] for i in sorted(here) if i in self.skipped}
            return Prepared(task, arrays, why)

        return run


def preparing(path: Path, makers: Makers, corrupt: str) -> Callable[[Task], Prepared]:
    """Return the function that prepares a shard of a manifest's pictures.

    ``makers`` has the module and the params of each encoder by name.
    """
    manifest = read_manifest(path, PLACES)
    images = Images(manifest)

    def run(task: Task) -> Prepared:
        pixels = {encoder for encoder, name in task.wanted if name != "text"}
        wanted = {
            name: (module, params)
            for name, (module, params) in makers.items()
            if name in pixels and hasattr(module, "prepare")
        }
        return _prepared(manifest, images, task, wanted, corrupt)

    return run


def _prepared(
    manifest: Manifest, images: Images, task: Task, makers: Makers, corrupt: str
) -> Prepared:
    """Decode each picture once and let every encoder, with its params, prepare it."""
    arrays: dict[str, Array] = {}
    skipped: dict[str, str] = {}
    for row in range(task.start, task.stop) if makers else ():
        image_id = manifest.table["image_id"][row].as_py()
        try:
            rgb = images.read(row)
        except CorruptImageError as error:
            if corrupt == "fail":
                raise
            skipped[image_id] = f"{error.what}: {error.parts['found']}"
            rgb = STAND_IN
        for name, (module, params) in makers.items():
            made = np.asarray(module.prepare(rgb, params))
            if row == task.start:
                shape = (task.stop - task.start, *made.shape)
                arrays[name] = np.empty(shape, made.dtype)
            into = arrays[name]
            if made.shape != into.shape[1:] or made.dtype != into.dtype:
                raise MmclustError(
                    f"{name} prepares pictures to different shapes",
                    where=f"image {image_id}",
                    expected=f"shape {into.shape[1:]}, {into.dtype}, as before",
                    found=f"shape {made.shape}, {made.dtype}",
                    do=f"correct `prepare` in encoders/{name}.py",
                )
            into[row - task.start] = made
    return Prepared(task, arrays, skipped)


def encode_shard(
    job: FeatureJob, manifests: Mapping[str, Manifest], prepared: Prepared
) -> Done:
    """Make the arrays a task wants; rows that have no features are NaN."""
    task, images = prepared.task, prepared.arrays
    plans = {plan.encoder: plan for plan in job.plans}
    arrays = {}
    for encoder, name in task.wanted:
        if name == "prepared":
            arrays[encoder, name] = images[encoder]
            continue
        part = manifests[encoder].table.slice(task.start, task.stop - task.start)
        ids, captions = part["image_id"].to_pylist(), part["captions"].to_pylist()
        blank = [i in prepared.skipped for i in ids]
        batch = Batch(ids, captions, images.get(encoder))
        if name == "text":
            said = [has_caption(texts) for texts in captions]
            blank = [not (each or plans[encoder].zeros) for each in said]
            filled = next((c for c, ok in zip(captions, said, strict=True) if ok), [""])
            texts = [filled if b else c for c, b in zip(captions, blank, strict=True)]
            batch = Batch(ids, texts, None)
        rows = _encode(plans[encoder], name, batch, job.device)
        arrays[encoder, name] = _checked(rows, encoder, ids, np.array(blank))
    return Done(arrays, prepared.skipped)


def _encode(plan: Plan, view: str, batch: Batch, device: Device) -> Array:
    """Encode rows in batches of exactly ``device.rows``; the last is filled up."""
    module, size = plan.instance.module, device.rows
    encode = getattr(module, f"encode_{view}", None)
    if encode is None:
        assert batch.images is not None
        return np.array(batch.images)
    n_rows = len(batch.image_ids)
    made = []
    with plan.instance.telling(), device.computing():
        for start in range(0, n_rows, size):
            # Kernels choose their order of sums by the shape of a batch.
            rows = np.minimum(np.arange(start, start + size), n_rows - 1)
            each = rows_of(batch, rows)
            found = np.asarray(encode(each, plan.params, plan.fitted, device=device))
            if len(found) != size:
                raise _wrong_shape(plan.encoder, f"{size} rows", found)
            made.append(found)
    return np.concatenate(made)[:n_rows]


def rows_of(batch: Batch, rows: Sequence[int] | Array) -> Batch:
    """Return some rows of a batch."""
    return Batch(
        [batch.image_ids[i] for i in rows],
        [batch.captions[i] for i in rows],
        None if batch.images is None else batch.images[rows],
    )


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
