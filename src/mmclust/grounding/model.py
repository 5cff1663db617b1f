"""A word model with a visual network: what it left on disk, and one forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json, require_file
from mmclust.core.words import UNKNOWN, WordClusters, read_words
from mmclust.grounding.boxes import min_max

if TYPE_CHECKING:
    from pathlib import Path

    import torch

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
    """Read a word model that has a visual network."""
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
    """Refuse a model learned on an earlier build of the benchmark."""
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


Array = np.ndarray[Any, Any]


class Network:
    """A run's visual network, and the maps of its latest batch.

    Parameters
    ----------
    model
        The word model.
    seed
        Which of its runs.
    device
        Where it runs.
    """

    def __init__(self, model: Model, seed: int, device: str = "cpu") -> None:
        import torch

        from mmclust.models.backbones import classifier, feature_layer, load

        facts = model.facts
        module = load(model.weights(seed), facts["backbone"], model.clusters)
        self._module = module.to(device)
        self._device = device
        self._side = model.size
        self._weight = classifier(module).weight.detach()
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(facts["mean"], device=device).view(shape)
        self._std = torch.tensor(facts["std"], device=device).view(shape)
        self._features: torch.Tensor | None = None
        feature_layer(module).register_forward_hook(self._keep)

    def _keep(self, _: Any, __: Any, output: torch.Tensor) -> None:
        self._features = output

    def outputs(self, pictures: Array) -> Array:
        """Run the network once; its maps are kept for :meth:`maps`.

        Parameters
        ----------
        pictures
            uint8 (b, side, side, 3).

        Returns
        -------
        numpy.ndarray
            float32 (b, C): raw outputs.
        """
        import torch

        with torch.inference_mode():
            values = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)
            values = (values.float() / 255 - self._mean) / self._std
            found: Array = self._module(values).float().cpu().numpy()
        return found

    def maps(self, row: int, clusters: Array) -> tuple[Array, Array]:
        """Return activation maps of the latest batch, as sum_k w_ck A_k.

        Parameters
        ----------
        row
            Which picture of the batch.
        clusters
            int (m,).

        Returns
        -------
        small : numpy.ndarray
            float32 (m, h, w), min-max scaled to [0, 1]; there is no ReLU.
        large : numpy.ndarray
            float32 (m, side, side): the same, resized bicubically.
        """
        import torch

        assert self._features is not None
        if not len(clusters):
            none = np.zeros((0, self._side, self._side), np.float32)
            return none[:, : self._features.shape[2], : self._features.shape[3]], none
        with torch.inference_mode():
            weight = self._weight[torch.from_numpy(clusters).to(self._device)]
            mixed = torch.einsum("mk,khw->mhw", weight, self._features[row].float())
            small = min_max(mixed.cpu().numpy())
            large = torch.nn.functional.interpolate(
                torch.from_numpy(small)[:, None],
                size=(self._side, self._side),
                mode="bicubic",
                align_corners=False,
            )
        return small, large[:, 0].numpy()


def prepared(rgb: Array, side: int) -> Array:
    """Resize a picture to a square, as in training: uint8 (side, side, 3)."""
    from PIL import Image

    small = Image.fromarray(rgb).resize((side, side), Image.Resampling.BILINEAR)
    return np.array(small)
