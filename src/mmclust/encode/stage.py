"""The `encode` stage: each picture is decoded once, for all encoders that run."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import write_features
from mmclust.core.fingerprint import fingerprint
from mmclust.core.io import read_record, write_json, writing
from mmclust.core.numerics import threads
from mmclust.core.seeds import derive
from mmclust.core.shards import clear, locked
from mmclust.core.types import Batch, Fitted
from mmclust.encode.captions import reading
from mmclust.encode.engine import Task, unfinished, write_shards
from mmclust.encode.shards import FittedJob, rows_of
from mmclust.models.compute import Device

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.manifest import Manifest
    from mmclust.core.types import Array
    from mmclust.encode.plan import Run, Work

NO_CAPTION = "it has no caption"
FITTED = ("fitted.safetensors", "fitted.json")
"""What an encoder learned, beside its features."""
SHARDS = 8
"""Of prepared pictures that a further process has to encode, to be worth its start."""


def encode(run: Run) -> dict[str, dict[str, int]]:
    """Encode, decoding each picture once; return the dimensions of each view.

    The bytes are those of one encoder after the other, at any number of workers,
    on any engine; see ``docs/encoding.md`` for accelerators.
    """
    with ExitStack() as stack:
        for work in sorted(run.works, key=lambda each: each.root):
            stack.enter_context(locked(work.root))
        first_pass(run)
        dims = {}
        for work in run.works:
            dims[work.plan.encoder] = _finish(work, run)
            clear(work.root)
    return dims


def fingerprint_of(work: Work, run: Run) -> Fingerprint:
    """Take the fingerprint of an encoder's run."""
    return fingerprint(
        ("encode", run.manifest.benchmark, work.plan.encoder),
        [work.out],
        modules=[__name__, *work.plan.instance.modules],
        inputs=[run.path],  # captions of others are among the facts
        options={"facts": work.facts, "encode": run.policy},
    )


def first_pass(run: Run) -> None:
    """Compute what comes from pictures and captions, and write it shard by shard."""
    names = " ".join(work.plan.encoder for work in run.works)
    label = f"{run.manifest.benchmark} {names}"
    write_shards(run.job, run.first, run.options, label)


def _finish(work: Work, run: Run) -> dict[str, int]:
    """Merge, fit, encode what was fitted, and write the features."""
    manifest = run.manifest
    for name in work.first:
        work.array(name).merge()
    fitted = Fitted()
    if work.learns:
        with threads(1):
            fitted = _learn(work, reading(manifest, work.plan.captions), run)
    views, skipped = {}, {}
    for view in work.views:
        views[view], skipped[view] = work.array(view).read()
    if "text" in skipped:
        damaged = work.facts["captions"].get("skipped", {})
        skipped["text"] = {i: damaged.get(i, NO_CAPTION) for i in work.without}
    if len({i for ids in skipped.values() for i in ids}) == len(manifest):
        raise MmclustError(
            f"{work.plan.encoder} has nothing to encode: every image is skipped",
            where=manifest.folder,
            found=next(iter(next(i for i in skipped.values() if i).values())),
            do="fetch the source again, or set encode in params.yaml to fail",
        )
    learned = bool(fitted.arrays or fitted.facts)
    if learned:
        save_fitted(work.out, fitted)
    facts = dict(work.facts)
    # They have no direction to compare: a picture of one colour has no gradients,
    # captions may hold no word that is known, a protocol may give zeros for none.
    zeros = {view: int((~rows.any(axis=1)).sum()) for view, rows in views.items()}
    if any(zeros.values()):
        facts["zero_rows"] = {view: count for view, count in zeros.items() if count}
    if "text" in views:
        read = reading(manifest, work.plan.captions)
        absent = {image_id for ids in skipped.values() for image_id in ids}
        rows = zip(read.image_ids, read.captions, strict=True)
        facts |= work.cut([texts for image_id, texts in rows if image_id not in absent])
    beside = FITTED if learned else ()
    write_features(work.out, views, facts, manifest, skipped, beside)
    return {view: int(array.shape[1]) for view, array in views.items()}


