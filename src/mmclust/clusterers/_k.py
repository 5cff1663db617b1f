"""How many clusters: as asked, as many as classes, or chosen without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.clusterers._runs import cluster_array
from mmclust.core.errors import MmclustError
from mmclust.core.manifest import read_summary, summary_path
from mmclust.core.seeds import derive, generator
from mmclust.kernels.kmeans import require_k
from mmclust.scoring.auto_k import GRID, Choice, choose_k

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from mmclust.core.params import Params


def decide_k(
    params: Params, rows: np.ndarray[Any, Any], built: Path, seed: int
) -> tuple[int, Choice | None]:
    """Return the main number of clusters, and why where it was chosen.

    Parameters
    ----------
    params
        ``model.k``: a number; ``None`` for as many as classes; ``auto``.
    rows
        float32 (n, d), rows at unit norm, of the images that methods are fitted on:
        what ``auto`` looks at.
    built
        The benchmark's folder. The number of classes, in the summary, is all that is
        read of them here.
    seed
        Of the stage.

    Raises
    ------
    MmclustError
        When there are neither classes nor k, or no k can be chosen.
    """
    if params.model.k == "auto":
        block = params.clusterers.get("kmeans")
        choice = auto_k(rows, seed, params.model.k_grid, block)
        return choice.k, choice
    k = params.model.k or read_summary(built).get("n_classes") or 0
    if k < 1:
        raise MmclustError(
            "The benchmark has no classes, so k must be given",
            where=summary_path(built),
            do="set model.k in params.yaml: a number, or auto",
        )
    return k, None


def auto_k(
    rows: np.ndarray[Any, Any], seed: int, grid: tuple[int, ...], block: Any
) -> Choice:
    """Choose k by :func:`mmclust.scoring.auto_k.choose_k` with k-means.

    Parameters
    ----------
    rows
        float32 (n, d), rows at unit norm.
    seed
        Of the run.
    grid
        The k to try; empty for the default grid.
    block
        Options of k-means.
    """

    def cluster(rows: np.ndarray[Any, Any], k: int) -> np.ndarray[Any, Any]:
        one = derive(seed, "auto_k", k)
        return cluster_array(rows, "kmeans", k, seed=one, block=block)[0]

    return choose_k(rows, cluster, rng=generator(seed, "auto_k"), grid=grid or GRID)


def require_several(k: int, n_samples: int) -> None:
    """Refuse one cluster, and more clusters than images."""
    require_k(k, n_samples)
    if k == 1:
        raise MmclustError(
            "One cluster holds everything: there is nothing to find",
            where="k (model.k in params.yaml)",
            expected=f"between 2 and {n_samples}, or auto",
            found=k,
            do="choose a larger k",
        )
