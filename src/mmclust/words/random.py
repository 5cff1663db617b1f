"""Chance: every word in a cluster drawn at random (Berger et al., NAACL 2022).

Drawn once per seed, so that a word has one cluster. As published a word's cluster was
drawn anew whenever it was asked for: ``per_query: true``, upon which the `cognition`
stage draws again for categories and for associations.

Source: Berger et al., NAACL 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.seeds import generator
from mmclust.core.types import Learned
from mmclust.words._listed import CLUSTERS

if TYPE_CHECKING:
    from mmclust.core.types import Corpus, Run


@dataclass(frozen=True)
class Params:
    """How many clusters; whether every question gets another answer."""

    clusters: Positive = CLUSTERS
    """Clusters that words are drawn into."""
    per_query: bool = False
    """Whether every question gets another answer, as published."""
    lemmas: bool = False
    """Whether captions are read as lemmas (needs spaCy's ``en_core_web_sm``)."""


def learn(corpus: Corpus, params: Params, run: Run) -> Learned:
    """Draw clusters; see :mod:`mmclust.words._stage`."""
    size = len(corpus.words)
    drawn = [generator(s, "random").integers(params.clusters, size=size)
             for s in run.seeds]  # fmt: skip
    return Learned(
        np.stack(drawn).astype(np.int32),
        facts={
            "kind": "random",
            "clusters": params.clusters,
            "per_query": params.per_query,
        },
    )
