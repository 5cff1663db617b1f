"""BLIP: captions of pictures, and answers about them (Li et al. 2022).

Sampling is seeded per image and caption: noise is added to the scores of the next
token and the largest is taken, which draws from their softmax (the Gumbel-max trick).
So a caption does not depend on the images that share its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_record
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.seeds import generator
from mmclust.models.compute import batch_size, ready
from mmclust.models.hub import (
    checkpoint,
    checkpoint_stamp,
    from_pretrained,
    kept,
    loading,
)
from mmclust.models.pixels import (
    CLIP_MEAN,
    CLIP_STD,
    Colour,
    Interpolation,
    scaled,
    sized,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from mmclust.core.types import Array

KINDS = {"BlipForConditionalGeneration", "BlipForQuestionAnswering"}


@dataclass(frozen=True)
class Params:
    """Checkpoint, what it is asked, and how it samples (benchmarks, §11).

    Each of ``prompts`` gives ``n_captions``: the beginning of a caption, or the
    question when the checkpoint answers questions (``Salesforce/blip-vqa-base`` at
    ``787b3d35d57e49572baabd22884b3d5a05acf072``). ``temperature: null`` takes the
    likeliest token each time, and then one caption per prompt is all there is.
    ``max_length`` counts tokens, of the prompt and special ones too.
    """

    model: str = "Salesforce/blip-image-captioning-base"
    revision: str = "82a37760796d32b1411fe092ab5d4e227313294b"
    prompts: tuple[str, ...] = ("",)
    n_captions: Positive = 5
    max_length: Positive = 40
    temperature: PositiveFloat | None = 1.0
    top_k: Positive = 50
    top_p: PositiveFloat = 1.0
    size: Positive = 384
    interpolation: Interpolation = "bicubic"
    mean: Colour = CLIP_MEAN
    std: Colour = CLIP_STD


def prepare(rgb: Array, params: Params) -> Array:
    """Squeeze an image uint8 (h, w, 3) into uint8 (size, size, 3)."""
    return sized(
        rgb, short_side=None, crop=params.size, interpolation=params.interpolation
    )


def generate(
    image_ids: Sequence[str],
    images: Array,
    params: Params,
    *,
    seed: int,
    device: str,
) -> Array:
    """Write captions of b prepared images, uint8 (b, size, size, 3), as token ids.

    With ``seed``, this captioner's own, the ids of the images decide what is drawn.
    Returns int32 (b, prompts · n_captions, max_length), 0 (padding) after the end.
    """
    model = load(params.model, params.revision, device)
    _require_sense(params, model)
    per_prompt = params.n_captions
    tokens = np.zeros(
        (len(images), len(params.prompts) * per_prompt, params.max_length), np.int32
    )
    size = max(batch_size(device) // per_prompt, 1)
    for number, prompt in enumerate(params.prompts):
        slots = slice(number * per_prompt, (number + 1) * per_prompt)
        for start in range(0, len(images), size):
            rows = np.arange(start, min(start + size, len(images)))
            full = np.resize(rows, size)  # the shape of a batch never varies
            draws = [
                generator(seed, prompt, image_ids[int(i)], str(n))
                for i in full
                for n in range(per_prompt)
            ]
            found = _batch(model, images[full], prompt, draws, params, device)
            tokens[rows, slots] = found[: len(rows)]
    return tokens


def _require_sense(params: Params, model: Any) -> None:
    """Refuse what a model cannot do: answer nothing, differ without chance."""
    if type(model).__name__ == "BlipForQuestionAnswering" and "" in params.prompts:
        raise MmclustError(
            f"{params.model} answers questions, and none is asked",
            where="prompts of the captioner in params.yaml",
            expected="questions, such as [what is in the picture?]",
            found=list(params.prompts),
        )
    if params.temperature is None and params.n_captions > 1:
        raise MmclustError(
            "Several captions of an image need sampling",
            where="n_captions and temperature of the captioner in params.yaml",
            expected="n_captions: 1, or a temperature",
            found=f"n_captions: {params.n_captions}, temperature: null",
        )


def _batch(
    model: Any,
    images: Array,
    prompt: str,
    draws: list[np.random.Generator],
    params: Params,
    device: str,
) -> Array:
    """Caption one full batch: int32 (b, n_captions, max_length)."""
    import torch
    from transformers import LogitsProcessorList

    tokenizer = _tokenizer(params.model, params.revision)
    with torch.inference_mode():
        pixels = scaled(torch.from_numpy(images).to(device), params.mean, params.std)
        pixels = pixels.repeat_interleave(params.n_captions, dim=0)
        ids, mask = _prompt_ids(model, tokenizer, prompt, len(pixels), device)
        found = model.generate(
            pixel_values=pixels,
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            num_beams=1,
            max_length=params.max_length,
            logits_processor=LogitsProcessorList(_sampling(params, draws)),
        )
    rows = np.zeros((len(pixels), params.max_length), np.int32)
    ids_out = found.cpu().numpy()[:, : params.max_length]
    rows[:, : ids_out.shape[1]] = ids_out
    return rows.reshape(len(images), params.n_captions, params.max_length)


def _prompt_ids(
    model: Any, tokenizer: Any, prompt: str, n: int, device: str
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Repeat a prompt n times, as token ids and mask; none for an empty one."""
    if not prompt and type(model).__name__ == "BlipForConditionalGeneration":
        return None, None
    encoded = tokenizer([prompt] * n, return_tensors="pt").to(device)
    return encoded["input_ids"], encoded["attention_mask"]


