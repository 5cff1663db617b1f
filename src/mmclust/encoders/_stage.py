"""The `encode` stage: prepare every picture once, fit, encode, write features."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import write_features
from mmclust.core.images import __file__ as images_file
from mmclust.core.images import read_images
from mmclust.core.io import digest_of, file_digest, read_json, write_json, writing
from mmclust.core.manifest import Manifest, read_manifest
from mmclust.core.plugins import load, params_of
from mmclust.core.seeds import derive
from mmclust.core.shards import run_shards
from mmclust.core.types import Batch, Fitted

if TYPE_CHECKING:
    from types import ModuleType


def encode_benchmark(
    manifest_path: Path,
    encoder: str,
    out: Path,
    *,
    block: dict[str, Any] | None,
    seed: int,
    device: str = "cpu",
    workers: int = 1,
) -> dict[str, int]:
    """Encode a benchmark with one encoder.

    Parameters
    ----------
    manifest_path
        ``manifest.parquet``; labels are neither needed nor read.
    encoder
        A file in ``encoders/``.
    out
        ``data/features/<benchmark>/<encoder>``. Unfinished work lies in
        ``<out>.work`` and is continued by the next run.
    block
        The encoder's options; ``None`` for all defaults.
    seed
        Of params.yaml.
    device
        Where torch models run, for instance ``cuda``.
    workers
        Processes that decode pictures. The bytes do not depend on it.

    Returns
    -------
    dict
        Number of features of each view.

    Raises
    ------
    MmclustError
        When the encoder is unknown, an image cannot be read, or features are not
        finite.
    """
    module = load("encoders", encoder)
    params = params_of("encoders", encoder, block, f"encoders.{encoder}")
    manifest = read_manifest(manifest_path)
    if "text" in module.VIEWS:
        _require_captions(manifest, encoder)
    _require_device(device)
    facts = {"encoder": encoder, "params": asdict(params), "seed": seed}
    code = [file_digest(Path(str(f))) for f in (module.__file__, images_file)]
    work_root = out.with_name(out.name + ".work")
    work = work_root / digest_of([manifest.digest, facts, code])[:16]

    images = None
    if hasattr(module, "prepare"):
        task = partial(_prepare, manifest_path, encoder, params)
        label = f"{manifest.benchmark} {encoder}"
        images = run_shards(
            task, len(manifest), work / "images.npy", workers=workers, label=label
        )
    everything = Batch(manifest.image_ids, manifest.captions, images)
    fit_seed = derive(seed, "encode", encoder)
    fitted = _fit(module, everything, manifest, params, work, fit_seed, device)
    views = {
        view: _encode(module, view, everything, params, fitted, device, work)
        for view in module.VIEWS
    }
    _save_fitted(out, fitted)
    write_features(out, views, facts, manifest)
    shutil.rmtree(work_root, ignore_errors=True)
    return {view: int(array.shape[1]) for view, array in views.items()}


def _require_device(device: str) -> None:
    """Refuse a device that is not there before hours of work, not after."""
    if device == "cpu":
        return
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise MmclustError(
            f"The device {device!r} cannot be used",
            where="--device",
            expected="cpu, or an accelerator of this machine such as cuda",
            found=str(error).splitlines()[0],
            do="leave --device out to run on the CPU",
        ) from error


def _require_captions(manifest: Manifest, encoder: str) -> None:
    without = [
        image_id
        for image_id, captions in zip(
            manifest.image_ids, manifest.captions, strict=True
        )
        if not captions
    ]
    if without:
        raise MmclustError(
            f"{encoder} reads captions, and {len(without)} images have none",
            where=manifest.folder,
            expected="at least one caption for each image",
            found=f"none for {without[0]}",
            do="build the benchmark with its captions file, or encode with an "
            "encoder of images",
        )


@lru_cache(maxsize=1)
def _manifest(path: Path) -> Manifest:
    """Read once per worker process."""
    return read_manifest(path)


def _prepare(
    manifest_path: Path, encoder: str, params: Any, start: int, stop: int
) -> np.ndarray[Any, Any]:
    module = load("encoders", encoder)
    pictures = read_images(_manifest(manifest_path), range(start, stop))
    return np.stack([module.prepare(rgb, params) for _, rgb in pictures])


def _fit(
    module: ModuleType,
    everything: Batch,
    manifest: Manifest,
    params: Any,
    work: Path,
    seed: int,
    device: str,
) -> Fitted:
    """Fit on the training split, once: a restarted run finds the result."""
    if not hasattr(module, "fit"):
        return Fitted()
    if not (work / "fitted.json").exists():
        rows = _rows(everything, manifest.fit_rows)
        _save_fitted(work, module.fit(rows, params, seed=seed, device=device))
    return _load_fitted(work)


def _rows(batch: Batch, rows: np.ndarray[Any, Any]) -> Batch:
    return Batch(
        [batch.image_ids[i] for i in rows],
        [batch.captions[i] for i in rows],
        None if batch.images is None else batch.images[rows],
    )


def _encode(
    module: ModuleType,
    view: str,
    everything: Batch,
    params: Any,
    fitted: Fitted,
    device: str,
    work: Path,
) -> np.ndarray[Any, Any]:
    encode = getattr(module, f"encode_{view}", None)
    if encode is None:
        assert everything.images is not None
        return everything.images

    def task(start: int, stop: int) -> np.ndarray[Any, Any]:
        batch = _rows(everything, np.arange(start, stop))
        rows: np.ndarray[Any, Any] = encode(batch, params, fitted, device=device)
        return rows

    n_rows = len(everything.image_ids)
    return run_shards(task, n_rows, work / f"{view}.npy", workers=1, label=view)


def _save_fitted(folder: Path, fitted: Fitted) -> None:
    """Write what was learned: arrays as safetensors, facts as JSON, facts last."""
    from safetensors.numpy import save_file

    if not fitted.arrays and not fitted.facts:
        return
    with writing(folder / "fitted.safetensors") as temporary:
        save_file(dict(fitted.arrays), temporary)
    write_json(folder / "fitted.json", fitted.facts)


def _load_fitted(folder: Path) -> Fitted:
    from safetensors.numpy import load_file

    return Fitted(
        load_file(folder / "fitted.safetensors"), read_json(folder / "fitted.json")
    )
