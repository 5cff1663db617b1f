"""The joint model of Berger et al. (NAACL 2022): word clusters from captioned images.

A network gives each picture clusters, counts give each word a cluster, and each side
is taught by what the other said before the batch. Defaults are the published values.

Source: Berger et al., A Computational Acquisition Model for Multimodal Word
Categorization, NAACL 2022.
"""

from __future__ import annotations

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
from mmclust.models.pixels import CLIP_MEAN, CLIP_STD
from mmclust.words._counts import Counts
from mmclust.words._train import (
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
    tasks = [Task(i, corpus, params, run, images) for i in range(len(run.seeds))]
    resized(tasks[0], run.workers)
    places = _train_all(tasks, run)
    found = [_result(task, place) for task, place in zip(tasks, places, strict=True)]
    clusters, confidence = (np.stack(each) for each in zip(*found, strict=True))
    weights = weights_digest(params.pretrained)
    facts = {
        "kind": "joint",
        "clusters": params.clusters,
        "backbone": params.backbone,
        "size": params.size,
        "mean": list(CLIP_MEAN),
        "std": list(CLIP_STD),
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
    return Learned(clusters, confidence, confidence, facts, curve)


def _train_all(tasks: list[Task], run: Run) -> list[Place]:
    """Train the seeds: in processes on a CPU or on several devices, else in turn."""
    devices = run.device.split(",")
    workers = run.workers if devices == ["cpu"] else len(devices)
    apart = min(workers, len(tasks)) > 1 and run.judge is None
    say = silent if apart else run.say
    places = []
    runs = [replace(run, device=name, say=say) for name in devices]
    tasks = [replace(task, run=runs[task.number % len(runs)]) for task in tasks]
    for place in in_order(
        train, tasks, workers if apart else 1, describe=lambda t: f"seed {t.number}"
    ):
        places.append(place)
        for row in place.curve if apart else ():
            run.say(describe(row))
    return places


def _result(
    task: Task, place: Place
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Write one seed's network and counts; return clusters and confidence."""
    from safetensors.torch import save_file

    weights, table = final_state(task.best if place.best else task.state)
    out = task.run.out / f"seed_{task.number}"
    write_array(out / "counts.npy", table)
    with writing(out / "visual.safetensors") as temporary:
        save_file(weights, temporary)
    return Counts(table, task.params.mode).best(np.arange(len(table)))
