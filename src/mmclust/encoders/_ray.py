"""Shards on a Ray cluster: an actor is a worker.

Ray says where the cluster is (``RAY_ADDRESS``); without one, it starts on this
machine. Every machine needs the project, and the data under the same paths. Only
features travel back.
"""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mmclust
from mmclust.core import numerics
from mmclust.core.errors import MmclustError
from mmclust.core.workers import WorkerDiedError, answer_to, unpack
from mmclust.encoders._compute import single_thread_for_good
from mmclust.encoders._shard import whole_shards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mmclust.core.workers import Worker
    from mmclust.encoders._engines import Options
    from mmclust.encoders._job import Done, Job, Task


def ray_workers(
    job: Job, options: Options, n_tasks: int
) -> Sequence[Callable[[], Worker]]:
    """Return what starts each actor: a CPU each, and its share of the GPUs.

    Actors decode and encode; several on one GPU keep it busy while others decode.

    Raises
    ------
    MmclustError
        When Ray is not installed, its cluster cannot be reached, or it has no GPU
        where one is asked for.
    """
    ray = _connected()
    resources = ray.cluster_resources()
    n_cpus = int(resources.get("CPU", 1))
    n_workers = max(1, min(options.workers or n_cpus, n_tasks, n_cpus))
    n_gpus = 0.0
    if options.accelerated:
        n_gpus = min(1.0, resources.get("GPU", 0) / n_workers)
        if not n_gpus:
            raise MmclustError(
                "The Ray cluster has no GPU",
                where="--device",
                found=f"{resources.get('CPU', 0):.0f} CPUs",
                do="leave --device out to run on the CPUs",
            )
    # Ray shows each actor its own GPU as the first.
    job = replace(job, device=options.devices[0].partition(":")[0])
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
            single_thread_for_good()
            self._run = whole_shards(self._job)
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
