"""The two towers of a CLIP or SigLIP checkpoint, whichever library wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import held, read_record
from mmclust.encoders._batches import embed_tokens, in_batches, n_longer
from mmclust.encoders._compute import compiled, is_compiled, placed, ready
from mmclust.encoders._weights import processor_pixels, require_published
from mmclust.kernels.hub import (
    checkpoint,
    checkpoint_stamp,
    from_pretrained,
    loading,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

    from mmclust.kernels.hub import Stamp


@dataclass(frozen=True)
class Towers:
    """What encodes.

    Parameters
    ----------
    image
        float32 (b, 3, h, w) to (b, dim).
    text
        Captions to float32 (n, dim), not normalised.
    dim
        Size of the space.
    """

    image: Callable[[torch.Tensor], torch.Tensor]
    text: Callable[[Sequence[str]], np.ndarray[Any, Any]]
    dim: int


def towers(params: Any, device: str) -> Towers:
    """Load a checkpoint once per process, and again when its files have changed."""
    files = checkpoint_stamp(params.model, params.revision)
    return _towers(params, device, files, is_compiled())


@lru_cache(maxsize=2)
def _towers(params: Any, device: str, files: Stamp, flag: bool) -> Towers:  # noqa: ARG001
    folder = checkpoint(params.model, params.revision)
    if params.library == "open_clip":
        return _open_clip(folder, params, device)
    return _transformers(folder, params, device)


def _transformers(folder: Path, params: Any, device: str) -> Towers:
    from transformers import AutoModel, AutoTokenizer

    model = from_pretrained(AutoModel, folder)
    if not hasattr(model, "get_text_features"):
        raise MmclustError(
            f"{params.model} does not embed images and text in one space",
            where=folder,
            expected="a CLIP or SigLIP checkpoint",
            found=type(model).__name__,
        )
    if params.published:
        # TAC's 256 px for the shorter side are as good as CLIP's 224.
        squeezed = params.short_side is None
        require_published(
            params, processor_pixels(folder), () if squeezed else ("short_side",)
        )
    for tower in ("vision_model", "text_model"):  # what get_…_features runs
        setattr(model, tower, ready(getattr(model, tower), device))
    model = model.to(device)
    with loading(str(folder)):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    config = model.config.text_config
    longest = int(config.max_position_embeddings)
    siglip = model.config.model_type.startswith("siglip")

    def image(pixels: torch.Tensor) -> torch.Tensor:
        return _tensor(model.get_image_features(pixel_values=pixels))

    def run(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        # SigLIP reads its last position and was trained on padding without a mask.
        masks = {} if siglip else {"attention_mask": mask}
        return _tensor(model.get_text_features(input_ids=ids, **masks))

    def text(captions: Sequence[str]) -> np.ndarray[Any, Any]:
        if not captions:
            return np.zeros((0, dim), np.float32)
        fill: Any = "max_length" if siglip else False
        tokens = tokenizer(
            list(captions), truncation=True, max_length=longest, padding=fill
        )["input_ids"]
        return embed_tokens(
            run, tokens, longest=longest, padding=_padding(tokenizer), device=device
        )

    dim = int(getattr(model.config, "projection_dim", config.hidden_size))
    return Towers(image, text, dim)


@lru_cache(maxsize=2)
def _reader(params: Any, files: Stamp) -> tuple[int, Callable[[list[str]], list[int]]]:  # noqa: ARG001
    """Return what a text tower reads, in tokens, and how texts are counted."""
    folder = checkpoint(params.model, params.revision)
    if params.library == "open_clip":
        with loading(str(folder)):
            tokenizer = _open_clip_library().get_tokenizer(f"local-dir:{folder}")
        text = _open_clip_config(folder).get("text_cfg") or {}
        longest = int(text.get("context_length", 77))

        def lengths(texts: list[str]) -> list[int]:
            # Given a place more, a text that was cut differs before it.
            one, two = (
                tokenizer(texts, context_length=longest + more).numpy()[:, :longest]
                for more in (0, 1)
            )
            return [longest + int(cut) for cut in (one != two).any(axis=1)]

        return longest, lengths
    from transformers import AutoConfig, AutoTokenizer

    with loading(str(folder)):
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        tokens = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def counted(texts: list[str]) -> list[int]:
        found = tokens(texts, truncation=False, padding=False, verbose=False)
        return [len(ids) for ids in found["input_ids"]]

    return int(config.text_config.max_position_embeddings), counted


def texts_cut(texts: Sequence[str], params: Any) -> int:
    """Count texts that are longer than the text tower reads; no weights are loaded."""
    files = checkpoint_stamp(params.model, params.revision)
    return n_longer(texts, *_reader(params, files))


def _padding(tokenizer: Any) -> int:
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)


def _tensor(found: Any) -> torch.Tensor:
    """Return the embedding: transformers 5 wraps it, and 4 does not."""
    rows: torch.Tensor = getattr(found, "pooler_output", found)
    return rows


def _open_clip_library() -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise MmclustError(
            "open_clip is not installed",
            expected="the package open-clip-torch, for encoders with library: "
            "open_clip",
            found=error,
            do="pip install open-clip-torch",
        ) from error
    return open_clip


def _open_clip(folder: Path, params: Any, device: str) -> Towers:
    open_clip = _open_clip_library()
    with loading(str(folder)):
        model = open_clip.create_model(f"local-dir:{folder}")
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    if params.published:
        own = model.visual.preprocess_cfg
        size = own["size"]
        published = {
            "crop": size if isinstance(size, int) else size[0],
            "interpolation": own["interpolation"],
            "mean": tuple(own["mean"]),
            "std": tuple(own["std"]),
        }
        require_published(params, published)

    def text(captions: Sequence[str]) -> np.ndarray[Any, Any]:
        if not captions:
            return np.zeros((0, dim), np.float32)
        ids = tokenizer(list(captions)).numpy()
        return in_batches(encode_text, ids, device=device)

    model = placed(model, device)
    # A compiled model runs its forward pass alone compiled, which these are not.
    encode_text, encode_image = (
        compiled(model.encode_text),
        compiled(model.encode_image),
    )
    dim: int = _open_clip_config(folder, embed_dim=int)["embed_dim"]
    return Towers(encode_image, text, dim)


def _open_clip_config(folder: Path, **must: type) -> dict[str, Any]:
    """Return what a checkpoint of open_clip says of its model."""
    again, path = "download the checkpoint again", folder / "open_clip_config.json"
    config: dict[str, Any] = read_record(path, {"model_cfg": dict}, do=again)
    model: dict[str, Any] = config["model_cfg"]
    return held(path, model, must, again, text_cfg=dict)
