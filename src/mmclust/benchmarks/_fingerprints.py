"""What two copies of a picture share: the digest of the file, and a perceptual hash.

The hash is the 64-bit DCT hash (pHash): grey, 32 × 32 pixels, type-II discrete cosine
transform, the 8 × 8 lowest frequencies, one bit each for being above their median.
JPEGs are decoded at a reduced scale (1/2, 1/4, 1/8: the smallest that leaves 128
pixels a side), which changes a few bits against hashes of the full size at most, and
is several times as fast.
"""

from __future__ import annotations

import hashlib
import io
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mmclust.core.decoding import decode
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_files
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from mmclust.core.manifest import Manifest

Item = TypeVar("Item")
Result = TypeVar("Result")

SIDE = 32
"""Pixels a side of the grey picture that is transformed."""
LOW = 8
"""Frequencies a side that are kept."""
DRAFT = 128
"""Pixels that each side of a JPEG decoded at a reduced scale has at least."""
BLOCK = 4096
"""Pictures that are transformed at once."""
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Fingerprints:
    """Of n pictures, in manifest order.

    Parameters
    ----------
    digests
        sha256 of each file's bytes, (n,) of ``S32``.
    hashes
        uint64 (n,): the perceptual hash; 0 where the picture does not decode.
    decoded
        bool (n,).
    """

    digests: np.ndarray[Any, Any]
    hashes: np.ndarray[Any, Any]
    decoded: np.ndarray[Any, Any]


def fingerprints(manifest: Manifest, *, workers: int = 1) -> Fingerprints:
    """Take the fingerprints of all pictures; each file is read once.

    Parameters
    ----------
    manifest
        Built with images.
    workers
        Threads that decode; the result is the same at any number.

    Raises
    ------
    MmclustError
        When a file is missing or its bytes are not those of its archive. Bytes that
        are no picture are no error here: encoding decides about them.
    """
    from PIL import Image

    Image.init()  # before threads do it at once
    n = len(manifest)
    digests = np.zeros(n, "S32")
    hashes = np.zeros(n, np.uint64)
    decoded = np.zeros(n, bool)
    files = track(read_files(manifest, range(n)), "fingerprints", n, unit="images")
    with ThreadPoolExecutor(workers) as pool:
        results = _in_order(pool, _take, files, ahead=4 * workers)
        pictures: list[np.ndarray[Any, Any]] = []
        rows: list[int] = []
        for row, (digest, picture) in enumerate(results):
            digests[row] = digest
            if picture is not None:
                decoded[row] = True
                pictures.append(picture)
                rows.append(row)
            if len(pictures) == BLOCK:
                hashes[rows] = perceptual_hashes(np.stack(pictures))
                pictures, rows = [], []
    if pictures:
        hashes[rows] = perceptual_hashes(np.stack(pictures))
    return Fingerprints(digests, hashes, decoded)


def perceptual_hashes(pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return uint64 (n,) of uint8 grey pictures (n, 32, 32); see the module."""
    from scipy.fft import dctn

    frequencies = dctn(pictures.astype(np.float64), axes=(1, 2))[:, :LOW, :LOW]
    low = frequencies.reshape(len(pictures), LOW * LOW)
    bits = low > np.median(low, axis=1, keepdims=True)
    packed: np.ndarray[Any, Any] = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return packed.astype(np.uint64)


def _take(file: tuple[int, bytes]) -> tuple[bytes, np.ndarray[Any, Any] | None]:
    """Return a file's digest and its small grey picture, if it is one."""
    _, data = file
    return hashlib.sha256(data).digest(), small_picture(data)


def small_picture(data: bytes) -> np.ndarray[Any, Any] | None:
    """Return uint8 grey (32, 32) of an image file; ``None`` if it does not decode."""
    from PIL import Image

    try:
        if data.startswith(_JPEG):
            with Image.open(io.BytesIO(data)) as image:
                image.draft("L", (DRAFT, DRAFT))
                grey = image.convert("L")
        else:
            grey = Image.fromarray(decode(data, "")).convert("L")
    except (
        OSError,
        ValueError,
        SyntaxError,
        MmclustError,
        Image.DecompressionBombError,
    ):
        return None
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
) -> Iterator[Result]:
    """Yield results in the order of the items, few of which wait in memory."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
