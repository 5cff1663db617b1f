"""Tasks on processes that may die: each is tried again, then named.

A worker has one task at a time, so that it is known which task a dead worker had.
It ends with the process that started it, however that ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Sized
from functools import partial
from itertools import islice
from multiprocessing import resource_tracker
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection

    Run = Callable[[Any], Any]
    Todo = SimpleQueue[tuple[Any] | None]
    Finished = SimpleQueue[tuple[Any, Any, BaseException | None]]

RETRIES = 2
"""How often a task is given to another worker when its worker died."""
_PR_SET_PDEATHSIG = 1
"""Of ``<sys/prctl.h>``: the signal that Linux sends when the parent has died."""


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

    ``setup``, picklable, is called once in it and gives the function that runs tasks.
    """

    def __init__(self, setup: Callable[[], Run]) -> None:
        context = multiprocessing.get_context("spawn")
        self._setup: Callable[[], Run] | None = setup
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, os.getpid()))
        self._process.daemon = True
        resource_tracker.ensure_running()  # it unblocks SIGINT when it starts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:  # Ctrl-C reaches the whole group; whoever started a worker stops it
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def run(self, task: Any) -> Any:
        """Send a task and wait for the answer."""
        try:
            if self._setup is not None:
                self._pipe.send(self._setup)
                self._setup = None
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


def in_order(
    run: Run, tasks: Iterable[Any], workers: int, *, describe: Callable[[Any], str]
) -> Iterator[Any]:
    """Yield the result of each task, in the order of the tasks; see :func:`run_tasks`.

    ``run``, picklable, travels once to each worker. Where one worker is enough, tasks
    run in this process; the bytes do not depend on it.
    """
    if isinstance(tasks, Sized):
        workers = min(workers, len(tasks))
    if workers <= 1:
        yield from map(run, tasks)
        return
    starts = [partial(LocalWorker, partial(_itself, run))] * workers
    early: dict[int, Any] = {}
    following = 0
    numbered = run_tasks(
        starts, enumerate(tasks), describe=lambda task: describe(task[1])
    )
    with contextlib.closing(numbered):
        for (number, _), result in numbered:
            early[number] = result
            while following in early:
                yield early.pop(following)
                following += 1


def _itself(run: Run) -> Run:
    """Set up a worker that runs ``run`` on the second part of each task."""
    return lambda numbered: run(numbered[1])


def run_tasks(
    workers: Sequence[Callable[[], Worker]],
    tasks: Iterable[Any],
    *,
    ahead: int = 1,
    describe: Callable[[Any], str],
) -> Generator[tuple[Any, Any], None, None]:
    """Run tasks on workers; yield each task with its result, as they are done.

    ``workers`` are what starts each, at first and again when it died. ``ahead`` is how
    many tasks, beyond one for each worker, may wait or lie finished. What a task raises
    is raised at once, as is the death of its worker for the :data:`RETRIES` + 1st time;
    the other workers are stopped.
    """
    slots = [_Slot(start) for start in workers]
    todo: Todo = SimpleQueue()
    finished: Finished = SimpleQueue()
    # Daemons: a caller that is interrupted must not wait for a task's end.
    threads = [
        Thread(target=slot.serve, args=(todo, finished, describe), daemon=True)
        for slot in slots
    ]
    for thread in threads:
        thread.start()
    source, pending = iter(tasks), 0
    try:
        while True:
            for task in islice(source, len(slots) + ahead - pending):
                todo.put((task,))
                pending += 1
            if not pending:
                return
            task, result, error = finished.get()
            pending -= 1
            if error is not None:
                raise error
            yield task, result
    finally:
        for slot in slots:
            slot.close()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            thread.join()


class _Slot:
    """One worker's place: who dies is replaced."""

    def __init__(self, start: Callable[[], Worker]) -> None:
        self._start = start
        self._worker: Worker | None = None
        self._closed = Event()

    def serve(
        self, todo: Todo, finished: Finished, describe: Callable[[Any], str]
    ) -> None:
        while (item := todo.get()) is not None and not self._closed.is_set():
            try:
                finished.put((item[0], self.run(item[0], describe), None))
            except BaseException as error:  # noqa: BLE001 - raised by who waits
                finished.put((item[0], None, error))

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
            except MmclustError:
                raise
            except WorkerDiedError as error:
                reasons.append(str(error))
                worker, self._worker = self._worker, None
                worker.stop()
                if self._closed.is_set():
                    break
            except Exception as error:
                error.add_note(f"in {describe(task)}")
                raise
        raise MmclustError(
            f"A worker died {len(reasons)} times over the same task",
            where=describe(task),
            found="; ".join(dict.fromkeys(reasons)),
            do="run the same command again: finished shards are kept. Fewer "
            "--workers need less memory; if it dies again, look at what is named here",
        )

    def close(self) -> None:
        self._closed.set()
        worker = self._worker  # which its thread may let go of at this moment
        if worker is not None:
            worker.stop()


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


def _serve(pipe: Connection, parent: int) -> None:
    """Answer until the other end is gone: set up by the first message, then tasks."""
    _end_with(parent)
    run: Run | None = None

    def serve(message: bytes) -> Any:
        nonlocal run
        run = run or pickle.loads(setup)()  # noqa: S301 - our own bytes
        return run(pickle.loads(message))  # noqa: S301 - our own bytes

    with contextlib.suppress(EOFError, OSError):
        setup = pipe.recv_bytes()
        while True:
            pipe.send(answer_to(serve, pipe.recv_bytes()))


def _end_with(parent: int) -> None:
    """Let this process end with its parent, even in the middle of a task.

    Linux kills it. Elsewhere a thread waits until the parent's end of a pipe closes.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before
        os._exit(1)
    started_by = multiprocessing.parent_process()
    if started_by is None:
        return

    def watch() -> None:
        started_by.join()
        os.kill(os.getpid(), signal.SIGKILL)

    Thread(target=watch, daemon=True).start()


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        why = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"ended by {name}{why}"
    return f"ended with exit code {exitcode}"
