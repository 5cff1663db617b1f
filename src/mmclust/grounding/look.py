"""A word model's visual network looks at every image, beside what is in it.

One forward pass feeds every visual evaluation.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import UNKNOWN, WordClusters, read_words
from mmclust.core.errors import MmclustError
from mmclust.core.images import decode, read_files
from mmclust.core.io import read_json, require_file
from mmclust.core.progress import track
from mmclust.grounding.boxes import (
    OVERLAP,
    box_iou,
    box_of,
    encode,
    inside,
    mask_iou,
    match_counts,
    min_max,
    outline,
    peaks,
    random_boxes,
    random_points,
    region,
    scale_boxes,
)

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from mmclust.core.manifest import Manifest
    from mmclust.core.types import Objects

Array = np.ndarray[Any, Any]

_FACTS = ("backbone", "size", "mean", "std", "clusters", "visual_threshold",
          "text_threshold")  # fmt: skip
TOP_COUNT = 5
"""Occurrences from which on a word can stand for its cluster in pictures."""
BATCH = 16
"""Pictures in one forward pass. Fixed: sums of another order differ in the last bit."""
LOCAL = ("box", "mask", "heatmap_as_published", "heatmap")
"""Evaluations of where clusters look."""


@dataclass(frozen=True)
class Model:
    """A word model with a visual network: ``data/words/<model>``.

    ``facts`` are its ``model.json``; ``n_seeds`` runs left a network.
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

    @cached_property
    def place(self) -> dict[str, int]:
        """Where each word is."""
        return {word: at for at, word in enumerate(self.words.words)}

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


class Network:
    """A run's visual network, and the maps of its latest batch."""

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
        """Return raw outputs, float32 (b, C), of pictures, uint8 (b, side, side, 3).

        Their maps are kept for :meth:`maps`.
        """
        import torch

        with torch.inference_mode():
            values = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)
            values = (values.float() / 255 - self._mean) / self._std
            found: Array = self._module(values).float().cpu().numpy()
        return found

    def maps(self, row: int, clusters: Array) -> tuple[Array, Array]:
        """Return activation maps of a picture of the latest batch, as sum_k w_ck A_k.

        The small ones, float32 (m, h, w), are min-max scaled to [0, 1]; there is no
        ReLU. The large ones, (m, side, side), are the same, resized bicubically.
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


@dataclass(frozen=True)
class Gold:
    """The objects of a benchmark's n images.

    Its k classes are the categories whose names are one word, in the publisher's order:
    words of captions are tokens, so that no other name can be learned. ``instances``
    are int64 (n, k): objects of each class, crowds included. ``rows`` are the positions
    of each image's objects.
    """

    classes: tuple[str, ...]
    instances: Array
    rows: list[Array]
    objects: Objects

    def boxes(self, image: int, width: int, height: int, side: int) -> Array:
        """Return an image's boxes on the square input: int64 (g, 4)."""
        boxes = self.objects.boxes[self.rows[image]]
        return scale_boxes(boxes, width, height, side)

    def masks(self, image: int, width: int, height: int, side: int) -> list[Any]:
        """Return the masks of those of an image's objects that have one."""
        texts = [self.objects.masks[row] for row in self.rows[image].tolist()]
        where = f"objects of manifest row {image}"
        return [outline(t, width, height, side, where) for t in texts if t]


def read_gold(objects: Objects, manifest: Manifest) -> Gold:
    """Join objects to a manifest."""
    classes = tuple(n for n in objects.categories if len(n.split()) == 1)
    row_of = {image_id: row for row, image_id in enumerate(manifest.image_ids)}
    owner = np.array([row_of.get(i, -1) for i in objects.image_ids], np.int64)
    if (owner < 0).any() or not classes:
        raise MmclustError(
            "Objects and manifest do not belong together",
            where=manifest.folder / "objects.parquet",
            expected="objects of the manifest's images, in categories of one word",
            found=f"{int((owner < 0).sum()):,} objects of other images, "
            f"{len(classes)} such categories",
            do=f"build it again: mmclust build {manifest.benchmark}",
        )
    place = {name: at for at, name in enumerate(classes)}
    kind = np.array([place.get(name, -1) for name in objects.names], np.int64)
    instances = np.zeros((len(manifest), len(classes)), np.int64)
    named = kind >= 0
    np.add.at(instances, (owner[named], kind[named]), 1)
    order = np.argsort(owner, kind="stable")  # an image's objects keep their order
    bounds = np.searchsorted(owner[order], np.arange(len(manifest) + 1))
    rows = [order[a:b] for a, b in pairwise(bounds)]
    return Gold(classes, instances, rows, objects)


