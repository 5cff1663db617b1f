"""A source's files: found unpacked or packed, and what fetching wrote of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.archives import Found, check_folder, opened, read_members
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import ModuleType

    from mmclust.core.manifest import Row


@dataclass(frozen=True)
class Layout:
    """Files that a publisher packs together, below a folder in the archive."""

    archive: str
    folder: str
    names: tuple[str, ...]
    optional: tuple[str, ...] = ()


def read_layout(
    raw: Path, layouts: Sequence[Layout]
) -> tuple[Layout, dict[str, bytes], str]:
    """Read the first layout that is there: unpacked, or else in its archive."""
    check_folder(raw)
    for layout in layouts:
        for folder in (raw / layout.folder, raw):
            if all((folder / name).is_file() for name in layout.names):
                there = [n for n in layout.optional if (folder / n).is_file()]
                files = {
                    name: (folder / name).read_bytes()
                    for name in (*layout.names, *there)
                }
                return layout, files, str(folder)
    for layout in layouts:
        path, names = raw / layout.archive, (*layout.names, *layout.optional)
        if path.is_file():
            wanted = {f"{layout.folder}/{name}": name for name in names}
            files = {wanted[name]: data for name, data in read_members(path, wanted)}
            if missing := [name for name in layout.names if name not in files]:
                expected = f"{layout.folder}/ with {', '.join(layout.names)}"
                found = f"missing: {some(missing)}"
                raise faulty(f"{path.name} lacks files", path, expected, found)
            return layout, files, layout.archive
    found = contents([raw])
    if begun := [each for each in layouts if (raw / each.folder).is_dir()]:
        top = begun[0].folder
        absent = [n for n in begun[0].names if not (raw / top / n).is_file()]
        found = f"{top}/ without {some(absent)}"
    raise MmclustError(
        f"The files of {layouts[0].folder} are missing",
        where=raw,
        expected="; or ".join(
            f"{n.archive}, or unpacked {n.folder}/ with {', '.join(n.names)}"
            for n in layouts
        ),
        found=found,
        do="fetch the source again, or give its folder with --raw",
    )


def contents(folders: Sequence[Path]) -> str:
    """Say what is in some folders, for messages."""
    there = {path.name for folder in folders for path in folder.iterdir()}
    return some(sorted(there)) or "an empty folder"


def source_facts(raw: Path) -> dict[str, Any]:
    """Return what ``source.json``, which fetching writes, says; empty if absent."""
    path = raw / "source.json"
    if not path.is_file():
        return {}
    return read_record(path, {}, do="fetch the source again", mirror=str, files=dict)


def taken_from(plugin: ModuleType, params: Any, raw: Path) -> dict[str, str]:
    """Return where fetching took each source of a benchmark from."""
    names = getattr(plugin, "SOURCES", ()) or (getattr(plugin, "SOURCE", "source"),)
    chosen = getattr(params, "source", "")
    names = (chosen,) if chosen in names else names
    shared = (raw / "source.json").is_file()
    found = {}
    for name in names:
        own = raw / name
        if len(names) > 1 and not own.is_dir() and not shared:
            continue
        folder = own if (own / "source.json").is_file() or not shared else raw
        mirror = source_facts(folder).get("mirror", "by hand")
        found[name] = (
            mirror if mirror in ("sample", "upstream", "by hand") else "folder"
        )
    return found


def verified_by(raw: Path, sources: Iterable[str] = ()) -> list[str]:
    """Return how fetching verified the source's files, ``none`` among it.

    Empty where nothing says so: they were not fetched.
    """
    folders = [raw, *(raw / name for name in sources if name)]
    held = [source_facts(folder).get("files") or {} for folder in folders]
    files = [file for each in held for file in each.values()]
    return sorted({str(f.get("verified")) for f in files if isinstance(f, dict)})


def source_folders(raw: Path, names: Sequence[str]) -> list[Path]:
    """Return the folders that several sources' files may lie in."""
    check_folder(raw)
    return [raw / name for name in names if (raw / name).is_dir()] + [raw]


def look_for(folders: Sequence[Path], archive: str, member: str) -> Found | None:
    """Return the first of a publisher's file: unpacked, or else in its archive."""
    for folder in folders:
        if (folder / member).is_file():
            return Found(folder / member)
        if (folder / archive).is_file():
            with opened(folder / archive) as packed:
                if member in packed.NameToInfo:
                    return Found(folder / archive, member)
    return None


def require(
    folders: Sequence[Path], archive: str, member: str, names: Sequence[str] = ()
) -> Found:
    """Return what :func:`look_for` finds; ``names``: what an error says is expected."""
    found = look_for(folders, archive, member)
    if found is None:
        raise lacking(folders, member, names or [member, f"{archive} with it"])
    return found


def lacking(folders: Sequence[Path], what: str, names: Sequence[str]) -> MmclustError:
    """Return the error for a file that is in none of the folders."""
    return MmclustError(
        f"{what} is missing",
        where=", ".join(map(str, folders)),
        expected=" or ".join(names),
        found=contents(folders),
        do="fetch the source again, or give its folder with --raw",
    )


AGAIN = "fetch the source again"


def faulty(
    what: str, where: object, expected: str, found: object, do: str = AGAIN
) -> MmclustError:
    """Return the error for a file of a source that is not what it must be."""
    return MmclustError(what, where=where, expected=expected, found=found, do=do)


def refuse(
    wrong: Sequence[str],
    what: str,
    where: object,
    expected: str,
    counted: str | None = None,
    do: str = AGAIN,
) -> None:
    """Refuse a source if something is wrong in it; ``counted`` says how, as a count."""
    if wrong:
        number = "" if counted is None else f"{len(wrong):,} {counted}".rstrip() + ": "
        raise faulty(what, where, expected, number + some(wrong), do)


def whole(text: str, where: object) -> str:
    """Return the text, if all of it can be written down."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        near = text[max(error.start - 30, 0) : error.start + 30]
        shown = near.encode("utf-8", "backslashreplace").decode()
        raise MmclustError(
            "A text was cut in the middle of a character",
            where=where,
            expected="whole characters; an emoji is a pair of \\u escapes in JSON",
            found=f"{half}, one half of a pair, in: {shown}",
            do="remove the half character, or write the text out again",
        ) from error
    return text


def shown(value: Any) -> str:
    """Return a value for a message; a list's text could be deeper than Python goes."""
    plain = value is None or isinstance(value, bool | int | float | str | bytes)
    return repr(value)[:80] if plain else type(value).__name__


def container_notes(raw: Path, rows: Iterable[Row]) -> dict[str, Any]:
    """Return the size of the rows' archives, and the sha256 that fetching recorded."""
    notes: dict[str, Any] = {}
    for path in sorted({row.container for row in rows if row.container}):
        if path.is_dir():
            notes[f"{path.name}/"] = "a folder"
            continue
        notes[path.name] = {"bytes": path.stat().st_size}
        facts = source_facts(path.parent) or source_facts(raw)
        recorded = (facts.get("files") or {}).get(path.name)
        if isinstance(recorded, dict) and recorded.get("sha256"):
            notes[path.name]["sha256"] = recorded["sha256"]
    return notes
