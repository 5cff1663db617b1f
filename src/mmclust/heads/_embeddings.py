"""Nouns in the space of an image-text encoder: each distinct string encoded once."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised, read_meta, require_sealed, sealed
from mmclust.core.fingerprint import code, libraries
from mmclust.core.io import digest_of, read_array, read_record, write_array, write_json
from mmclust.core.numerics import recorded, threads
from mmclust.core.progress import track
from mmclust.core.types import Fitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mmclust.core.params import NounsParams
    from mmclust.core.plugins import Instance

    Array = np.ndarray[Any, Any]

WORDS = 512
"""Words per pass; with seven templates, 3,584 prompts."""
FITTED = ("fitted.safetensors", "fitted.json")
"""What an encoder learned, beside its features."""


@dataclass(frozen=True)
class SharedEncoder:
    """An encoder of both images and text, as a benchmark has it.

    ``model`` is the identity of its weights, as ``features.json`` has it.
    """

    instance: Instance
    fitted: Fitted
    model: dict[str, Any] | None = None

    @property
    def frozen(self) -> bool:
        """Whether it learns nothing, and embeds words alike for every benchmark."""
        return not hasattr(self.instance.module, "fit")


def shared_encoder(instance: Instance, folder: Path) -> SharedEncoder:
    """Load the encoder that made some features, with what it learned."""
    name = instance.name
    if not shares_space(instance):
        raise MmclustError(
            f"{name} has no shared space of images and words",
            where="model.encoder",
            expected="an encoder of both, such as miniclip or clip",
            found=name,
            do="set model.encoder, or take the heads out of model.heads",
        )
    again = f"encode again: mmclust encode {folder.parent.name} {name}"
    facts = read_meta(folder, again)
    model = require_maker(instance, facts, "The features", folder, again)
    encoder = SharedEncoder(instance, Fitted(), model)
    if encoder.frozen:
        return encoder
    require_sealed(folder, "features.json", facts, FITTED, again)
    return replace(encoder, fitted=read_fitted(folder))


def read_fitted(folder: Path) -> Fitted:
    """Read what an encoder learned."""
    from safetensors.numpy import load_file

    weights, facts = (folder / name for name in FITTED)
    return Fitted(load_file(weights), read_record(facts, {}))


def weights_of(instance: Instance) -> dict[str, Any] | None:
    """Return what tells an encoder's weights from others, where it has any."""
    if not hasattr(instance.module, "identity"):
        return None
    found: dict[str, Any] = instance.module.identity(instance.options)
    return found


def require_maker(
    instance: Instance, made: Mapping[str, Any], what: str, where: Path, do: str
) -> dict[str, Any] | None:
    """Return an encoder's identity, if it is the one that made something."""
    model = weights_of(instance)
    options = json.loads(json.dumps(asdict(instance.options)))  # lists, as stored
    for kind, now, then in (
        ("other options", options, made.get("params")),
        ("other weights", model, made.get("model")),
    ):
        if now == then:
            continue
        ours, theirs = now or {}, then or {}
        differ = [k for k in sorted({*ours, *theirs}) if ours.get(k) != theirs.get(k)]
        raise MmclustError(
            f"{what} were made by {kind} than {instance.name} has now",
            where=where,
            expected="; ".join(f"{k}: {theirs.get(k)}" for k in differ),
            found="; ".join(f"{k}: {ours.get(k)}" for k in differ),
            do=do,
        )
    return model


def shares_space(instance: Instance) -> bool:
    """Tell whether an encoder embeds words in the space of its images."""
    return bool(_ways(instance)) and "image" in instance.module.VIEWS


def _ways(instance: Instance) -> list[Any]:
    """Return how an encoder embeds texts: as long as they come out, at unit norm.

    Not normalised, as published, prompts keep the lengths that the encoder gives them,
    where it offers ``embed_texts``; ``encode_captions`` has unit norm.
    """
    offered = [
        getattr(instance.module, name, None)
        for name in ("embed_texts", "encode_captions")
    ]
    return [each for each in offered if each]


def _prompts(
    words: Sequence[str], encoder: SharedEncoder, params: NounsParams, device: str
) -> Iterator[Array]:
    """Yield the embeddings of some words' prompts: float32 (templates, b, d)."""
    wrong = [template for template in params.templates if "{}" not in template]
    if wrong or not params.templates:
        raise MmclustError(
            "A template has no place for the word",
            where="nouns.templates",
            expected="for instance 'a photo of a {}.'",
            found=repr(wrong[0]) if wrong else "no template",
            do="correct nouns.templates in params.yaml",
        )
    normalise = params.prompt_normalisation
    embed = _ways(encoder.instance)[-1 if normalise else 0]
    starts = range(0, len(words), WORDS)
    for start in track(starts, "nouns", len(starts), "blocks"):
        block = words[start : start + WORDS]
        prompts = _spoken(block, params)
        found = embed(prompts, encoder.instance.options, encoder.fitted, device=device)
        rows = np.asarray(found, np.float32)
        rows = normalised(rows) if normalise else rows
        yield rows.reshape(len(params.templates), len(block), -1)


def _spoken(words: Sequence[str], params: NounsParams) -> list[str]:
    """Return the prompts of words, template after template."""
    if params.underscores == "blank":
        words = [word.replace("_", " ") for word in words]
    return [t.replace("{}", word) for t in params.templates for word in words]


@threads(1)
def prompts_of(
    words: Sequence[str], encoder: SharedEncoder, params: NounsParams, device: str
) -> Array:
    """Embed each prompt of m words: float32 (templates, m, d)."""
    return np.concatenate([*_prompts(words, encoder, params, device)], axis=1)


@threads(1)
def word_embeddings(
    words: Sequence[str],
    encoder: SharedEncoder,
    params: NounsParams,
    cache: Path,
    *,
    device: str = "cpu",
) -> Array:
    """Embed u distinct words, each the mean over the templates: float32 (u, d).

    Not normalised; sums were float64. Those of a frozen encoder are kept for every
    benchmark, each file under a digest of all that it comes from.
    """
    parts = (
        rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        for rows in _prompts(words, encoder, params, device)
    )
    if not encoder.frozen:
        return np.concatenate([*parts])
    instance = encoder.instance
    ran = code(__name__, *instance.modules)
    origin = {
        "encoder": instance.name,
        "params": asdict(instance.options),
        "model": encoder.model,
        "code": ran,
        "libraries": libraries(ran),
        "device": device.partition(":")[0],
        "words": words,
        "templates": params.templates,
        "normalise": params.prompt_normalisation,
        "underscores": params.underscores,
        **recorded(),
    }
    key = digest_of(origin)
    path, record = cache / f"{key}.npy", cache / f"{key}.json"
    if record.is_file():
        with contextlib.suppress(MmclustError):  # damaged: made anew
            require_sealed(cache, record.name, read_record(record, {}), [path.name], "")
            return read_array(path)
    write_array(path, np.concatenate([*parts]))
    write_json(record, sealed(cache, [path.name]))
    return read_array(path)


def prompts_cut(words: list[str], encoder: SharedEncoder, params: NounsParams) -> int:
    """Count prompts that are longer than the encoder reads."""
    count = getattr(encoder.instance.module, "captions_cut", None)
    if count is None:
        return 0
    return int(count([_spoken(words, params)], encoder.instance.options))
