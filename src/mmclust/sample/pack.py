"""Archives whose bytes depend on their contents alone."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

from mmclust.core.io import writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Archives carry dates; a fixed one keeps their bytes the same.
DATE = (2017, 9, 1, 0, 0, 0)
EPOCH = 1_504_224_000  # the same date, as tar counts


def write_archive(path: Path, members: Mapping[str, bytes], *, stored: bool) -> Path:
    """Write a zip."""
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with writing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, DATE)
            info.create_system = 3  # Unix, whatever system this is
            info.external_attr = (0o40755 if name.endswith("/") else 0o100644) << 16
            archive.writestr(info, content, method)
    return path


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a tar compressed with gzip; a name that ends in ``/`` is a folder."""
    with (
        writing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=EPOCH) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, content in members.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            folder = name.endswith("/")
            info.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
            info.mode, info.mtime = 0o755 if folder else 0o644, EPOCH
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path
