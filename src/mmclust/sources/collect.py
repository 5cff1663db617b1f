"""Fetching several files at once, and putting them in place together."""

from __future__ import annotations

import contextlib
import os
import queue
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK, writing
from mmclust.core.progress import track
from mmclust.sources.asking import connecting
from mmclust.sources.download import Line, Network, download
from mmclust.sources.parts import arrived, part_of, tidy
from mmclust.sources.space import require_space
from mmclust.sources.stopping import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from mmclust.core.registry import SourceFile
    from mmclust.sources.parts import Part
    from mmclust.sources.verify import Facts

_TRIES = 8


class _TakenAwayError(Exception):
    """Another run took a part over, or tidied it away: locks do not work here."""


def work_folder(out: Path) -> Path:
    """Return the folder of what is on its way to ``out``: beside it, or inside.

    DVC empties ``out`` before it runs the stage again, and must not see parts. Only
    where ``out`` is a file system of its own do they have to lie inside.
    """
    out = out.resolve()
    if out.is_dir() and out.stat().st_dev != out.parent.stat().st_dev:
        return out / ".work"
    return out.with_name(out.name + ".work")


def collect(
    wanted: list[SourceFile],
    out: Path,
    network: Network,
    *,
    what: str,
    tokens: Mapping[str, str],
    before_replace: Callable[[], object],
) -> dict[str, Facts]:
    """Fetch files, all verified before the first is put in place."""
    if not wanted:
        return {}
    work = work_folder(out)
    missing = sum(max(0, (f.size or 0) - arrived(work, f.name)) for f in wanted)
    require_space(out, missing, what)
    for attempt in range(_TRIES):
        try:
            # Who was robbed robs nobody: a run takes over once, so that all end.
            facts = _collect(
                wanted, out, work, network, tokens, before_replace, fresh=attempt > 0
            )
        except _TakenAwayError as error:
            if attempt == _TRIES - 1:
                raise MmclustError(
                    "Another run keeps taking away what this one fetches",
                    where=work,
                    expected="file locks that work, or one run at a time",
                    do="run the command again when no other fetches there",
                ) from error
        else:
            break
    tidy(work, [file.name for file in wanted])
    return facts


def _collect(
    wanted: list[SourceFile],
    out: Path,
    work: Path,
    network: Network,
    tokens: Mapping[str, str],
    before_replace: Callable[[], object],
    *,
    fresh: bool,
) -> dict[str, Facts]:
    n_files = min(len(wanted), max(1, network.connections))
    ticks: queue.Queue[int] = queue.Queue()
    with (
        contextlib.ExitStack() as held,
        connecting(network.timeouts, tokens) as http,
        Threads(n_files, "fetch") as threads,
    ):
        share = max(1, network.connections // n_files)
        line = Line(http, network.patience, share, ticks.put)
        parts = [
            held.enter_context(part_of(file, work, fresh=fresh)) for file in wanted
        ]
        futures = [threads.submit(download, part, line) for part in parts]
        try:
            total = sum(part.source.size or 0 for part in parts)
            for _ in track(
                _watch(futures, ticks), "fetching", total // CHUNK or None, "MiB"
            ):
                pass
        finally:
            http.stop.set()
        facts = {part.source.name: part.facts for part in parts}
        for part in parts:
            _publish(part, out / part.source.name, before_replace)
    return facts


def _watch(futures: list[Future[None]], ticks: queue.Queue[int]) -> Iterator[None]:
    """Yield once per MiB that arrived, until all is done or something failed."""
    n_bytes = 0
    while True:
        with contextlib.suppress(queue.Empty):
            n_bytes += ticks.get(timeout=0.05)
        while n_bytes >= CHUNK:
            n_bytes -= CHUNK
            yield
        for future in futures:
            if future.done():
                future.result()
        if all(future.done() for future in futures):
            return


def _publish(part: Part, path: Path, before_replace: Callable[[], object]) -> None:
    """Give a verified part its name."""
    if not os.path.lexists(part.path):
        raise _TakenAwayError
    note = part.path.with_suffix(".json")
    with writing(path, verify=lambda _: before_replace()) as temporary:
        try:
            part.path.rename(temporary)
        except FileNotFoundError as error:
            raise _TakenAwayError from error
        except OSError as error:
            raise MmclustError(
                f"Cannot write {path.name}",
                where=path,
                found=error.strerror,
                do="run the command again; what was there before is untouched",
            ) from error
    note.unlink(missing_ok=True)
