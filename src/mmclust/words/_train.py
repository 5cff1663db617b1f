"""One training of the joint model: pictures, steps (spec 2.3), epochs, saved state.

All randomness is drawn anew from the seed and the number of the epoch or step, so that
no generator has a state to keep: a run that is resumed ends with the bytes of one that
was not. A state is one file of ``torch.save``; reading it runs no code.

Each picture is decoded once for all epochs and seeds: square by bilinear resizing
(Pillow's, the aspect ratio is not kept), without augmentation; Berger et al. (NAACL
2022), spec 1.3. Grey pictures, which the published selection leaves out, become RGB
with three equal channels.

Shapes: b samples of a batch; C clusters.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import Images
from mmclust.core.io import digest_of, file_digest, read_array, writing
from mmclust.core.manifest import PLACES, read_manifest
from mmclust.core.numerics import recorded, threads
from mmclust.core.progress import track
from mmclust.core.seeds import derive, generator
from mmclust.core.shards import Sharded
from mmclust.core.workers import in_order
from mmclust.models.backbones import build, freeze
from mmclust.models.compute import Device
from mmclust.models.hub import load_torch
from mmclust.models.pixels import CLIP_MEAN, CLIP_STD, scaled, sized
from mmclust.words._counts import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from mmclust.core.types import Corpus, Run

    Array = np.ndarray[Any, Any]

ROWS = 64
"""Held-out pictures that pass through the network at once."""
FEWEST = 2
"""Held-out images that matching needs."""


def resized(task: Task, workers: int) -> None:
    """Decode and resize the pictures into ``task.pictures``, uint8 (n, side, side, 3).

    A killed run is continued; what is done is not done again. The file, mapped, takes
    3 side² bytes for each picture, and while it is put together twice that.
    """
    manifest, side = task.corpus.manifest, task.params.size
    origin = {"manifest": manifest.digest, "side": str(side)}
    sharded = Sharded(task.pictures, len(task.images), 1, origin)
    spans = sharded.unfinished()
    decode = partial(
        _decoded, manifest.folder / "manifest.parquet", manifest.digest, task.images,
        side,
    )  # fmt: skip
    done = in_order(decode, spans, workers, describe=lambda s: f"pictures {s[0]} on")
    decoded = zip(spans, done, strict=True)
    for span, pictures in track(decoded, "decode", len(spans), "shards"):
        sharded.write(span, pictures, {})
    sharded.merge()


def _decoded(
    path: Path, digest: str, rows: Array, side: int, span: tuple[int, int]
) -> Array:
    images = _images(path, digest)
    pictures = (images.read(row) for row in rows[slice(*span)].tolist())
    return np.stack(
        [
            sized(rgb, short_side=None, crop=side, interpolation="bilinear")
            for rgb in pictures
        ]
    )


@lru_cache(maxsize=1)
def _images(path: Path, digest: str) -> Images:
    """Return the images of a manifest with this digest, read once in a process."""
    del digest
    return Images(read_manifest(path, PLACES))


class Session:
    """What one seed trains: a network of pictures, and counts of words.

    ``pictures`` are uint8 (n, side, side, 3), those of ``task.images``.
    """

    def __init__(self, task: Task, pictures: Array) -> None:
        import torch

        from mmclust.kernels.adam import Adam

        params, device = task.params, task.run.device
        self.corpus, self.params, self.pictures = task.corpus, params, pictures
        self.at = np.searchsorted(task.images, task.corpus.owners)
        self.seed, self.device = task.run.seeds[task.number], device
        self.precision = task.run.precision
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(self.seed, "weights"))
            module = build(params.backbone, params.clusters, params.pretrained)
        if params.frozen:
            freeze(module)
        self.module = module.to(device).train()
        learnt = [p for p in self.module.parameters() if p.requires_grad]
        self.optimizer = Adam(learnt, params.learning_rate)
        where = device.partition(":")[0]
        self.scaler = torch.amp.GradScaler(where, enabled=self.precision == "fp16")
        table = np.zeros((len(self.corpus.words), params.clusters), np.int64)
        self.counts = Counts(table, params.mode)

    def outputs(self, captions: Array) -> torch.Tensor:
        """Return the network's raw outputs for captions' pictures: float32 (b, C)."""
        import torch

        pictures = np.ascontiguousarray(self.pictures[self.at[captions]])
        pixels = scaled(torch.from_numpy(pictures).to(self.device), CLIP_MEAN, CLIP_STD)
        with Device(self.device, precision=self.precision).computing():
            outputs: torch.Tensor = self.module(pixels)
        return outputs.float()

    def step(self, captions: Array, *number: int) -> dict[str, float]:
        """Learn from one batch; both sides see the other as it was before.

        ``number`` is the epoch and the step: dropout, where a backbone has it, draws
        by them. Of the losses, both the mean binary cross-entropy of outputs as logits,
        nothing minimises ``text_loss``.
        """
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as bce

        ids, places = self.corpus.tokens_of(captions)
        said = self.counts.outputs(ids, places, len(captions))
        wanted = said >= self.params.text_threshold
        target = torch.from_numpy(wanted.astype(np.float32)).to(self.device)
        # An accelerator's generator is left seeded: nothing else draws from it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(self.seed, "dropout", *number, 0))
            outputs = self.outputs(captions)
        loss = bce(outputs, target, reduction="sum") / wanted.size
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)  # type: ignore[arg-type]
        self.scaler.update()
        logits = outputs.detach().cpu().numpy()
        active = logits >= self.params.visual_threshold
        self.counts.add(ids, places, active)
        return {
            "loss": cross_entropy(logits, wanted),
            "text_loss": cross_entropy(said, active),
        }

    def judged_by(self, images: Array) -> dict[str, float]:
        """Judge the model by held-out images and the first caption of each."""
        import torch

        # The first of each image's captions, which lie together.
        first = np.searchsorted(self.at, images)
        starts = range(0, len(first), ROWS)
        self.module.eval()
        with torch.inference_mode():
            blocks = [self.outputs(first[i : i + ROWS]).cpu().numpy() for i in starts]
        self.module.train()
        logits = np.concatenate(blocks)
        said = self.counts.outputs(*self.corpus.tokens_of(first), len(first))
        captions = said >= self.params.text_threshold
        pictures = logits >= self.params.visual_threshold
        own = (pictures != captions).sum(1)
        other = (pictures != np.roll(captions, -1, axis=0)).sum(1)
        return {
            "validation_loss": cross_entropy(logits, captions),
            "validation_matching": float((own < other).mean()),
        }


def cross_entropy(logits: Array, wanted: Array) -> float:
    """Return the mean binary cross-entropy with logits, in float64."""
    values = logits.astype(np.float64)
    return float((np.logaddexp(0, values) - values * wanted).mean())


@dataclass
class Place:
    """Where a training stands: what epoch and step come next, both from 0.

    ``sums`` are of the losses of the epoch's steps so far, ``curve`` figures of the
    epochs that are done, ``best`` the selected epoch and its score, if one is.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)


