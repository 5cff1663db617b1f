"""`mmclust encode --dry-run`: how much there is to do, and about how long it takes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mmclust.core.numerics import threads
from mmclust.encode.engine import Task

if TYPE_CHECKING:
    from mmclust.encode.plan import Run
    from mmclust.encode.shards import FeatureJob

    Seconds = tuple[float, float, dict[str, int]]


def estimate(run: Run) -> list[str]:
    """Time one batch of pictures and say what the whole would take."""
    options, manifest, tasks = run.options, run.manifest, run.unfinished()
    learning = [work.plan.encoder for work in run.works if work.learns]
    n_todo = sum(task.stop - task.start for task in tasks)
    todo = f"{n_todo:,} images in {len(tasks)} shards"
    lines = [f"{manifest.benchmark}: {len(manifest):,} images; to do: {todo}"]
    if tasks:
        stop = min(tasks[0].start + options.batch, tasks[0].stop)
        first = Task(tasks[0].start, stop, tasks[0].wanted)
        with threads(1):
            decode, encode, sizes = _probe(run.job, first)
        n_bytes = sum(sizes.values()) * n_todo
        lines.append(f"to write: about {_size(n_bytes)} in shards")
        workers = max(min(options.workers, len(tasks)), 1)
        if options.accelerated:
            each = max(decode / workers, encode / len(options.devices))
        else:
            each = (decode + encode) / workers
        lines.append(
            f"about {_duration(each * n_todo)}: {1 / max(each, 1e-9):,.0f} images/s "
            f"on {workers} worker{'s' * (workers > 1)}, from a probe of "
            f"{stop - first.start} images"
        )
    if learning:
        lines.append(f"and the time that {', '.join(learning)} needs to learn")
    return lines


def _probe(job: FeatureJob, task: Task) -> Seconds:
    """Return seconds an image for decoding and for encoding, and bytes by array."""
    prepare, encode = job.prepared(), job.encoded()
    n_rows = task.stop - task.start
    # Loads libraries and weights.
    encode(prepare(replace(task, stop=task.start + 1)))
    start = time.perf_counter()
    prepared = prepare(task)
    middle = time.perf_counter()
    done = encode(prepared)
    end = time.perf_counter()
    sizes = {f"{e} {n}": a.nbytes // n_rows for (e, n), a in done.arrays.items()}
    return (middle - start) / n_rows, (end - middle) / n_rows, sizes


def _size(n_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:  # noqa: PLR2004
            return f"{n_bytes:.0f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} GB"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
