"""Trained heads on disk: safetensors, and ``head.json``, which says what they are."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.features import require_sealed, sealed
from mmclust.core.io import read_record, write_csv, write_json, writing
from mmclust.core.numerics import threads
from mmclust.heads._networks import outputs_of
from mmclust.heads._space import mean_directions
from mmclust.kernels.nearest_centroids import repeated_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from mmclust.core.types import HeadInputs, Trained

    Array = np.ndarray[Any, Any]

NAMES = 3
"""Nouns that a cluster is called by."""


@dataclass(frozen=True)
class Prediction:
    """The most probable cluster of n images, int32, and its probability, float32."""

    labels: Array
    confidence: Array


def is_trained(module: ModuleType) -> bool:
    """Tell whether a head has weights, by which it predicts."""
    return hasattr(module, "recipe") or hasattr(module, "train")


@threads(1)
def assigned(
    module: ModuleType,
    weights: Mapping[str, Array],
    inputs: HeadInputs,
    params: Any,
    *,
    device: str = "cpu",
) -> Prediction:
    """Assign images by one seed's trained head; equal rows alike."""
    if hasattr(module, "recipe"):
        import torch

        outputs = outputs_of(weights, inputs.image, "image", device=device)
        shares = torch.from_numpy(outputs).softmax(1).numpy()
    else:
        shares = module.predict(weights, inputs, params, device=device)
        read = [each for each in (inputs.image, inputs.text, *inputs.spaces)
                if each is not None]  # fmt: skip
        again, first = repeated_rows(np.ascontiguousarray(np.hstack(read), np.float32))
        shares[again] = shares[first]
    wrong = np.flatnonzero(~np.isfinite(shares).all(axis=1))
    if len(wrong):
        raise MmclustError(
            "A trained head gives no probabilities",
            where=f"row {wrong[0]} of those to assign",
            expected="finite numbers",
            found=f"{len(wrong)} rows without",
            do="train it at a lower learning rate, or scale the features",
        )
    labels = shares.argmax(axis=1)
    best = shares[np.arange(len(shares)), labels]
    return Prediction(labels.astype(np.int32), best.astype(np.float32))


def save_head(
    folder: Path, trained: Sequence[Trained], facts: Mapping[str, Any]
) -> None:
    """Write ``seed_0.safetensors`` …, then ``head.json``, which makes them count."""
    from safetensors.numpy import save_file

    names = [f"seed_{seed}.safetensors" for seed in range(len(trained))]
    with contextlib.ExitStack() as complete:  # no seed is renamed before all are whole
        for name, each in zip(names, trained, strict=True):
            temporary = complete.enter_context(writing(folder / name))
            save_file(dict(each.weights), temporary)
    record = {**facts, "seeds": len(trained), **sealed(folder, names)}
    write_json(folder / "head.json", record)


def load_head(folder: Path, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read one seed's weights and ``head.json``; nothing is unpickled."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    do = "train one: mmclust fit tac … --save DIR"
    facts = read_record(folder / "head.json", {"head": str, "seeds": int}, do=do)
    if not 0 <= seed < facts["seeds"]:
        raise MmclustError(
            f"There is no trained head of seed {seed}",
            where=folder,
            expected=f"one of {some(range(facts['seeds']))}" if facts["seeds"] else
            "a head that is trained",
            found=facts["head"],
            do="choose another --seed" if facts["seeds"] else do,
        )  # fmt: skip
    path = folder / f"seed_{seed}.safetensors"
    require_sealed(folder, "head.json", facts, [path.name], do)
    try:
        return load_file(path), facts
    except SafetensorError as error:
        raise MmclustError(
            f"{path.name} is not a readable safetensors file",
            where=path,
            found=error,
            do=do,
        ) from error


def noun_names(
    images: Array,
    labels: Array,
    n_clusters: int,
    nouns: Array,
    words: Sequence[str],
) -> list[list[str]]:
    """Return the nouns nearest to each cluster's mean; none for an empty cluster.

    Of m words with their embeddings, float32 (m, d); a repeated one is named once.
    """
    first = np.sort(np.unique(np.asarray(words), return_index=True)[1])
    centres = mean_directions(images, labels, n_clusters)
    order = np.argsort(-(centres @ nouns[first].T), axis=1, kind="stable")[:, :NAMES]
    sizes = np.bincount(labels, minlength=n_clusters)
    return [
        [words[first[i]] for i in row] if size else []
        for row, size in zip(order, sizes, strict=True)
    ]


def write_curves(path: Path, trained: Sequence[Trained]) -> None:
    """Write the loss and its terms as CSV: epoch, seed, loss, ….

    Methods without training give a file with a header alone.
    """
    terms = [name for t in trained[:1] for name in t.curve[0]] or ["loss"]
    rows = [
        [number, seed, *(f"{row[name]:.6f}" for name in terms)]
        for seed, each in enumerate(trained)
        for number, row in enumerate(each.curve, start=1)
    ]
    write_csv(path, [["epoch", "seed", *terms], *rows])
