"""A head's clusters of images that are not evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.plugins import load
from mmclust.core.seeds import derive
from mmclust.heads._rows import n_clusters
from mmclust.heads._saved import load_head, predict
from mmclust.heads._stage import views_of_benchmark

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params


def assign_rows(
    manifest: Manifest,
    rows: np.ndarray[Any, Any],
    params: Params,
    root: Path,
    *,
    head: str,
    run: int = 0,
) -> np.ndarray[Any, Any]:
    """Assign some rows of a benchmark with a head; labels are not read.

    A trained head (fitted on ``fit_rows``) predicts them, as the stage does with the
    rows to evaluate; one without training clusters them by themselves.

    Parameters
    ----------
    manifest, rows
        Which images, int64 (m,).
    params
        ``seed``, ``model`` and ``heads`` are used.
    root
        The repository: heads, nouns and features are read under ``data/``.
    head
        One of ``model.heads``.
    run
        Which of its seeds.

    Returns
    -------
    numpy.ndarray
        int32 (m,).

    Raises
    ------
    MmclustError
        When the head did not run or was trained on another manifest, or one of the
        images was skipped.
    """
    if head not in params.model.heads:
        raise MmclustError(
            f"The head {head!r} does not run",
            where="model.heads in params.yaml",
            expected=nearest(head, params.model.heads),
            found=head,
            do="correct --head, or add it to model.heads and run `dvc repro`",
        )
    name, module = manifest.benchmark, load("heads", head)
    features, image, text = views_of_benchmark(root, manifest, params.model.encoder)
    features.require(rows, manifest)
    if hasattr(module, "recipe"):
        folder = root / "data/heads" / name / head
        weights, facts = load_head(folder, run)
        if facts["manifest"] != manifest.digest:
            raise MmclustError(
                "The head was trained on another manifest",
                where=folder,
                expected=f"manifest {manifest.digest[:16]}…",
                found=f"manifest {facts['manifest'][:16]}…",
                do=f"train it again: mmclust head {name} {head}",
            )
        return predict(weights, image[rows]).labels
    built = root / "data/benchmarks" / name
    chosen = root / "data/clusters" / name / "k" / f"{params.model.encoder}.json"
    k = n_clusters(params, built, chosen)
    seed = derive(params.seed, "head", name, head, run)
    options = params.block("heads", head)
    labels: np.ndarray[Any, Any] = module.cluster(
        image[rows], text[rows], k, options, seed=seed
    )
    return labels