def _learn(work: Work, manifest: Manifest, run: Run) -> Fitted:
    """Fit, then encode every view shard by shard; a restarted run finds both."""
    prepared, skipped = None, dict[str, str]()
    if "prepared" in work.first:
        prepared, skipped = work.array("prepared").read()
    plan = work.plan
    if not (work.folder / "fitted.json").exists():
        everything = Batch(manifest.image_ids, manifest.captions, None)
        absent = set(skipped)
        if "text" in work.views:
            absent |= set(work.without)
        rows = manifest.fit_rows
        if absent:
            rows = rows[~np.isin(np.array(manifest.image_ids)[rows], list(absent))]
        if not len(rows):
            raise MmclustError(
                f"{plan.encoder} has nothing to fit on: every such image is skipped",
                where=manifest.folder,
                found=f"{len(absent)} images are skipped",
            )
        # Half precision would need scaled gradients; only encoding is done in it.
        plain = Device(run.job.device)
        with plan.instance.telling(), plain.computing():
            fitted = work.module.fit(
                replace(rows_of(everything, rows), images=_of_file(prepared, rows)),
                plan.params,
                seed=derive(run.seed, "encode", plan.encoder),
                device=plain,
            )
        save_fitted(work.folder, fitted)
    fitted = load_fitted(work.folder)
    _encode_fitted(work, fitted, prepared is not None, skipped, run)
    return fitted


def _of_file(prepared: Array | None, rows: Array) -> Array | None:
    """Return some rows, ascending, of what was prepared.

    Rows that lie together stay in the file: millions of pictures fit in no memory.
    """
    if prepared is None:
        return None
    together = rows[-1] - rows[0] < len(rows)
    return prepared[rows[0] : rows[-1] + 1] if together else prepared[rows]


def _encode_fitted(
    work: Work, fitted: Fitted, pictures: bool, skipped: dict[str, str], run: Run
) -> None:
    """Encode every view on the engine, from pictures that were prepared before."""
    plan = replace(work.plan, fitted=fitted)
    file = work.array("prepared").path.absolute() if pictures else None
    job = FittedJob(**vars(run.only(replace(work, plan=plan)).job), file=file,
                    skipped=skipped)  # fmt: skip
    arrays = {(plan.encoder, view): work.array(view) for view in work.views}
    n_shards = sum(len(array.unfinished()) for array in arrays.values())
    workers = min(run.options.workers, max(n_shards // SHARDS, 1))
    label = f"{run.manifest.benchmark} {plan.encoder}, fitted"
    write_shards(job, arrays, replace(run.options, workers=workers), label)
    for array in arrays.values():
        array.merge()


def save_fitted(folder: Path, fitted: Fitted) -> None:
    """Write what was learned: arrays as safetensors, facts as JSON, facts last."""
    from safetensors.numpy import save_file

    with writing(folder / "fitted.safetensors") as temporary:
        save_file(dict(fitted.arrays), temporary)
    write_json(folder / "fitted.json", fitted.facts)


def load_fitted(folder: Path) -> Fitted:
    """Read what :func:`save_fitted` wrote."""
    from safetensors.numpy import load_file

    facts = read_record(folder / "fitted.json", {})
    return Fitted(load_file(folder / "fitted.safetensors"), facts)


def estimate(run: Run) -> list[str]:
    """Time one batch of pictures and say what the whole would take."""
    from rich.filesize import decimal

    options, manifest, tasks = run.options, run.manifest, unfinished(run.first)
    learning = [work.plan.encoder for work in run.works if work.learns]
    n_todo = sum(task.stop - task.start for task in tasks)
    todo = f"{n_todo:,} images in {len(tasks)} shards"
    lines = [f"{manifest.benchmark}: {len(manifest):,} images; to do: {todo}"]
    if tasks:
        stop = min(tasks[0].start + options.batch, tasks[0].stop)
        first = Task(tasks[0].start, stop, tasks[0].wanted)
        n_probed = stop - first.start
        with threads(1):
            prepare, encode = run.job.prepared(), run.job.encoded()
            encode(prepare(replace(first, stop=first.start + 1)))  # loads libraries
            start = time.perf_counter()
            prepared = prepare(first)
            middle = time.perf_counter()
            done = encode(prepared)
            end = time.perf_counter()
        decoding, encoding = (middle - start) / n_probed, (end - middle) / n_probed
        n_bytes = sum(rows.nbytes // n_probed for rows in done.arrays.values())
        lines.append(f"to write: about {decimal(n_bytes * n_todo)} in shards")
        workers = max(min(options.workers, len(tasks)), 1)
        if options.accelerated:
            each = max(decoding / workers, encoding / len(options.devices))
        else:
            each = (decoding + encoding) / workers
        lines.append(
            f"about {_duration(each * n_todo)}: {1 / max(each, 1e-9):,.0f} images/s "
            f"on {workers} worker{'s' * (workers > 1)}, from a probe of "
            f"{n_probed} images"
        )
    if learning:
        lines.append(f"and the time that {', '.join(learning)} needs to learn")
    return lines


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
