"""Nouns in the space of an image-text encoder: each distinct string encoded once."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
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
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mmclust.core.params import NounsParams
    from mmclust.core.plugins import Instance

    Embed = Callable[[list[str]], np.ndarray[Any, Any]]

WORDS = 512
"""Words per pass; with seven templates, 3,584 prompts."""
FITTED = ("fitted.safetensors", "fitted.json")
"""What an encoder learned, beside its features."""


@dataclass(frozen=True)
class SharedEncoder:
    """An encoder of both images and text, as a benchmark has it.

    A ``frozen`` one learns nothing here, so that its text embeddings are the same for
    every benchmark. ``model`` is the identity of its weights, as ``features.json`` has
    it.
    """

    instance: Instance
    fitted: Fitted
    frozen: bool
    model: dict[str, Any] | None = None


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
    frozen = not hasattr(instance.module, "fit")
    if frozen:
        return SharedEncoder(instance, Fitted(), frozen, model)
    require_sealed(folder, "features.json", facts, FITTED, again)
    return SharedEncoder(instance, read_fitted(folder), frozen, model)


def read_fitted(folder: Path) -> Fitted:
    """Read what an encoder learned."""
    from safetensors.numpy import load_file

    weights, facts = (folder / name for name in FITTED)
    return Fitted(load_file(weights), read_record(facts, {}))


def require_maker(
    instance: Instance, made: Mapping[str, Any], what: str, where: Path, do: str
) -> dict[str, Any] | None:
    """Return an encoder's identity, if it is the one that made something."""
    module, params = instance.module, instance.options
    model: dict[str, Any] | None = None
    if hasattr(module, "identity"):
        model = module.identity(params)
    options = json.loads(json.dumps(asdict(params)))  # lists for tuples, as stored
    for kind, now, then in (
        ("other options", options, made.get("params")),
        ("other weights", model, made.get("model")),
    ):
        if now != then:
            keys = {*(now or {}), *(then or {})}
            differ = [
                k for k in sorted(keys) if (now or {}).get(k) != (then or {}).get(k)
            ]
            raise MmclustError(
                f"{what} were made by {kind} than {instance.name} has now",
                where=where,
                expected="; ".join(f"{k}: {(then or {}).get(k)}" for k in differ),
                found="; ".join(f"{k}: {(now or {}).get(k)}" for k in differ),
                do=do,
            )
    return model


def shares_space(instance: Instance) -> bool:
    """Tell whether an encoder embeds words in the space of its images."""
    module = instance.module
    texts = hasattr(module, "encode_captions") or hasattr(module, "embed_texts")
    return texts and "image" in module.VIEWS


def _embedder(encoder: SharedEncoder, params: NounsParams, device: str) -> Embed:
    """Return the function that embeds prompts.

    Not normalised, as published, prompts keep the lengths that the encoder gives them,
    where it offers ``embed_texts``; ``encode_captions`` has unit norm.
    """
    module, options = encoder.instance.module, encoder.instance.options
    normalise = params.prompt_normalisation
    ways = [getattr(module, n, None) for n in ("embed_texts", "encode_captions")]
    way: Any = next(each for each in (ways[::-1] if normalise else ways) if each)
    wrong = [template for template in params.templates if "{}" not in template]
    if wrong or not params.templates:
        raise MmclustError(
            "A template has no place for the word",
            where="nouns.templates",
            expected="for instance 'a photo of a {}.'",
            found=repr(wrong[0]) if wrong else "no template",
            do="correct nouns.templates in params.yaml",
        )

    def embed(texts: list[str]) -> np.ndarray[Any, Any]:
        found = way(texts, options, encoder.fitted, device=device)
        rows = np.asarray(found, np.float32)
        return normalised(rows) if normalise else rows

    return embed


def embed_words(words: Sequence[str], params: NounsParams, embed: Embed) -> Any:
    """Return the mean over the templates of each word's prompts.

    float32 (u, d), not normalised; sums were float64.
    """
    return np.concatenate(
        [
            rows.mean(axis=0, dtype=np.float64).astype(np.float32)
            for rows in _prompts(words, params, embed)
        ]
    )


@threads(1)
def prompts_of(
    words: Sequence[str], encoder: SharedEncoder, params: NounsParams, device: str
) -> np.ndarray[Any, Any]:
    """Embed each prompt of m words: float32 (templates, m, d)."""
    embed = _embedder(encoder, params, device)
    return np.concatenate([*_prompts(words, params, embed)], axis=1)


def _prompts(
    words: Sequence[str], params: NounsParams, embed: Embed
) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the embeddings of some words' prompts: float32 (templates, b, d)."""
    starts = range(0, len(words), WORDS)
    for start in track(starts, "nouns", len(starts), "blocks"):
        block = words[start : start + WORDS]
        prompts = _spoken(block, params)
        yield embed(prompts).reshape(len(params.templates), len(block), -1)


def _spoken(words: Sequence[str], params: NounsParams) -> list[str]:
    """Return the prompts of words, template after template."""
    if params.underscores == "blank":
        words = [word.replace("_", " ") for word in words]
    return [t.replace("{}", word) for t in params.templates for word in words]


@threads(1)
def word_embeddings(
    words: list[str],
    encoder: SharedEncoder,
    params: NounsParams,
    cache: Path,
    *,
    device: str = "cpu",
) -> np.ndarray[Any, Any]:
    """Embed u distinct words: float32 (u, d).

    Those of a frozen encoder are kept for every benchmark, each file under a digest of
    all that it comes from.
    """
    embed = _embedder(encoder, params, device)
    if not encoder.frozen:
        rows: np.ndarray[Any, Any] = embed_words(words, params, embed)
        return rows
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
    write_array(path, embed_words(words, params, embed))
    write_json(record, sealed(cache, [path.name]))
    return read_array(path)


def prompts_cut(words: list[str], encoder: SharedEncoder, params: NounsParams) -> int:
    """Count prompts that are longer than the encoder reads."""
    count = getattr(encoder.instance.module, "captions_cut", None)
    if count is None:
        return 0
    return int(count([_spoken(words, params)], encoder.instance.options))
