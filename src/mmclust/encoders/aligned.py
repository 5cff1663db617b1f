"""aligned: a space shared by two frozen encoders, learnt on the benchmark's own pairs.

Two linear projections, of an image encoder's features and of a text encoder's,
are trained by the symmetric contrastive loss on pictures and their captions; no label
is seen and the encoders stay as they are. It takes seconds, and gives nouns, TAC and
DXMC a shared space where no CLIP is at hand. It knows of words what these captions say:
it is no zero-shot model.

Shapes: n images, d_i and d_t features of the two encoders, d = dim.

Source: this project's own; locked towers are LiT's (Zhai et al., CVPR 2022), the loss
CLIP's (Radford et al., ICML 2021).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.numerics import threads
from mmclust.core.params import Block, Positive, PositiveFloat
from mmclust.core.plugins import Instance, instance_of
from mmclust.core.seeds import generator
from mmclust.core.types import Batch, Fitted
from mmclust.encoders._contrastive import contrast
from mmclust.models.compute import Device, cleaned, flags_of, per_image, unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.types import Array

VIEWS = ("image", "text")


@dataclass(frozen=True)
class Params:
    """The two encoders, the size of their common space, and its training."""

    image: dict[str, Block] = field(
        default_factory=lambda: dict[str, Block](efficientnet_lite0=None)
    )
    """An encoder of images that learns nothing, with its options."""
    text: dict[str, Block] = field(
        default_factory=lambda: dict[str, Block](minilm=None)
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
    decay: Annotated[float, Meta(ge=0)] = 0.1
    """Of AdamW's weights."""
    temperature: PositiveFloat = 0.1
    """Of the contrastive loss."""


def completed(params: Params, where: str, given: str) -> Params:
    """Check both encoders, and write out what their options are."""
    found = dict[str, dict[str, Block]]()
    for view, needed in (("image", "prepare"), ("text", "encode_captions")):
        members = {
            name: instance_of("encoders", name, block, f"{where}.{view}.{name}", given)
            for name, block in getattr(params, view).items()
        }
        fit_for_it = [
            not hasattr(each.module, "fit") and hasattr(each.module, needed)
            for each in members.values()
        ]
        if fit_for_it != [True]:
            raise MmclustError(
                f"aligned wants one encoder of {view}s, which learns nothing",
                where=f"{where}.{view}",
                expected="one name, such as "
                + ("efficientnet_lite0" if view == "image" else "minilm"),
                found=", ".join(members) or "none",
                do=f"correct it in {given}",
            )
        found[view] = {n: asdict(m.options) | m.alias for n, m in members.items()}
    return replace(params, image=found["image"], text=found["text"])


def _member(params: Params, view: str) -> Instance:
    return _read(json.dumps(getattr(params, view)))


@lru_cache(maxsize=32)
def _read(member: str) -> Instance:
    ((name, block),) = json.loads(member).items()
    return instance_of("encoders", name, block, name, "aligned")


def offers(params: Params) -> SimpleNamespace:
    """Return the encoder that these two make."""
    modules = [n for view in VIEWS for n in _member(params, view).modules]
    return SimpleNamespace(**globals(), modules=modules)


def prepare(rgb: Array, params: Params) -> Array:
    """Run the image encoder on one picture uint8 (h, w, 3): float32 (d_i,), unit norm.

    On the CPU, in the processes that decode, so that little waits on disk.
    """
    member = _member(params, "image")
    ready = member.module.prepare(rgb, member.options)[None]
    encode = getattr(member.module, "encode_image", None)
    if encode is not None:
        batch = Batch([""], [()], ready)
        ready = encode(batch, member.options, Fitted(), device=Device("cpu", 1))
    row: Array = normalised(ready)[0]
    return row


@threads(1)
def fit(batch: Batch, params: Params, *, seed: int, device: str) -> Fitted:
    """Learn both projections from the pictures that have captions.

    Returns
    -------
    Fitted
        ``image`` (d_i, d) and ``text`` (d_t, d); ``image_mean`` and ``text_mean``,
        which are taken off before; the loss of each step.
    """
    texts = cleaned(batch.captions)
    flat = [text for each in texts for text in each]
    owner = np.repeat(np.arange(len(texts)), [len(each) for each in texts])
    if len(set(owner.tolist())) < 2:  # noqa: PLR2004
        raise MmclustError(
            "aligned needs at least two pictures with captions",
            where="encoders.aligned",
            found=f"{len(set(owner.tolist()))} of {len(texts)}",
            do="take it out of encoders in params.yaml for this benchmark",
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
    encode = partial(encode_captions, params=params, fitted=fitted, device=device)
    return per_image(cleaned(batch.captions), encode)


def identity(params: Params) -> dict[str, Any]:
    """Return the identity of each encoder that has one."""
    members = [_member(params, view) for view in VIEWS]
    return {
        member.name: member.module.identity(member.options)
        for member in members
        if hasattr(member.module, "identity")
    }


def flags(params: Params) -> tuple[str, ...]:
    """Return the command's flags that reach the text encoder's numbers."""
    member = _member(params, "text")
    reached = flags_of(member.module, member.options)
    return tuple(flag for flag in reached if flag != "compile")


def captions_cut(captions: Sequence[Sequence[str]], params: Params) -> int:
    """Count captions that are longer than the text encoder reads."""
    member = _member(params, "text")
    count = getattr(member.module, "captions_cut", None)
    return int(count(captions, member.options)) if count else 0


def _embed(captions: Sequence[str], params: Params, device: str) -> Array:
    member = _member(params, "text")
    encode = member.module.encode_captions
    rows: Array = encode(captions, member.options, Fitted(), device=device)
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
    from torch.nn.functional import normalize

    from mmclust.kernels.adam import Adam

    rng = generator(seed, "aligned")
    start = [
        rng.standard_normal((rows.shape[1], params.dim)) / rows.shape[1] ** 0.5
        for rows in (image, text)
    ]
    weights = [torch.tensor(w, dtype=torch.float32, requires_grad=True) for w in start]
    optimizer = Adam(weights, params.learning_rate, decay=params.decay)
    known, first, counts = np.unique(owner, return_index=True, return_counts=True)

    def logits_of(rows: Array) -> torch.Tensor:
        said = first[rows] + rng.integers(counts[rows])
        both = torch.from_numpy(image[known[rows]]), torch.from_numpy(text[said])
        one, two = (normalize(x @ w, dim=1) for x, w in zip(both, weights, strict=True))
        return one @ two.T / params.temperature

    losses = contrast(optimizer, logits_of, len(known), params, rng, "aligned")
    arrays = [weight.detach().numpy() for weight in weights]
    return dict(zip(("image", "text"), arrays, strict=True)), losses
