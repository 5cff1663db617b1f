"""Nouns in the space of an image-text encoder: each distinct string encoded once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.io import digest_of, file_digest, read_array, read_json, write_array
from mmclust.core.numerics import recorded
from mmclust.core.plugins import load
from mmclust.core.progress import track
from mmclust.core.types import Fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mmclust.core.params import NounsParams

    Embed = Callable[[list[str]], np.ndarray[Any, Any]]

WORDS = 512
"""Words per pass; with seven templates, 3,584 prompts."""


@dataclass(frozen=True)
class SharedEncoder:
    """An encoder of both images and text, as a benchmark has it.

    Parameters
    ----------
    name
        A file in ``encoders/``.
    params
        Its options.
    fitted
        What it learned.
    frozen
        Whether it learns nothing here, so that its text embeddings are the same for
        every benchmark.
    """

    name: str
    params: Any
    fitted: Fitted
    frozen: bool


def shared_encoder(name: str, params: Any, folder: Path) -> SharedEncoder:
    """Load an encoder and what it learned on a benchmark.

    Parameters
    ----------
    name
        A file in ``encoders/``.
    params
        Its options, as the features were made with.
    folder
        ``data/features/<benchmark>/<encoder>``.

    Raises
    ------
    MmclustError
        When the encoder has no texts and images in one space.
    """
    from safetensors.numpy import load_file

    module = load("encoders", name)
    if not shares_space(name):
        raise MmclustError(
            f"{name} has no shared space of images and words",
            where="model.encoder",
            expected="an encoder of both, such as miniclip or clip",
            found=name,
            do="set model.encoder, or take the heads out of model.heads",
        )
    weights = folder / "fitted.safetensors"
    fitted = Fitted()
    if weights.is_file():
        fitted = Fitted(load_file(weights), read_json(folder / "fitted.json"))
    return SharedEncoder(name, params, fitted, not hasattr(module, "fit"))


def shares_space(name: str) -> bool:
    """Tell whether an encoder embeds words in the space of its images."""
    module = load("encoders", name)
    texts = hasattr(module, "encode_captions") or hasattr(module, "embed_texts")
    return texts and "image" in module.VIEWS


def fitted_digest(facts: dict[str, Any]) -> str | None:
    """Return a digest of what an encoder's fit wrote down; ``None`` for a frozen one.

    The losses of all steps are among it, so that two fits differ in it.
    """
    return digest_of(facts) if facts else None


def embedder(encoder: SharedEncoder, *, normalise: bool, device: str) -> Embed:
    """Return the function that embeds prompts.

    Without ``normalise``, as published, prompts keep the lengths that the encoder
    gives them, where it offers ``embed_texts``; ``encode_captions`` has unit norm.
    """
    module = load("encoders", encoder.name)
    raw: Any = getattr(module, "embed_texts", None)
    unit: Any = getattr(module, "encode_captions", None)

    def embed(texts: list[str]) -> np.ndarray[Any, Any]:
        if raw is None or (normalise and unit is not None):
            rows = unit(texts, encoder.params, encoder.fitted, device=device)
        else:
            rows = raw(texts, encoder.params, encoder.fitted, device=device)
        rows = np.asarray(rows, np.float32)
        return normalised(rows) if normalise else rows

    return embed


def embed_words(words: Sequence[str], params: NounsParams, embed: Embed) -> Any:
    """Return the mean over the templates of each word's prompts.

    Parameters
    ----------
    words
        u distinct words.
    params
        ``templates`` and ``underscores`` are used.
    embed
        Turns t texts into float32 (t, d).

    Returns
    -------
    numpy.ndarray
        float32 (u, d), not normalised; sums were float64.
    """
    blank = params.underscores == "blank"
    spoken = [word.replace("_", " ") if blank else word for word in words]
    blocks = []
    starts = range(0, len(spoken), WORDS)
    for start in track(starts, "nouns", len(starts), "blocks"):
        block = spoken[start : start + WORDS]
        prompts = [t.replace("{}", word) for t in params.templates for word in block]
        rows = embed(prompts).reshape(len(params.templates), len(block), -1)
        blocks.append(rows.mean(axis=0, dtype=np.float64).astype(np.float32))
    return np.concatenate(blocks)


def word_embeddings(
    words: list[str],
    encoder: SharedEncoder,
    params: NounsParams,
    cache: Path,
    *,
    device: str = "cpu",
) -> np.ndarray[Any, Any]:
    """Embed distinct words; those of a frozen encoder are kept for every benchmark.

    Parameters
    ----------
    words
        u distinct words.
    encoder
        See :func:`shared_encoder`.
    params
        Templates and their treatment.
    cache
        Folder of the embeddings that are kept.
    device
        Where torch models run.

    Returns
    -------
    numpy.ndarray
        float32 (u, d).
    """
    _require_templates(params)
    embed = embedder(encoder, normalise=params.prompt_normalisation, device=device)
    if not encoder.frozen:
        rows: np.ndarray[Any, Any] = embed_words(words, params, embed)
        return rows
    code = load("encoders", encoder.name).__file__
    key = {
        "encoder": encoder.name,
        "params": asdict(encoder.params),
        "code": file_digest(Path(str(code))),
        "words": words,
        "templates": params.templates,
        "normalise": params.prompt_normalisation,
        "underscores": params.underscores,
        **recorded(),
    }
    path = cache / f"{digest_of(key)}.npy"
    if not path.exists():
        write_array(path, embed_words(words, params, embed))
    return read_array(path)


def _require_templates(params: NounsParams) -> None:
    wrong = [template for template in params.templates if "{}" not in template]
    if wrong or not params.templates:
        raise MmclustError(
            "A template has no place for the word",
            where="nouns.templates",
            expected="for instance 'a photo of a {}.'",
            found=repr(wrong[0]) if wrong else "no template",
            do="correct nouns.templates in params.yaml",
        )
