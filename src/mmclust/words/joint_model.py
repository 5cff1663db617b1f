"""The joint model of Berger et al. (NAACL 2022): word clusters from captioned images.

A network gives each picture clusters, counts give each word a cluster, and each side
is taught by what the other said before the batch. Defaults are the published values.

Source: Berger et al., A Computational Acquisition Model for Multimodal Word
Categorization, NAACL 2022.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.io import write_array, writing
from mmclust.core.numerics import recorded
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.types import Learned, Run, silent
from mmclust.core.workers import in_order
from mmclust.models.backbones import NAMES
from mmclust.words._counts import Counts
from mmclust.words._train import (
    MEAN,
    STD,
    Place,
    Task,
    describe,
    final_state,
    resized,
    train,
    weights_digest,
)

if TYPE_CHECKING:
    from mmclust.core.types import Corpus


@dataclass(frozen=True)
class Params:
    """Options; what is published is the default."""

    backbone: str = "resnet50"
    """Network of pictures: one of :data:`mmclust.models.backbones.NAMES`."""
    pretrained: bool | str = False
    """``true`` (ImageNet), or the path of a state dict."""
    frozen: bool = False
    """Whether only the last layer learns."""
    size: Annotated[int, Meta(ge=16)] = 224
    """Side of the square pictures, in pixels."""
    clusters: Annotated[int, Meta(ge=2)] = 100
    """Outputs of the network."""
    visual_threshold: float = 0.5
    """Raw output (not its sigmoid) from which a cluster is active."""
    text_threshold: Annotated[float, Meta(gt=0, le=1)] = 0.03
    """Probability from which a word's best cluster counts."""
    mode: Literal["generative", "discriminative"] = "generative"
    """``generative``: N(w,c) / N(c), normalised; ``discriminative``: N(w,c) /
    Σ N(w,·)."""
    learning_rate: PositiveFloat = 1e-4
    """Of Adam."""
    batch: Annotated[int, Meta(ge=2)] = 50
    """Captions in a batch."""
    epochs: Positive = 2
    """Passes over the captions."""
    lemmas: bool = False
    """Whether captions are read as lemmas (needs spaCy's ``en_core_web_sm``)."""
    validation: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of images held out for tuning."""
    select: Literal["last", "include_unknown_fscore"] = "last"
    """Which epoch is kept: the last, or, as published, the best by the norms that
    the model is judged by."""


def completed(params: Params, where: str, given: str) -> Params:
    """Refuse a backbone that there is not."""
    if params.backbone not in NAMES:
        raise MmclustError(
            f"Unknown backbone {params.backbone!r}",
            where=f"{where}.backbone in {given}",
            expected=nearest(params.backbone, NAMES),
            found=params.backbone,
            do="correct the name",
        )
    return params


def learn(corpus: Corpus, params: Params, run: Run) -> Learned:
    """Train one model per seed on pairs of a caption and its picture.

    Written to ``run.out``: ``seed_<i>/counts.npy`` int64 (v, C) and
    ``seed_<i>/visual.safetensors``. The probability of a word's best cluster is both
    confidence and concreteness.
    """
    if params.select != "last" and run.judge is None:
        raise MmclustError(
            "An epoch is to be selected by norms, and there are none",
            where="words.joint_model.select",
            expected="last, which needs none, or norms to select by",
            found=params.select,
        )
    images = np.unique(corpus.owners)
    resized(corpus.manifest, images, params.size, run.work, workers=run.workers)
    tasks = [
        Task(i, corpus, params, run, images, os.getpid()) for i in range(len(run.seeds))
    ]
    _train_all(tasks, run)
    found = [_result(task) for task in tasks]
    confidence = np.stack([each for _, each, _ in found])
    places = [place for _, _, place in found]
    weights = weights_digest(params.pretrained)
    facts = {
        "kind": "joint",
        "clusters": params.clusters,
        "backbone": params.backbone,
        "size": params.size,
        "mean": list(MEAN),
        "std": list(STD),
        "visual_threshold": params.visual_threshold,
        "text_threshold": params.text_threshold,
        "mode": params.mode,
        "epochs": params.epochs,
        "precision": run.precision,
        **recorded(),
        "processes": 1,
        **({"pretrained": weights} if weights else {}),
        "selected_epochs": [p.best.get("epoch", params.epochs) for p in places],
    }
    curve = [row for place in places for row in place.curve]
    clusters = np.stack([each for each, _, _ in found])
    return Learned(clusters, confidence, confidence, facts, curve)


def _train_all(tasks: list[Task], run: Run) -> None:
    """Train the seeds: in processes on a CPU or on several devices, else in turn."""
    devices = run.device.split(",")
    workers = run.workers if devices == ["cpu"] else len(devices)
    tasks = [
        replace(task, run=replace(run, device=devices[task.number % len(devices)]))
        for task in tasks
    ]
    if workers <= 1 or len(tasks) == 1 or run.judge is not None:
        for task in tasks:
            train(task)
        return
    quiet = [replace(task, run=replace(run, say=silent)) for task in tasks]
    for curve in in_order(
        _curve_of, quiet, workers, describe=lambda t: f"seed {t.number}"
    ):
        for row in curve:
            run.say(describe(row))


def _curve_of(task: Task) -> list[dict[str, Any]]:
    train(task)
    return final_state(task.state)[2].curve


def _result(task: Task) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Place]:
    """Write one seed's network and counts; return clusters, confidence and place."""
    from safetensors.torch import save_file

    place = final_state(task.state)[2]
    weights, table, _ = final_state(task.best if place.best else task.state)
    out = task.run.out / f"seed_{task.number}"
    write_array(out / "counts.npy", table)
    with writing(out / "visual.safetensors") as temporary:
        save_file(weights, temporary)
    counts = Counts.of(table, task.params.mode)
    clusters, confidence = counts.best(np.arange(len(table)))
    return clusters, confidence, place
