"""fuse: features of several encoders side by side, each at unit L2 norm.

``members`` names them with their options: plugins, known names, or names of one's own
with ``is``. With ``views: [image, text]`` those that read captions make the text view;
the view ``concat`` of both is then the fusion of pictures with captions. Each picture
is decoded once for all members.

Source: those of the members.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.params import Block
from mmclust.core.plugins import Instance, instance_of
from mmclust.core.seeds import derive
from mmclust.core.types import Batch, Fitted
from mmclust.models.compute import FLAGS, flags_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.types import Array

VIEWS = ("image",)

View = Literal["image", "text"]


@dataclass(frozen=True)
class Params:
    """Encoders, each with its options, and the views that are made of them."""

    members: dict[str, Block] = field(
        default_factory=lambda: {"hog": None, "color_histogram": None}
    )
    """Encoders, each with its options (``null``: its defaults)."""
    views: Annotated[tuple[View, ...], msgspec.Meta(min_length=1, max_length=2)] = (
        "image",
    )
    """``image``, ``text`` or both; a member gives those of them that it has."""


def completed(params: Params, where: str, given: str) -> Params:
    """Check the members, and write out what their options are."""
    if not params.members:
        raise MmclustError(
            "No encoder is named to fuse",
            where=f"{where}.members",
            expected="names of encoders with their options, such as {hog: {}, lbp: {}}",
            found="{}",
            do=f"name some in {given}",
        )
    found, given_views = dict[str, Block](), set[str]()
    for name, block in params.members.items():
        at = f"{where}.members.{name}"
        member = instance_of("encoders", name, block, at, given)
        if not _views(member, params):
            does = "look at images" if params.views == ("image",) else "read captions"
            gives = " and ".join(member.module.VIEWS)
            raise MmclustError(
                f"{name} does not {does}",
                where=at,
                expected="encoders that read pictures"
                if params.views == ("image",)
                else "encoders that read captions",
                found=f"{name}, which gives {gives} features",
                do="take it out; to join images with captions, set views: [image, "
                "text]",
            )
        found[name] = asdict(member.options) | member.alias
        given_views |= _views(member, params)
    for view in params.views:
        if view not in given_views:
            raise MmclustError(
                f"No member gives {view} features",
                where=f"{where}.members",
                expected=f"one that does, or views without {view}",
                found=", ".join(found),
                do=f"correct members or views in {given}",
            )
    return replace(params, members=found, views=tuple(dict.fromkeys(params.views)))


def _views(member: Instance, params: Params) -> set[str]:
    """Return the views that a member adds to."""
    offered, pixels = member.module.VIEWS, hasattr(member.module, "prepare")
    return {v for v in params.views if v in offered and (v == "text" or pixels)}


def members_of(params: Params) -> tuple[Instance, ...]:
    """Return the members, in order."""
    return _read(json.dumps(params.members))


@lru_cache(maxsize=32)
def _read(members: str) -> tuple[Instance, ...]:
    blocks = json.loads(members).items()
    return tuple(instance_of("encoders", n, block, n, "members") for n, block in blocks)


def offers(params: Params) -> SimpleNamespace:
    """Return the encoder that these members make: it learns if one of them does."""
    modules = [member.module for member in members_of(params)]
    own: dict[str, Any] = {"flags": flags, "prepare": prepare}
    if "image" in params.views:
        own["encode_image"] = encode_image
    if "text" in params.views:
        own["encode_text"] = encode_text
        own["captions_cut"] = captions_cut
    if any(hasattr(module, "fit") for module in modules):
        own["fit"] = fit
    if any(hasattr(module, "identity") for module in modules):
        own["identity"] = identity
    return SimpleNamespace(
        __name__=__name__,
        __doc__=__doc__,
        VIEWS=params.views,
        Params=Params,
        modules=[name for each in members_of(params) for name in each.modules],
        **own,
    )


def prepare(rgb: Array, params: Any) -> Array:
    """Pack what each member makes of an image uint8 (h, w, 3) into uint8 (bytes,)."""
    parts = _parts(rgb, params).values()
    return np.concatenate(
        [np.ascontiguousarray(part).reshape(-1).view(np.uint8) for part in parts]
    )


def fit(batch: Batch, params: Any, *, seed: int, device: str) -> Fitted:
    """Fit the members that learn, each on its own part of the same rows."""
    arrays: dict[str, Array] = {}
    facts: dict[str, Any] = {}
    parts = _unpacked(batch, params)
    for member in members_of(params):
        name, module = member.name, member.module
        facts[name] = {}
        if not hasattr(module, "fit"):
            continue
        own = Batch(batch.image_ids, batch.captions, parts.get(name))
        fitted = module.fit(own, member.options, seed=derive(seed, name), device=device)
        arrays |= {f"{name}/{key}": array for key, array in fitted.arrays.items()}
        facts[name] = fitted.facts
    return Fitted(arrays, facts)


def encode_image(batch: Batch, params: Any, fitted: Fitted, *, device: str) -> Array:
    """Join the image features of the members: float32 (b, sum of d)."""
    return _encode("image", batch, params, fitted, device)


def encode_text(batch: Batch, params: Any, fitted: Fitted, *, device: str) -> Array:
    """Join the text features of the members: float32 (b, sum of d)."""
    return _encode("text", batch, params, fitted, device)


def identity(params: Any) -> dict[str, Any]:
    """Return the identity of each member that has one."""
    return {
        member.name: member.module.identity(member.options)
        for member in members_of(params)
        if hasattr(member.module, "identity")
    }


def flags(params: Any) -> tuple[str, ...]:
    """Return the command's flags that reach the numbers of a member."""
    members = members_of(params)
    reached = {flag for each in members for flag in flags_of(each.module, each.options)}
    return tuple(flag for flag in FLAGS if flag in reached)


def captions_cut(captions: Sequence[Sequence[str]], params: Any) -> int | None:
    """Count captions that a member cuts; ``None`` where none has a limit."""
    counts = [
        member.module.captions_cut(captions, member.options)
        for member in members_of(params)
        if hasattr(member.module, "captions_cut")
    ]
    return max(counts, default=None)


def _encode(view: str, batch: Batch, params: Any, fitted: Fitted, device: str) -> Array:
    parts = _unpacked(batch, params) if view == "image" else {}
    rows = []
    for member in members_of(params):
        name, module = member.name, member.module
        if view not in _views(member, params):
            continue
        own = Batch(batch.image_ids, batch.captions, parts.get(name))
        encode = getattr(module, f"encode_{view}", None)
        if encode is None:
            rows.append(normalised(parts[name]))
        else:
            prefix = f"{name}/"
            arrays = {
                key.removeprefix(prefix): array
                for key, array in fitted.arrays.items()
                if key.startswith(prefix)
            }
            learned = Fitted(arrays, fitted.facts.get(name, {}))
            rows.append(normalised(encode(own, member.options, learned, device=device)))
    return np.hstack(rows)


def _parts(rgb: Array, params: Any) -> dict[str, Array]:
    return {
        member.name: member.module.prepare(rgb, member.options)
        for member in members_of(params)
        if hasattr(member.module, "prepare")
    }


def _unpacked(batch: Batch, params: Any) -> dict[str, Array]:
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
