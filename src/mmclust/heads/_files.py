"""Heads on embeddings and pictures of one's own, from file to file."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.decoding import decode
from mmclust.core.errors import MmclustError
from mmclust.core.instances import IS, instance_of, refuse_options
from mmclust.core.io import file_digest, read_ids, read_lines, require_file, write_csv
from mmclust.core.progress import track
from mmclust.core.seeds import derive
from mmclust.core.types import Batch, Fitted
from mmclust.heads._embeddings import read_fitted, require_maker
from mmclust.heads._rows import read_rows, require_same_space, unit_rows
from mmclust.heads._saved import (
    Prediction,
    load_head,
    predict,
    save_head,
    write_curves,
)
from mmclust.heads._stage import train_seeds
from mmclust.kernels.nearest_centroids import nearest_centroids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BLOCK = 256
"""Pictures decoded and encoded at once."""


def head_on_files(
    head: str,
    image_features: Path,
    text_features: Path,
    *,
    k: int,
    out: Path,
    test_image_features: Path | None = None,
    ids: Path | None = None,
    seed: int = 0,
    options: dict[str, Any] | None = None,
    save: Path | None = None,
    device: str = "cpu",
) -> list[int]:
    """Fit a head and write ``image_id,cluster`` (and ``confidence``, if it has one)."""
    refuse_options(options or {}, ("evaluate_on",), "all rows given are assigned")
    method = instance_of("heads", head, options, "", "--set")
    module, params = method.module, method.options
    image = read_rows(image_features)
    text = read_rows(text_features, len(image))
    require_same_space(image.shape[1], text.shape[1], "text counterparts")
    test = image
    if test_image_features is not None:
        test = read_rows(test_image_features)
        require_same_space(image.shape[1], test.shape[1], "test images")
    names = read_ids(ids, len(test))
    run = derive(seed, "head", head)
    confidence = None
    if hasattr(module, "recipe"):
        trained = train_seeds(module, params, image, text, k, [run], device)
        found = predict(trained[0].weights, test, device=device)
        labels, confidence = found.labels, found.confidence
        if save is not None:
            facts = {
                "head": head,
                "encoder": None,
                "k": k,
                "dim": int(image.shape[1]),
                "seed": seed,
                "fitted_on": len(image),
                "params": asdict(params),
            }
            save_head(save, trained, facts)
            write_curves(save / "loss.csv", trained)
    else:
        if test_image_features is not None or save is not None:
            raise MmclustError(
                f"{head} clusters the images it is given; it has nothing to save",
                where="--test-image-features, --save",
                expected="a head that is trained: tac or dxmc",
                found=head,
                do="leave these options out",
            )
        labels = module.cluster(image, text, k, params, seed=run, device=device)
    write_assignments(out, names, labels, confidence)
    return [int(size) for size in np.unique(labels, return_counts=True)[1]]


def write_assignments(
    out: Path,
    ids: list[str],
    labels: np.ndarray[Any, Any],
    confidence: np.ndarray[Any, Any] | None,
    names: list[list[str]] | None = None,
) -> None:
    """Write ``image_id``, ``cluster`` and, where known, ``confidence`` and ``name``."""
    head = ["image_id", "cluster"]
    columns: list[list[Any]] = [ids, labels.tolist()]
    if confidence is not None:
        head.append("confidence")
        columns.append([f"{share:.6f}" for share in confidence.tolist()])
    if names:
        head.append("name")
        columns.append([", ".join(names[label]) for label in labels.tolist()])
    write_csv(out, [head, *zip(*columns, strict=True)])


def zero_shot(
    image_features: Path,
    text_features: Path,
    names: Path,
    *,
    out: Path,
    ids: Path | None = None,
) -> list[int]:
    """Assign each image to the class whose name is nearest: an upper reference.

    It is told the classes' names, which no clustering method is, so it is no rival
    of theirs. By hand only: no stage of the pipeline may see names.
    """
    image = read_rows(image_features)
    classes = read_lines(names, "give one class name per line")
    text = read_rows(text_features, len(classes))
    require_same_space(image.shape[1], text.shape[1], "class names")
    labels = nearest_centroids(image, text, spherical=True)
    write_assignments(
        out, read_ids(ids, len(image)), labels, None, [[name] for name in classes]
    )
    return [int(size) for size in np.unique(labels, return_counts=True)[1]]


def assign_images(
    pictures: Sequence[Path],
    head: Path,
    *,
    seed: int = 0,
    features: Path | None = None,
    device: str = "cpu",
) -> tuple[Prediction, list[list[str]]]:
    """Assign pictures to the clusters of a trained head."""
    weights, facts = load_head(head, seed)
    if features is not None:
        rows = read_rows(features)
    elif facts["encoder"] is None:
        raise MmclustError(
            "This head was trained on embeddings of your own",
            where=head,
            expected="embeddings from the same encoder",
            found="pictures",
            do="encode them, and give the array with --image-features",
        )
    else:
        rows = _encode(pictures, head, facts, device)
    require_same_space(facts["dim"], rows.shape[1], "the head")
    names = facts.get("names") or [[]]
    return predict(weights, rows, device=device), names[min(seed, len(names) - 1)]


def _encode(
    pictures: Sequence[Path], head: Path, facts: dict[str, Any], device: str
) -> np.ndarray[Any, Any]:
    """Encode pictures as the benchmark's were: float32 (n, d), unit norm."""
    name = facts["encoder"]
    block = facts["encoder_params"]
    if "encoder_is" in facts:
        block = {IS: facts["encoder_is"], **block}
    instance = instance_of("encoders", name, block, f"encoders.{name}")
    module, params = instance.module, instance.options
    again = f"train it again: mmclust head {facts['benchmark']} {facts['head']}"
    made = {"params": facts["encoder_params"], "model": facts["model"]}
    require_maker(instance, made, "The head's images", head, again)
    fitted = _fitted(head, facts, again)
    blocks = []
    starts = range(0, len(pictures), BLOCK)
    for start in track(starts, "pictures", len(starts), "blocks"):
        paths = pictures[start : start + BLOCK]
        files = [require_file(p, "give image files").read_bytes() for p in paths]
        decoded = (decode(f, str(p)) for f, p in zip(files, paths, strict=True))
        ready = np.stack([module.prepare(rgb, params) for rgb in decoded])
        batch = Batch([str(p) for p in paths], [()] * len(paths), ready)
        encode = getattr(module, "encode_image", None)
        blocks.append(
            ready if encode is None else encode(batch, params, fitted, device=device)
        )
    return unit_rows(np.concatenate(blocks), pictures[0])


def _fitted(head: Path, facts: dict[str, Any], again: str) -> Fitted:
    """Return what the head's encoder learned, if it is still what it was."""
    folder, learned = head / facts["features"], facts["fitted"]
    if not learned:
        return Fitted()
    for name, digest in learned.items():
        path = folder / name
        encode = f"encode again: mmclust encode {facts['benchmark']} {facts['encoder']}"
        found = file_digest(require_file(path, encode))
        if found != digest:
            raise MmclustError(
                "The head was trained on another fit of its encoder",
                where=path,
                expected=f"sha256 {digest}",
                found=f"sha256 {found}",
                do=again,
            )
    return read_fitted(folder)