def save_state(
    path: Path, origin: str, session: Session, place: Place, *, to_resume: bool = True
) -> None:
    """Write the state in place of the one before."""
    import torch

    state = {
        "origin": origin,
        "place": vars(place),
        "visual": session.module.state_dict(),
        "counts": torch.from_numpy(session.counts.table),
        "optimizer": session.optimizer.moments() if to_resume else {},
    }
    with writing(path) as temporary:
        torch.save(state, temporary)


def load_state(path: Path, origin: str, session: Session) -> Place:
    """Go on from a saved state, or begin where there is none of this origin."""
    try:
        state = load_torch(path)
        if state["origin"] != origin:
            return Place()
        place = Place(**state["place"])
    except (MmclustError, KeyError, TypeError):
        return Place()
    session.module.load_state_dict(state["visual"])
    session.counts = Counts(state["counts"].numpy(), session.params.mode)
    session.optimizer.resume(state["optimizer"])
    if place.scaler:
        session.scaler.load_state_dict(place.scaler)
    return place


def final_state(path: Path) -> tuple[dict[str, torch.Tensor], Array]:
    """Return the network's weights and the counts of a saved state."""
    state = load_torch(path)
    return dict(state["visual"]), state["counts"].numpy()


@dataclass(frozen=True)
class Task:
    """One seed's training on images: rows of the manifest, int64 (n,) ascending."""

    number: int
    corpus: Corpus
    params: Any
    run: Run
    images: Array

    @property
    def pictures(self) -> Path:
        """All pictures, decoded: see :func:`resized`."""
        return self.run.work / f"pictures-{self.params.size}.npy"

    @property
    def state(self) -> Path:
        """Where the training stands, or ended."""
        return self.run.work / f"seed_{self.number}.pt"

    @property
    def best(self) -> Path:
        """The selected epoch, where one is selected."""
        return self.run.work / f"seed_{self.number}.best.pt"

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


