"""Wall clock and peak memory of stages: in files that nothing depends on."""

from __future__ import annotations

import contextlib
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmclust.report.budget import Cost

FOLDER = Path("data/costs")


def costed(command: Callable[..., list[str] | None]) -> Callable[..., None]:
    """Let a stage's command record what it cost, in ``data/costs/<benchmark>/``.

    Runs on files of one's own and dry runs are not recorded, nor those that found
    everything as before and say so by returning an empty list (``encode``: of the
    encoders that ran). A run that failed or
    was interrupted counts towards the next of the same name, which continues it; one
    that was killed leaves nothing. A record that is damaged or cannot be written never
    changes how a run ends.
    """

    @functools.wraps(command)
    def run(**given: Any) -> None:
        start, complete = time.perf_counter(), False
        ran: list[str] | None = None
        try:
            ran = command(**given)
            complete = True
        finally:
            seconds = time.perf_counter() - start
            try:
                some = given | ({} if ran is None else {"encoders": ran})
                names = [] if ran == [] else _names(some)
                _record(command.__name__, names, seconds, complete=complete)
            except Exception as error:  # noqa: BLE001 - the stage's own end counts
                _say(f"what this run cost is not recorded: {error}")

    return run


def _names(given: Mapping[str, Any]) -> list[str]:
    """Return benchmark and what else the stage is of; nothing if by hand."""
    names: list[str] = [given.get("benchmark") or ""]
    names += [given[key] for key in ("name", "encoder", "head") if given.get(key)]
    names += given.get("encoders") or []
    by_hand = any(given.get(key) for key in ("raw", "dry_run", "check"))
    if by_hand or not all(names) or not Path("params.yaml").is_file():
        return []
    known = Path("data/benchmarks") / names[0] / "manifest.parquet"
    return names if known.is_file() else []


def _record(stage: str, names: list[str], seconds: float, *, complete: bool) -> None:
    import os
    import platform
    import resource
    import sys

    from mmclust.core.io import write_json

    if not names:
        return
    path = FOLDER / names[0] / f"{'-'.join([stage, *names[1:]])}.json"
    before = _before(path)
    unit = 1 if sys.platform == "darwin" else 1024

    def peak(who: int) -> int:
        return resource.getrusage(who).ru_maxrss * unit

    own, worker = peak(resource.RUSAGE_SELF), peak(resource.RUSAGE_CHILDREN)
    if before is not None and not before.complete:
        seconds += before.seconds
        own = max(own, before.peak_bytes)
        worker = max(worker, before.worker_peak_bytes)
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


def _before(path: Path) -> Cost | None:
    """Return the record of the run before; a damaged one is said, and not counted."""
    from mmclust.core.errors import MmclustError
    from mmclust.report.budget import read_cost

    if not path.exists():
        return None
    try:
        return read_cost(path)
    except MmclustError:
        _say(f"{path} was damaged; it is written anew")
        return None


def _say(what: str) -> None:
    with contextlib.suppress(OSError):
        typer.echo(f"note: {what}", err=True)
