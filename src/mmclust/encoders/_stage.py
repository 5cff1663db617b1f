"""The `encode` stage: each picture is decoded once, for all encoders that run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.fingerprint import fingerprint
from mmclust.core.manifest import read_manifest
from mmclust.core.params import EncodeParams
from mmclust.core.progress import meter
from mmclust.core.shards import clear, locked
from mmclust.encoders import _engines
from mmclust.encoders._engines import Options
from mmclust.encoders._finish import finish
from mmclust.encoders._job import Job, Task
from mmclust.encoders._work import Work, modules_of, plan_work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.manifest import Manifest


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
    """Encode a benchmark with one encoder; see :func:`encode_together`."""
    options = Options(devices=(device,), workers=workers)
    outs = {encoder: out}
    dims = encode_together(
        manifest_path, {encoder: block}, outs, seed=seed, options=options
    )
    return dims[encoder]


def encode_together(
    manifest_path: Path,
    blocks: Mapping[str, dict[str, Any] | None],
    outs: Mapping[str, Path],
    *,
    seed: int,
    policy: EncodeParams | None = None,
    options: Options | None = None,
    made: Path | None = None,
) -> dict[str, dict[str, int]]:
    """Encode a benchmark with several encoders, decoding each picture once.

    The bytes are those of one encoder after the other, at any number of workers,
    on any engine; see ``docs/encoding.md`` for accelerators.
    """
    policy, options = policy or EncodeParams(), options or Options()
    options.check()
    manifest = read_manifest(manifest_path)
    works = plan_works(
        manifest, blocks, outs, seed=seed, policy=policy, options=options, made=made
    )
    job = job_of(manifest_path, works, policy, options)
    with ExitStack() as stack:
        for work in sorted(works, key=lambda each: each.root):
            stack.enter_context(locked(work.root))
        first_pass(works, job, options, manifest.benchmark)
        dims = {}
        for work in works:
            dims[work.plan.encoder] = finish(work, manifest, seed, job)
            clear(work.root)
    return dims


def fingerprints(
    manifest_path: Path,
    blocks: Mapping[str, dict[str, Any] | None],
    outs: Mapping[str, Path],
    *,
    seed: int,
    policy: EncodeParams,
    options: Options,
    made: Path,
) -> dict[str, Fingerprint]:
    """Take the fingerprint of each encoder's run; see :func:`encode_together`."""
    options.check()
    manifest = read_manifest(manifest_path)
    works = plan_works(
        manifest, blocks, outs, seed=seed, policy=policy, options=options, made=made
    )
    return {
        work.plan.encoder: fingerprint(
            ("encode", manifest.benchmark, work.plan.encoder),
            [work.out],
            modules=[__name__, *modules_of(work.module, work.plan.params)],
            inputs=[manifest_path],  # captions of others are among the facts
            options={"facts": work.facts, "encode": policy},
        )
        for work in works
    }


def plan_works(
    manifest: Manifest,
    blocks: Mapping[str, dict[str, Any] | None],
    outs: Mapping[str, Path],
    *,
    seed: int,
    policy: EncodeParams,
    options: Options,
    made: Path | None,
) -> list[Work]:
    """Plan each encoder's work; see :func:`encode_together`."""
    return [
        plan_work(
            manifest,
            encoder,
            outs[encoder],
            block=block,
            seed=seed,
            policy=policy,
            options=options,
            made=made or Path("data/captions") / manifest.benchmark,
        )
        for encoder, block in blocks.items()
    ]


def job_of(
    manifest_path: Path, works: list[Work], policy: EncodeParams, options: Options
) -> Job:
    """Return what all shards have in common."""
    return Job(
        manifest_path.resolve(),
        tuple(work.plan for work in works),
        policy.corrupt,
        options.batch,
        options.devices[0],
        options.precision,
        options.compiled,
    )


def unfinished(works: list[Work]) -> list[Task]:
    """Return the shards to compute, each with the arrays that lack it."""
    lacking: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for work in works:
        for name in work.first:
            for span in work.array(name).unfinished():
                lacking.setdefault(span, []).append((work.plan.encoder, name))
    return [Task(*span, tuple(wanted)) for span, wanted in sorted(lacking.items())]


def first_pass(works: list[Work], job: Job, options: Options, label: str) -> None:
    """Compute what comes from pictures and captions, and write it shard by shard."""
    tasks = unfinished(works)
    if not tasks:
        return
    for work in works:
        _make(work.folder)
    by_name = {work.plan.encoder: work for work in works}
    n_rows, todo = works[0].n_rows, sum(task.stop - task.start for task in tasks)
    scratch = works[0].folder
    label = f"{label} {' '.join(by_name)}"
    with meter(label, n_rows, "images", n_rows - todo) as advance:
        for task, done in _engines.run(job, tasks, options, scratch):
            for (encoder, name), rows in done.arrays.items():
                array = by_name[encoder].array(name)
                skipped = {} if name == "text" else done.skipped
                array.write((task.start, task.stop), rows, skipped)
            advance(task.stop - task.start)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MmclustError(
            "The work folder cannot be made", where=folder, found=error.strerror
        ) from error
