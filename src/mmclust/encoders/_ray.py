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

UNITS = 10_000
"""Parts that Ray splits a GPU into."""


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
