"""How well the names of clusters fit the classes they are matched to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmclust.scoring.wordnet import WordNet

DEFINITION = (
    "mmclust names of clusters, version 1: over clusters matched to a class; exact: "
    "the first name is the class's; exact_at_5: the class's name, or each of its "
    "words, is among the first five (case, underscores and a final s aside); "
    "path_similarity: WordNet's, of the first name and the class, mean over clusters "
    "where it knows both"
)
WITHIN = 5


def score_names(
    names: Mapping[int, Sequence[str]],
    matched: Mapping[int, str],
    wordnet: WordNet | None,
) -> dict[str, Any]:
    """Compare each cluster's names with its class.

    Parameters
    ----------
    names
        Cluster to its names, best first.
    matched
        Cluster to its class; empty for none. Such clusters are counted and left
        out.
    wordnet
        ``None`` where there is none: path_similarity is then None.

    Returns
    -------
    dict
        ``n_clusters``, ``n_matched``, ``exact``, ``exact_at_5``,
        ``path_similarity`` and ``path_known`` (share of clusters it speaks of).
    """
    pairs = [
        (list(names.get(cluster, ())), name)
        for cluster, name in matched.items()
        if name
    ]
    first = [each[:1] for each, _ in pairs]
    exact = [_named(each, name) for each, (_, name) in zip(first, pairs, strict=True)]
    within = [_named(each[:WITHIN], name) for each, name in pairs]
    record: dict[str, Any] = {
        "n_clusters": len(matched),
        "n_matched": len(pairs),
        "exact": _mean(exact),
        "exact_at_5": _mean(within),
        "path_similarity": None,
        "path_known": None,
    }
    if wordnet is not None:
        paths = [
            wordnet.path_similarity(each[0], name) if each else None
            for each, name in pairs
        ]
        record["path_similarity"] = _mean([p for p in paths if p is not None])
        record["path_known"] = _mean([p is not None for p in paths])
    return record


def embedding_similarity(
    names: np.ndarray[Any, Any], classes: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Cosine of each cluster's name with its class's name.

    Parameters
    ----------
    names, classes
        float (m, d): text embeddings of one encoder, row by row.

    Returns
    -------
    numpy.ndarray
        float64 (m,); 0 where either is zero.
    """
    products = np.einsum("ij,ij->i", names, classes, dtype=np.float64)
    norms = np.linalg.norm(names, axis=1) * np.linalg.norm(classes, axis=1)
    return np.asarray(products / np.where(norms > 0, norms, 1), np.float64)


def _named(names: Sequence[str], name: str) -> bool:
    given = {_plain(each) for each in names}
    return _plain(name) in given or all(
        _plain(word) in given for word in name.replace("_", " ").split()
    )


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split()).removesuffix("s")


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
