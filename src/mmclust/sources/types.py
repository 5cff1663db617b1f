"""What is known of a source and its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DIGEST_LENGTHS = {"sha256": 64, "sha1": 40, "md5": 32}
"""Hexadecimal digits of each digest, strongest first."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Parameters
    ----------
    urls
        Where it lies, in order of preference; ``http``, ``https`` or ``file``.
    size
        Bytes; ``None`` where nobody knows.
    sha256, sha1, md5
        Lower-case hexadecimal; ``None`` where not known.
    contains
        For an archive: patterns of its members, and how many match in the full
        file.
    optional
        Whether a folder of the user's may lack it while it has another.
    member_url
        Where a single member lies, with ``{member}`` for its path in the archive.
    listed_in
        The file of the source that names the members of this one, an archive that is
        made here of what ``member_url`` gives; empty otherwise.
    name
        What it is called on disk.
    first_seen
        Whether size and digest are those of this project's own first download.
    """

    urls: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    sha1: str | None = None
    md5: str | None = None
    contains: dict[str, int] = field(default_factory=dict)
    optional: bool = False
    member_url: str | None = None
    listed_in: str = ""
    name: str = ""
    first_seen: bool = False

    @property
    def is_pictures(self) -> bool:
        """Whether it is a zip of nothing but pictures, of which some can be taken."""
        endings = tuple(pattern.lower() for pattern in self.contains)
        pictures = all(each.endswith((".jpg", ".jpeg", ".png")) for each in endings)
        return self.name.endswith(".zip") and bool(endings) and pictures

    @property
    def known_by(self) -> str:
        """``published``, ``first seen`` or ``unknown``: whose digest it is held to."""
        if not self.digests:
            return "unknown"
        return "first seen" if self.first_seen else "published"

    @property
    def digests(self) -> dict[str, str]:
        """The known digests by algorithm, strongest first."""
        known = ((name, getattr(self, name)) for name in DIGEST_LENGTHS)
        return {name: digest for name, digest in known if digest is not None}


@dataclass(frozen=True)
class Source:
    """A publisher's data set.

    Parameters
    ----------
    files
        By name, in the registry's order.
    title, homepage, licence, citation
        For people.
    evidence
        Who states the digests and sizes.
    accept
        Whether its terms must be accepted before anything is fetched.
    terms
        What is accepted then.
    manual
        For files without url: where and how to get them by hand.
    tokens
        By host: the environment variable that holds the token it wants.
    protocol
        Options of benchmarks that the source suggests, such as
        ``{"coco_all.min_images": 20}`` for a small sample.
    name
        Its key in the registry.
    """

    files: dict[str, SourceFile]
    title: str = ""
    homepage: str = ""
    licence: str = ""
    citation: str = ""
    evidence: str = ""
    accept: bool = False
    terms: str = ""
    manual: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    name: str = ""
