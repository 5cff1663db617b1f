"""Tasks on processes that may die: each is tried again, then named.

A worker has one task at a time, so that it is known which task a dead worker had.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import traceback
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from multiprocessing.connection import Connection

    Run = Callable[[Any], Any]

RETRIES = 2
"""How often a task is given to another worker when its worker died."""


class WorkerDiedError(Exception):
    """A worker ended without an answer."""


class Worker(Protocol):
    """A process somewhere that runs one task at a time."""

    def run(self, task: Any) -> Any:
        """Run a task; raise what it raises, or :class:`WorkerDiedError`."""
        ...

    def stop(self) -> None:
        """End the process, whatever it does."""
        ...


class LocalWorker:
    """A spawned process of this machine.

    Parameters
    ----------
    setup
        Called once in the process; gives the function that runs tasks. Picklable.
    """

    def __init__(self, setup: Callable[[], Run]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, setup))
        self._process.daemon = True
        self._process.start()
        theirs.close()

    def run(self, task: Any) -> Any:
        """Send a task and wait for the answer."""
        try:
            self._pipe.send(task)
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(timeout=5)
            raise WorkerDiedError(_cause(self._process.exitcode)) from error
        return unpack(answer)

    def stop(self) -> None:
        """Kill the process: it writes no file, so nothing can be left half-done."""
        self._process.kill()
        self._process.join()


def run_tasks(
    workers: Sequence[Callable[[], Worker]],
    tasks: Iterable[Any],
    *,
    ahead: int = 1,
    describe: Callable[[Any], str],
) -> Iterator[tuple[Any, Any]]:
    """Run tasks on workers; yield each task with its result as it is done.

    Parameters
    ----------
    workers
        What starts each worker, at first and again when it died.
    tasks
        Taken as they are needed.
    ahead
        How many tasks, beyond one for each worker, may wait or lie finished.
    describe
        What a task is called in a message.

    Yields
    ------
    task, result
        In the order of completion.

    Raises
    ------
    MmclustError
        When a task's worker died :data:`RETRIES` + 1 times. What a task raises is
        raised at once; the other workers are stopped.
    """
    slots = [_Slot(start) for start in workers]
    idle: SimpleQueue[_Slot] = SimpleQueue()
    for slot in slots:
        idle.put(slot)

    def one(task: Any) -> tuple[Any, Any]:
        slot = idle.get()
        try:
            return task, slot.run(task, describe)
        finally:
            idle.put(slot)

    source = iter(tasks)
    pending: set[Future[tuple[Any, Any]]] = set()
    pool = ThreadPoolExecutor(len(slots))
    try:
        while True:
            wanted = len(slots) + ahead - len(pending)
            pending |= {pool.submit(one, task) for task in islice(source, wanted)}
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        for slot in slots:
            slot.close()
        pool.shutdown(cancel_futures=True)


class _Slot:
    """One worker's place: who dies is replaced."""

    def __init__(self, start: Callable[[], Worker]) -> None:
        self._start = start
        self._worker: Worker | None = None
        self._closed = Event()

    def run(self, task: Any, describe: Callable[[Any], str]) -> Any:
        reasons = []
        for _ in range(RETRIES + 1):
            if self._worker is None:
                self._worker = self._start()
            if self._closed.is_set():  # while it started
                self.close()
                break
            try:
                return self._worker.run(task)
            except WorkerDiedError as error:
                reasons.append(str(error))
                worker, self._worker = self._worker, None
                worker.stop()
                if self._closed.is_set():
                    break
        raise MmclustError(
            f"A worker died {len(reasons)} times over the same shard",
            where=describe(task),
            found="; ".join(dict.fromkeys(reasons)),
            do="run the same command again: finished shards are kept. Fewer "
            "--workers need less memory; if it dies again, look at these images",
        )

    def close(self) -> None:
        self._closed.set()
        if self._worker is not None:
            self._worker.stop()


def answer_to(run: Run, task: Any) -> tuple[str, Any]:
    """Run a task; return its result, or its error in a form that travels."""
    try:
        return "result", run(task)
    except Exception as error:  # noqa: BLE001
        if not isinstance(error, MmclustError):
            error.add_note("in a worker:\n" + traceback.format_exc())
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        except Exception:  # noqa: BLE001
            error = RuntimeError(traceback.format_exc())
        return "error", error


def unpack(answer: tuple[str, Any]) -> Any:
    """Return the result in what :func:`answer_to` gave, or raise the error."""
    kind, value = answer
    if kind == "error":
        raise value
    return value


def _serve(pipe: Connection, setup: Callable[[], Run]) -> None:
    """Answer until the other end is gone, which is also how a killed driver shows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver stops its workers
    run: Run | None = None

    def serve(task: Any) -> Any:
        nonlocal run
        run = run or setup()
        return run(task)

    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(answer_to(serve, pipe.recv()))


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        why = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"ended by {name}{why}"
    return f"ended with exit code {exitcode}"
