"""Heads on embeddings of one's own, from file to file."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.ids import read_ids, read_lines
from mmclust.core.io import write_bytes
from mmclust.core.options import refuse_options
from mmclust.core.plugins import load, params_of
from mmclust.core.seeds import derive
from mmclust.heads._rows import read_rows, require_same_space
from mmclust.heads._saved import predict, save_head, write_curves
from mmclust.heads._stage import train_seeds
from mmclust.kernels.nearest_centroids import nearest_centroids

if TYPE_CHECKING:
    from pathlib import Path


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
    module = load("heads", head)
    refuse_options(options or {}, ("evaluate_on",), "all rows given are assigned")
    params = params_of("heads", head, options, "", "--set")
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
    """Write CSV: ``image_id``, ``cluster`` and, where known, ``confidence``, ``name``.

    Parameters
    ----------
    out
        The file.
    ids, labels
        Length n.
    confidence
        float32 (n,).
    names
        Words for each cluster.
    """
    head = ["image_id", "cluster"]
    columns: list[list[Any]] = [ids, labels.tolist()]
    if confidence is not None:
        head.append("confidence")
        columns.append([f"{share:.6f}" for share in confidence.tolist()])
    if names:
        head.append("name")
        columns.append([", ".join(names[label]) for label in labels.tolist()])
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    rows.writerow(head)
    rows.writerows(zip(*columns, strict=True))
    write_bytes(out, buffer.getvalue().encode())


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
