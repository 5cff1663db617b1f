"""Names for clusters: words of their captions, and nouns near their centres.

Neither sees a class; how well they fit the matched classes is another score. Shapes:
n images or nouns; k clusters; d dimensions.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.io import read_array, read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Array = np.ndarray[Any, Any]

WORD = re.compile(r"[^\W\d_]{2,}")
CANDIDATES = 200
"""Units of a cluster that its disjoint keywords are chosen from."""
WITHIN = 5
"""Names that a class may be among."""
STOP_WORDS = frozenset(
    """
    about above across after against all along also am among an and another any
    are around as at away back be because been before behind being below beside
    between both but by can close could did different do does doing down during
    each either for from front had has have having he her here hers him his how
    if in inside into is it its itself just large lot lots many me more most
    much my near nearby next no nor not of off on one only onto or other others
    our out outside over own pair several shall she should side sides sits
    sitting small so some standing stands such than that the their them then
    there these they this those three through to together top toward towards two
    under up upon us various very was we were what when where which while who
    whose will with within without would you your
    """.split()  # noqa: SIM905 (a list would fill the screen)
)
"""Function words of English, and the words every caption of a scene is full of."""


@dataclass(frozen=True)
class Named:
    """What describes one cluster, and how many images it has.

    Words are best first; weights are comparable within a method, not between methods.
    """

    cluster: int
    size: int
    words: list[str]
    weights: list[float]


def keywords(
    captions: Sequence[Sequence[str]], labels: Array, n_words: int = 10
) -> list[Named]:
    """Describe clusters by class-based TF-IDF of their captions.

    Grootendorst, BERTopic (2022), equation 2: all captions of a cluster are one
    document; the weight of a word in it is tf · log(1 + A / f), with tf its count
    over the document's length, f its count in all, and A the mean length of the
    documents. Words have two letters or more, are in lower case, and are no stop
    words; words of equal weight are in alphabetical order. Noise (-1) is described,
    too.
    """
    documents: dict[int, Counter[str]] = {}
    for texts, label in zip(captions, labels.tolist(), strict=True):
        counts = documents.setdefault(label, Counter())
        counts.update(word for text in texts for word in _units(text, "word"))
    total: Counter[str] = Counter()
    for counts in documents.values():
        total.update(counts)
    mean = sum(total.values()) / max(len(documents), 1)
    sizes = Counter(labels.tolist())
    named = []
    for cluster in sorted(documents):
        counts = documents[cluster]
        length = max(sum(counts.values()), 1)
        weights = {
            word: count / length * float(np.log1p(mean / total[word]))
            for word, count in counts.items()
        }
        best = sorted(weights, key=lambda word: (-weights[word], word))[:n_words]
        scores = [round(weights[word], 6) for word in best]
        named.append(Named(cluster, sizes[cluster], best, scores))
    return named


def disjoint_keywords(
    captions: Sequence[Sequence[str]],
    labels: Array,
    n_words: int = 5,
    *,
    unit: Literal["phrase", "word"] = "phrase",
) -> dict[int, list[str]]:
    """Describe clusters by what is said of them most often, and of no other.

    Stephan et al., EACL 2024 (arXiv 2402.02996), count-based: each cluster starts with
    its commonest units; one that several lists hold is taken from all clusters, and
    each list is filled up from its cluster's next commonest, of :data:`CANDIDATES` at
    most, until no two lists share one. Units of equal count are in alphabetical order.
    Noise (-1) is described, too. The released code loses one candidate at each filling
    up; this does not.

    Parameters
    ----------
    captions
        Texts of each of n images.
    labels
        int (n,).
    n_words
        Units per cluster, at most.
    unit
        ``phrase``, as published for answers such as "dog, puppy": what stands between
        commas and full stops; ``word``, for captions: as :func:`keywords` counts.

    Returns
    -------
    dict
        Cluster to its units, commonest first; fewer than asked where they run out.
    """
    counts: dict[int, Counter[str]] = {}
    for texts, label in zip(captions, labels.tolist(), strict=True):
        own = counts.setdefault(label, Counter())
        own.update(each for text in texts for each in _units(text, unit))
    left = {
        cluster: sorted(own, key=lambda each: (-own[each], each))[:CANDIDATES]
        for cluster, own in sorted(counts.items())
    }
    shared: set[str] = set()
    while True:
        lists = {c: [e for e in own if e not in shared][:n_words]
                 for c, own in left.items()}  # fmt: skip
        held = Counter(each for own in lists.values() for each in own)
        again = {each for each, times in held.items() if times > 1}
        if not again:
            return lists
        shared |= again


def _units(text: str, unit: str) -> list[str]:
    if unit == "word":
        return [w for w in WORD.findall(text.lower()) if w not in STOP_WORDS]
    return [each for part in re.split("[,.]", text) if (each := part.strip())]


def score_disjoint(
    found: Mapping[int, Sequence[str]], matched: Mapping[int, str]
) -> dict[str, float | None]:
    """Score :func:`disjoint_keywords` against matched classes, as published.

    ``subset``: the class's name, or one of its alternatives (between commas and full
    stops), occurs in the units joined by ", "; ``exact``: it is all of them. Case and
    underscores aside. Clusters without a class are left out; None where none has one.
    """
    subset, exact = [], []
    for cluster, name in matched.items():
        if name:
            text = ", ".join(found.get(cluster, ())).lower()
            names = _units(name.lower().replace("_", " "), "phrase")
            subset.append(any(each in text for each in names))
            exact.append(text in names)
    return {"disjoint_subset": _mean(subset), "disjoint_exact": _mean(exact)}


def disjoint_cosine(
    found: Mapping[int, Sequence[str]],
    matched: Mapping[int, str],
    embed: Callable[[list[str]], Array],
) -> float | None:
    """Return the mean cosine of :func:`disjoint_keywords` with the matched class.

    Of the units joined by ", " and the class's name, in lower case, blanks for
    underscores; ``embed`` gives the rows of n texts. None where no cluster has a class.
    """
    texts = [
        text.lower()
        for cluster, name in matched.items()
        if name
        for text in (", ".join(found.get(cluster, ())), name.replace("_", " "))
    ]
    if not texts:
        return None
    rows = normalised(np.asarray(embed(texts), np.float64))
    return float((rows[::2] * rows[1::2]).sum(axis=1).mean())


def centres_of(features: Array, labels: Array) -> tuple[Array, Array]:
    """Return the clusters that occur, ascending, and their mean rows at unit norm.

    Noise (-1) has no centre. Centres are float32 (k, d).
    """
    kept = labels >= 0
    clusters, codes = np.unique(labels[kept], return_inverse=True)
    sums = np.zeros((len(clusters), features.shape[1]), np.float64)
    np.add.at(sums, codes, features[kept])
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return clusters, (sums / np.where(norms > 0, norms, 1)).astype(np.float32)


def nearest_nouns(
    centres: Array, noun_embeddings: Array, words: Sequence[str], n: int = 5
) -> list[list[tuple[str, float]]]:
    """Return the nouns with the largest cosine with each centre, best first.

    Centres (k, d) are at unit norm, in the space of the nouns (m, d). Of equals the
    lower row comes first; a word that occurs twice is given once, at its better place.
    """
    if len(words) != len(noun_embeddings) or (
        centres.shape[1] != noun_embeddings.shape[1]
    ):
        raise MmclustError(
            "Nouns and centres do not fit together",
            expected=f"{len(words)} nouns of {centres.shape[1]} dimensions",
            found=f"embeddings of shape {noun_embeddings.shape}",
        )
    nouns = np.asarray(noun_embeddings, np.float32)
    norms = np.linalg.norm(nouns, axis=1, keepdims=True)
    cosines = centres @ (nouns / np.where(norms > 0, norms, 1)).T
    found = []
    for row in cosines:
        best: dict[str, float] = {}
        for noun in np.argsort(-row, kind="stable"):
            best.setdefault(words[noun], round(float(row[noun]), 6))
            if len(best) == min(n, len(words)):
                break
        found.append(list(best.items()))
    return found


def read_nouns(folder: Path) -> tuple[list[str], Array] | None:
    """Read the chosen nouns of ``data/nouns/<benchmark>``, and a row for each."""
    if not (folder / "nouns.parquet").is_file():
        return None
    table, _ = read_table(folder / "nouns.parquet")
    return table["word"].to_pylist(), read_array(folder / "nouns.npy")


def score_names(
    names: Mapping[int, Sequence[str]], matched: Mapping[int, str]
) -> dict[str, Any]:
    """Compare each cluster's names, best first, with its class.

    Clusters without a class are left out; scores of none are None.
    """
    pairs = [(names.get(c, ())[:WITHIN], name) for c, name in matched.items() if name]
    exact = [_named(each[:1], name) for each, name in pairs]
    within = [_named(each, name) for each, name in pairs]
    return {
        "n_matched": float(len(pairs)),
        "exact": _mean(exact),
        "exact_at_5": _mean(within),
    }


def _named(names: Sequence[str], name: str) -> bool:
    given = {_plain(each) for each in names}
    return _plain(name) in given or all(
        _plain(word) in given for word in name.replace("_", " ").split()
    )


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split()).removesuffix("s")


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