def _sampling(params: Params, draws: list[np.random.Generator]) -> list[Any]:
    """Return what turns scores into noisy scores whose largest is a draw."""
    import transformers as hf

    if params.temperature is None:
        return []

    def noisy(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        del ids
        noise = np.stack([draw.gumbel(size=scores.shape[1]) for draw in draws])
        return scores + torch.from_numpy(noise).to(scores)

    return [
        hf.TemperatureLogitsWarper(float(params.temperature)),
        hf.TopKLogitsWarper(params.top_k),
        *([hf.TopPLogitsWarper(params.top_p)] if params.top_p < 1 else []),
        noisy,
    ]


def n_cut(tokens: Array, params: Params) -> int:
    """Count captions, int32 (n, captions, length), still going on at ``max_length``."""
    last = tokens[..., -1]
    end = _tokenizer(params.model, params.revision).sep_token_id
    return int(((last != 0) & (last != end)).sum())


def text_of(tokens: Array, params: Params) -> list[tuple[str, ...]]:
    """Turn token ids (n, captions, length) into the captions of n images."""
    tokenizer = _tokenizer(params.model, params.revision)
    flat = tokenizer.batch_decode(
        tokens.reshape(-1, tokens.shape[-1]), skip_special_tokens=True
    )
    texts = iter(text.strip() for text in flat)
    return [tuple(next(texts) for _ in each) for each in tokens]


@kept(lambda model, revision, _: checkpoint_stamp(model, revision))
def load(model: str, revision: str, device: str) -> Any:
    """Load a model for inference."""
    import transformers

    folder = checkpoint(model, revision)
    again = "download the checkpoint again"
    config = read_record(folder / "config.json", {}, do=again, architectures=list)
    kind = next(iter(config.get("architectures") or ()), None)
    if kind not in KINDS:
        raise MmclustError(
            f"{model} writes no captions",
            where=folder / "config.json",
            expected=" or ".join(sorted(KINDS)),
            found=kind,
            do="correct model of the captioner in params.yaml",
        )
    loaded = from_pretrained(getattr(transformers, kind), folder)
    return ready(loaded, device)


@kept(checkpoint_stamp)
def _tokenizer(model: str, revision: str) -> Any:
    from transformers import AutoTokenizer

    folder = checkpoint(model, revision)
    with loading(str(folder)):
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
