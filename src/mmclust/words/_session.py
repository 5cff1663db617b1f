"""One training of the joint model: what it holds, and its step (spec 2.3).

Shapes: b samples of a batch; C clusters.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.seeds import derive
from mmclust.models.backbones import build, freeze
from mmclust.words._counts import Counts
from mmclust.words._pixels import normalised
from mmclust.words._spread import (
    add_gradients,
    gathered,
    rank,
    share,
    with_shared_statistics,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from mmclust.words._corpus import Corpus

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Session:
    """What one seed trains.

    Parameters
    ----------
    corpus, params
        Captions, and the options of ``joint_model``.
    pictures
        uint8 (n, 3, side, side).
    at
        int64: which of the pictures belongs to each caption.
    seed
        Of this run.
    device, precision
        Where and how torch computes.
    module, optimizer, scaler
        The visual side.
    counts
        The text side.
    """

    corpus: Corpus
    params: Any
    pictures: Array
    at: Array
    seed: int
    device: str
    precision: str
    module: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    counts: Counts

    def outputs(self, captions: Array) -> torch.Tensor:
        """Return the network's raw outputs for captions' pictures: float32 (b, C)."""
        import torch

        pixels = normalised(self.pictures[self.at[captions]], self.device)
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        where = self.device.partition(":")[0]
        with torch.autocast(where, dtype=kind, enabled=kind is not None):
            outputs: torch.Tensor = self.module(pixels)
        return outputs.float()

    def step(self, captions: Array, *number: int) -> dict[str, float]:
        """Learn from one batch; both sides see the other as it was before.

        Parameters
        ----------
        captions
            int64 (b,).
        *number
            Epoch and step: dropout, where a backbone has it, draws by them.

        Returns
        -------
        dict
            ``loss`` (visual) and ``text_loss``, which nothing minimises: both the
            binary cross-entropy of outputs as logits, a mean over (b, C).
        """
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as bce

        ids, places = self.corpus.tokens_of(captions)
        said = self.counts.outputs(ids, places, len(captions))
        wanted = said >= self.params.text_threshold
        mine = share(len(captions))
        target = torch.from_numpy(wanted[mine].astype(np.float32)).to(self.device)
        with self._dropping(*number):
            outputs = self.outputs(captions[mine])
        loss = bce(outputs, target, reduction="sum") / wanted.size
        self._descend(loss)
        logits = gathered(outputs.detach(), len(captions)).cpu().numpy()
        active = logits >= self.params.visual_threshold
        self.counts.add(ids, places, active)
        return {
            "loss": cross_entropy(logits, wanted),
            "text_loss": cross_entropy(said, active),
        }

    def _descend(self, loss: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        add_gradients([p for p in self.module.parameters() if p.requires_grad])
        self.scaler.step(self.optimizer)
        self.scaler.update()

    @contextlib.contextmanager
    def _dropping(self, *number: int) -> Iterator[None]:
        """Draw what dropout draws from this run's seed."""
        import torch

        if self.params.backbone != "googlenet":
            yield
            return
        devices = [] if self.device == "cpu" else [self.device]
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(derive(self.seed, "dropout", *number, rank()))
            yield


def start(
    corpus: Corpus,
    params: Any,
    pictures: Array,
    at: Array,
    seed: int,
    device: str,
    precision: str,
) -> Session:
    """Build the network, its optimiser and empty counts; see :class:`Session`."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        module = build(params.backbone, params.clusters, params.pretrained)
    if params.frozen:
        freeze(module)
    module = with_shared_statistics(module).to(device).train()
    learnt = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learnt, params.learning_rate, fused=True)
    where = device.partition(":")[0]
    scaler = torch.amp.GradScaler(where, enabled=precision == "fp16")
    counts = Counts.empty(len(corpus.words), params.clusters, params.mode)
    return Session(
        corpus, params, pictures, at, seed, device, precision, module, optimizer,
        scaler, counts,
    )  # fmt: skip


def cross_entropy(logits: Array, wanted: Array) -> float:
    """Return the mean binary cross-entropy with logits, in float64."""
    values = logits.astype(np.float64)
    return float((np.logaddexp(0, values) - values * wanted).mean())
