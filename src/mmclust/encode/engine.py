"""Where shards are computed: in this process, in others, or on a Ray cluster.

Ray says where the cluster is (``RAY_ADDRESS``); without one, it starts on this
machine. An actor is a worker. Every machine needs the project, and the data under the
same paths. Only what was computed travels back.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

import mmclust
from mmclust.core import numerics
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import private, read_table
from mmclust.core.progress import meter
from mmclust.core.workers import (
    LocalWorker,
    WorkerDiedError,
    answer_to,
    run_tasks,
    unpack,
)
from mmclust.models.compute import (
    BATCH,
    BATCH_ACCELERATED,
    Device,
    on_accelerator,
    require_device,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mmclust.core.shards import Sharded
    from mmclust.core.types import Array
    from mmclust.core.workers import Worker

    Arrays = Mapping[tuple[str, str], Sharded]

ENGINES = ("local", "ray")
PRECISIONS = ("float32", "bf16", "fp16")
ROOM = 4 << 30
"""Bytes that must be free in shared memory for pictures on their way to models."""
UNITS = 10_000
"""Parts that Ray splits a GPU into."""
_FOR_GOOD = contextlib.ExitStack()


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

    @property
    def device(self) -> Device:
        """The first device, and how models run on each."""
        name, batch = self.devices[0], self.batch
        return Device(name, batch, self.precision, compiled=self.compiled)

    def check(self) -> None:
        """Refuse what this machine or this code has not."""
        for flag, found, known in (
            ("precision", self.precision, PRECISIONS),
            ("engine", self.engine, ENGINES),
        ):
            if found not in known:
                raise MmclustError(
                    f"Unknown {flag} {found!r}",
                    where=f"--{flag}",
                    expected=nearest(found, known),
                    found=found,
                )
        kinds = {device.partition(":")[0] for device in self.devices}
        if len(kinds) > 1:
            raise MmclustError(
                "Devices of several kinds would give features of several kinds",
                where="--device",
                expected="devices of one kind, such as cuda:0,cuda:1",
                found=",".join(self.devices),
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


@dataclass(frozen=True)
class Task:
    """One shard: its rows, and the arrays wanted of each encoder.

    ``wanted`` pairs an encoder with ``prepared``, ``image`` or ``text``.
    """

    start: int
    stop: int
    wanted: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Prepared:
    """A shard's pictures, prepared: arrays by encoder, or files on their way."""

    task: Task
    arrays: Mapping[str, Any]
    skipped: Mapping[str, str]


@dataclass(frozen=True)
class Done:
    """A shard's arrays, and the images that were skipped with the reason."""

    arrays: Mapping[tuple[str, str], Array]
    skipped: Mapping[str, str]


class Job(Protocol):
    """What all shards have in common; a frozen dataclass, which travels to workers."""

    @property
    def manifest(self) -> Path:
        """``manifest.parquet``."""

    @property
    def device(self) -> Device:
        """Where models run."""

    def prepared(self) -> Callable[[Task], Prepared]:
        """Return the function that decodes and prepares; each picture once."""

    def encoded(self) -> Callable[[Prepared], Done]:
        """Return the function that encodes prepared pictures, and captions."""


def whole_shards(job: Job) -> Callable[[Task], Done]:
    """Return the function that makes a shard's arrays from its pictures."""
    prepare, encode = job.prepared(), job.encoded()
    return lambda task: encode(prepare(task))


def spooled_shards(job: Job, scratch: Path) -> Callable[[Task], Prepared]:
    """Return what prepares into files, for another process to map and delete."""
    prepare = job.prepared()

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
        return replace(prepared, arrays=files)

    return run


def encoded_shards(job: Job) -> Callable[[Prepared], Done]:
    """Return what encodes pictures that lie in files."""
    encode = job.encoded()

    def run(prepared: Prepared) -> Done:
        files = prepared.arrays.items()
        arrays = {encoder: np.load(file, mmap_mode="r") for encoder, file in files}
        return encode(replace(prepared, arrays=arrays))

    return run


