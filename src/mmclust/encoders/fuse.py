"""fuse: image features of several encoders side by side, each at unit L2 norm.

``encoders.fuse.members`` names them with their options. For a second fusion, or one
with a text view, copy a preset of a few lines such as ``classical.py`` or
``resnet50_caption_sbert.py``, whose ``Params`` have a field for each member: its name
is then a name in params.yaml. Each picture is decoded once for all members.

Source: those of the members.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.params import params_of
from mmclust.core.plugins import load
from mmclust.core.seeds import derive
from mmclust.core.types import Batch, Fitted
from mmclust.models.compute import FLAGS, flags_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    Members = dict[str, tuple[ModuleType, Any]]

VIEWS = ("image",)


@dataclass(frozen=True)
class Params:
    """Encoders of images, each with its options (``null``: its defaults)."""

    members: dict[str, dict[str, Any] | None] = field(
        default_factory=lambda: {"hog": None, "color_histogram": None}
    )
    """Encoders of images, each with its options (``null``: its defaults)."""


def members_of(params: Any) -> Members:
    """Return the members by name, in order: module and params of each."""
    if not hasattr(params, "members"):
        names = [field.name for field in fields(params)]
        return {name: (load("encoders", name), getattr(params, name)) for name in names}
    if not params.members:
        raise MmclustError(
            "No encoder is named to fuse",
            where="encoders.fuse.members",
            expected="names of encoders with their options, such as {hog: {}, lbp: {}}",
            found="{}",
            do="name some in params.yaml",
        )
    return {name: _member(name, block) for name, block in params.members.items()}


def _member(name: str, block: dict[str, Any] | None) -> tuple[ModuleType, Any]:
    module, where = load("encoders", name), f"encoders.fuse.members.{name}"
    params = params_of("encoders", name, block, where)
    if "image" not in module.VIEWS or not hasattr(module, "prepare"):
        raise MmclustError(
            f"{name} does not look at images",
            where=where,
            expected="encoders that read pictures",
            found=f"{name}, which gives {' and '.join(module.VIEWS)} features",
            do="take it out; to join images with captions, copy "
            "encoders/resnet50_caption_sbert.py",
        )
    return module, params


def prepare(rgb: np.ndarray[Any, Any], params: Any) -> np.ndarray[Any, Any]:
    """Pack what each member makes of an image uint8 (h, w, 3) into uint8 (bytes,)."""
    return np.concatenate([_bytes(part) for part in _parts(rgb, params).values()])


def fit(batch: Batch, params: Any, *, seed: int, device: str) -> Fitted:
    """Fit the members that learn, each on its own part of the same rows."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    facts: dict[str, Any] = {}
    parts = _unpacked(batch, params)
    for name, (module, options) in members_of(params).items():
        facts[name] = {}
        if not hasattr(module, "fit"):
            continue
        own = Batch(batch.image_ids, batch.captions, parts.get(name))
        fitted = module.fit(own, options, seed=derive(seed, name), device=device)
        arrays |= {f"{name}/{key}": array for key, array in fitted.arrays.items()}
        facts[name] = fitted.facts
    return Fitted(arrays, facts)


def encode_image(
    batch: Batch, params: Any, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Join the image features of the members: float32 (b, sum of d)."""
    return _encode("image", batch, params, fitted, device)


def encode_text(
    batch: Batch, params: Any, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Join the text features of the members: float32 (b, sum of d)."""
    return _encode("text", batch, params, fitted, device)


def identity(params: Any) -> dict[str, Any]:
    """Return the identity of each member that has one."""
    return {
        name: module.identity(options)
        for name, (module, options) in members_of(params).items()
        if hasattr(module, "identity")
    }


def flags(params: Any) -> tuple[str, ...]:
    """Return the command's flags that reach the numbers of a member."""
    members = members_of(params).values()
    reached = {flag for member in members for flag in flags_of(*member)}
    return tuple(flag for flag in FLAGS if flag in reached)


def captions_cut(captions: Sequence[Sequence[str]], params: Any) -> int | None:
    """Count captions that a member cuts; ``None`` where none has a limit."""
    counts = [
        module.captions_cut(captions, options)
        for module, options in members_of(params).values()
        if hasattr(module, "captions_cut")
    ]
    return max(counts, default=None)


def _encode(
    view: str, batch: Batch, params: Any, fitted: Fitted, device: str
) -> np.ndarray[Any, Any]:
    parts = _unpacked(batch, params) if view == "image" else {}
    rows = []
    for name, (module, options) in members_of(params).items():
        if view not in module.VIEWS:
            continue
        own = Batch(batch.image_ids, batch.captions, parts.get(name))
        encode = getattr(module, f"encode_{view}", None)
        if encode is None:
            rows.append(normalised(parts[name]))
        else:
            learned = _of_member(fitted, name)
            rows.append(normalised(encode(own, options, learned, device=device)))
    return np.hstack(rows)


def _of_member(fitted: Fitted, name: str) -> Fitted:
    prefix = f"{name}/"
    arrays = {
        key.removeprefix(prefix): array
        for key, array in fitted.arrays.items()
        if key.startswith(prefix)
    }
    return Fitted(arrays, fitted.facts.get(name, {}))


def _parts(rgb: np.ndarray[Any, Any], params: Any) -> dict[str, np.ndarray[Any, Any]]:
    return {
        name: module.prepare(rgb, options)
        for name, (module, options) in members_of(params).items()
        if hasattr(module, "prepare")
    }


def _bytes(part: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(part).reshape(-1).view(np.uint8)


def _unpacked(batch: Batch, params: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Take packed rows apart: what each member prepared, (b, …) by name."""
    if batch.images is None:
        return {}
    # What a member makes of one picture has the shape it makes of any.
    blank = _parts(np.zeros((64, 64, 3), np.uint8), params)
    found, start = {}, 0
    for name, part in blank.items():
        stop = start + part.nbytes
        rows = np.ascontiguousarray(batch.images[:, start:stop]).view(part.dtype)
        found[name] = rows.reshape(len(batch.images), *part.shape)
        start = stop
    return found
