"""miniclip's nets: their layers, and how pictures and captions go in.

Shapes: b images or captions; d = dim; w words in the vocabulary.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.seeds import derive

if TYPE_CHECKING:
    from typing import Any

    import torch
    from torch import nn


def build(params: Any, n_words: int, seed: int) -> nn.ModuleDict:
    """Build both towers; their first weights come from the seed alone."""
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        width, layers = params.width, []
        for i, before in enumerate((3, width, 2 * width, 4 * width)):
            after = width * 2**i
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.GroupNorm(8, after),
                nn.ReLU(),
            ]
        image = [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        text = [nn.Linear(params.dim, params.dim) for _ in range(2)]
        scale = torch.tensor(-math.log(params.temperature))
        return nn.ModuleDict(
            {
                "image": nn.Sequential(*image, nn.Linear(8 * width, params.dim)),
                "words": nn.EmbeddingBag(n_words, params.dim, mode="mean"),
                "text": nn.Sequential(text[0], nn.GELU(), text[1]),
                "scale": nn.ParameterDict({"log": scale}),
            }
        )


def embed_captions(
    model: nn.ModuleDict, texts: list[np.ndarray[Any, Any]], device: str
) -> torch.Tensor:
    """Embed c captions, given as word ids, to (c, d)."""
    import torch

    lengths = [0, *(len(ids) for ids in texts)]
    offsets = torch.from_numpy(np.cumsum(lengths)[:-1]).to(device)
    flat = np.concatenate(texts) if texts else np.zeros(0, np.int64)
    bags = model["words"](torch.from_numpy(flat).to(device), offsets)
    embedded: torch.Tensor = model["text"](bags).float()
    return embedded


def augmented(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Mirror the batch or not, and shift it by up to an eighth of its side."""
    import torch

    reach = pictures.shape[-1] // 8
    down, right = rng.integers(-reach, reach + 1, 2).tolist()
    moved = torch.roll(scaled(pictures), (down, right), dims=(2, 3))
    return moved.flip(3) if rng.random() < 0.5 else moved  # noqa: PLR2004


def scaled(pictures: torch.Tensor) -> torch.Tensor:
    """Map uint8 to floats in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def unit(rows: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import normalize

    return normalize(rows, dim=1)