def run(
    job: Job, tasks: list[Task], options: Options, scratch: Path
) -> Iterator[tuple[Task, Done]]:
    """Compute shards; yield each as it is done, in any order."""
    describe = partial(_describe, job)
    n_workers = max(min(options.workers, len(tasks)), 1)
    if options.engine == "ray":
        starts = ray_workers(job, options, len(tasks))
        yield from run_tasks(starts, tasks, describe=describe)
    elif options.accelerated:
        yield from _beside_accelerators(
            job, tasks, n_workers, options.devices, scratch, describe
        )
    elif n_workers > 1:
        start = partial(LocalWorker, partial(_single_threaded, whole_shards, job))
        yield from run_tasks([start] * n_workers, tasks, describe=describe)
    else:
        with numerics.threads(1):
            compute = whole_shards(job)
            for task in tasks:
                yield task, compute(task)


def unfinished(arrays: Arrays) -> list[Task]:
    """Return a task for each span of rows that some of these arrays lack."""
    lacking: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for wanted, array in arrays.items():
        for span in array.unfinished():
            lacking.setdefault(span, []).append(wanted)
    return [Task(*span, tuple(wanted)) for span, wanted in sorted(lacking.items())]


def write_shards(job: Job, arrays: Arrays, options: Options, label: str) -> None:
    """Compute the shards that arrays lack, and write each as it is done."""
    tasks = unfinished(arrays)
    if not tasks:
        return
    any_array = next(iter(arrays.values()))
    n_rows, scratch = any_array.n_rows, any_array.path.parent
    todo = sum(task.stop - task.start for task in tasks)
    with meter(label, n_rows, "images", n_rows - todo) as advance:
        for task, done in run(job, tasks, options, scratch):
            for wanted, rows in done.arrays.items():
                skipped = {} if wanted[1] == "text" else done.skipped
                arrays[wanted].write((task.start, task.stop), rows, skipped)
            advance(task.stop - task.start)


def _beside_accelerators(
    job: Job,
    tasks: list[Task],
    n_workers: int,
    devices: Sequence[str],
    scratch: Path,
    describe: Callable[[Any], str],
) -> Iterator[tuple[Task, Done]]:
    """Decode in some processes, a few shards ahead of one model process a device."""
    with private(_memory(scratch) / "prepared") as folder, removed_after_us(folder):
        setup = partial(_single_threaded, spooled_shards, job, folder)
        decoders = [partial(LocalWorker, setup)] * n_workers
        models = [
            partial(LocalWorker, partial(_single_threaded, encoded_shards, each))
            for each in (_on(job, device) for device in devices)
        ]
        prepared = run_tasks(decoders, tasks, ahead=len(models), describe=describe)
        # Decoders end before the folder goes that they write to.
        with contextlib.closing(prepared):
            ready = (result for _, result in prepared)
            for each, done in run_tasks(models, ready, describe=describe):
                for file in each.arrays.values():
                    file.unlink(missing_ok=True)
                yield each.task, done
    if folder.parent != scratch:
        with contextlib.suppress(OSError):  # another run's are there
            folder.parent.rmdir()


def _memory(scratch: Path) -> Path:
    """Return a place for files in memory, or on the disk where there is little."""
    shared = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    if not os.access(shared, os.W_OK) or shutil.disk_usage(shared).free < ROOM:
        return scratch
    return shared / f"mmclust-{os.getuid()}"


