"""The epochs of one training: resumed where a killed one stood, and watched."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import digest_of, file_digest, read_array
from mmclust.core.numerics import recorded, threads
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.words._held_out import held_out, held_out_figures
from mmclust.words._pixels import array_of
from mmclust.words._session import Session, start
from mmclust.words._spread import barrier, leads
from mmclust.words._state import Place, load_state, save_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmclust.words._corpus import Corpus
    from mmclust.words._stage import Run

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Task:
    """The training of one seed.

    Parameters
    ----------
    number
        Which of the seeds.
    corpus, params, run
        See :mod:`mmclust.words._stage`.
    images
        int64 (n,), ascending: rows of the manifest.
    parent
        The process whose end ends this one.
    """

    number: int
    corpus: Corpus
    params: Any
    run: Run
    images: Array
    parent: int

    @property
    def pictures(self) -> Path:
        """The array of the images."""
        return array_of(self.run.work, self.params.size)

    @property
    def state(self) -> Path:
        """Where the training stands, or ended."""
        return self.run.work / f"seed_{self.number}.safetensors"

    @property
    def best(self) -> Path:
        """The selected epoch, where one is selected."""
        return self.run.work / f"seed_{self.number}.best.safetensors"

    @property
    def origin(self) -> str:
        """Digest of all that decides the result."""
        return digest_of(
            [
                self.corpus.manifest.digest,
                asdict(self.params),
                self.run.seeds[0],
                self.run.seeds[self.number],
                self.run.precision,
                weights_digest(self.params.pretrained),
                recorded(),
            ]
        )


def weights_digest(pretrained: bool | str) -> str | None:
    """Return the sha256 of the file of weights to begin with, where one is named."""
    path = Path(pretrained).expanduser() if isinstance(pretrained, str) else None
    return file_digest(path) if path is not None and path.is_file() else None


@threads(1)
def train(task: Task) -> None:
    """Train one seed, or finish what was begun; the result is ``task.state``."""
    run, params = task.run, task.params
    at = np.searchsorted(task.images, task.corpus.owners)
    session = start(
        task.corpus, params, read_array(task.pictures), at,
        run.seeds[task.number], run.device, run.precision,
    )  # fmt: skip
    parts = (task.origin, session.module, session.counts, session.optimizer)
    place = load_state(task.state, *parts) or Place()
    if place.scaler:
        session.scaler.load_state_dict(place.scaler)
    barrier()  # nobody reads what another writes
    out = held_out(task.images, params.validation, run.seeds[0])
    samples = np.flatnonzero(~np.isin(at, out))

    def save() -> None:
        save_state(task.state, *parts, place)

    with _same_every_time(run.device, run.precision):
        for epoch in range(place.epoch, params.epochs):
            _epoch(session, place, samples, task, save)
            _end(session, place, out, task)
            place.epoch, place.step, place.sums = epoch + 1, 0, {}
            if leads():
                save()
    barrier()


def _epoch(
    session: Session, place: Place, samples: Array, task: Task, save: Callable[[], None]
) -> None:
    """Take the steps that are left of an epoch."""
    params, run = task.params, task.run
    order = generator(session.seed, "order", place.epoch).permutation(samples)
    steps = range(place.step, -(-len(order) // params.batch))
    label = f"seed {task.number}, epoch {place.epoch + 1} of {params.epochs}"
    saved = time.monotonic()
    session.module.train()
    for step in track(steps, label, len(steps), "batches"):
        if os.getppid() != task.parent and os.getpid() != task.parent:
            raise SystemExit  # orphaned: another run goes on from what was saved
        captions = order[step * params.batch : (step + 1) * params.batch]
        for name, loss in session.step(captions, place.epoch, step).items():
            place.sums[name] = place.sums.get(name, 0.0) + loss
        place.step, place.scaler = step + 1, session.scaler.state_dict()
        if leads() and time.monotonic() - saved >= run.save_every:
            save()
            saved = time.monotonic()


def _end(session: Session, place: Place, out: Array, task: Task) -> None:
    """Look at an epoch: add its figures to the curve, keep it if it is the best."""
    params, run, counts = task.params, task.run, session.counts
    if not counts.totals.any():
        raise _nothing_learnt(params)
    clusters, words = counts.active(params.text_threshold)
    row: dict[str, Any] = {"epoch": place.epoch + 1, "seed": task.number}
    row |= {name: total / place.step for name, total in place.sums.items()}
    row |= {"active_clusters": clusters, "active_words": words}
    if len(out):
        row |= held_out_figures(session, out)
    if params.select == "include_unknown_fscore":
        assert run.judge is not None
        best = counts.best(np.arange(len(counts.table)))[0]
        score = row["include_unknown_fscore"] = run.judge(task.corpus.words, best)
        if not place.best or score >= place.best["score"]:  # ties: the later epoch
            place.best = {"epoch": place.epoch + 1, "score": score}
            if leads():
                parts = (task.origin, session.module, counts, None)
                save_state(task.best, *parts, place)
    place.curve.append(row)
    run.say(describe(row))


def describe(row: dict[str, Any]) -> str:
    """Put an epoch's figures into a line."""
    figures = [
        f"{name.replace('_', ' ')} {value:.4f}" if isinstance(value, float)
        else f"{value} {name.replace('_', ' ')}"
        for name, value in row.items() if name not in ("epoch", "seed")
    ]  # fmt: skip
    return f"seed {row['seed']}, epoch {row['epoch']}: " + ", ".join(figures)


def _nothing_learnt(params: Any) -> MmclustError:
    return MmclustError(
        "The joint model learned nothing: no cluster was ever active",
        where="words.joint_model",
        expected="outputs of the untrained network that reach visual_threshold "
        f"({params.visual_threshold}) for some pictures, which learning starts from",
        found="an epoch without any",
        do="lower visual_threshold, take more clusters, another backbone or another "
        "seed",
    )


def _same_every_time(
    device: str, precision: str
) -> contextlib.AbstractContextManager[None]:
    """Let cuDNN choose the same kernels each time; float32 means float32."""
    if device == "cpu":
        return contextlib.nullcontext()
    import torch

    return torch.backends.cudnn.flags(
        enabled=True,
        benchmark=False,
        deterministic=True,
        allow_tf32=precision != "float32",
    )
