"""Progress bars for long work; silent when nobody is looking."""

from __future__ import annotations

import contextlib
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.progress import Progress

Item = TypeVar("Item")


def track(
    items: Iterable[Item], label: str, total: int | None = None, unit: str = ""
) -> Iterator[Item]:
    """Yield the items while showing how many are done, how fast, and time left."""
    if not sys.stderr.isatty():
        yield from items
        return
    with _bar(unit) as bar:
        yield from bar.track(items, total=total, description=label)


@contextlib.contextmanager
def meter(
    label: str, total: int, unit: str, done: int = 0
) -> Iterator[Callable[[int], None]]:
    """Show how much of a number is done, how many a second, and the time left."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with _bar("{task.fields[rate]}", time_left=False) as bar:
        task = bar.add_task(label, total=total, completed=done, rate=unit)

        def advance(n: int) -> None:
            bar.advance(task, n)
            now = bar.tasks[0]
            rate = pace(now.completed - done, total - done, now.elapsed or 0, unit)
            bar.update(task, rate=rate)

        yield advance


def pace(done: float, total: float, seconds: float, unit: str) -> str:
    """Say how many were done a second since the start, and what time the rest takes.

    rich counts between the last steps; here several workers step at the same moment.
    """
    if not (done and seconds):
        return unit
    speed = done / seconds
    left = timedelta(seconds=round((total - done) / speed))
    return f"{float(f'{speed:.2g}'):,g} {unit}/s, {left} left"


def _bar(unit: str, *, time_left: bool = True) -> Progress:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn(unit),
        *([progress.TimeRemainingColumn()] if time_left else []),
        console=Console(stderr=True),
        transient=True,
    )
