"""References: what labels, or the names of classes, make of the same features.

They are told what no clustering method is told, so they are no rivals: they lie in a
record of their own (stage ``reference``), which nothing that selects or ranks reads.
Beside them lies what labels say of label-free scores: their rank correlation with ACC.

Classes are learned from the images that methods are fitted on; where those are
evaluated, too, every image is predicted over ten folds by what the others teach.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.features import normalised, require_sealed
from mmclust.core.io import read_record
from mmclust.core.labels import HIDDEN
from mmclust.core.seeds import generator
from mmclust.core.types import Fitted
from mmclust.scoring.clustering import ari, nmi, resampled_tables
from mmclust.scoring.generalisation import FOLDS, cross_predicted, fit_logistic
from mmclust.scoring.intervals import Sampled, scores_of
from mmclust.scoring.record import LOWER_IS_BETTER, Score

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from mmclust.core.features import Features
    from mmclust.core.labels import Labels
    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params
    from mmclust.scoring.record import Key, Record

    Predict = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]

Array = np.ndarray[Any, Any]

NAMES = "uses the classes' names"
LABELS = "uses labels"
RANKED = ("generalisation", "silhouette", "coding_length", "stability")
"""Label-free scores that are held against ACC."""
PROBE_TOL = 1e-8
"""Of the linear probe; see :func:`mmclust.scoring.generalisation.fit_logistic`."""
FEWEST = 3
"""Methods below which nothing is said of ranks."""


def reference_scores(
    params: Params,
    features: Features,
    folder: Path,
    manifest: Manifest,
    labels: Labels,
) -> list[Score]:
    """Score zero-shot, true class means and the linear probe on the image features.

    ``folder`` holds the features. Images whose class is hidden take no part. Zero-shot
    is there where the encoder embeds words in the space of its images.
    """
    if "image" not in features.views or not labels.image_ids:
        return []
    code = dict(zip(labels.image_ids, labels.labels.tolist(), strict=True))
    classes = np.array([code.get(i, HIDDEN) for i in manifest.image_ids])
    rows = features.views["image"]
    asked, fit = (
        kept[classes[kept] != HIDDEN]
        for kept in map(features.kept, (manifest.evaluate_rows, manifest.fit_rows))
    )
    if not len(asked):
        return []
    name, benchmark = str(features.meta["encoder"]), manifest.benchmark
    order = generator(params.seed, "references", benchmark).permutation(asked)
    found: dict[str, tuple[Array, str]] = {}
    if len(fit) and not np.isin(fit, asked).any():  # others to learn from
        for method, learn in (("true_means", _means), ("linear_probe", _probe)):
            found[method] = learn(rows[fit], classes[fit])(rows[asked]), LABELS
    elif len(order) >= FOLDS:
        folds = {
            "true_means": _means_over_folds(rows, classes, order),
            "linear_probe": cross_predicted(rows, classes, order, tol=PROBE_TOL),
        }
        for method, parts in folds.items():
            predicted = np.empty(len(classes), classes.dtype)
            for fold, own in parts:
                predicted[fold] = own
            found[method] = predicted[asked], LABELS
    names = dict(zip(labels.labels.tolist(), labels.names, strict=True))
    known = sorted(each for each in names if each != HIDDEN)
    words = [names[each] for each in known]
    texts = _class_vectors(words, name, params, folder, features, benchmark)
    if texts is not None:
        nearest = (normalised(rows[asked]) @ texts.T).argmax(axis=1)
        found["zero_shot"] = np.array(known)[nearest], NAMES
    measure = partial(
        _measured, n_resamples=params.score.n_resamples, seed=params.seed,
        benchmark=benchmark,
    )  # fmt: skip
    return [
        Score(**{**vars(score), "note": note, "k": len(np.unique(classes[asked]))})
        for method, (predicted, note) in found.items()
        for score in scores_of(
            measure(classes[asked], predicted), (name, "image", method),
            n_seeds=1, definition="reference-1",
        )
    ]  # fmt: skip


def _means_over_folds(
    rows: Array, classes: Array, order: Array
) -> list[tuple[Array, Array]]:
    """Predict each fold by the means of the others: its rows, and their classes."""
    found = []
    for held in np.array_split(np.arange(len(order)), FOLDS):
        others = np.delete(order, held)
        fold = order[held]
        found.append((fold, _means(rows[others], classes[others])(rows[fold])))
    return found


def _means(rows: Array, classes: Array) -> Predict:
    """Return what finds the nearest mean of a class, by Euclidean distance."""
    from scipy.spatial.distance import cdist

    known = np.unique(classes)
    means = np.stack([rows[classes == c].mean(axis=0, dtype=float) for c in known])
    return lambda asked: known[cdist(asked, means).argmin(axis=1)]


def _probe(rows: Array, classes: Array) -> Predict:
    return fit_logistic(rows, classes, tol=PROBE_TOL).predict


def _class_vectors(
    words: Sequence[str],
    encoder: str,
    params: Params,
    folder: Path,
    features: Features,
    benchmark: str,
) -> Array | None:
    """Embed class names: the mean over prompts, each at unit norm; float32 (c, d).

    None where the encoder has no such space. ``folder`` holds what it learned.
    """
    made = params.instance("encoders", encoder, benchmark)
    module = made.module
    embed = getattr(module, "encode_captions", None)
    if embed is None or "image" not in module.VIEWS:
        return None
    fitted = Fitted()
    if hasattr(module, "fit"):
        from safetensors.numpy import load_file

        paths = [folder / f"fitted.{ending}" for ending in ("safetensors", "json")]
        again = f"encode again: mmclust encode {benchmark} {encoder}"
        named = [path.name for path in paths]
        require_sealed(folder, "features.json", features.meta, named, again)
        fitted = Fitted(load_file(paths[0]), read_record(paths[1], {}))
    spoken = [word.replace("_", " ") for word in words]
    templates = params.nouns.templates
    prompts = [t.replace("{}", word) for t in templates for word in spoken]
    rows = normalised(np.asarray(embed(prompts, made.options, fitted, device="cpu")))
    shape = (len(templates), len(words), -1)
    return normalised(rows.reshape(shape).mean(axis=0, dtype=np.float64))


def _measured(
    truth: Array, predicted: Array, *, n_resamples: int, seed: int, benchmark: str
) -> dict[str, Any]:
    """Return ACC (the share of right classes; nothing is matched), NMI and ARI."""
    known = np.unique([truth, predicted])
    c, n = len(known), len(truth)
    cells = np.searchsorted(known, predicted) * c + np.searchsorted(known, truth)
    whole = np.bincount(cells, minlength=c * c).reshape(1, c, c)
    rng = generator(seed, "score", benchmark)
    drawn = resampled_tables(cells[None], (c, c), n_resamples, rng)
    tables = np.concatenate([part[:, 0] for part in drawn])
    scored = {"acc": _right, "nmi": nmi, "ari": ari}
    return {
        name: Sampled(of(whole), of(tables)[:, None], n,
                      limits=(-1.0 if name == "ari" else 0.0, 1.0))
        for name, of in scored.items()
    }  # fmt: skip


def _right(tables: Array) -> Array:
    share = np.trace(tables, axis1=-2, axis2=-1) / tables.sum((-2, -1))
    return np.asarray(share)


def rank_correlations(
    scored: Record, free: Iterable[Record], encoder: str, floors: Collection[Key]
) -> list[Score]:
    """Correlate label-free scores with ACC over methods: Spearman's rho.

    Once over the methods that read ``encoder``, once over all (an empty encoder);
    ``floors`` left out. 1 means: the better the one, the better the other.
    """
    from scipy.stats import spearmanr

    values: dict[str, dict[Key, float]] = {metric: {} for metric in RANKED}
    for record in free:
        for score in record:
            if score.metric in values and score.mean is not None:
                sign = -1 if score.metric in LOWER_IS_BETTER else 1
                values[score.metric].setdefault(score.key, sign * score.mean)
    rows = []
    for of in (encoder, ""):
        for metric, own in values.items():
            keys = [
                key
                for key in scored.methods()
                if key in own and of in ("", key[0]) and key not in floors
                and scored.mean(key, "acc") is not None
            ]  # fmt: skip
            ours = [own[key] for key in keys]
            acc = [scored.mean(key, "acc") for key in keys]
            rho = None
            if len(keys) >= FEWEST and len({*ours}) > 1 and len({*acc}) > 1:
                rho = float(spearmanr(ours, acc).statistic)
            name, note = f"{metric}_rank_correlation", f"over {len(keys)} methods"
            rows.append(Score(of, "", "", name, rho, note=note, definition="ranks-1"))
    return rows
