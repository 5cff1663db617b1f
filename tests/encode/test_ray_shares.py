"""Shares of GPUs: whatever is asked for, all actors find a place."""

import math
from itertools import product

import pytest

from mmclust.encode.engine import UNITS, Options, ray_workers, shares
from mmclust.encode.shards import FeatureJob, Plan
from mmclust.models.compute import Device


def placed(n_workers, share, nodes):
    """Count the actors that find a CPU and their share of one GPU, one by one."""
    parts = math.ceil(share * UNITS - 1e-9)
    free = [[cpus, [UNITS] * gpus] for cpus, gpus in nodes]
    count = 0
    for _ in range(n_workers):
        for node in free:
            gpu = next((i for i, left in enumerate(node[1]) if left >= parts), None)
            if node[0] and gpu is not None:
                node[0] -= 1
                node[1][gpu] -= parts
                count += 1
                break
    return count


@pytest.mark.parametrize("cpus", [64, 3, 1])
def test_every_number_of_workers_fits_on_every_number_of_gpus(cpus):
    """One node: no more than it has CPUs, and none is left without a place."""
    for wanted, gpus in product(range(1, 70), range(1, 17)):
        n_workers, share = shares(wanted, [(cpus, gpus)], accelerated=True)
        assert n_workers == min(wanted, cpus)
        assert 0 < share <= 1
        assert placed(n_workers, share, [(cpus, gpus)]) == n_workers
    assert shares(3, [(64, 2)], accelerated=True) == (3, 0.5)
    assert shares(12, [(64, 8)], accelerated=True) == (12, 0.5)
    assert shares(6, [(64, 1)], accelerated=True) == (6, 0.1666)


def test_nodes_of_different_kinds():
    """A node's GPU is of no use to the CPUs of another."""
    kinds = [(1, 1), (2, 1), (8, 0), (4, 4), (16, 2)]
    for wanted, one, two in product(range(1, 25), kinds, kinds):
        nodes = [one, two]
        places = sum(cpus for cpus, gpus in nodes if gpus)
        n_workers, share = shares(wanted, nodes, accelerated=bool(places))
        if places:
            assert n_workers == min(wanted, places)
            assert placed(n_workers, share, nodes) == n_workers
        else:
            assert (n_workers, share) == (min(wanted, 16), 0)


@pytest.mark.slow
def test_three_actors_on_two_declared_gpus_all_run(tiny):
    """Ray itself: declared GPUs, three actors, each answers while the others live."""
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    ray.init(num_cpus=4, num_gpus=2, log_to_driver=False)
    try:
        manifest = tiny / "data/benchmarks/tiny/manifest.parquet"
        job = FeatureJob(manifest, (Plan("hog", None),), "fail", Device("cuda", 4))
        options = Options(devices=("cuda",), workers=3, engine="ray")
        workers = [start() for start in ray_workers(job, options, n_tasks=5)]
        assert len(workers) == 3
        # An unknown task: the answer is an error, but it is an answer.
        asked = [worker._actor.run.remote(None) for worker in workers]
        answered, waiting = ray.wait(asked, num_returns=3, timeout=120)
        assert len(answered) == 3
        assert not waiting
    finally:
        ray.shutdown()
