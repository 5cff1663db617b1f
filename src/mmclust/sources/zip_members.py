"""Only what is needed: chosen members of a remote archive, packed into a smaller one.

Members come by range requests, and ``zipfile`` holds each to the length and CRC-32 of
the archive's own directory. Where a publisher has no archive, but a page that lists
pictures, each comes from its own url; all that can be checked then is that it is a
whole JPEG.

Members that have arrived are kept until they are packed. They are not synced to the
disk one by one: whoever finds one later checks it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import re
import secrets
import struct
import zipfile
import zlib
from concurrent.futures import as_completed
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

from mmclust.core.archives import BROKEN_ZIP
from mmclust.core.errors import MmclustError, some
from mmclust.core.progress import track
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
from mmclust.sources.parts import cannot_write, require_space, work_folder
from mmclust.sources.stopping import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mmclust.core.registry import SourceFile
    from mmclust.sources.http_request import Http, Network, Version

    Span = tuple[int, int, zipfile.ZipInfo]
    """A member, from its header to where the next thing begins."""

T = TypeVar("T")
_BATCH = 8 << 20
_WASTE = 0.04  # share of a batch that may be bytes nobody asked for
_BLOCK = 1 << 16
_LARGEST = 256 << 20  # bytes of a picture whose size nobody states
_IMAGE = re.compile(
    rb"""<img\b[^>]*?\bsrc\s*=\s*["']?([\w.-]+/[\w.-]+\.jpe?g)\b""", re.IGNORECASE
)


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
    fetch = _fetch_by_ranges if file.urls else _fetch_by_url
    with connecting(network, tokens) as http:
        how, url = fetch(file, names, folder, out, http)
    pack(names, folder, out / file.name)
    return how, url.startswith("http:")


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


def _fetch_by_ranges(
    file: SourceFile, names: list[str], folder: Path, out: Path, http: Http
) -> tuple[str, str]:
    version, archive = _directory(file, http)
    spans = _chosen(archive, names, version.url)
    _keep_from(out / file.name, spans, folder)
    missing = [span for span in spans if not _is_kept(folder, span[2])]
    size = sum(info.file_size for *_, info in missing)
    # Twice: once as they come, once packed.
    require_space(folder, 2 * size, f"{len(missing):,} files of {file.name}")

    def attempt(group: list[Span]) -> None:
        start, end = group[0][0], group[-1][1]
        part = copy.copy(archive)  # the same directory over the bytes of this group
        held = read_range(http, version, start, end)
        part.fp = cast("Any", _RemoteFile(http, version, start, held))
        for *_, info in group:
            try:
                body = part.read(info)
            except BROKEN_ZIP as error:
                raise FetchError(
                    f"{info.filename} is damaged",
                    where=version.url,
                    expected=f"{info.file_size:,} bytes, CRC-32 {info.CRC:08x}",
                    found=error,
                    do="fetch again; if it stays so, fetch the whole archive",
                    again=True,
                ) from error
            keep(folder, info.filename, body)

    _all_at_once(attempt, batches(missing), file.name, http)
    return "crc32", version.url


def _fetch_by_url(
    file: SourceFile, names: list[str], folder: Path, _: Path, http: Http
) -> tuple[str, str]:
    address = file.member_url or ""

    def attempt(name: str) -> None:
        url = address.replace("{member}", quote(name))
        with opening(http, Ask(url)) as stream:
            body = _jpeg(refuse_page(stream, name), name, url)
        keep(folder, name, body)

    missing = [name for name in names if not (folder / name).is_file()]
    _all_at_once(attempt, missing, file.name, http)
    return "jpeg", address


def _all_at_once(
    attempt: Callable[[T], None], items: list[T], name: str, http: Http
) -> None:
    """Make all requests, each patiently, and stop at the first failure."""

    def request(item: T) -> None:
        persistently(partial(attempt, item), http)

    with Threads(min(http.network.connections, len(items)), "member") as threads:
        futures = [threads.submit(request, item) for item in items]
        done = as_completed(futures)
        try:
            for future in track(done, f"fetching from {name}", len(items), "requests"):
                future.result()
        finally:
            http.stop.set()


