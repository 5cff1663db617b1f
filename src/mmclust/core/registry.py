"""The registry: what each source's files are called, weigh, hash to and cost.

One reader reads both the registry in git (``data/sources.yaml``, the publishers'
servers) and the one the built-in sample writes (``data/sample/registry.yaml``).
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.text import require_name
from mmclust.core.yaml_file import read_yaml

if TYPE_CHECKING:
    from pathlib import Path


DIGEST_LENGTHS = {"sha256": 64, "sha1": 40, "md5": 32}
"""Hexadecimal digits of each digest, strongest first."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source."""

    urls: tuple[str, ...] = ()
    """Where it lies, in order of preference; ``http``, ``https`` or ``file``."""
    size: int | None = None  # bytes; `None` where nobody knows
    sha256: str | None = None
    sha1: str | None = None
    md5: str | None = None  # lower-case hexadecimal; `None` where not known
    contains: dict[str, int] = field(default_factory=dict)
    """For an archive: patterns of its members, and how many match in the full file."""
    optional: bool = False
    """Whether a folder of the user's may lack it while it has another."""
    listed_in: str = ""
    """The file of the source that names the members of this one, an archive that is
    made here of what ``member_url`` gives; empty otherwise."""
    member_url: str | None = None
    """Where a single member lies then, with ``{member}`` for its path."""
    name: str = ""  # what it is called on disk
    first_seen: bool = False
    """Whether size and digest are those of this project's own first download."""

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
    """A publisher's data set."""

    files: dict[str, SourceFile]  # by name, in the registry's order
    title: str = ""
    homepage: str = ""
    licence: str = ""
    citation: str = ""
    evidence: str = ""  # who states the digests and sizes
    accept: bool = False
    """Whether its terms must be accepted before anything is fetched."""
    terms: str = ""  # what is accepted then
    manual: str = ""  # for files without url: where and how to get them by hand
    tokens: dict[str, str] = field(default_factory=dict)
    """By host: the environment variable that holds the token it wants."""
    protocol: dict[str, Any] = field(default_factory=dict)
    """Options of benchmarks that the source suggests, such as
    ``{"coco_all.min_images": 20}`` for a small sample."""
    name: str = ""  # its key in the registry


T = TypeVar("T", SourceFile, Source)


def read_registry(path: Path, do: str | None = None) -> dict[str, Source]:
    """Read and check a registry."""
    sources = _mapping(read_yaml(path, do), path, "")
    for name in sources:
        # It becomes a folder, whose neighbour <name>.work holds what is on its way.
        if require_name(name, "a source", path).endswith(".work"):
            raise _malformed(path, name, "a name that does not end in .work", name)
    return {name: _source(entry, path, name) for name, entry in sources.items()}


def find_source(registry: dict[str, Source], name: str, path: Path) -> Source:
    """Return a source by name."""
    if name not in registry:
        raise MmclustError(
            f"Unknown source {name!r}",
            where=path,
            expected=nearest(name, registry),
            found=name,
            do="correct the name; `mmclust sources list` says what each one is",
        )
    return registry[name]


def _source(value: Any, path: Path, name: str) -> Source:
    entry = _mapping(value, path, name)
    files = _mapping(entry.get("files"), path, f"{name}.files")
    read = {
        require_name(key, "a file", f"{path}: {name}.files"): _file(
            inner, path, f"{name}.files", key
        )
        for key, inner in files.items()
    }
    if not read:
        raise _malformed(path, f"{name}.files", "at least one file", "none")
    source = _typed({**entry, "files": {}}, Source, path, name)
    _refuse_unreachable(source, read, path, name)
    return dataclasses.replace(source, files=read, name=name)


def _refuse_unreachable(
    source: Source, files: dict[str, SourceFile], path: Path, name: str
) -> None:
    """Refuse files that nobody could get, and terms that nobody could read."""
    if source.accept and not source.terms:
        raise _malformed(path, f"{name}.terms", "what is to be accepted", "nothing")
    for file in files.values():
        where = f"{name}.files.{file.name}"
        member = file.member_url
        if member is not None and not ("{member}" in member and _scheme(member)):
            what = "an address with {member} in it"
            raise _malformed(path, f"{where}.member_url", what, repr(member))
        if file.listed_in:
            if file.listed_in not in files or file.member_url is None or file.urls:
                what = "another file of the source, with `member_url`, without `urls`"
                raise _malformed(path, f"{where}.listed_in", what, file.listed_in)
        elif file.member_url is not None:
            raise _malformed(path, f"{where}.member_url", "`listed_in` with it", "none")
        elif not file.urls and not source.manual:
            what = "`url`, `urls` with at least one, or `manual` for the source"
            raise _malformed(path, where, what, "none")


def _file(value: Any, path: Path, parent: str, name: str) -> SourceFile:
    where = f"{parent}.{name}"
    if name == "source.json":
        raise _malformed(path, where, "another name: fetching writes this one", name)
    entry = dict(_mapping(value, path, where))
    if "url" in entry and "urls" not in entry:
        entry["urls"] = [entry.pop("url")]
    if "urls" in entry and not entry["urls"]:
        raise _malformed(path, where, "`url`, or `urls` with at least one", "none")
    file = _typed(entry, SourceFile, path, where)
    if file.size is not None and file.size < 1:
        raise _malformed(path, f"{where}.size", "a positive integer", file.size)
    for algorithm, digest in file.digests.items():
        length = DIGEST_LENGTHS[algorithm]
        if not re.fullmatch(f"[0-9a-f]{{{length}}}", digest):
            raise _malformed(
                path,
                f"{where}.{algorithm}",
                f"{length} hexadecimal digits in lower case",
                f"{digest!r} ({len(digest)} characters)",
            )
    urls = []
    for url in file.urls:
        if (scheme := _scheme(url)) is None:
            expected = "http://, https://, file:// or a path"
            raise _malformed(path, f"{where}.urls", expected, repr(url))
        urls.append(url if scheme else (path.parent / url).resolve().as_uri())
    return dataclasses.replace(file, urls=tuple(urls), name=name)


def _scheme(url: str) -> str | None:
    """Return an address's scheme, empty for a path; ``None`` for what is none."""
    try:
        parts = urlsplit(url)
        at_host = parts.scheme == "file" or (parts.hostname and parts.port != 0)
    except ValueError:  # half of a bracket, a port that is no number
        return None
    if parts.scheme in {"http", "https", "file"} and at_host:
        return parts.scheme
    return "" if url and not parts.scheme else None


def _mapping(value: Any, path: Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _malformed(path, where, "a mapping", repr(value))
    return value


def _typed(value: dict[str, Any], kind: type[T], path: Path, where: str) -> T:
    """Convert to a dataclass; ``name`` is the key, never a value."""
    known = {f.name for f in dataclasses.fields(kind)} - {"name", "first_seen"}
    for key in value:
        if key not in known:
            raise _malformed(
                path, f"{where}.{key}", nearest(str(key), known), f"the key {key!r}"
            )
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        expected, _, found = message.removeprefix("Expected ").partition(", got ")
        key = at.rstrip("`").replace("[...]", "")
        raise _malformed(path, where + key, expected, found) from error


def _malformed(path: Path, entry: str, expected: str, found: object) -> MmclustError:
    return MmclustError(
        "The registry of sources is malformed",
        where=f"{path}: {entry}" if entry else path,
        expected=expected,
        found=found,
        do=f"correct {path.name}",
    )
