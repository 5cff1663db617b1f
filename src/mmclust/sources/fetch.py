"""The stage ``fetch``: a source's raw files, verified, under one stable path.

From publishers' servers (the built-in sample is one, of ``file:`` addresses) come whole
files, or members of archives; from a folder of the user's come copies, or archives that
are packed here. ``source.json`` says what came, and comes last.
"""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import file_digest, read_note, sweep, write_json
from mmclust.core.registry import find_source, read_registry
from mmclust.sources.download import Network, fetch_files
from mmclust.sources.first_seen import locked, read_lock, record
from mmclust.sources.own_files import (
    NotInFolder,
    counts,
    described,
    find_files,
    holds,
    pack,
    refuse_outside,
    take_archive,
)
from mmclust.sources.parts import shared, tidy, work_folder
from mmclust.sources.terms import require_accepted
from mmclust.sources.verify import decide, forget, measure, verified_by
from mmclust.sources.zip_members import fetch_members, listed_members, plain_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mmclust.core.registry import Source, SourceFile
    from mmclust.sources.verify import Facts

    Entry = dict[str, Any]
    """What ``source.json`` says of a file."""
    Choose = Callable[[Path], dict[str, list[str]]]
    """Given the folder of a source's files, say which members are wanted of each
    archive of pictures."""

REGISTRY = Path("data/sources.yaml")
LOCK = Path("data/sources.lock")
SAMPLE_REGISTRY = Path("data/sample/registry.yaml")


@dataclass(frozen=True)
class Choice:
    """Which pictures of a source are wanted."""

    lists: tuple[str, ...]  # other sources, whose files say which
    pictures: Callable[[Path], Iterable[str]]
    """Given a folder that holds a folder for each source, returns paths such as
    ``train2017/000000000009.jpg``; others than this source's do no harm."""