def _directory(file: SourceFile, http: Http) -> tuple[Version, zipfile.ZipFile]:
    """Read the directory from the first mirror that gives ranges of it."""
    for url in file.urls[:-1]:
        with contextlib.suppress(FetchError):
            return persistently(partial(_read_directory, http, file, url), http)
    return persistently(partial(_read_directory, http, file, file.urls[-1]), http)


def _read_directory(
    http: Http, file: SourceFile, url: str
) -> tuple[Version, zipfile.ZipFile]:
    with opening(http, Ask(url, 0, 1)) as stream:
        version = stream.version
        if not stream.partial or version.total is None:
            raise FetchError(
                "The server does not give parts of the archive",
                where=url,
                expected="an answer with one byte, as asked for",
                found="the whole file",
                do="fetch the whole archive",
            )
        next(stream.chunks, b"")
    if file.size not in (None, version.total):
        raise changed(url, f"{file.size:,} bytes", f"{version.total:,} bytes")
    try:
        return version, zipfile.ZipFile(_RemoteFile(http, version))
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        raise FetchError(
            f"The directory of {file.name} cannot be read",
            where=url,
            expected="a complete zip archive",
            found=error,
            do="fetch the whole archive, or try again",
        ) from error


class _RemoteFile(io.RawIOBase):
    """A remote file that is read in blocks, and remembers the last one."""

    def __init__(
        self, http: Http, version: Version, start: int = 0, held: bytes = b""
    ) -> None:
        self._http, self._version, self._total = http, version, version.total or 0
        self._at, self._from, self._held = 0, start, held

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
            self._held = read_range(self._http, self._version, start, end)
            self._from = start
        data = self._held[self._at - self._from : max(stop, self._at) - self._from]
        self._at += len(data)
        return data


def _chosen(archive: zipfile.ZipFile, names: list[str], where: str) -> list[Span]:
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    ends = [*(info.header_offset for info in infos[1:]), archive.start_dir]
    spans = {
        info.filename: (info.header_offset, end, info)
        for info, end in zip(infos, ends, strict=bool(infos))
        if not info.is_dir()
    }
    missing = [name for name in names if name not in spans]
    if missing:
        raise MmclustError(
            "Members are not in the remote archive",
            where=where,
            expected="every selected member",
            found=f"{len(missing):,} missing: {some(missing)}",
            do="check that the selection belongs to this source",
        )
    return sorted((spans[name] for name in names), key=lambda span: span[0])


def batches(spans: list[Span]) -> list[list[Span]]:
    """Group members so that neighbours share a request, and little else comes along."""
    groups: list[list[Span]] = []
    waste = 0
    for span in spans:
        if groups:
            group = groups[-1]
            length, gap = span[1] - group[0][0], waste + span[0] - group[-1][1]
            if gap <= _WASTE * length and length <= _BATCH:
                group.append(span)
                waste = gap
                continue
        groups.append([span])
        waste = 0
    return groups


def listed_members(page: Path) -> list[str]:
    """Return the pictures an HTML page shows, as paths relative to it."""
    found = {match.decode() for match in _IMAGE.findall(page.read_bytes())}
    if not found:
        raise MmclustError(
            f"{page.name} lists no pictures",
            where=page,
            expected="<img src=folder/name.jpg>",
            found="none",
            do="the publisher's page may have changed: open it in a browser",
        )
    return sorted(found)


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
    partly = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partly.write_bytes(body)
        partly.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partly.unlink(missing_ok=True)
        raise cannot_write(path, error, len(body)) from error


def _is_kept(folder: Path, info: zipfile.ZipInfo) -> bool:
    try:
        body = (folder / info.filename).read_bytes()
    except OSError:
        return False
    return (len(body), zlib.crc32(body)) == (info.file_size, info.CRC)


def _keep_from(archive: Path, spans: Iterable[Span], folder: Path) -> None:
    """Take members over from an earlier archive, as far as it has them undamaged."""
    with (
        contextlib.suppress(OSError, zipfile.BadZipFile),
        zipfile.ZipFile(archive) as opened,
    ):
        for *_, info in spans:
            here = opened.NameToInfo.get(info.filename)
            if here and (here.file_size, here.CRC) == (info.file_size, info.CRC):
                with contextlib.suppress(zipfile.BadZipFile, zlib.error):
                    keep(folder, info.filename, opened.read(here))
