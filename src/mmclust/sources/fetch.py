"""The stage ``fetch``: a source's raw files, verified, under one stable path.

From publishers' servers (the built-in sample is one, of ``file:`` addresses) come whole
files, or members of archives; from a folder of the user's come copies, or archives that
are packed here. ``source.json`` says what came, and comes last.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import file_digest, read_note, sweep, write_json
from mmclust.core.registry import find_source, read_registry
from mmclust.sources.download import fetch_files
from mmclust.sources.http_request import Network
from mmclust.sources.own_files import (
    described,
    files_of,
    find_files,
    pack,
    refuse_outside,
    take_archive,
)
from mmclust.sources.parts import one_at_a_time, tidy, work_folder
from mmclust.sources.terms import require_accepted
from mmclust.sources.verify import forget, locked, present, read_lock, record
from mmclust.sources.zip_members import fetch_members, listed_members, plain_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mmclust.core.registry import Source, SourceFile
    from mmclust.sources.verify import Hashed

    Entry = dict[str, Any]
    """What ``source.json`` says of a file."""

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
    elif choice is not None:
        source = _with_patterns(source, root)
    if not any(file.is_pictures for file in source.files.values()):
        choice = None
    one = _Fetch(source, kind, folder, out, root, network or Network(), choice)
    work = work_folder(out)
    # So that what is recorded is what lies beside the record.
    with one_at_a_time(work) as alone:
        sweep(out)
        note = read_note(out / "source.json")
        # Its files may be of another registry, or another mirror's.
        before = note["files"] if isinstance(note.get("files"), dict) else {}
        if folder is not None:
            files = one.from_folder(_inner(folder, name))
        else:
            noted = before if note.get("mirror") == kind else {}
            files, clear = one.from_servers(noted, alone=alone)
            for each in clear:
                on_clear(each)
        facts = one.write_down(files, before)
        if alone:
            whole = [each for each in files if files[each]["from"] == "archive"]
            tidy(work, files, whole)
    return facts


@dataclass(frozen=True)
class _Fetch:
    """One source on its way to a folder."""

    source: Source
    kind: str  # of mirror: sample, upstream or folder
    folder: Path | None  # of the user's, with this and other sources
    out: Path
    root: Path
    network: Network
    choice: Choice | None  # which pictures, where not all

    def write_down(
        self, files: dict[str, Entry], before: Iterable[str]
    ) -> dict[str, Any]:
        """Remove what no longer belongs to the source, and write down what does."""
        absent = [name for name in self.source.files if name not in files]
        for gone in [*absent, *(set(before) - set(self.source.files))]:
            if (self.out / gone).exists():
                forget(self.out)
                (self.out / gone).unlink(missing_ok=True)
        if self.kind == "upstream":
            for name in record(self.root / LOCK, self.source, files):
                # What is fetched next time will say the same.
                files[name]["verified"] = "first seen"
        facts = {
            "source": self.source.name,
            "mirror": self.kind,
            "files": files,
            "absent": absent,
            "protocol": self.source.protocol,
        }
        write_json(self.out / "source.json", facts)
        return facts

    def from_servers(
        self, noted: dict[str, Entry], *, alone: bool
    ) -> tuple[dict[str, Entry], list[str]]:
        """Fetch what is missing or damaged; say of all, and what may be forged.

        That is what came in the clear and nobody's digest holds.
        """
        by_hand = self.kind == "upstream"
        drop = self.root / "data/drop" / self.source.name if by_hand else None
        files = self._present(noted)
        in_part = {
            name
            for name, file in self.source.files.items()
            # What was made of a drop folder that is empty by now stays.
            if self.choice
            and file.is_pictures
            and (_is_had(file) or (drop and files_of(file, drop)))
            # Whoever has downloaded all of it is not given less.
            and not (drop is not None and file.digests and name in files)
        }
        files = {name: entry for name, entry in files.items() if name not in in_part}
        wanted = [file for name, file in self.source.files.items() if name not in files]
        if drop is not None:
            files |= self._dropped(wanted, drop)
            wanted = [file for file in wanted if file.name not in files]
        whole = [file for file in wanted if file.urls and file.name not in in_part]
        clear = []
        for part in fetch_files(
            self.source, whole, self.out, self.network, alone=alone
        ):
            files[part.source.name] = _whole(part.source, part.hashed)
            clear += [part.source.name] if part.over_http else []
        if self.choice is not None:
            chosen = self._chosen(self.out)
        else:
            pages = {f.name: self.out / f.listed_in for f in wanted if f.listed_in}
            chosen = {name: listed_members(page) for name, page in pages.items()}
        for file in wanted:
            name, names = file.name, chosen.get(file.name)
            if names and _is_noted(self.out / name, names, noted.get(name)):
                files[name] = noted[name]
            elif names and _is_had(file):
                how, over_http = fetch_members(
                    file, names, self.out, self.network, self.source.tokens
                )
                if alone:  # room for the next archive's
                    members = work_folder(self.out) / f"{name}.members"
                    shutil.rmtree(members, ignore_errors=True)
                files[name] = _made(file, self.out / name, how, "members", names)
                clear += [name] if over_http else []
        in_order = {name: files[name] for name in self.source.files if name in files}
        # What was seen first is held to that.
        free = [name for name, file in self.source.files.items() if not file.digests]
        return in_order, [name for name in free if name in clear]

    def _present(self, noted: dict[str, Entry]) -> dict[str, Entry]:
        """Return what is there and may stay.

        A file without a digest may be any mirror's; it stays if ``source.json`` knows
        it from the same mirror.
        """
        there = {}
        for name, file in self.source.files.items():
            found = present(self.out / name, file)
            if found is None:
                continue
            if file.digests:
                there[name] = _whole(file, found)
            elif noted.get(name, {}).get("sha256") == found.digests["sha256"]:
                there[name] = noted[name]
        return there

    def _dropped(self, wanted: list[SourceFile], folder: Path) -> dict[str, Entry]:
        """Take what was dropped by hand; demand what can be got in no other way."""
        by_hand = [file for file in wanted if not _is_had(file)]
        there = [
            f
            for f in self.source.files.values()
            if f.optional and (self.out / f.name).exists()
        ]
        if there and all(file.optional for file in by_hand):
            by_hand = [file for file in by_hand if files_of(file, folder)]
        names = [file.name for file in by_hand]
        if by_hand and find_files(self.source, folder, names)[1]:
            held = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
            raise MmclustError(
                f"{self.source.name} must be got by hand",
                where=folder,
                expected="; ".join(map(described, by_hand)),
                found=some(held) or "nothing",
                do=f"{self.source.manual.strip()} Put it into {folder}, then run the "
                "command again: what you dropped is verified and copied",
            )
        names += [f.name for f in wanted if f.urls and (folder / f.name).is_file()]
        return self.from_folder(folder, names) if names else {}

    def from_folder(
        self, folder: Path, only: list[str] | None = None
    ) -> dict[str, Entry]:
        """Copy or pack what a folder has of a source."""
        files = {}
        there, missing = find_files(self.source, folder, only)
        if missing:
            raise MmclustError(
                f"{self.source.name} is not in the folder",
                where=folder,
                expected="; ".join(missing),
                found=some(sorted(p.name for p in folder.iterdir()))
                or "an empty folder",
                do="give the folder that holds the publisher's archives, or what was "
                "unpacked from them",
            )
        chosen = self._chosen(folder) if self.choice else {}
        for name, found in there.items():
            file, names = self.source.files[name], chosen.get(name)
            path = self.out / name
            if found != [folder / name]:
                packed = [each.relative_to(folder).as_posix() for each in found]
                if names is not None:
                    taken = set(names)
                    packed = [each for each in packed if each in taken]
                if packed:
                    pack(packed, folder, path)
                    files[name] = _made(file, path, "none", "packed", packed)
            elif names is None:
                files[name] = _whole(file, take_archive(found[0], file, path))
            elif names:
                # Its members are held to its directory, so that not all of it is read.
                here = replace(file, urls=(found[0].absolute().as_uri(),), size=None)
                inside = _as_in(found[0], names)
                how, _ = fetch_members(here, inside, self.out, Network(), {})
                files[name] = _made(file, path, how, "members", names)
        return files

    def _chosen(self, own: Path) -> dict[str, list[str]]:
        """Say which members are wanted of each archive of pictures.

        Who knows is given a folder that shows the sources' files as ``build`` is going
        to see them.
        """
        assert self.choice is not None
        folders = {
            **{name: self._lists_of(name) for name in self.choice.lists},
            self.source.name: own,
        }
        with tempfile.TemporaryDirectory(prefix="mmclust-") as made:
            raw = Path(made)
            for name, folder in folders.items():
                (raw / name).mkdir()
                for path in folder.iterdir() if folder.is_dir() else ():
                    if path.name != "source.json":
                        (raw / name / path.name).symlink_to(path.absolute())
            note = {"mirror": self.kind, "protocol": self.source.protocol}
            write_json(raw / self.source.name / "source.json", note)
            try:
                paths = plain_paths(self.source.name, self.choice.pictures(raw))
            except MmclustError as error:
                # To the reader these are the folders themselves.
                for name, real in folders.items():
                    error.replace(str(raw / name), str(real))
                error.replace(str(raw), str(own.parent))
                raise
        return {
            name: [p for p in paths if any(map(PurePosixPath(p).match, file.contains))]
            for name, file in self.source.files.items()
            if file.is_pictures
        }

    def _lists_of(self, name: str) -> Path:
        """Return where another source's files lie that say which pictures are wanted.

        From upstream they are fetched, into the work folder, unless they are there.
        """
        if self.folder is not None:
            return _inner(self.folder, name)
        if self.kind == "sample":
            return (self.root / SAMPLE_REGISTRY).with_name(name)
        raw = self.root / "data/raw" / name
        if read_note(raw / "source.json").get("mirror") == self.kind:
            return raw
        lists = work_folder(self.out) / "lists"
        fetch_source(
            name,
            mirror=self.kind,
            out=lists / name,
            root=self.root,
            network=self.network,
        )
        return lists / name


def _is_had(file: SourceFile) -> bool:
    return bool(file.urls or file.listed_in)


def _is_noted(path: Path, names: list[str], noted: Entry | None) -> bool:
    """Say whether an archive is the one that was made of just these members."""
    if noted is None or noted["from"] != "members" or not path.is_file():
        return False
    if file_digest(path) != noted["sha256"]:
        return False
    with zipfile.ZipFile(path) as archive:
        return archive.namelist() == sorted(set(names))


def _as_in(archive: Path, names: list[str]) -> list[str]:
    """Name members as an archive of the user's does: perhaps without their folder."""
    with contextlib.suppress(OSError, zipfile.BadZipFile):  # told when it is read
        with zipfile.ZipFile(archive) as opened:
            there = set(opened.namelist())
        below = {name: name.partition("/")[2] for name in names}
        return [below[n] if n not in there and below[n] in there else n for n in names]
    return names


def _whole(file: SourceFile, found: Hashed) -> Entry:
    """Say of a file that it is as its publisher has it."""
    verified = "first seen" if file.first_seen else next(iter(file.digests), "none")
    return {
        "size": found.size,
        "sha256": found.digests["sha256"],
        "verified": verified,
        "from": "archive",
    }


def _made(
    file: SourceFile, path: Path, verified: str, made: str, names: list[str]
) -> Entry:
    """Say of an archive that it was made here, and how much of the full one it is."""
    contains, total = {}, sum(file.contains.values())
    for pattern, one in file.contains.items():
        held, full = sum(PurePosixPath(name).match(pattern) for name in names), one
        if made == "members":  # those asked for, whatever they are called
            held, full = len(names), total
        contains[pattern] = f"{held} of {full}" + (": a part" if held < full else "")
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
