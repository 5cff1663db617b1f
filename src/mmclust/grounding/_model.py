"""What a word model with a visual network left on disk, as grounding needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json, require_file
from mmclust.core.words import UNKNOWN, WordClusters, read_words

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.manifest import Manifest

_FACTS = ("backbone", "size", "mean", "std", "clusters", "visual_threshold",
          "text_threshold")  # fmt: skip
TOP_COUNT = 5
"""Occurrences from which on a word can stand for its cluster in pictures."""


@dataclass(frozen=True)
class Model:
    """A word model.

    Parameters
    ----------
    folder
        ``data/words/<model>``.
    facts
        Its ``model.json``.
    words
        Its words.
    n_seeds
        Runs that left a network.
    """

    folder: Path
    facts: dict[str, Any]
    words: WordClusters
    n_seeds: int

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.facts["clusters"])

    @property
    def size(self) -> int:
        """The side of the network's square input, in pixels."""
        return int(self.facts["size"])

    @property
    def threshold(self) -> float:
        """The raw output from which on a cluster is active."""
        return float(self.facts["visual_threshold"])

    @property
    def lemmas(self) -> bool:
        """Whether its words are lemmas."""
        return bool(self.facts.get("params", {}).get("lemmas", False))

    def weights(self, seed: int) -> Path:
        """Return where the network of one run lies."""
        return self.folder / f"seed_{seed}" / "visual.safetensors"

    def confidence(self, seed: int) -> np.ndarray[Any, Any]:
        """Return the probability of each word's best cluster: float64 (v,)."""
        if self.words.confidence is not None:
            values: np.ndarray[Any, Any] = self.words.confidence[seed]
            return values
        known: np.ndarray[Any, Any] = self.words.clusters[seed] != UNKNOWN
        return known.astype(np.float64)

    def top_words(self, seed: int, limit: int = 5) -> list[list[str]]:
        """Return the words of each cluster that are surest of it.

        Those that occur at least :data:`TOP_COUNT` times, or all where none does;
        by falling confidence, then count, then by word.
        """
        found: list[list[tuple[bool, float, int, str]]] = [
            [] for _ in range(self.clusters)
        ]
        confidence = self.confidence(seed)
        for word, count, cluster, sure in zip(
            self.words.words,
            self.words.counts.tolist(),
            self.words.clusters[seed].tolist(),
            confidence.tolist(),
            strict=True,
        ):
            if cluster != UNKNOWN and word.strip():
                found[cluster].append((count < TOP_COUNT, -sure, -count, word))
        return [
            [
                word
                for *_, word in sorted(e for e in each if e[0] == min(each)[0])[:limit]
            ]
            for each in found
        ]


def read_model(folder: Path) -> Model:
    """Read a word model that has a visual network.

    Raises
    ------
    MmclustError
        When a file is missing, or the model has no network.
    """
    name = folder.name
    again = f"run `mmclust learn {name}`"
    facts = read_json(require_file(folder / "model.json", again))
    lacking = [key for key in _FACTS if key not in facts]
    if lacking or not (folder / "seed_0").is_dir():
        raise MmclustError(
            f"{name} has no visual network",
            where=folder / "model.json",
            expected=f"{', '.join(_FACTS)}, and a folder seed_0",
            found=f"no {', '.join(lacking)}" if lacking else "no seed_0",
            do="name joint_model, or a model that was imported, in grounding.model",
        )
    words = read_words(folder / "words.parquet")
    n_seeds = len(words.clusters)
    for seed in range(n_seeds):
        require_file(folder / f"seed_{seed}/visual.safetensors", again)
    return Model(folder, facts, words, n_seeds)


def check_manifest(model: Model, manifest: Manifest) -> None:
    """Refuse a model learned on an earlier build of the benchmark.

    Raises
    ------
    MmclustError
        When both are of one benchmark and of different manifests.
    """
    learned = model.facts.get("manifest")
    if model.facts.get("benchmark") != manifest.benchmark or learned is None:
        return
    if learned != manifest.digest:
        raise MmclustError(
            f"{model.folder.name} was learned on another build of {manifest.benchmark}",
            where=model.folder,
            expected=f"manifest {manifest.digest[:16]}…",
            found=f"manifest {learned[:16]}…",
            do=f"learn again: mmclust learn {model.folder.name}",
        )
