"""The `caption` stage: captions that a model writes, as a file of their own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path  # noqa: TC003
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.fingerprint import code, fingerprint
from mmclust.core.io import digest_of
from mmclust.core.manifest import read_manifest
from mmclust.core.numerics import recorded
from mmclust.core.plugins import instance_of
from mmclust.core.seeds import derive
from mmclust.core.shards import Sharded, clear, locked
from mmclust.encode.captions import write_captions
from mmclust.encode.engine import Done, Options, Prepared, Task, write_shards
from mmclust.encode.plan import work_root
from mmclust.encode.shards import preparing
from mmclust.models import blip
from mmclust.models.compute import Device, on_accelerator, require_device
from mmclust.models.hub import identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmclust.core.fingerprint import Fingerprint

NAME = "captioner"
"""What shards call it, whatever its name in params.yaml."""


@dataclass(frozen=True)
class CaptionJob:
    """Captions as token ids; ``seed`` is this captioner's own."""

    manifest: Path
    params: blip.Params
    seed: int
    corrupt: str
    device: Device

    def prepared(self) -> Callable[[Task], Prepared]:
        """Return the function that decodes a shard: uint8 (n, size, size, 3)."""
        makers = {NAME: (blip, self.params)}
        return preparing(self.manifest, makers, self.corrupt)

    def encoded(self) -> Callable[[Prepared], Done]:
        """Return the function that captions prepared pictures."""
        ids = read_manifest(self.manifest, ["image_id"]).image_ids

        def run(prepared: Prepared) -> Done:
            task, pictures = prepared.task, np.asarray(prepared.arrays[NAME])
            with self.device.computing():
                tokens = blip.generate(
                    ids[task.start : task.stop], pictures, self.params,
                    seed=self.seed, device=self.device,
                )  # fmt: skip
            return Done({(NAME, "tokens"): tokens}, prepared.skipped)

        return run


@dataclass(frozen=True)
class CaptionRun:
    """What one command captions; ``path`` is the manifest's, as it was given."""

    path: Path
    captioner: str
    out: Path
    job: CaptionJob
    origin: dict[str, Any]
    """Of the captions, for their file's metadata."""


def plan_captions(
    manifest_path: Path,
    captioner: str,
    out: Path,
    *,
    block: dict[str, Any] | None,
    seed: int,
    corrupt: str = "fail",
    device: str = "cpu",
) -> CaptionRun:
    """Plan captions of a benchmark's pictures; missing weights are refused."""
    device = Device(require_device(device))
    where = f"captioners.{captioner}"
    params = instance_of("captioners", captioner, block, where).options
    who = identity(params.model, params.revision)
    origin = {"captioner": captioner, **who, "params": asdict(params), "seed": seed}
    origin |= recorded()
    if on_accelerator(device):
        origin["device"] = device.partition(":")[0]
    own = derive(seed, "caption", captioner)
    job = CaptionJob(manifest_path.resolve(), params, own, corrupt, device)
    return CaptionRun(manifest_path, captioner, out, job, origin)


def fingerprint_of_captions(run: CaptionRun) -> Fingerprint:
    """Take the fingerprint of a run."""
    return fingerprint(
        ("caption", run.path.parent.name, run.captioner),
        [run.out],
        modules=[__name__],
        inputs=[run.path],
        options={"captions": run.origin, "corrupt": run.job.corrupt},
    )


def caption(run: CaptionRun, workers: int = 1) -> int:
    """Caption every picture; return the captions of an image."""
    job, out, origin = run.job, run.out, dict(run.origin)
    manifest = read_manifest(run.path)
    digests = {
        "manifest": manifest.digest,
        "params": digest_of([origin, job.corrupt, code(__name__)]),
    }
    root = work_root(out)
    file = root / digest_of(digests)[:16] / "tokens.npy"
    tokens = Sharded(file, len(manifest), 1, digests)
    options = Options(devices=(job.device,), workers=workers)
    label = f"{manifest.benchmark} {run.captioner}"
    with locked(root):
        write_shards(job, {(NAME, "tokens"): tokens}, options, label)
        tokens.merge()
        ids, skipped = tokens.read()
        texts = blip.text_of(np.asarray(ids), job.params)
        pairs = zip(manifest.image_ids, texts, strict=True)
        captions = [() if image_id in skipped else text for image_id, text in pairs]
        kept = ~np.isin(manifest.image_ids, list(skipped))
        origin["captions_cut"] = blip.n_cut(np.asarray(ids)[kept], job.params)
        if skipped:
            origin["skipped"] = skipped
        write_captions(out, manifest, captions, origin)
        clear(root)
    return int(ids.shape[1])