@dataclass
class Seen:
    """What one run's network saw in n images.

    Of each image: its active clusters, bool (C,); a box for each, int (m, 4), inverted
    where its map is flat; x and y of each map's maximum, int (m, 2); and by evaluation
    TP, FP and FN.
    """

    active: list[Array] = field(default_factory=list)
    boxes: list[Array] = field(default_factory=list)
    points: list[Array] = field(default_factory=list)
    counts: dict[str, list[tuple[int, int, int]]] = field(
        default_factory=lambda: {name: [] for name in LOCAL}
    )


@dataclass(frozen=True)
class Truth:
    """One image's boxes and masks on the square input."""

    boxes: Array
    masks: list[Any]


def look(
    model: Model,
    manifest: Manifest,
    rows: Array,
    gold: Gold,
    *,
    device: str = "cpu",
    workers: int = 1,
) -> tuple[list[Seen], list[Array]]:
    """Run each network of a model on images, each decoded once."""
    side = model.size
    networks = [Network(model, seed, device) for seed in range(model.n_seeds)]
    seen = [Seen() for _ in networks]
    boxes: list[Array] = []
    files = track(read_files(manifest, rows.tolist()), "look", len(rows), "images")
    with ThreadPoolExecutor(workers) as pool:
        while block := list(islice(files, BATCH)):
            made = list(pool.map(partial(_picture, manifest, side), block))
            pictures = np.stack([picture for picture, _, _ in made])
            truths = [
                Truth(gold.boxes(row, w, h, side), gold.masks(row, w, h, side))
                for (row, _), (_, w, h) in zip(block, made, strict=True)
            ]
            boxes += [truth.boxes for truth in truths]
            for network, run in zip(networks, seen, strict=True):
                active = network.outputs(pictures) >= model.threshold
                for at, truth in enumerate(truths):
                    judge(network, at, active[at], truth, run)
    return seen, boxes


def _picture(
    manifest: Manifest, side: int, file: tuple[int, bytes]
) -> tuple[Array, int, int]:
    """Return a picture as the networks see it, and its own width and height."""
    row, data = file
    member = manifest.table["member"][row].as_py()
    rgb = decode(data, f"{manifest.folder}, {member}")
    return prepared(rgb, side), rgb.shape[1], rgb.shape[0]


def judge(network: Network, at: int, active: Array, truth: Truth, run: Seen) -> None:
    """Add one picture of the latest batch to what a run saw.

    Every active cluster predicts one box, one mask and one point; without one there
    is no prediction.
    """
    small, large = network.maps(at, np.flatnonzero(active))
    regions = [region(heat) for heat in large]
    boxes = np.array([box_of(each) for each in regions], np.int64).reshape(-1, 4)
    points = peaks(large)[:, ::-1]
    masks = mask_iou([encode(each) for each in regions], truth.masks)
    matches = {
        "box": box_iou(boxes, truth.boxes) >= OVERLAP,
        "mask": masks >= OVERLAP,
        # The defect as it is: row and column of the small map, unscaled, as x and y.
        "heatmap_as_published": inside(peaks(small), truth.boxes),
        "heatmap": inside(points, truth.boxes),
    }
    for name, each in matches.items():
        run.counts[name].append(match_counts(each))
    run.active.append(active)
    run.boxes.append(boxes)
    run.points.append(points)


def by_chance(
    boxes: list[Array], side: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Count what random boxes and points hit, as many as each image has gold boxes."""
    ends = np.cumsum([len(each) for each in boxes])[:-1]
    total = sum(len(each) for each in boxes)
    drawn = np.split(random_boxes(rng, total, side), ends)
    points = np.split(random_points(rng, total, side), ends)
    hits = {
        "random_box": [
            box_iou(d, g) >= OVERLAP for d, g in zip(drawn, boxes, strict=True)
        ],
        "random_heatmap": [inside(p, g) for p, g in zip(points, boxes, strict=True)],
    }
    return {
        name: np.array([[match_counts(each) for each in matches]], np.int64)
        for name, matches in hits.items()
    }
