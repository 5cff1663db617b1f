"""Clusters of images that are not evaluated, made as the stage would make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.clusterers._k import decide_k, require_several
from mmclust.clusterers._runs import BOTH, assign, finds_k, takes_both
from mmclust.core.errors import MmclustError, nearest
from mmclust.core.features import normalised, read_features, view_of, views_of
from mmclust.core.plugins import require
from mmclust.core.seeds import derive

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params


def cluster_rows(
    manifest: Manifest,
    rows: np.ndarray[Any, Any],
    params: Params,
    root: Path,
    *,
    encoder: str,
    view: str | None,
    clusterer: str,
    run: int = 0,
) -> tuple[str, np.ndarray[Any, Any]]:
    """Cluster some rows of a benchmark by themselves; labels are not read.

    The clusters are those that ``mmclust cluster`` would write were these rows the
    ones to evaluate: same k, options and seed.

    Parameters
    ----------
    manifest, rows
        Which images, int64 (m,).
    params
        ``seed``, ``model.k`` and ``clusterers`` are used.
    root
        The repository; features are read under ``data/``.
    encoder, view, clusterer
        The method; without a view, both joined where the encoder has both.
    run
        Which of the runs (seeds).

    Returns
    -------
    view : str
        The one that was clustered.
    labels : numpy.ndarray
        int32 (m,).

    Raises
    ------
    MmclustError
        When encoder or clusterer is unknown, the encoder lacks the view or skipped
        one of the images, or k does not fit.
    """
    require("encoders", encoder)
    require("clusterers", clusterer)
    features = read_features(
        root / "data/features" / manifest.benchmark / encoder, manifest
    )
    features.require(rows, manifest)
    seed = derive(params.seed, "cluster", encoder)
    views = views_of(features)
    built = root / "data/benchmarks" / manifest.benchmark
    fitted = features.kept(manifest.fit_rows)
    k, _ = decide_k(params, view_of(features, views[-1])[fitted], built, seed)
    require_several(k, len(rows))
    known = [BOTH] if takes_both(clusterer) else views
    chosen = view or known[-1]
    if chosen not in known:
        raise MmclustError(
            f"{clusterer} cannot cluster that view of {encoder}",
            where="--view",
            expected=nearest(chosen, known),
            found=chosen,
        )
    if chosen == BOTH and "concat" not in views:
        raise MmclustError(
            f"{clusterer} needs image and text features",
            where="--clusterer",
            found=f"{encoder}, which has {' and '.join(views)}",
            do="choose an encoder that has both, or another clusterer",
        )
    number = 0 if finds_k(clusterer) else k
    data: Any
    if chosen == BOTH:
        image, text = (normalised(features.views[v])[rows] for v in ("image", "text"))
        data = image, text
    else:
        data = view_of(features, chosen)[rows]
    options = params.block("clusterers", clusterer)
    own = derive(seed, clusterer, chosen, number, run)
    return chosen, assign(clusterer, data, number, options, own)[0]
