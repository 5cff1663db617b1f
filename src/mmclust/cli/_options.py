"""What several commands make of their options."""

from __future__ import annotations

import os


def n_workers(workers: int) -> int:
    """Return the number of processes; 0 stands for the cores this one may use."""
    if workers:
        return workers
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def require_plugins(benchmark: str, encoder: str) -> None:
    """Refuse names that do not exist, with the nearest that do."""
    from mmclust.core.plugins import require

    require("benchmarks", benchmark)
    require("encoders", encoder)