@contextlib.contextmanager
def removed_after_us(folder: Path) -> Iterator[None]:
    """Have a folder removed if this process is killed, even with its whole group.

    A shell of another group waits for the end of a pipe, and then for our workers'.
    Where there is no shell, the next run removes what is left.
    """
    script = 'read -r _; sleep 1; rm -rf -- "$0"; rmdir -- "${0%/*}"'
    shell = None
    with contextlib.suppress(OSError):
        shell = subprocess.Popen(  # noqa: S603 - our own script
            ["/bin/sh", "-c", script, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    with shell or contextlib.nullcontext():
        try:
            yield
        finally:
            if shell is not None:
                shell.kill()


def _on(job: Job, device: str) -> Job:
    moved: Job = replace(job, device=job.device.named(device))  # type: ignore[type-var]
    return moved


def _single_threaded(make: Callable[..., Any], *arguments: Any) -> Any:
    """Set up a worker that keeps to one thread until it ends."""
    _FOR_GOOD.enter_context(numerics.threads(1))
    return make(*arguments)


def _describe(job: Job, item: Task | Prepared) -> str:
    """Name a shard and its images."""
    task = item.task if isinstance(item, Prepared) else item
    table, _ = read_table(job.manifest)
    ids = table["image_id"].slice(task.start, task.stop - task.start).to_pylist()
    return f"rows {task.start} to {task.stop - 1}: images {some(ids, 20)}"


def ray_workers(
    job: Job, options: Options, n_tasks: int
) -> Sequence[Callable[[], Worker]]:
    """Return what starts each actor: a CPU each, and its share of the GPUs.

    Actors decode and encode; several on one GPU keep it busy while others decode.
    """
    ray = _connected()
    nodes = [
        (int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0)))
        for node in ray.nodes()
        if node["Alive"]
    ]
    if options.accelerated and not any(cpus and gpus for cpus, gpus in nodes):
        raise MmclustError(
            "The Ray cluster has no GPU beside a CPU",
            where="--device",
            found=f"{sum(cpus for cpus, _ in nodes)} CPUs",
            do="leave --device out to run on the CPUs",
        )
    n_workers, n_gpus = shares(
        min(options.workers or n_tasks, n_tasks), nodes, accelerated=options.accelerated
    )
    # Ray shows each actor its own GPU as the first.
    job = _on(job, options.devices[0].partition(":")[0])
    path = [str(Path(mmclust.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    actor = ray.remote(
        num_cpus=1,
        num_gpus=n_gpus,
        max_restarts=0,
        max_task_retries=0,
        scheduling_strategy="SPREAD",
        runtime_env={
            "env_vars": {
                **numerics.settings(),
                "PYTHONPATH": os.pathsep.join(filter(None, path)),
            }
        },
    )(_Actor)
    return [partial(_RayWorker, ray, actor, job)] * n_workers


def shares(
    wanted: int, nodes: Sequence[tuple[int, int]], *, accelerated: bool
) -> tuple[int, float]:
    """Return how many actors there can be, and each one's share of a GPU.

    An actor has a CPU and its share on one node, and its share on one GPU; one that
    fits nowhere would wait for ever. So k actors share each GPU, and k is the least
    with which all fit.
    """
    if not accelerated:
        return max(min(wanted, sum(cpus for cpus, _ in nodes)), 1), 0.0
    places = sum(cpus for cpus, gpus in nodes if gpus)
    n_workers = max(min(wanted, places), 1)
    k = 1
    while sum(min(cpus, k * gpus) for cpus, gpus in nodes) < min(n_workers, places):
        k += 1
    # Ray counts in ten-thousandths: rounded up, the last of k would not fit.
    return n_workers, max(UNITS // k, 1) / UNITS


class _Actor:
    """Runs in the cluster."""

    def __init__(self, job: Job) -> None:
        numerics.settle()  # what this machine needs besides
        self._job = job
        self._run: Callable[[Task], Done] | None = None

    def run(self, task: Task) -> tuple[str, Any]:
        """Compute a shard."""
        return answer_to(self._compute, task)

    def _compute(self, task: Task) -> Any:
        if self._run is None:
            self._run = _single_threaded(whole_shards, self._job)
        return self._run(task)


class _RayWorker:
    """The driver's end of an actor."""

    def __init__(self, ray: Any, actor: Any, job: Job) -> None:
        self._ray, self._actor = ray, actor.remote(job)

    def run(self, task: Task) -> Any:
        try:
            answer = self._ray.get(self._actor.run.remote(task))
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            raise WorkerDiedError(f"Ray: {type(error).__name__}: {first}") from error
        return unpack(answer)

    def stop(self) -> None:
        self._ray.kill(self._actor, no_restart=True)


def _connected() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MmclustError(
            "Ray is not installed",
            where="--engine ray",
            expected="the package ray",
            do="install the extra: pip install 'mmclust[ray]'",
        ) from error
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "")
        try:
            _knock(address)
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise MmclustError(
                "The Ray cluster cannot be reached",
                where=f"RAY_ADDRESS={address}",
                found=str(error).splitlines()[0],
                do="start it, or unset RAY_ADDRESS to start one here",
            ) from error
    return ray


def _knock(address: str) -> None:
    """Find a dead address in seconds; Ray itself tries for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()
