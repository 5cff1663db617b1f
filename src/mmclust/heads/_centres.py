"""The image centres of TAC's semantic space (ICML 2024, section 3.1 and its code).

Shapes: n images; c centres; d features.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.features import normalised
from mmclust.kernels.kmeans import kmeans

if TYPE_CHECKING:
    from mmclust.core.params import NounsParams

CENTRES = {
    "cifar10": 167, "cifar20": 167, "stl10": 17, "imagenet10": 43, "imagenetdogs": 65,
    "dtd": 141, "ucf101": 303, "imagenet": 4271, "tinyimagenet": 334, "cub200": 39,
    "aid": 33,
}  # fmt: skip
"""Image centres as the codes of TAC and DXMC have them."""
IMAGES_PER_CENTRE = 300


def n_centres(
    n_images: int, n_classes: int, benchmark: str, centres: int | str = "rule"
) -> int:
    """Return the number of image centres."""
    if isinstance(centres, int):
        return centres
    if centres == "published":
        name = re.sub("[^a-z0-9]", "", benchmark.lower())
        if name not in CENTRES:
            raise MmclustError(
                f"The papers give no number of centres for {benchmark}",
                where="nouns.centres",
                expected=nearest(name, CENTRES),
                found=benchmark,
                do="set nouns.centres to rule or to a number",
            )
        return CENTRES[name]
    if n_images < IMAGES_PER_CENTRE * n_classes:
        return min(3 * n_classes, n_images)
    return max(int(n_images / IMAGES_PER_CENTRE + 0.5), 1)


def image_centres(
    images: np.ndarray[Any, Any],
    k: int,
    params: NounsParams,
    *,
    seed: int,
    device: str = "cpu",
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Cluster the images and return the mean direction of each cluster.

    Parameters
    ----------
    images
        float32 (n, d).
    k
        Clusters.
    params
        ``n_init``, ``max_iter``, ``max_points_per_centroid``, ``faiss_seed`` and
        ``noun_softmax_dtype`` are used.
    seed, device
        Of k-means.

    Returns
    -------
    centres
        float32 (c, d): means of *all* images assigned to each cluster. A cluster
        that no image belongs to has no centre, so c may be below k.
    labels
        int64 (n,): the centre of each image.
    """
    found = kmeans(
        images,
        k,
        seed=seed if params.faiss_seed is None else params.faiss_seed,
        n_init=params.n_init,
        max_iter=params.max_iter,
        spherical=True,
        init="random",
        max_points_per_centroid=params.max_points_per_centroid,
        device=device,
    )
    _, labels = np.unique(found.labels, return_inverse=True)
    n_found = int(labels.max()) + 1
    if params.noun_softmax_dtype == "float16":
        return _half_directions(images, labels, n_found), labels
    return mean_directions(images, labels, n_found), labels


def mean_directions(
    rows: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], n_groups: int
) -> np.ndarray[Any, Any]:
    """Return the mean of each group's rows at unit norm: float32 (groups, d)."""
    return normalised(_sums(rows, labels, n_groups))


def _half_directions(
    rows: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], n_groups: int
) -> np.ndarray[Any, Any]:
    """Do the same with rows, means, norms and quotients rounded to float16.

    So has the released code it. A norm's rounding shifts the cosines of all nouns with
    one centre alike, by as much as separates the centres of a noun.
    """
    sums = _sums(rows.astype(np.float16).astype(np.float32), labels, n_groups)
    sizes = np.bincount(labels, minlength=n_groups).astype(np.float32)
    means = (sums / sizes[:, None]).astype(np.float16).astype(np.float32)
    norms = np.linalg.norm(means, axis=1, keepdims=True).astype(np.float16)
    unit: np.ndarray[Any, Any] = means / norms.astype(np.float32)
    return unit.astype(np.float16).astype(np.float32)


def _sums(
    rows: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], n_groups: int
) -> np.ndarray[Any, Any]:
    from scipy.sparse import csr_array

    n = len(labels)
    member = csr_array((np.ones(n, np.float32), (labels, np.arange(n))), (n_groups, n))
    return np.asarray(member @ rows)
