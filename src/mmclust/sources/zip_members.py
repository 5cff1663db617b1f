"""Only what is needed: chosen members of a remote archive, packed into a smaller one.

Each member comes by a range request and must have the length and CRC-32 of the
archive's own directory. Where a publisher has no archive, but a page that lists
pictures, each comes from its own url; all that can be checked then is that it is a
whole JPEG.

Members that have arrived are kept until they are packed. They are not synced to the
disk one by one: whoever finds one later checks it.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import shutil
import struct
import zipfile
import zlib
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from mmclust.core.errors import MmclustError, some
from mmclust.core.progress import track
from mmclust.sources.choice import plain_paths
from mmclust.sources.http_request import (
    Ask,
    FetchError,
    changed,
    connecting,
    opening,
    persistently,
    read_range,
    refuse_page,
)
from mmclust.sources.own_files import pack
from mmclust.sources.parts import work_folder
from mmclust.sources.space import cannot_write, require_space
from mmclust.sources.stopping import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from mmclust.core.registry import SourceFile
    from mmclust.sources.download import Network
    from mmclust.sources.http_request import Http, Version

T = TypeVar("T")
_BATCH = 8 << 20
_WASTE = 0.04
"""Share of a batch that may be bytes nobody asked for."""
_BLOCK = 1 << 16
_LARGEST = 256 << 20
"""Bytes of a picture whose size nobody states."""
_LOCAL = struct.Struct("<4s5H3I2H")
_ENCRYPTED = 1
_TRIES = 3
_KEEP_TRIES = 1000


@dataclass(frozen=True)
class Member:
    """A member of a remote archive, as the archive's directory has it."""

    name: str
    size: int
    crc: int
    """CRC-32 of the unpacked bytes."""
    method: int
    """How it is packed (0: stored, 8: deflated)."""
    packed: int
    """Its packed size."""
    start: int
    """Where its header begins."""
    end: int
    """Where the next thing does."""


def fetch_members(
    file: SourceFile,
    names: Iterable[str],
    out: Path,
    network: Network,
    tokens: Mapping[str, str],
) -> tuple[str, bool]:
    """Fetch members and pack them, stored, under the archive's name.

    Return how they were verified, and whether they came in the clear.
    """
    folder = work_folder(out) / f"{file.name}.members"
    names = plain_paths(file.name, names)
    paths = [folder / name for name in names]
    fetch = _fetch_by_ranges if file.urls else _fetch_by_url
    how, url = "", ""
    for attempt in range(_TRIES):
        with connecting(network.timeouts, tokens) as http:
            how, url = fetch(file, names, folder, out, http, network)
        try:
            pack(paths, folder, out / file.name)
            break
        except (OSError, MmclustError):
            # A neighbour that was done first has tidied up: what it took is fetched.
            if attempt == _TRIES - 1 or all(path.is_file() for path in paths):
                raise
    remove(folder)
    return how, url.startswith("http:")


def _fetch_by_ranges(
    file: SourceFile,
    names: list[str],
    folder: Path,
    out: Path,
    http: Http,
    network: Network,
) -> tuple[str, str]:
    version, members = _directory(file, http, network)
    chosen = _chosen(members, names, version.url)
    _keep_from(out / file.name, chosen, folder)
    missing = [member for member in chosen if not _is_kept(folder, member)]
    size = sum(member.size for member in missing)
    # Twice: once as they come, once packed.
    require_space(folder, 2 * size, f"{len(missing):,} files of {file.name}")

    def attempt(group: list[Member]) -> None:
        start = group[0].start
        data = read_range(http, Ask(version.url, start, group[-1].end, version))
        for member in group:
            inside = data[member.start - start : member.end - start]
            keep(folder, member.name, _unpacked(member, inside, version.url))

    _all_at_once(attempt, batches(missing), file.name, http, network)
    return "crc32", version.url


def _fetch_by_url(
    file: SourceFile,
    names: list[str],
    folder: Path,
    _: Path,
    http: Http,
    network: Network,
) -> tuple[str, str]:
    address = file.member_url or ""

    def attempt(name: str) -> None:
        url = address.replace("{member}", quote(name))
        with opening(http, Ask(url)) as stream:
            body = _jpeg(refuse_page(stream, name), name, url)
        keep(folder, name, body)

    missing = [name for name in names if not (folder / name).is_file()]
    _all_at_once(attempt, missing, file.name, http, network)
    return "jpeg", address


