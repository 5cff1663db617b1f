"""The stage ``fetch``: a source's raw files, verified, under one stable path."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.io import file_digest, read_json, write_json
from mmclust.sources.collect import collect
from mmclust.sources.copying import take_archive
from mmclust.sources.download import Network
from mmclust.sources.folder import counts, find_files, pack
from mmclust.sources.lock import locked, read_lock, record
from mmclust.sources.manual import drop_folder, require_dropped
from mmclust.sources.registry import find_source, read_registry
from mmclust.sources.temporary import sweep
from mmclust.sources.terms import require_accepted
from mmclust.sources.verify import decide, measure, verified_by

if TYPE_CHECKING:
    from mmclust.sources.types import Source
    from mmclust.sources.verify import Facts

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
) -> dict[str, Any]:
    """Bring a source's files to ``out``, each verified before it gets its name.

    Parameters
    ----------
    name
        A source of the registry.
    mirror
        ``sample``: the built-in world; ``upstream``: the publishers' servers; or
        a folder, relative to ``root``, as in ``from_dir``.
    out
        The folder to fill. No file of it changes before all that must be fetched
        are there; ``source.json`` comes last, and is absent while files change.
    root
        The root of the repository, where the registries are.
    from_dir
        Instead of any mirror: a folder that holds the data set as its publishers
        lay it out, archives or unpacked, itself or under the source's name.
    network
        How servers are used.

    Returns
    -------
    dict
        What ``source.json`` says: source, mirror, per file size, sha256, by which
        digest it was verified and whether it was packed here; absent files; the
        protocol options the source suggests.

    Raises
    ------
    MmclustError
        For an unknown source or mirror, terms that have not been accepted, and
        whatever keeps a file from being right; what was there before is then
        untouched.
    """
    kind, folder = _mirror(mirror, from_dir, root)
    source = open_source(name, root, sample=kind == "sample")
    if kind != "sample":
        require_accepted(source)
    sweep(out, source.files)
    if folder is None:
        files = _from_urls(source, out, root, network or Network())
    else:
        inner = folder / name
        files = _from_folder(source, inner if inner.is_dir() else folder, out)
    absent = [each for each in source.files if each not in files]
    for each in absent:
        if (out / each).exists():
            _forget(out)
            (out / each).unlink(missing_ok=True)
    if kind == "upstream":
        record(root / LOCK, source, files)
    facts = {
        "source": name,
        "mirror": kind,
        "files": files,
        "absent": absent,
        "protocol": source.protocol,
    }
    write_json(out / "source.json", facts)
    return facts


def open_source(name: str, root: Path, *, sample: bool = False) -> Source:
    """Return a source of the registry, with its first-seen digests.

    Parameters
    ----------
    name
        The source.
    root
        Of the repository.
    sample
        Whether it is the built-in sample's own.
    """
    path = root / (SAMPLE_REGISTRY if sample else REGISTRY)
    do = "run `mmclust sample`, which makes it" if sample else None
    source = find_source(read_registry(path, do), name, path)
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


def _from_urls(
    source: Source, out: Path, root: Path, network: Network
) -> dict[str, Any]:
    found = _present(source, out)
    wanted = [f for f in source.files.values() if decide(f, found[f.name]) != "present"]
    by_hand = [file for file in wanted if not file.urls]
    files = {}
    if by_hand:
        drop = require_dropped(source, by_hand, drop_folder(root, source.name))
        files = _from_folder(source, drop, out, [file.name for file in by_hand])
    new = collect(
        [file for file in wanted if file.urls],
        out,
        network,
        what=f"the download of {source.name}",
        tokens=source.tokens,
        before_replace=partial(_forget, out),
    )
    known = {**found, **new}
    known = {name: facts for name, facts in known.items() if name not in files}
    entries = {
        name: _archive_entry(source, name, facts)
        for name, facts in known.items()
        if facts is not None
    }
    merged = {**entries, **files}
    return {name: merged[name] for name in source.files if name in merged}


def _present(source: Source, out: Path) -> dict[str, Facts | None]:
    """Measure what is there and may stay.

    A file without a digest may be any mirror's; it stays if ``source.json`` knows it
    from upstream.
    """
    note = out / "source.json"
    facts = read_json(note) if note.is_file() else {}
    upstream = isinstance(facts, dict) and facts.get("mirror") == "upstream"
    known = facts.get("files", {}) if upstream else {}
    found = {}
    for name, file in source.files.items():
        held = measure(out / name, file)
        if held is not None and not file.digests and name in known:
            same = held.digests.get("sha256") == known[name]["sha256"]
            found[name] = held if same else None
        else:
            found[name] = held if file.digests else None
    return found


def _archive_entry(source: Source, name: str, facts: Facts) -> dict[str, Any]:
    return {
        "size": facts.size,
        "sha256": facts.digests["sha256"],
        "verified": verified_by(source.files[name]),
        "from": "archive",
    }


def _from_folder(
    source: Source, folder: Path, out: Path, only: list[str] | None = None
) -> dict[str, Any]:
    files = {}
    before = partial(_forget, out)
    for name, found in find_files(source, folder, only).items():
        file, path = source.files[name], out / name
        if found == [folder / name]:
            facts = take_archive(found[0], file, path, before_replace=before)
            files[name] = _archive_entry(source, name, facts)
        else:
            pack(found, folder, path, before_replace=before)
            files[name] = {
                "size": path.stat().st_size,
                "sha256": file_digest(path),
                "verified": "none",
                "from": "packed",
                "contains": counts(file, found, folder),
            }
    return files


def _forget(out: Path) -> None:
    """Drop ``source.json`` before the first file it describes changes."""
    (out / "source.json").unlink(missing_ok=True)