def fetch_source(
    name: str,
    *,
    mirror: str,
    out: Path,
    root: Path,
    from_dir: Path | None = None,
    network: Network | None = None,
    choice: Choice | None = None,
    on_clear: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Bring a source's files to ``out``, each verified before it gets its name.

    ``on_clear`` hears of files that came over http and that nobody's digest holds.
    """
    kind, folder = _mirror(mirror, from_dir, root)
    source = open_source(name, root, sample=kind == "sample")
    if kind != "sample":
        require_accepted(source)
    sweep(out)
    note = read_note(out / "source.json")
    # Its files may be of another registry, or another mirror's.
    before = note["files"] if isinstance(note.get("files"), dict) else {}
    network = network or Network()
    lists = work_folder(out) / "lists"
    if kind == "sample" and choice is not None:
        source = _with_patterns(source, root)

    def folder_of(other: str) -> Path:
        return _lists_of(other, kind, folder, root, lists, network)

    choose = chooser(choice, source, kind, folder_of)
    clear: list[str] = []
    if folder is not None:
        files = _from_folder(source, _inner(folder, name), out, choose)
    else:
        noted = before if note.get("mirror") == kind else {}
        needed = kind == "upstream" and choose is not None
        with shared(lists) if needed else contextlib.nullcontext():
            files, clear = _from_upstream(
                source, kind, noted, out, root, network, choose
            )
    absent = [each for each in source.files if each not in files]
    _remove([*absent, *(each for each in before if each not in source.files)], out)
    tidy(work_folder(out), [])
    for each in clear:
        # What was seen first is held to that.
        if not source.files[each].digests:
            on_clear(each)
    if kind == "upstream":
        for entry in record(root / LOCK, source, files):
            # What is fetched next time will say the same.
            files[entry.partition("/")[2]]["verified"] = "first seen"
    facts = {
        "source": name,
        "mirror": kind,
        "files": files,
        "absent": absent,
        "protocol": source.protocol,
    }
    write_json(out / "source.json", facts)
    return facts


def _from_upstream(
    source: Source,
    kind: str,
    noted: dict[str, Entry],
    out: Path,
    root: Path,
    network: Network,
    choose: Choose | None,
) -> tuple[dict[str, Entry], list[str]]:
    """Fetch what is missing or damaged; say of all, and which came in the clear."""
    present = _present(source, out, noted)
    drop = root / "data/drop" / source.name
    selected = {
        name
        for name, file in source.files.items()
        # What was made of a drop folder that is empty by now stays.
        if choose
        and file.is_pictures
        and (_is_had(file) or holds(drop, file))
        # Whoever has downloaded all of it is not given less.
        and not (kind == "upstream" and file.digests and name in present)
    }
    files = {name: entry for name, entry in present.items() if name not in selected}
    wanted = [file for name, file in source.files.items() if name not in files]
    if kind == "upstream":
        files |= _dropped(source, wanted, out, drop, choose)
        wanted = [file for file in wanted if file.name not in files]
    fetched = fetch_files(
        [file for file in wanted if file.urls and file.name not in selected],
        out,
        network,
        source.tokens,
        f"the download of {source.name}",
    )
    files |= {
        name: _whole(source.files[name], facts) for name, facts in fetched.items()
    }
    clear = [name for name, facts in fetched.items() if facts.over_http]
    for name, names in _members(wanted, out, choose).items():
        file = source.files[name]
        if names and _is_noted(out / name, names, noted.get(name)):
            files[name] = noted[name]
        elif names and _is_had(file):
            how, over_http = fetch_members(file, names, out, network, source.tokens)
            files[name] = _part(file, names, out / name, how)
            clear += [name] if over_http else []
    in_order = {name: files[name] for name in source.files if name in files}
    return in_order, [name for name in source.files if name in clear]


def _is_had(file: SourceFile) -> bool:
    return bool(file.urls or file.listed_in)


def _present(source: Source, out: Path, noted: dict[str, Entry]) -> dict[str, Entry]:
    """Return what is there and may stay.

    A file without a digest may be any mirror's; it stays if ``source.json`` knows it
    from the same mirror.
    """
    present = {}
    for name, file in source.files.items():
        found = measure(out / name, file)
        if found is None or decide(file, found) != "present":
            continue
        if file.digests:
            present[name] = _whole(file, found)
        elif noted.get(name, {}).get("sha256") == found.digests.get("sha256"):
            present[name] = noted[name]
    return present


def _dropped(
    source: Source,
    wanted: list[SourceFile],
    out: Path,
    folder: Path,
    choose: Choose | None,
) -> dict[str, Entry]:
    """Take what was dropped by hand; demand what can be got in no other way."""
    by_hand = [file for file in wanted if not _is_had(file)]
    there = [f for f in source.files.values() if f.optional and (out / f.name).exists()]
    if there and all(file.optional for file in by_hand):
        by_hand = [file for file in by_hand if holds(folder, file)]
    names = [file.name for file in by_hand]
    if by_hand:
        try:
            find_files(source, folder, names)
        except (NotInFolder, FileNotFoundError) as error:
            raise _by_hand(source, by_hand, folder) from error
    names += [f.name for f in wanted if f.urls and (folder / f.name).is_file()]
    return _from_folder(source, folder, out, choose, names) if names else {}


def _by_hand(source: Source, files: list[SourceFile], folder: Path) -> MmclustError:
    there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    return MmclustError(
        f"{source.name} must be got by hand",
        where=folder,
        expected="; ".join(map(described, files)),
        found=some(there) or "nothing",
        do=f"{source.manual.strip()} Put it into {folder}, then run the command "
        "again: what you dropped is verified and copied",
    )


def _members(
    wanted: list[SourceFile], out: Path, choose: Choose | None
) -> dict[str, list[str]]:
    if choose is not None:
        chosen = choose(out)
        return {f.name: chosen[f.name] for f in wanted if f.name in chosen}
    listed = (file for file in wanted if file.listed_in)
    return {file.name: listed_members(out / file.listed_in) for file in listed}


def _is_noted(path: Path, names: list[str], noted: Entry | None) -> bool:
    """Say whether an archive is the one that was made of just these members."""
    if noted is None or noted["from"] != "members" or not path.is_file():
        return False
    if file_digest(path) != noted["sha256"]:
        return False
    with zipfile.ZipFile(path) as archive:
        return archive.namelist() == sorted(set(names))


def _from_folder(
    source: Source,
    folder: Path,
    out: Path,
    choose: Choose | None,
    only: list[str] | None = None,
) -> dict[str, Entry]:
    """Copy or pack what a folder has of a source."""
    files = {}
    there = find_files(source, folder, only)
    chosen = choose(folder) if choose else {}
    for name, found in there.items():
        file, names = source.files[name], chosen.get(name)
        path = out / name
        if found != [folder / name]:
            if names is not None:
                taken = {folder / each for each in names}
                found = [each for each in found if each in taken]  # noqa: PLW2901
            if found:
                pack(found, folder, path)
                notes = counts(file, found, folder)
                files[name] = _made(path, "none", "packed", notes)
        elif names is None:
            files[name] = _whole(file, take_archive(found[0], file, path))
        elif names:
            # Its members are held to its directory, so that not all of it is read.
            here = replace(file, urls=(found[0].absolute().as_uri(),), size=None)
            names = _as_in(found[0], names)
            how, _ = fetch_members(here, names, out, Network(), {})
            files[name] = _part(file, names, path, how)
    return files


def _as_in(archive: Path, names: list[str]) -> list[str]:
    """Name members as an archive of the user's does: perhaps without their folder."""
    with contextlib.suppress(OSError, zipfile.BadZipFile):  # told when it is read
        with zipfile.ZipFile(archive) as opened:
            there = set(opened.namelist())
        below = {name: name.partition("/")[2] for name in names}
        return [below[n] if n not in there and below[n] in there else n for n in names]
    return names


def _whole(file: SourceFile, facts: Facts) -> Entry:
    """Say of a file that it is as its publisher has it."""
    sha256, verified = facts.digests["sha256"], verified_by(file)
    return {
        "size": facts.size,
        "sha256": sha256,
        "verified": verified,
        "from": "archive",
    }


def _part(file: SourceFile, names: list[str], path: Path, how: str) -> Entry:
    """Say of an archive that it was made of some members."""
    full = sum(file.contains.values())
    rest = ": a part" if len(names) < full else ""
    notes = {pattern: f"{len(names)} of {full}{rest}" for pattern in file.contains}
    return _made(path, how, "members", notes)


def _made(path: Path, verified: str, made: str, contains: dict[str, str]) -> Entry:
    return {
        "size": path.stat().st_size,
        "sha256": file_digest(path),
        "verified": verified,
        "from": made,
        "contains": contains,
    }


def _inner(folder: Path, name: str) -> Path:
    """Return where a source lies in a folder of the user's: by itself, or flat."""
    if not (folder / name).is_dir():
        return folder
    refuse_outside(folder, [folder / name])
    return folder / name


def chooser(
    choice: Choice | None,
    source: Source,
    mirror: str,
    folder_of: Callable[[str], Path],
) -> Choose | None:
    """Return what says which members of which archives are wanted."""
    if choice is None or not any(file.is_pictures for file in source.files.values()):
        return None

    def choose(folder: Path) -> dict[str, list[str]]:
        folders = {name: folder_of(name) for name in choice.lists}
        folders[source.name] = folder
        note = {"mirror": mirror, "protocol": source.protocol}
        with _side_by_side(folders, source.name, note) as raw:
            try:
                paths = plain_paths(source.name, choice.pictures(raw))
            except MmclustError as error:
                # To the reader these are the folders themselves.
                for name, real in folders.items():
                    error.replace(str(raw / name), str(real))
                error.replace(str(raw), str(folder.parent))
                raise
        return {
            name: [p for p in paths if any(map(PurePosixPath(p).match, file.contains))]
            for name, file in source.files.items()
            if file.is_pictures
        }

    return choose


@contextlib.contextmanager
def _side_by_side(
    folders: Mapping[str, Path], own: str, note: Mapping[str, object]
) -> Iterator[Path]:
    """Give a folder that shows the sources' files as ``build`` is going to see them."""
    with tempfile.TemporaryDirectory(prefix="mmclust-") as made:
        raw = Path(made)
        for name, folder in folders.items():
            (raw / name).mkdir()
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.name != "source.json":
                    (raw / name / path.name).symlink_to(path.absolute())
        write_json(raw / own / "source.json", dict(note))
        yield raw


def _lists_of(
    name: str,
    kind: str,
    folder: Path | None,
    root: Path,
    lists: Path,
    network: Network,
) -> Path:
    """Return where another source's files lie that say which pictures are wanted.

    From upstream they are fetched, into the work folder, unless they are there.
    """
    if folder is not None:
        return _inner(folder, name)
    if kind == "sample":
        return (root / SAMPLE_REGISTRY).with_name(name)
    raw = root / "data/raw" / name
    if read_note(raw / "source.json").get("mirror") == kind:
        return raw
    fetch_source(name, mirror=kind, out=lists / name, root=root, network=network)
    return lists / name


def _with_patterns(source: Source, root: Path) -> Source:
    """Say of the sample's archives what is in them, as the registry in git does."""
    everything = root / REGISTRY
    if not everything.is_file():
        return source
    known = read_registry(everything).get(source.name)
    files = dict(source.files)
    for name, file in files.items():
        path = (root / SAMPLE_REGISTRY).with_name(source.name) / name
        like = known.files.get(name) if known else None
        if like is not None and like.is_pictures and path.is_file():
            with zipfile.ZipFile(path) as archive:
                paths = [PurePosixPath(each) for each in archive.namelist()]
            counted = {p: sum(each.match(p) for each in paths) for p in like.contains}
            files[name] = replace(file, contains=counted)
    return replace(source, files=files)


def _remove(names: list[str], out: Path) -> None:
    for name in names:
        if (out / name).exists():
            forget(out)
            (out / name).unlink(missing_ok=True)


def open_source(name: str, root: Path, *, sample: bool = False) -> Source:
    """Return a source of the registry, with its first-seen digests."""
    path = root / (SAMPLE_REGISTRY if sample else REGISTRY)
    do = "run `mmclust sample`, which makes it" if sample else None
    known = read_registry(path, do)
    everything = root / REGISTRY
    if sample and name not in known and everything.is_file():
        find_source(read_registry(everything), name, everything)
        raise MmclustError(
            f"{name} is not in the built-in sample",
            where=path,
            expected=some(known),
            found=name,
            do="name it in data.sources and run `mmclust sample`, which draws what it "
            "has of that (--all: everything); or fetch it from its publisher: mmclust "
            f"fetch {name} --mirror upstream",
        )
    source = find_source(known, name, path)
    return source if sample else locked(source, read_lock(root / LOCK))


def _mirror(mirror: str, from_dir: Path | None, root: Path) -> tuple[str, Path | None]:
    """Return what kind of mirror it is, and its folder if it is one."""
    if from_dir is None and mirror in {"sample", "upstream"}:
        return mirror, None
    folder = from_dir or root / Path(mirror).expanduser()
    if folder.is_dir():
        return "folder", folder
    if from_dir is not None:
        raise MmclustError(
            "There is no such folder",
            where="--from",
            expected="a folder that holds the data set, archives or unpacked",
            found=from_dir,
            do="correct the path",
        )
    known = nearest(mirror, ["sample", "upstream"])
    raise MmclustError(
        f"Unknown mirror {mirror!r}",
        where="data.mirror in params.yaml, or --mirror",
        expected=f"the path of a folder that holds the data sets, or {known}",
        found=f"no folder {folder}",
        do="correct the mirror",
    )
