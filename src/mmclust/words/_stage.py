"""The `learn` stage: a word model learns from captioned images, once per seed.

A word model is one file in ``words/``: :class:`mmclust.core.types.WordModel`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.clusters import WordClusters, write_words
from mmclust.core.errors import MmclustError
from mmclust.core.fingerprint import fingerprint
from mmclust.core.io import write_csv, write_json
from mmclust.core.manifest import read_manifest
from mmclust.core.plugins import load
from mmclust.core.seeds import derive
from mmclust.core.shards import clear, locked
from mmclust.core.tokens import token_counts, tokenize
from mmclust.core.types import Corpus, Flags, Run

if TYPE_CHECKING:
    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params


def read_corpus(manifest: Manifest, *, lemmas: bool = False) -> Corpus:
    """Cut the captions of ``fit_rows`` into tokens."""
    rows = manifest.fit_rows
    captions = manifest.table["captions"].take(rows).to_pylist()
    owners = np.repeat(rows, [len(each) for each in captions])
    tokens = tokenize([text for each in captions for text in each], lemmas=lemmas)
    counts = token_counts(tokens)
    place = {word: i for i, word in enumerate(counts)}
    lengths = np.array([len(each) for each in tokens], np.int64)
    flat = (place[token] for each in tokens for token in each)
    return Corpus(
        manifest,
        tuple(counts),
        np.fromiter(counts.values(), np.int64, len(counts)),
        np.fromiter(flat, np.int32, int(lengths.sum())),
        np.concatenate([[0], np.cumsum(lengths[lengths > 0])]).astype(np.int64),
        owners[lengths > 0],
        int((lengths == 0).sum()),
    )


def learn_words(
    root: Path, model: str, params: Params, flags: Flags | None = None
) -> WordClusters:
    """Let a model learn from ``learning.benchmark``; labels are not read."""
    flags = flags or Flags()
    learner = params.instance("words", model)
    module, options = learner.module, learner.options
    benchmark = params.learning.benchmark
    path = root / "data/benchmarks" / benchmark / "manifest.parquet"
    corpus = read_corpus(
        read_manifest(path), lemmas=bool(getattr(options, "lemmas", False))
    )
    out = root / "data/words" / model
    seeds = [
        derive(params.seed, "words", model, i) for i in range(params.learning.n_seeds)
    ]
    work = out.with_name(f"{model}.work")
    with locked(work):
        run = Run(
            **vars(flags), seeds=tuple(seeds), root=root, out=out, work=work / "run"
        )
        with learner.telling():
            learned = module.learn(corpus, options, run)
        meta = {
            "model": model,
            **learner.alias,
            "benchmark": benchmark,
            "manifest": corpus.manifest.digest,
            "seed": params.seed,
            "seeds": seeds,
            "params": asdict(options),
            "captions": len(corpus),
            "captions_without_tokens": corpus.empty,
            **learned.facts,
        }
        shape = (len(seeds), len(corpus.words))
        if learned.clusters.shape != shape:
            raise MmclustError(
                f"{model} gives clusters of the wrong shape",
                where=f"words/{model}.py",
                expected=f"{shape[0]} seeds, {shape[1]} words",
                found=learned.clusters.shape,
            )
        words = WordClusters(
            corpus.words,
            corpus.counts,
            learned.clusters,
            learned.confidence,
            learned.concreteness,
            meta,
        )
        write_words(out / "words.parquet", words)
        write_json(out / "model.json", meta)
        # One row per epoch and seed; models without epochs give a header alone.
        names = list(learned.curve[0]) if learned.curve else ["epoch", "seed", "loss"]
        values = [[row[name] for name in names] for row in learned.curve]
        rows = [[f"{v:.6f}" if isinstance(v, float) else v for v in r] for r in values]
        write_csv(root / "plots/words" / f"{model}.csv", [names, *rows])
        clear(work)
        return words


def fingerprint_of_words(
    model: str, params: Params, flags: Flags, norms: str | None = None
) -> Fingerprint:
    """Take the fingerprint of a run here; see :func:`learn_words`."""
    learner = params.instance("words", model)
    options, benchmark = learner.options, params.learning.benchmark
    weights = None
    if hasattr(options, "model") and hasattr(options, "revision"):
        # By name: models without a checkpoint do not run this module.
        with learner.telling():
            weights = load("models", "hub").identity(options.model, options.revision)
    return fingerprint(
        ("learn", model),
        [Path("data/words") / model, Path("plots/words") / f"{model}.csv"],
        modules=[
            __name__,
            *learner.modules,
            *(["mmclust.cognition.norms"] if norms else []),
        ],
        inputs=[Path("data/benchmarks") / benchmark / "manifest.parquet"],
        options={
            "seed": params.seed,
            "benchmark": benchmark,
            "n_seeds": params.learning.n_seeds,
            "model": options,  # lists of words and weights are files that it names
            "norms": norms,
            "device": flags.device.partition(":")[0],
            "precision": flags.precision,
        },
        weights=weights,
    )
