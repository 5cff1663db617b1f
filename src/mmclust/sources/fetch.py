"""The stage ``fetch``: a source's raw files, verified, under one stable path."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import read_note, sweep, write_json
from mmclust.core.registry import find_source, read_registry
from mmclust.sources.choice import chooser
from mmclust.sources.collect import work_folder
from mmclust.sources.download import Network
from mmclust.sources.folder import refuse_outside
from mmclust.sources.local import OVER_HTTP, forget, from_folder
from mmclust.sources.lock import locked, read_lock, record
from mmclust.sources.parts import tidy
from mmclust.sources.terms import require_accepted
from mmclust.sources.upstream import from_upstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmclust.core.registry import Source
    from mmclust.sources.choice import Choice

REGISTRY = Path("data/sources.yaml")
LOCK = Path("data/sources.lock")
SAMPLE_REGISTRY = Path("data/sample/registry.yaml")


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
    """Bring a source's files to ``out``, each verified before it gets its name."""
    kind, folder = _mirror(mirror, from_dir, root)
    source = open_source(name, root, sample=kind == "sample")
    if kind != "sample":
        require_accepted(source)
    sweep(out)
    earlier = _names_before(out)
    network = network or Network()
    if kind == "sample" and choice is not None:
        source = _with_patterns(source, root)
    other = partial(_other, kind, folder, root, out, network)
    choose = chooser(choice, source, kind, other)
    if folder is None:
        files = from_upstream(
            source, out, root, network, upstream=kind == "upstream", choose=choose
        )
    else:
        files = from_folder(source, _inner(folder, name), out, choose=choose)
    absent = [each for each in source.files if each not in files]
    _remove([*absent, *(each for each in earlier if each not in source.files)], out)
    shutil.rmtree(_lists(out), ignore_errors=True)
    tidy(work_folder(out), [])
    # Of files that nobody's digest holds; what was seen first is held to that.
    clear = [each for each in files if files[each].pop(OVER_HTTP, False)]
    for each in clear:
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


def _inner(folder: Path, name: str) -> Path:
    """Return where a source lies in a folder of the user's: by itself, or flat."""
    if not (folder / name).is_dir():
        return folder
    refuse_outside(folder, [folder / name])
    return folder / name


def _lists(out: Path) -> Path:
    return work_folder(out) / "lists"


def _other(
    kind: str, folder: Path | None, root: Path, out: Path, network: Network, name: str
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
    lists = _lists(out) / name
    fetch_source(name, mirror=kind, out=lists, root=root, network=network)
    return lists


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


def _names_before(out: Path) -> list[str]:
    """Return the files that ``source.json`` names, which may be of another registry."""
    files = read_note(out / "source.json").get("files")
    return list(files) if isinstance(files, dict) else []


def _remove(names: list[str], out: Path) -> None:
    """Remove what is of another mirror than the rest."""
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
