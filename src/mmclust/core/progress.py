"""Progress bars for long work; silent when nobody is looking."""

from __future__ import annotations

import contextlib
import sys
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
    with _bar("{task.fields[rate]}") as bar:
        task = bar.add_task(label, total=total, completed=done, rate=unit)

        def advance(n: int) -> None:
            bar.advance(task, n)
            speed = bar.tasks[0].speed
            bar.update(task, rate=f"{speed:,.0f} {unit}/s" if speed else unit)

        yield advance


def _bar(unit: str) -> Progress:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn(unit),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
