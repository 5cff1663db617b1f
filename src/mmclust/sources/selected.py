"""Only what is needed: chosen members of a remote archive, packed into a smaller one.

Each member comes by a range request and must have the length and CRC-32 of the
archive's own directory; where that fails it is asked for at its own url, and must
have them too. A server that gives no ranges is asked for each member's url, and all
that can be checked then is that pictures are whole JPEGs.
"""

from __future__ import annotations

from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from mmclust.core.errors import MmclustError
from mmclust.core.progress import track
from mmclust.sources import kept
from mmclust.sources.asking import Ask, connecting
from mmclust.sources.attempts import persistently
from mmclust.sources.collect import work_folder
from mmclust.sources.folder import pack
from mmclust.sources.ranges import read_range
from mmclust.sources.refusals import refuse_broken, refuse_page
from mmclust.sources.remote_member import (
    Wanted,
    batches,
    refuse_difference,
    unpack_member,
)
from mmclust.sources.remote_zip import Directory, choose, read_directory
from mmclust.sources.space import require_space
from mmclust.sources.stopping import Threads
from mmclust.sources.transport import opening
from mmclust.sources.trouble import FetchError, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from mmclust.core.registry import SourceFile
    from mmclust.sources.asking import Http
    from mmclust.sources.attempts import Patience
    from mmclust.sources.download import Network

T = TypeVar("T")
_TRIES = 3
_LARGEST = 256 << 20
"""Bytes of a picture whose size nobody states."""


@dataclass(frozen=True)
class _Job:
    """What fetching members needs to know."""

    http: Http
    patience: Patience
    file: SourceFile
    folder: Path
    """Where members are kept until they are packed."""


def fetch_members(
    file: SourceFile,
    names: Iterable[str],
    out: Path,
    network: Network,
    *,
    tokens: Mapping[str, str],
    before_replace: Callable[[], object],
) -> tuple[str, bool]:
    """Fetch members of a remote archive and pack them, stored, under its name."""
    folder = work_folder(out) / f"{file.name}.members"
    names = plain_paths(file.name, names)
    paths = [folder / name for name in names]
    for attempt in range(_TRIES):
        how, url = _fetch_all(file, names, folder, out, network, tokens)
        try:
            pack(paths, folder, out / file.name, before_replace=before_replace)
            break
        except (OSError, MmclustError):
            # A neighbour that was done first has tidied up: what it took is fetched.
            if attempt == _TRIES - 1 or all(path.is_file() for path in paths):
                raise
    kept.remove(folder)
    return how, url.startswith("http:")


def _fetch_all(
    file: SourceFile,
    names: list[str],
    folder: Path,
    out: Path,
    network: Network,
    tokens: Mapping[str, str],
) -> tuple[str, str]:
    """Bring all members to the folder; return how they were verified, and whence."""
    with connecting(network.timeouts, tokens) as http:
        job = _Job(http, network.patience, file, folder)
        directory = _directory(job)
        if directory is None:
            _by_url(job, names, network.connections)
            return "jpeg", job.file.member_url or ""
        chosen = choose(directory, names, directory.version.url)
        kept.take_from(out / file.name, chosen, folder)
        missing = [each for each in chosen if not kept.holds(folder, each)]
        _by_ranges(job, directory, missing, network.connections)
        return "crc32", directory.version.url


def plain_paths(where: str, names: Iterable[str]) -> list[str]:
    """Return the names, which become paths, if none leads out of its folder."""
    listed = sorted(set(names))
    for name in listed:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise MmclustError(
                "A selected member leads out of its folder",
                where=where,
                expected="a path inside the archive",
                found=repr(name),
                do="correct the list that names it",
            )
    return listed


def _directory(job: _Job) -> Directory | None:
    """Read the directory from the first mirror that gives ranges of it."""
    last: FetchError | None = None
    for url in job.file.urls:
        try:
            return persistently(
                lambda url=url: read_directory(job.http, job.file, url),  # type: ignore[misc]
                job.patience,
                reached=lambda: 0,
                stop=job.http.stop,
            )
        except FetchError as error:
            last = error
    if job.file.member_url is None and last is not None:
        raise last
    return None


def _by_ranges(
    job: _Job, directory: Directory, missing: list[Wanted], connections: int
) -> None:
    size = sum(member.size for member in missing)
    # Twice: once as they come, once packed.
    require_space(job.folder, 2 * size, f"{len(missing):,} files of {job.file.name}")

    def fetch(group: list[Wanted]) -> int:
        _fetch_batch(job, directory, group)
        return len(group)

    _in_parallel(job, fetch, batches(missing), connections)


def _fetch_batch(job: _Job, directory: Directory, group: list[Wanted]) -> None:
    version = directory.version
    start = group[0].start
    ask = Ask(version.url, start, group[-1].end, version)

    def attempt() -> None:
        data = read_range(job.http, ask)
        for member in group:
            inside = data[member.start - start : member.end - start]
            body = unpack_member(member, inside, version.url)
            kept.keep(job.folder, member.name, body)

    try:
        _patiently(job, attempt)
    except FetchError:
        if job.file.member_url is None:
            raise
        for member in group:
            _one(job, member.name, member)


def _by_url(job: _Job, names: list[str], connections: int) -> None:
    missing = [name for name in names if not (job.folder / name).is_file()]
    _in_parallel(job, lambda name: _one(job, name, None), missing, connections)


def _one(job: _Job, name: str, member: Wanted | None) -> int:
    """Fetch one member at its own url."""
    assert job.file.member_url is not None
    url = job.file.member_url.replace("{member}", quote(name))

    def attempt() -> None:
        size = None if member is None else member.size
        with opening(job.http, Ask(url), size) as stream:
            body = _whole(refuse_page(stream, name), size, url)
        if member is not None:
            refuse_difference(member, body, url)
        else:
            refuse_broken(name, body, url)
        kept.keep(job.folder, name, body)

    _patiently(job, attempt)
    return 1


def _whole(chunks: Iterable[bytes], size: int | None, url: str) -> bytes:
    """Return a body that is held in memory; not more of it than a picture may have."""
    largest = _LARGEST if size is None else size
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > largest:
            raise changed(url, f"at most {largest:,} bytes", "more")
    return bytes(body)


def _patiently(job: _Job, attempt: Callable[[], None]) -> None:
    persistently(attempt, job.patience, reached=lambda: 0, stop=job.http.stop)


def _in_parallel(
    job: _Job, work: Callable[[T], int], items: list[T], connections: int
) -> None:
    """Do all the work, and stop at the first failure."""
    with Threads(min(connections, len(items)), "member") as threads:
        futures = [threads.submit(work, item) for item in items]
        try:
            done = _as_they_come(futures)
            label = f"fetching from {job.file.name}"
            for _ in track(done, label, len(items), "requests"):
                pass
        finally:
            job.http.stop.set()


def _as_they_come(futures: list[Future[int]]) -> Iterator[int]:
    """Yield what calls gave, and raise the first failure as soon as it is there."""
    for future in as_completed(futures):
        yield future.result()
