"""Where shards are computed: in this process, in others, or on a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import private, read_table
from mmclust.core.numerics import threads
from mmclust.core.workers import LocalWorker, run_tasks
from mmclust.encoders._compute import (
    BATCH,
    BATCH_ACCELERATED,
    on_accelerator,
    require_device,
    require_precision,
    single_thread_for_good,
)
from mmclust.encoders._job import Done, Job, Prepared, Task
from mmclust.encoders._shard import encoded_shards, spooled_shards, whole_shards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Options:
    """How to compute, not what: command-line flags.

    Parameters
    ----------
    devices
        Where models run; on each accelerator runs one process.
    workers
        Processes. On a CPU they do everything; beside accelerators they decode.
    batch_size
        Rows an encoder gets at once; ``None``: 32 on a CPU, 256 on accelerators.
    engine
        ``local`` or ``ray``.
    precision, compiled
        ``float32``, ``bf16`` or ``fp16``; whether models are compiled.
    """

    devices: tuple[str, ...] = ("cpu",)
    workers: int = 1
    batch_size: int | None = None
    engine: str = "local"
    precision: str = "float32"
    compiled: bool = False

    @property
    def batch(self) -> int:
        """Rows an encoder gets at once."""
        default = BATCH_ACCELERATED if self.accelerated else BATCH
        return self.batch_size or default

    @property
    def accelerated(self) -> bool:
        """Whether models run elsewhere than on the CPU."""
        return any(on_accelerator(device) for device in self.devices)

    def check(self) -> None:
        """Refuse what this machine or this code has not."""
        require_precision(self.precision)
        if self.engine not in ENGINES:
            raise MmclustError(
                f"Unknown engine {self.engine!r}",
                where="--engine",
                expected=nearest(self.engine, ENGINES),
                found=self.engine,
            )
        for device in self.devices:
            require_device(device, here=self.engine == "local")

    def facts(self, flags: tuple[str, ...]) -> dict[str, Any]:
        """Return what may have changed a byte, where it is not the default."""
        facts: dict[str, Any] = {}
        if self.accelerated and "device" in flags:
            facts["device"] = self.devices[0].partition(":")[0]
        if self.batch != BATCH and "batch_size" in flags:
            facts["batch_size"] = self.batch
        if self.precision != "float32" and "precision" in flags:
            facts["precision"] = self.precision
        if self.compiled and "compile" in flags:
            facts["compiled"] = True
        return facts

    def require_effect(self, encoder: str, flags: tuple[str, ...]) -> None:
        """Refuse a precision, or compiling, that would do nothing to an encoder."""
        for asked, flag in (
            (self.precision != "float32", "precision"),
            (self.compiled, "compile"),
        ):
            if asked and flag not in flags:
                value = f" {self.precision}" if flag == "precision" else ""
                raise MmclustError(
                    f"--{flag}{value} does nothing to {encoder}",
                    where=f"--{flag}",
                    expected="an encoder that takes it, such as clip",
                    found=encoder,
                    do=f"leave --{flag} out for {encoder}",
                )


def run(
    job: Job, tasks: list[Task], options: Options, scratch: Path
) -> Iterator[tuple[Task, Done]]:
    """Compute shards; yield each as it is done, in any order."""
    describe = partial(_describe, job)
    if options.engine == "ray":
        from mmclust.encoders._ray import ray_workers

        starts = ray_workers(job, options, len(tasks))
        yield from run_tasks(starts, tasks, describe=describe)
    elif options.accelerated:
        yield from _beside_accelerators(job, tasks, options, scratch, describe)
    elif min(options.workers, len(tasks)) > 1:
        n_workers = min(options.workers, len(tasks))
        start = partial(LocalWorker, partial(single_threaded, whole_shards, job))
        yield from run_tasks([start] * n_workers, tasks, describe=describe)
    else:
        with threads(1):
            compute = whole_shards(job)
            for task in tasks:
                yield task, compute(task)


def single_threaded(make: Callable[..., Any], *arguments: Any) -> Any:
    """Set up a worker that keeps to one thread for good."""
    single_thread_for_good()
    return make(*arguments)


def _beside_accelerators(
    job: Job,
    tasks: list[Task],
    options: Options,
    scratch: Path,
    describe: Callable[[Any], str],
) -> Iterator[tuple[Task, Done]]:
    """Decode in some processes, a few shards ahead of one model process a device."""
    with private(scratch / "prepared") as folder:
        setup = partial(single_threaded, spooled_shards, job, folder)
        decoders = [partial(LocalWorker, setup)] * min(options.workers, len(tasks))
        jobs = [replace(job, device=device) for device in options.devices]
        models = [
            partial(LocalWorker, partial(single_threaded, encoded_shards, each))
            for each in jobs
        ]
        prepared = run_tasks(decoders, tasks, ahead=len(models), describe=describe)
        ready = (result for _, result in prepared)
        for each, done in run_tasks(models, ready, describe=describe):
            for file in each.arrays.values():
                file.unlink(missing_ok=True)
            yield each.task, done


def _describe(job: Job, item: Task | Prepared) -> str:
    """Name a shard and its images."""
    task = item.task if isinstance(item, Prepared) else item
    table, _ = read_table(job.manifest)
    ids = table["image_id"].slice(task.start, task.stop - task.start).to_pylist()
    return f"rows {task.start} to {task.stop - 1}: images {some(ids, 20)}"
