"""Members of a remote zip archive: grouped into requests, unpacked and checked."""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass

from mmclust.core.errors import MmclustError
from mmclust.sources.trouble import FetchError

_BATCH = 8 << 20
_WASTE = 0.04
"""Share of a batch that may be bytes nobody asked for."""
_LOCAL = struct.Struct("<4s5H3I2H")
_ENCRYPTED = 1


@dataclass(frozen=True)
class Wanted:
    """A member of a remote archive.

    Parameters
    ----------
    name, size, crc
        As the directory has them; CRC-32 of the unpacked bytes.
    method, packed
        How it is packed (0: stored, 8: deflated), and its packed size.
    start, end
        Where its header begins, and where the next thing does.
    """

    name: str
    size: int
    crc: int
    method: int
    packed: int
    start: int
    end: int


def batches(members: list[Wanted]) -> list[list[Wanted]]:
    """Group members so that neighbours share a request, and little else comes along."""
    groups: list[list[Wanted]] = []
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


def unpack_member(member: Wanted, data: bytes, url: str) -> bytes:
    """Return a member's bytes, checked."""
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
    refuse_difference(member, body, url)
    return body


def refuse_difference(member: Wanted, body: bytes, url: str) -> None:
    """Refuse bytes whose length or CRC-32 is not the directory's."""
    found = len(body), zlib.crc32(body)
    if found != (member.size, member.crc):
        expected = f"{member.size:,} bytes, CRC-32 {member.crc:08x}"
        raise _damaged(member, url, expected, f"{found[0]:,} bytes, {found[1]:08x}")


def _damaged(member: Wanted, url: str, expected: str, found: object) -> FetchError:
    error = MmclustError(
        f"{member.name} is damaged",
        where=url,
        expected=expected,
        found=found,
        do="fetch again; if it stays so, fetch the whole archive",
    )
    return FetchError(error, again=True)
