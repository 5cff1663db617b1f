"""The stage ``fetch``: a source's raw files, verified, under one stable path."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.io import file_digest, write_json
from mmclust.sources.download import download, require_space
from mmclust.sources.folder import counts, find_files, pack, take_archive
from mmclust.sources.registry import Source, find_source, read_registry
from mmclust.sources.temporary import sweep
from mmclust.sources.transport import Timeouts
from mmclust.sources.verify import decide, measure, verified_by

REGISTRY = Path("data/sources.yaml")
SAMPLE_REGISTRY = Path("data/sample/registry.yaml")


def fetch_source(
    name: str,
    *,
    mirror: str,
    out: Path,
    root: Path,
    from_dir: Path | None = None,
    timeouts: Timeouts | None = None,
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
        The folder to fill. Files appear one by one, ``source.json`` last; it is
        absent while the files are changing.
    root
        The root of the repository, where the registries are.
    from_dir
        Instead of any mirror: a folder that holds the data set as its publishers
        lay it out, archives or unpacked, itself or under the source's name.
    timeouts
        For servers; by default 10 s to connect and 60 s between data.

    Returns
    -------
    dict
        What ``source.json`` says: source, mirror, per file size, sha256, by which
        digest it was verified and whether it was packed here; absent files; the
        protocol options the source suggests.

    Raises
    ------
    MmclustError
        For an unknown source or mirror, and whatever keeps a file from being
        right; what was there before is then untouched.
    """
    kind, folder = _mirror(mirror, from_dir, root)
    path = root / (SAMPLE_REGISTRY if kind == "sample" else REGISTRY)
    do = "run `mmclust sample`, which makes it" if kind == "sample" else None
    source = find_source(read_registry(path, do), name, path)
    sweep(out, source.files)
    if folder is None:
        files = _from_urls(source, out, timeouts or Timeouts())
    else:
        inner = folder / name
        files = _from_folder(source, inner if inner.is_dir() else folder, out)
    absent = [each for each in source.files if each not in files]
    for each in absent:
        if (out / each).exists():
            _forget(out)
            (out / each).unlink(missing_ok=True)
    facts = {
        "source": name,
        "mirror": kind,
        "files": files,
        "absent": absent,
        "protocol": source.protocol,
    }
    write_json(out / "source.json", facts)
    return facts


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


def _from_urls(source: Source, out: Path, timeouts: Timeouts) -> dict[str, Any]:
    found = {name: measure(out / name, file) for name, file in source.files.items()}
    wanted = [f for f in source.files.values() if decide(f, found[f.name]) != "present"]
    size = sum(file.size or 0 for file in wanted)
    require_space(out, size, f"the download of {source.name}")
    for file in wanted:
        found[file.name] = download(
            file,
            out / file.name,
            timeouts=timeouts,
            before_replace=partial(_forget, out),
        )
    return {
        name: {
            "size": facts.size,
            "sha256": facts.digests["sha256"],
            "verified": verified_by(source.files[name]),
            "from": "archive",
        }
        for name, facts in found.items()
        if facts is not None
    }


def _from_folder(source: Source, folder: Path, out: Path) -> dict[str, Any]:
    files = {}
    before = partial(_forget, out)
    for name, found in find_files(source, folder).items():
        file, path = source.files[name], out / name
        if found == [folder / name]:
            facts = take_archive(found[0], file, path, before_replace=before)
            files[name] = {
                "size": facts.size,
                "sha256": facts.digests["sha256"],
                "verified": verified_by(file),
                "from": "archive",
            }
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