def _all_at_once(
    attempt: Callable[[T], None],
    items: list[T],
    name: str,
    http: Http,
    network: Network,
) -> None:
    """Make all requests, each patiently, and stop at the first failure."""

    def request(item: T) -> None:
        persistently(partial(attempt, item), network.patience, http.stop)

    with Threads(min(network.connections, len(items)), "member") as threads:
        futures = [threads.submit(request, item) for item in items]
        try:
            done = _as_they_come(futures)
            for _ in track(done, f"fetching from {name}", len(items), "requests"):
                pass
        finally:
            http.stop.set()


def _as_they_come(futures: list[Future[None]]) -> Iterator[None]:
    """Yield as calls end, and raise the first failure as soon as it is there."""
    for future in as_completed(futures):
        yield future.result()


def _directory(
    file: SourceFile, http: Http, network: Network
) -> tuple[Version, dict[str, Member]]:
    """Read the directory from the first mirror that gives ranges of it."""
    last: FetchError | None = None
    for url in file.urls:
        read = partial(_read_directory, http, file, url)
        try:
            return persistently(read, network.patience, http.stop)
        except FetchError as error:
            last = error
    assert last is not None
    raise last


def _read_directory(
    http: Http, file: SourceFile, url: str
) -> tuple[Version, dict[str, Member]]:
    with opening(http, Ask(url, 0, 1)) as stream:
        if not stream.partial or stream.version.total is None:
            raise FetchError(
                "The server does not give parts of the archive",
                where=url,
                expected="an answer with one byte, as asked for",
                found="the whole file",
                do="fetch the whole archive",
            )
        version = stream.version
        next(stream.chunks, b"")
    if file.size not in (None, version.total):
        raise changed(url, f"{file.size:,} bytes", f"{version.total:,} bytes")
    try:
        with zipfile.ZipFile(_RemoteFile(http, version)) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
            starts = [info.header_offset for info in infos] + [archive.start_dir]
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        raise FetchError(
            f"The directory of {file.name} cannot be read",
            where=url,
            expected="a complete zip archive",
            found=error,
            do="fetch the whole archive, or try again",
        ) from error
    members = {}
    for info, end in zip(infos, starts[1:], strict=True):
        if info.is_dir() or info.flag_bits & _ENCRYPTED:
            continue
        members[info.filename] = Member(
            info.filename, info.file_size, info.CRC, info.compress_type,
            info.compress_size, info.header_offset, end,
        )  # fmt: skip
    return version, members


class _RemoteFile(io.RawIOBase):
    """A remote file that is read in blocks, and remembers the last one.

    ``zipfile`` reads the directory through it, 64-bit archives included.
    """

    def __init__(self, http: Http, version: Version) -> None:
        assert version.total is not None
        self._http, self._version = http, version
        self._total, self._at = version.total, 0
        self._from, self._held = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._total}
        at = start[whence] + offset
        if at < 0:
            raise OSError(f"byte {at} of a file")
        self._at = at
        return at

    def read(self, size: int = -1) -> bytes:
        stop = self._total if size < 0 else min(self._at + size, self._total)
        if self._at < self._from or stop > self._from + len(self._held):
            # Its beginning may be what is looked for next: zipfile searches backwards.
            start = max(0, min(self._at, self._total - _BLOCK))
            end = max(stop, min(start + _BLOCK, self._total))
            ask = Ask(self._version.url, start, end, self._version)
            self._from, self._held = start, read_range(self._http, ask)
        data = self._held[self._at - self._from : max(stop, self._at) - self._from]
        self._at += len(data)
        return data


def _chosen(members: dict[str, Member], names: list[str], where: str) -> list[Member]:
    """Return the members of these names, in the order they lie in."""
    missing = [name for name in names if name not in members]
    if missing:
        raise MmclustError(
            "Members are not in the remote archive",
            where=where,
            expected="every selected member",
            found=f"{len(missing):,} missing: {some(missing)}",
            do="check that the selection belongs to this source",
        )
    return sorted((members[name] for name in names), key=lambda member: member.start)


