"""Wall clock and peak memory of stages: in files that nothing depends on."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path("data/costs")


def costed(command: Callable[..., None]) -> Callable[..., None]:
    """Let a stage's command record what it cost, in ``data/costs/<benchmark>/``.

    Runs on files of one's own and dry runs are not recorded. A run that failed or
    was interrupted counts towards the next of the same name, which continues it; one
    that was killed leaves nothing.
    """

    @functools.wraps(command)
    def run(**given: Any) -> None:
        start, complete = time.perf_counter(), False
        try:
            command(**given)
            complete = True
        finally:
            names = _names(given)
            if names:
                seconds = time.perf_counter() - start
                _record(command.__name__, names, seconds, complete=complete)

    return run


def _names(given: Mapping[str, Any]) -> list[str]:
    """Return benchmark and what else the stage is of; nothing if by hand."""
    names = list(given.get("names") or [given.get("benchmark")])
    names += [given[key] for key in ("name", "encoder", "head") if given.get(key)]
    names += given.get("encoders") or []
    by_hand = any(
        given.get(key)
        for key in ("image_features", "text_features", "raw", "dry_run", "check")
    )
    if by_hand or not all(names) or not Path("params.yaml").is_file():
        return []
    known = Path("data/benchmarks") / names[0] / "manifest.parquet"
    return names if known.is_file() else []


def _record(stage: str, names: list[str], seconds: float, *, complete: bool) -> None:
    import os
    import platform
    import resource
    import sys

    from mmclust.core.io import read_json, write_json

    path = FOLDER / names[0] / f"{'-'.join([stage, *names[1:]])}.json"
    before = read_json(path) if path.is_file() else {"complete": True}
    unit = 1 if sys.platform == "darwin" else 1024

    def peak(who: int) -> int:
        return resource.getrusage(who).ru_maxrss * unit

    own, worker = peak(resource.RUSAGE_SELF), peak(resource.RUSAGE_CHILDREN)
    if not before["complete"]:
        seconds += before["seconds"]
        own = max(own, before["peak_bytes"])
        worker = max(worker, before["worker_peak_bytes"])
    write_json(
        path,
        {
            "stage": stage,
            "names": names,
            "seconds": round(seconds, 3),
            "peak_bytes": own,
            "worker_peak_bytes": worker,
            "complete": complete,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        },
    )
