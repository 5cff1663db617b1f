"""Long work, shard by shard: parallel, resumable, the same bytes either way.

A shard is a fixed range of rows. Each becomes a file of its own, written
atomically in a work folder; a killed run leaves whole shards, which the next run
keeps. Neither the number of workers nor a restart can change a byte, because the
ranges depend on the number of rows alone.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_array, write_array, writing
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    Task = Callable[[int, int], np.ndarray[Any, Any]]

ROWS = 256
"""Rows per shard. Part of the definition of some outputs: never a knob."""


def ranges(n_rows: int) -> list[tuple[int, int]]:
    """Return the row ranges ``[start, stop)`` of all shards."""
    return [(start, min(start + ROWS, n_rows)) for start in range(0, n_rows, ROWS)]


def run_shards(
    task: Task, n_rows: int, path: Path, *, workers: int, label: str
) -> np.ndarray[Any, Any]:
    """Compute an array shard by shard and merge it into one ``.npy`` file.

    Parameters
    ----------
    task
        ``task(start, stop)`` gives the rows of one shard, (stop - start, …). With
        more than one worker it must be picklable.
    n_rows
        Rows in all.
    path
        The merged array. Shards lie beside it until they are merged; an existing
        file is taken as finished.
    workers
        Processes; 1 computes in this one.
    label
        For the progress bar.

    Returns
    -------
    numpy.ndarray
        (n_rows, …), memory-mapped.

    Raises
    ------
    MmclustError
        Whatever a task raises, or when a worker is killed; finished shards stay.
    """
    if not path.exists():
        parts = {
            span: path.with_name(f"{path.stem}.{span[0]:08d}.npy")
            for span in ranges(n_rows)
        }
        todo = [span for span, part in parts.items() if not part.exists()]
        for span, rows in track(
            _compute(task, todo, workers), label, len(todo), "shards"
        ):
            write_array(parts[span], rows)
        _merge(list(parts.values()), n_rows, path)
        for part in parts.values():
            part.unlink(missing_ok=True)
    return read_array(path)


def _compute(
    task: Task, todo: list[tuple[int, int]], workers: int
) -> Iterator[tuple[tuple[int, int], np.ndarray[Any, Any]]]:
    if workers <= 1 or len(todo) <= 1:
        for span in todo:
            yield span, task(*span)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(todo)), mp_context=context) as pool:
        futures: dict[Future[np.ndarray[Any, Any]], tuple[int, int]] = {
            pool.submit(task, *span): span for span in todo
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise MmclustError(
                "A worker process was killed",
                found="the system ended it, perhaps for want of memory",
                do="run the same command again: finished shards are kept; "
                "--workers 1 needs the least memory",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _merge(parts: list[Path], n_rows: int, path: Path) -> None:
    first = read_array(parts[0])
    shape = (n_rows, *first.shape[1:])
    with writing(path, verify=read_array) as temporary:
        merged = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=first.dtype, shape=shape
        )
        row = 0
        for part in parts:
            rows = read_array(part)
            merged[row : row + len(rows)] = rows
            row += len(rows)
        merged.flush()
