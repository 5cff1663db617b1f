"""The `learn` stage: a word model learns from captioned images, once per seed.

A word model is one file in ``words/``. It has ``Params``, a frozen dataclass of
options with the published values as defaults, and

    def learn(corpus: Corpus, params: Params, run: Run) -> Learned

``corpus`` has the captions to learn from as word ids, ``corpus.words`` and
``corpus.counts`` (:mod:`mmclust.words._corpus`); ``run.seeds`` has one seed per run,
``run.root`` is the repository and ``run.out`` the folder for further files of the
model (``run.work`` one that outlives a killed run). ``Learned.clusters`` and its like
have one row per seed and one column per word of the corpus, ``UNKNOWN`` for words
without a cluster. ``params.lemmas: true``, where a model has it, makes lemmas of the
tokens. The stage writes ``words.parquet``, ``model.json`` and the curves.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.fingerprint import fingerprint
from mmclust.core.io import write_bytes, write_json
from mmclust.core.locks import clear, locked
from mmclust.core.manifest import read_manifest
from mmclust.core.plugins import load
from mmclust.core.seeds import derive
from mmclust.core.words import WordClusters, write_words
from mmclust.words._corpus import Corpus, read_corpus
from mmclust.words._spread import alone, group, leads, size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.params import Params

    Judge = Callable[[Sequence[str], "np.ndarray[Any, Any]"], float]


def silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Run:
    """How a model runs; all but the seeds leaves the result as it is.

    Parameters
    ----------
    seeds
        One per run.
    root
        The repository.
    out
        ``data/words/<model>``.
    work
        Beside it; for what a killed run leaves to the next. Removed at the end.
    device, workers
        Where torch runs, and the number of processes.
    precision
        ``float32``, ``bf16`` or ``fp16``: the one that may change digits.
    save_every
        Seconds between two states that a killed run is resumed from.
    judge
        ``judge(words, clusters)``: how well a clustering agrees with norms; for
        models that, as published, select by it.
    say
        Told what a user may want to know while it runs.
    """

    seeds: tuple[int, ...]
    root: Path
    out: Path
    work: Path
    device: str = "cpu"
    workers: int = 1
    precision: str = "float32"
    save_every: float = 60.0
    judge: Judge | None = None
    say: Callable[[str], None] = silent


@dataclass(frozen=True)
class Learned:
    """What a model learned, for s seeds and the v words of the corpus.

    Parameters
    ----------
    clusters
        int32 (s, v).
    confidence, concreteness
        float64 (s, v), where the model has them.
    facts
        For ``model.json``: ``kind``, ``clusters`` and what else is worth knowing.
    curve
        For the plot: ``epoch``, ``seed`` and numbers of each epoch.
    """

    clusters: np.ndarray[Any, Any]
    confidence: np.ndarray[Any, Any] | None = None
    concreteness: np.ndarray[Any, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Flags:
    """What the command line says; see :class:`Run`."""

    device: str = "cpu"
    workers: int = 1
    precision: str = "float32"
    save_every: float = 60.0
    judge: Judge | None = None
    say: Callable[[str], None] = silent


def learn_words(
    root: Path, model: str, params: Params, flags: Flags | None = None
) -> WordClusters | None:
    """Let a model learn from ``learning.benchmark``; labels are not read."""
    flags = flags or Flags()
    module, options = load("words", model), params.block("words", model)
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
    with group(flags.device) as device, alone(locked(work)):
        run = Run(
            tuple(seeds), root, out, work / "run", device, flags.workers,
            flags.precision, flags.save_every, flags.judge, flags.say,
        )  # fmt: skip
        learned = module.learn(corpus, options, run)
        if not leads():
            return None
        meta = {
            "model": model,
            "benchmark": benchmark,
            "manifest": corpus.manifest.digest,
            "seed": params.seed,
            "seeds": seeds,
            "params": asdict(options),
            "captions": len(corpus),
            "captions_without_tokens": corpus.empty,
        }
        words = _write(root, model, corpus, learned, meta)
        clear(work)
        return words


def fingerprint_of_words(
    model: str, params: Params, flags: Flags, norms: str | None = None
) -> Fingerprint:
    """Take the fingerprint of a run here; see :func:`learn_words`."""
    module, options = load("words", model), params.block("words", model)
    benchmark = params.learning.benchmark
    weights = None
    if hasattr(options, "model") and hasattr(options, "revision"):
        # By name: models without a checkpoint do not run this module.
        weights = load("kernels", "hub").identity(options.model, options.revision)
    return fingerprint(
        ("learn", model),
        [Path("data/words") / model, Path("plots/words") / f"{model}.csv"],
        modules=[
            __name__,
            module.__name__,
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
            "processes": size(),
        },
        weights=weights,
    )


def _write(
    root: Path, model: str, corpus: Corpus, learned: Learned, meta: dict[str, Any]
) -> WordClusters:
    shape = (len(meta["seeds"]), len(corpus.words))
    if learned.clusters.shape != shape:
        raise MmclustError(
            f"{model} gives clusters of the wrong shape",
            where=f"words/{model}.py",
            expected=f"{shape[0]} seeds, {shape[1]} words",
            found=learned.clusters.shape,
        )
    out = root / "data/words" / model
    words = WordClusters(
        corpus.words,
        corpus.counts,
        learned.clusters,
        learned.confidence,
        learned.concreteness,
        meta | learned.facts,
    )
    write_words(out / "words.parquet", words)
    write_json(out / "model.json", meta | learned.facts)
    _write_curve(root / "plots/words" / f"{model}.csv", learned.curve)
    return words


def _write_curve(path: Path, curve: list[dict[str, Any]]) -> None:
    """Write one row per epoch and seed; models without epochs give a header alone."""
    names = list(curve[0]) if curve else ["epoch", "seed", "loss"]
    buffer = io.StringIO()
    rows = csv.DictWriter(buffer, names, lineterminator="\n")
    rows.writeheader()
    for row in curve:
        rows.writerow(
            {k: f"{v:.6f}" if isinstance(v, float) else v for k, v in row.items()}
        )
    write_bytes(path, buffer.getvalue().encode())
