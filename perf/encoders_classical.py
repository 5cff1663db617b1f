"""HOG and LBP against scikit-image's plain loop, image by image, in one process.

    PYTHONPATH=src python perf/encoders_classical.py [FOLDER OF JPEGS]

Both sides start from decoded RGB. The rival does what its gallery does: rgb2gray,
resize, hog or local_binary_pattern, histogram. The second figure leaves out the
resizing and takes the same grey square on both sides.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.images import decode
from mmclust.core.plugins import load
from mmclust.encoders._grey import grey_square

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

N = 200


def pictures() -> list[Array]:
    """Return pictures of a folder, or noise of COCO's size."""
    if len(sys.argv) > 1:
        files = sorted(Path(sys.argv[1]).rglob("*.jpg"))[:N]
        return [decode(file.read_bytes(), str(file)) for file in files]
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (480, 640, 3), dtype=np.uint8) for _ in range(N)]


def rival_square(rgb: Array) -> Array:
    from skimage.color import rgb2gray
    from skimage.transform import resize

    return resize(rgb2gray(rgb), (224, 224), anti_aliasing=True)


def rival_hog(grey: Array) -> Array:
    from skimage.feature import hog

    return hog(grey, 9, (56, 56), (2, 2))


def rival_lbp(grey: Array) -> Array:
    from skimage.feature import local_binary_pattern

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of floats, which resize gives
        codes = local_binary_pattern(grey, 8, 1, "uniform")
    return np.histogram(codes, bins=10, range=(0, 10), density=True)[0]


def seconds(task: Callable[[Array], Array], items: list[Array]) -> float:
    """Return the best of three passes over all items."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for item in items:
            task(item)
        best = min(best, time.perf_counter() - start)
    return best / len(items)


def main() -> None:
    rgbs = pictures()
    greys = [grey_square(rgb, 224) for rgb in rgbs]
    squares = [np.repeat(grey[..., None], 3, axis=2) for grey in greys]
    for name, rival in (("hog", rival_hog), ("lbp", rival_lbp)):
        module = load("encoders", name)
        params = module.Params()
        ours = seconds(lambda x, m=module, p=params: m.prepare(x, p), rgbs)
        theirs = seconds(lambda x, r=rival: r(rival_square(x)), rgbs)
        print(f"{name}, from RGB: {ours * 1e3:.2f} ms; scikit-image "
              f"{theirs * 1e3:.2f} ms; {theirs / ours:.1f} times as fast")  # fmt: skip
        ours = seconds(lambda x, m=module, p=params: m.prepare(x, p), squares)
        theirs = seconds(rival, greys)
        print(f"{name}, from the grey square: {ours * 1e3:.2f} ms; scikit-image "
              f"{theirs * 1e3:.2f} ms; {theirs / ours:.1f} times as fast")  # fmt: skip


if __name__ == "__main__":
    main()