def held_out(images: Array, share: float, seed: int) -> Array:
    """Draw the images that are not trained on; the same for all seeds of a run."""
    number = int(share * len(images))
    if share and not FEWEST <= number <= len(images) - FEWEST:
        raise MmclustError(
            "Too few images to hold some out",
            where="words.joint_model.validation",
            expected="a share that leaves at least two images on either side",
            found=f"{share} of {len(images)} images",
        )
    drawn = generator(seed, "validation").permutation(len(images))[:number]
    return np.sort(drawn)


@threads(1)
def train(task: Task) -> Place:
    """Train one seed, or finish what was begun; the result is ``task.state``."""
    run, params = task.run, task.params
    session = Session(task, read_array(task.pictures))
    origin = task.origin
    place = load_state(task.state, origin, session)
    out = held_out(task.images, params.validation, run.seeds[0])
    samples = np.flatnonzero(~np.isin(session.at, out))

    def save() -> None:
        save_state(task.state, origin, session, place)

    with Device(run.device).computing():  # the same kernels each time
        for epoch in range(place.epoch, params.epochs):
            _epoch(session, place, samples, task, save)
            _end(session, place, out, task)
            place.epoch, place.step, place.sums = epoch + 1, 0, {}
            save()
    return place


def _epoch(
    session: Session, place: Place, samples: Array, task: Task, save: Callable[[], None]
) -> None:
    """Take the steps that are left of an epoch."""
    params = task.params
    order = generator(session.seed, "order", place.epoch).permutation(samples)
    steps = range(place.step, -(-len(order) // params.batch))
    label = f"seed {task.number}, epoch {place.epoch + 1} of {params.epochs}"
    saved = time.monotonic()
    session.module.train()
    for step in track(steps, label, len(steps), "batches"):
        captions = order[step * params.batch : (step + 1) * params.batch]
        for name, loss in session.step(captions, place.epoch, step).items():
            place.sums[name] = place.sums.get(name, 0.0) + loss
        place.step, place.scaler = step + 1, session.scaler.state_dict()
        if time.monotonic() - saved >= task.run.save_every:
            save()
            saved = time.monotonic()


def _end(session: Session, place: Place, out: Array, task: Task) -> None:
    """Look at an epoch: add its figures to the curve, keep it if it is the best."""
    params, run, counts = task.params, task.run, session.counts
    if not counts.totals.any():
        raise MmclustError(
            "The joint model learned nothing: no cluster was ever active",
            where="words.joint_model",
            expected="outputs of the untrained network that reach visual_threshold "
            f"({params.visual_threshold}) for some pictures, which learning starts "
            "from",
            found="an epoch without any",
            do="lower visual_threshold, take more clusters, another backbone or "
            "another seed",
        )
    clusters, words = counts.active(params.text_threshold)
    row: dict[str, Any] = {"epoch": place.epoch + 1, "seed": task.number}
    row |= {name: total / place.step for name, total in place.sums.items()}
    row |= {"active_clusters": clusters, "active_words": words}
    if len(out):
        row |= session.judged_by(out)
    if params.select == "include_unknown_fscore":
        assert run.judge is not None
        best = counts.best(np.arange(len(counts.table)))[0]
        score = float(run.judge(task.corpus.words, best))
        row["include_unknown_fscore"] = score
        if not place.best or score >= place.best["score"]:  # ties: the later epoch
            place.best = {"epoch": place.epoch + 1, "score": score}
            save_state(task.best, task.origin, session, place, to_resume=False)
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
