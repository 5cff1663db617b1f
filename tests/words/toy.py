"""A corpus of captions without a manifest, and a run in a folder."""

import numpy as np

from mmclust.core.plugins import instance_of, load
from mmclust.core.tokens import token_counts, tokenize
from mmclust.core.types import Corpus, Run

CAPTIONS = (
    "A dog and a cat on the grass.", "The dog sees a cat", "a red bus on the street",
    "A bus and a car, a red car", "a cat on grass", "the street has a bus and a car",
    "",
)  # fmt: skip


def corpus(captions=CAPTIONS):
    tokens = tokenize(list(captions))
    counts = token_counts(tokens)
    place = {word: i for i, word in enumerate(counts)}
    lengths = np.array([len(each) for each in tokens])
    return Corpus(
        None,
        tuple(counts),
        np.array(list(counts.values())),
        np.array([place[w] for each in tokens for w in each], np.int32),
        np.concatenate([[0], np.cumsum(lengths[lengths > 0])]),
        np.flatnonzero(lengths),
        int((lengths == 0).sum()),
    )


def learn(name, root, seeds=(1, 2), captions=CAPTIONS, **block):
    params = instance_of("words", name, block, f"words.{name}").options
    out = root / "data/words" / name
    run = Run(seeds=tuple(seeds), root=root, out=out, work=out.with_name("work"))
    made = corpus(captions)
    return made, load("words", name).learn(made, params, run)
