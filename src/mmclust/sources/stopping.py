"""Stopping a download: one event ends its waits, its retries and its reads.

Ctrl-C or another file's failure must not wait for servers that are silent. Whoever
waits asks :class:`Stop`; sockets are shut down, so that reads end; and threads are
abandoned where even that does not wake them (a connection that is not accepted, a
name that is not resolved): they are daemons, and what they bring is read by nobody.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    _Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]

T = TypeVar("T")
_GRACE = 0.5  # seconds in which stopped threads may end by themselves


class Stopped(MmclustError):  # noqa: N818 - no error of anybody
    """Nobody needs what was being fetched: no failure, and no reason to try again."""

    def __init__(self) -> None:
        super().__init__("The download was stopped", do="run the command again")


class Stop:
    """What every wait of a download asks, and what closes its sockets."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()

    def set(self) -> None:
        """End all waits, and all reads under way."""
        with self._lock:
            self._event.set()
            sockets = list(self._sockets)
        for each in sockets:
            _shut(each)

    def check(self) -> None:
        """Raise :class:`Stopped` once the event is set."""
        if self._event.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until the event is set; then as :meth:`check`."""
        self._event.wait(seconds)
        self.check()

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Remember the sockets of a request: httpx's extension ``trace``."""
        if not name.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        opened = info["return_value"].get_extra_info("socket")
        if not isinstance(opened, socket.socket):
            return
        with self._lock:
            self._sockets.add(opened)
            late = self._event.is_set()
        if late:
            _shut(opened)


def _shut(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Not the method of an SSLSocket, which first forgets how to decrypt.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)


class Threads:
    """Threads that work off what is submitted; leaving the block abandons the rest."""

    def __init__(self, number: int, name: str) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}_{i}", daemon=True)
            for i in range(number)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Return what a call gives, later."""
        future: Future[T] = Future()
        self._tasks.put((future, work, arguments))
        return future

    def close(self, grace: float = 0.0) -> None:
        """Begin nothing more; give what is under way so many seconds to end."""
        with contextlib.suppress(queue.Empty):
            while task := self._tasks.get_nowait():
                task[0].cancel()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(_GRACE)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, work, arguments = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(*arguments))
                except BaseException as error:  # noqa: BLE001 - raised by result()
                    future.set_exception(error)
            del task, future  # else its result is held until the next one comes
