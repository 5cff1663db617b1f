"""CLIP: images and captions in one space (Radford et al. 2021), 512 features.

ViT-B/32 of OpenAI by default, through transformers; other CLIP and SigLIP checkpoints
by ``model``, those of open_clip with ``library: open_clip``. An image's text features
are the mean of its captions', each at unit norm, at unit norm again.

Source: Radford et al., Learning Transferable Visual Models From Natural Language
Supervision, ICML 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import held, read_note, read_record
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.models.compute import (
    cleaned,
    compiled,
    embed_tokens,
    in_batches,
    maybe_longer,
    n_longer,
    per_image,
    placed,
    ready,
    unit_rows,
)
from mmclust.models.hub import (
    checkpoint,
    checkpoint_stamp,
    from_pretrained,
    kept,
    loading,
)
from mmclust.models.hub import identity as checkpoint_identity
from mmclust.models.pixels import (
    CLIP_MEAN,
    CLIP_STD,
    Colour,
    Interpolation,
    Rounding,
    fitting,
    processor_pixels,
    require_published,
    scaled,
    sized,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

    from mmclust.core.types import Array, Batch, Fitted

VIEWS = ("image", "text")
EMPTY_CAPTIONS = "zeros"


@dataclass(frozen=True)
class Params:
    """Checkpoint and pixels.

    TAC takes 256 for ``short_side`` for ImageNet's subsets, and stores images with
    ``normalise: false``; SigLIP squeezes the picture into the square.
    """

    model: str = "openai/clip-vit-base-patch32"
    """Name on the hub, or a folder."""
    library: Literal["transformers", "open_clip"] = "transformers"
    """Whose format the checkpoint has."""
    revision: str = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"
    """Commit, tag or branch of the hub."""
    short_side: Positive | None = 224
    """Pixels of the shorter side after resizing; ``None``: the picture is squeezed."""
    crop: Positive = 224
    """Side of the square that is cut out of the middle, in pixels."""
    interpolation: Interpolation = "bicubic"
    """How Pillow resizes."""
    rounding: Rounding = "floor"
    """Where an odd margin is cut: ``floor`` as transformers, ``even`` as torchvision
    does it."""
    mean: Colour = CLIP_MEAN
    """Taken from red, green and blue in [0, 1]."""
    std: Colour = CLIP_STD
    """Red, green and blue are divided by it after that."""
    normalise: bool = True
    """Whether image features are scaled to unit norm."""
    published: bool = True
    """Whether pixels must be as the weights were published with."""
    captions: str = "publisher"
    """Whose captions: ``publisher``, or the name of captions that a model made or
    that the publisher gives besides."""


def prepare(rgb: Array, params: Params) -> Array:
    """Resize and crop an image uint8 (h, w, 3) to uint8 (crop, crop, 3)."""
    return sized(
        rgb,
        short_side=params.short_side,
        crop=params.crop,
        interpolation=params.interpolation,
        rounding=params.rounding,
    )


def encode_image(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Encode prepared images uint8 (b, crop, crop, 3) to float32 (b, d)."""
    del fitted
    assert batch.images is not None
    model = _towers(params, device)

    def run(pixels: torch.Tensor) -> torch.Tensor:
        return model.image(scaled(pixels, params.mean, params.std))

    with fitting(params):
        rows = in_batches(run, np.ascontiguousarray(batch.images), device=device)
    return unit_rows(rows) if params.normalise else rows


def encode_captions(
    captions: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> Array:
    """Encode n captions, cut after 77 tokens, to float32 (n, d) of unit norm."""
    del fitted
    return unit_rows(_towers(params, device).text(captions))


def embed_texts(
    texts: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> Array:
    """Encode t texts to float32 (t, d), not normalised: the noun prompts of heads."""
    del fitted
    return _towers(params, device).text(texts)


def encode_text(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Encode captions to float32 (b, d): zeros for an image without any."""
    encode = partial(encode_captions, params=params, fitted=fitted, device=device)
    return per_image(cleaned(batch.captions), encode)


def captions_cut(captions: Sequence[Sequence[str]], params: Params) -> int:
    """Count captions that are longer than the model reads (CLIP: 77 tokens)."""
    texts = [text for each in cleaned(captions) for text in each]
    config = read_note(checkpoint(params.model, params.revision) / "config.json")
    longest = (config.get("text_config") or {}).get("max_position_embeddings")
    if params.library != "transformers" or config.get("text_config_dict"):
        longest = None  # another file or block says it
    if not maybe_longer(texts, longest):
        return 0  # without the seconds that loading takes
    return n_longer(texts, *_reader(params))


def identity(params: Params) -> dict[str, Any]:
    """Return model id, commit and digest of the weights, for ``features.json``."""
    return checkpoint_identity(params.model, params.revision)


@dataclass(frozen=True)
class _Towers:
    """The two towers of a checkpoint, whichever library wrote it."""

    image: Callable[[torch.Tensor], torch.Tensor]
    """float32 (b, 3, h, w) to (b, dim)."""
    text: Callable[[Sequence[str]], Array]
    """Captions to float32 (n, dim), not normalised."""


@kept(lambda params, _: checkpoint_stamp(params.model, params.revision))
def _towers(params: Params, device: str) -> _Towers:
    folder = checkpoint(params.model, params.revision)
    if params.library == "open_clip":
        return _open_clip(folder, params, device)
    return _transformers(folder, params, device)


def _transformers(folder: Path, params: Params, device: str) -> _Towers:
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

    def text(captions: Sequence[str]) -> Array:
        if not captions:
            return np.zeros((0, dim), np.float32)
        fill: Any = "max_length" if siglip else False
        tokens = tokenizer(
            list(captions), truncation=True, max_length=longest, padding=fill
        )["input_ids"]
        fill_with = tokenizer.pad_token_id or 0
        return embed_tokens(
            run, tokens, longest=longest, padding=fill_with, device=device
        )

    dim = int(getattr(model.config, "projection_dim", config.hidden_size))
    return _Towers(image, text)


@kept(lambda params: checkpoint_stamp(params.model, params.revision))
def _reader(params: Params) -> tuple[int, Callable[[list[str]], list[int]]]:
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


def _open_clip(folder: Path, params: Params, device: str) -> _Towers:
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

    def text(captions: Sequence[str]) -> Array:
        if not captions:
            return np.zeros((0, dim), np.float32)
        ids = tokenizer(list(captions)).numpy()
        return in_batches(encode_text, ids, device=device)

    model = placed(model, device)
    # A compiled model runs its forward pass alone compiled, which these are not.
    encode_text = compiled(model.encode_text, device)
    encode_image = compiled(model.encode_image, device)
    dim: int = _open_clip_config(folder, embed_dim=int)["embed_dim"]
    return _Towers(encode_image, text)


def _open_clip_config(folder: Path, **must: type) -> dict[str, Any]:
    """Return what a checkpoint of open_clip says of its model."""
    again, path = "download the checkpoint again", folder / "open_clip_config.json"
    config: dict[str, Any] = read_record(path, {"model_cfg": dict}, do=again)
    model: dict[str, Any] = config["model_cfg"]
    return held(path, model, must, again, text_cfg=dict)
