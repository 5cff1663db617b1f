"""The `caption` stage: captions that a model writes, as a file of their own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path  # noqa: TC003
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import some
from mmclust.core.fingerprint import code, fingerprint
from mmclust.core.images import CorruptImageError, Images
from mmclust.core.io import digest_of
from mmclust.core.manifest import read_manifest
from mmclust.core.numerics import recorded, threads
from mmclust.core.params import convert
from mmclust.core.progress import meter
from mmclust.core.seeds import derive
from mmclust.core.shards import Sharded, clear, locked
from mmclust.core.workers import LocalWorker, run_tasks
from mmclust.encoders import _blip
from mmclust.encoders._captions import write_captions
from mmclust.encoders._compute import (
    computing,
    on_accelerator,
    require_device,
)
from mmclust.encoders._engines import single_threaded
from mmclust.encoders._work import work_root
from mmclust.kernels.hub import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mmclust.core.fingerprint import Fingerprint

    Array = np.ndarray[Any, Any]
    Span = tuple[int, int]
    Shard = tuple[Array, dict[str, str]]


@dataclass(frozen=True)
class Job:
    """What all shards have in common; ``seed`` is this captioner's own."""

    manifest: Path
    params: _blip.Params
    seed: int
    corrupt: str
    device: str


def caption_benchmark(
    manifest_path: Path,
    captioner: str,
    out: Path,
    *,
    block: dict[str, Any] | None,
    seed: int,
    corrupt: str = "fail",
    device: str = "cpu",
    workers: int = 1,
) -> int:
    """Caption every picture of a benchmark."""
    require_device(device)
    params = convert(block or {}, _blip.Params, f"captioners.{captioner}")
    origin = _origin(captioner, params, seed, device)  # refuses missing weights
    manifest = read_manifest(manifest_path)
    digests = {
        "manifest": manifest.digest,
        "params": digest_of([origin, corrupt, code(__name__)]),
    }
    own_seed = derive(seed, "caption", captioner)
    job = Job(manifest_path.resolve(), params, own_seed, corrupt, device)
    n_rows, root = len(manifest), work_root(out)
    path = root / digest_of(digests)[:16] / "tokens.npy"
    tokens = Sharded(path, n_rows, 1, digests)
    with locked(root):
        todo = tokens.unfinished()
        done = n_rows - sum(stop - start for start, stop in todo)
        label = f"{manifest.benchmark} {captioner}"
        with meter(label, n_rows, "images", done) as advance:
            for span, (rows, skipped) in _computed(job, todo, workers):
                tokens.write(span, rows, skipped)
                advance(span[1] - span[0])
        tokens.merge()
        ids, skipped = tokens.read()
        texts = _blip.text_of(np.asarray(ids), params)
        pairs = zip(manifest.image_ids, texts, strict=True)
        captions = [() if image_id in skipped else text for image_id, text in pairs]
        kept = ~np.isin(manifest.image_ids, list(skipped))
        origin["captions_cut"] = _blip.n_cut(np.asarray(ids)[kept], params)
        write_captions(
            out, manifest, captions, origin | ({"skipped": skipped} if skipped else {})
        )
        clear(root)
    return int(ids.shape[1])


def fingerprint_of_captions(
    manifest_path: Path,
    captioner: str,
    out: Path,
    *,
    block: dict[str, Any] | None,
    seed: int,
    corrupt: str,
    device: str,
) -> Fingerprint:
    """Take the fingerprint of a run; see :func:`caption_benchmark`."""
    params = convert(block or {}, _blip.Params, f"captioners.{captioner}")
    return fingerprint(
        ("caption", manifest_path.parent.name, captioner),
        [out],
        modules=[__name__],
        inputs=[manifest_path],
        options={
            "captions": _origin(captioner, params, seed, device),
            "corrupt": corrupt,
        },
    )


def _origin(
    captioner: str, params: _blip.Params, seed: int, device: str
) -> dict[str, Any]:
    """Return what captions come from, for their file's metadata."""
    who = identity(params.model, params.revision)
    origin = {"captioner": captioner, **who, "params": asdict(params), "seed": seed}
    origin |= recorded()
    if on_accelerator(device):
        origin["device"] = device.partition(":")[0]
    return origin


def _computed(job: Job, todo: list[Span], workers: int) -> Iterator[tuple[Span, Shard]]:
    """Compute shards, in any order; on the CPU one thread a process, as in encode."""
    describe = partial(_describe, job.manifest)
    n_workers = max(min(workers, len(todo)), 1)
    if on_accelerator(job.device):
        start = partial(LocalWorker, partial(single_threaded, prepared_shards, job))
        write = _writer(job)
        decoded = run_tasks([start] * n_workers, todo, describe=describe)
        for span, (pictures, skipped) in decoded:
            yield span, (write(span, pictures), skipped)
    elif n_workers > 1:
        start = partial(LocalWorker, partial(single_threaded, whole_shards, job))
        yield from run_tasks([start] * n_workers, todo, describe=describe)
    else:
        with threads(1):
            compute = whole_shards(job)
            for span in todo:
                yield span, compute(span)


def whole_shards(job: Job) -> Callable[[Span], Shard]:
    """Return the function that makes a shard's token ids from its pictures."""
    prepare, write = prepared_shards(job), _writer(job)

    def run(span: Span) -> Shard:
        pictures, skipped = prepare(span)
        return write(span, pictures), skipped

    return run


def prepared_shards(job: Job) -> Callable[[Span], Shard]:
    """Return the function that decodes a shard: uint8 (n, size, size, 3)."""
    manifest = read_manifest(job.manifest)
    images, ids = Images(manifest), manifest.table["image_id"]

    def run(span: Span) -> Shard:
        size = job.params.size
        pictures = np.zeros((span[1] - span[0], size, size, 3), np.uint8)
        skipped = {}
        for number, row in enumerate(range(*span)):
            try:
                pictures[number] = _blip.prepare(images.read(row), job.params)
            except CorruptImageError as error:
                if job.corrupt == "fail":
                    raise
                skipped[ids[row].as_py()] = f"{error.what}: {error.parts['found']}"
        return pictures, skipped

    return run


def _writer(job: Job) -> Callable[[Span, Array], Array]:
    ids = read_manifest(job.manifest).image_ids

    def run(span: Span, pictures: Array) -> Array:
        with computing(job.device, "float32", compiled=False):
            return _blip.generate(
                ids[slice(*span)], pictures, job.params, seed=job.seed,
                device=job.device,
            )  # fmt: skip

    return run


def _describe(manifest_path: Path, span: Span) -> str:
    ids = read_manifest(manifest_path).image_ids[slice(*span)]
    return f"rows {span[0]} to {span[1] - 1}: images {some(ids, 20)}"