def batches(members: list[Member]) -> list[list[Member]]:
    """Group members so that neighbours share a request, and little else comes along."""
    groups: list[list[Member]] = []
    waste = 0
    for member in members:
        if groups:
            group = groups[-1]
            span = member.end - group[0].start
            gap = waste + member.start - group[-1].end
            if gap <= _WASTE * span and span <= _BATCH:
                group.append(member)
                waste = gap
                continue
        groups.append([member])
        waste = 0
    return groups


def _unpacked(member: Member, data: bytes, url: str) -> bytes:
    """Return a member's bytes, of the length and CRC-32 of the directory."""
    try:
        magic, _, flags, method, *_, n_name, n_extra = _LOCAL.unpack_from(data)
    except struct.error as error:
        raise _damaged(member, url, "a header", error) from error
    start = _LOCAL.size + n_name + n_extra
    fits = magic == b"PK\3\4" and method == member.method and not flags & _ENCRYPTED
    if not fits or len(data) < start + member.packed:
        raise _damaged(member, url, "the member's header", data[:4])
    body = data[start : start + member.packed]
    if method == zipfile.ZIP_DEFLATED:
        try:
            decoder = zlib.decompressobj(-zlib.MAX_WBITS)
            body = decoder.decompress(body, member.size + 1)
        except zlib.error as error:
            raise _damaged(member, url, "deflated data", error) from error
    elif method != zipfile.ZIP_STORED:
        raise _damaged(member, url, "stored or deflated data", f"method {method}")
    found = len(body), zlib.crc32(body)
    if found != (member.size, member.crc):
        expected = f"{member.size:,} bytes, CRC-32 {member.crc:08x}"
        raise _damaged(member, url, expected, f"{found[0]:,} bytes, {found[1]:08x}")
    return body


def _damaged(member: Member, url: str, expected: str, found: object) -> FetchError:
    return FetchError(
        f"{member.name} is damaged",
        where=url,
        expected=expected,
        found=found,
        do="fetch again; if it stays so, fetch the whole archive",
        again=True,
    )


def _jpeg(chunks: Iterable[bytes], name: str, url: str) -> bytes:
    """Return a body that begins and ends as a JPEG does, and is no larger than one."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > _LARGEST:
            raise changed(url, f"at most {_LARGEST:,} bytes", "more")
    end = body.rstrip(b"\0")[-2:]
    if not body.startswith(b"\xff\xd8") or end != b"\xff\xd9":
        raise FetchError(
            f"{name} is no whole JPEG",
            where=url,
            expected="a file from ff d8 to ff d9",
            found=f"{len(body):,} bytes, from {body[:2].hex(' ')} to {end.hex(' ')}",
            do="fetch again",
            again=True,
        )
    return bytes(body)


def keep(folder: Path, name: str, body: bytes) -> None:
    """Write a member under its name."""
    path = folder / name
    for attempt in range(_KEEP_TRIES):
        partly = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partly.write_bytes(body)
            partly.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partly.unlink(missing_ok=True)
            # A neighbour that is done removes the folder: it is made again.
            vanished = isinstance(error, FileNotFoundError | FileExistsError)
            if vanished and attempt < _KEEP_TRIES - 1:
                continue
            raise cannot_write(path, error, len(body)) from error
        return


def _is_kept(folder: Path, member: Member) -> bool:
    """Say whether a member is there, with the right length and CRC-32."""
    try:
        body = (folder / member.name).read_bytes()
    except OSError:
        return False
    return (len(body), zlib.crc32(body)) == (member.size, member.crc)


def _keep_from(archive: Path, members: Iterable[Member], folder: Path) -> None:
    """Take members over from an earlier archive, as far as it has them undamaged."""
    with (
        contextlib.suppress(OSError, zipfile.BadZipFile, zlib.error),
        zipfile.ZipFile(archive) as opened,
    ):
        infos = {info.filename: info for info in opened.infolist()}
        for member in members:
            info = infos.get(member.name)
            if info is None or (info.file_size, info.CRC) != (member.size, member.crc):
                continue
            with contextlib.suppress(zipfile.BadZipFile, zlib.error):
                keep(folder, member.name, opened.read(info))


def remove(folder: Path) -> None:
    """Remove what was kept, and the work folder if it is empty then."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
