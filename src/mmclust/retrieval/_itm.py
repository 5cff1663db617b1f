"""Image-text matching with a BLIP checkpoint, picture and caption read together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.io import digest_of, file_digest
from mmclust.kernels.hub import checkpoint, from_pretrained, identity, loading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.manifest import Manifest

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Loaded:
    """A model with its processor.

    Parameters
    ----------
    model, processor
        Of transformers; the model is in evaluation mode on ``device``.
    device
        Where it runs.
    identity
        What was loaded: see :func:`mmclust.kernels.hub.identity`.
    digest
        Of it, and of the code here, for the work folder.
    """

    model: Any
    processor: Any
    device: str
    identity: dict[str, Any]
    digest: str

    @property
    def longest(self) -> int:
        """Tokens of a caption that the model reads; what is beyond is cut."""
        return int(self.model.config.text_config.max_position_embeddings)


def load_itm(model: str, revision: str | None, device: str) -> Loaded:
    """Load a matching model.

    Parameters
    ----------
    model
        A hub id such as ``Salesforce/blip-itm-base-coco``, or a folder written by
        ``save_pretrained``.
    revision
        A commit of the hub's repository; ``None`` for a folder.
    device
        A torch device.

    Returns
    -------
    Loaded
        See there.

    Raises
    ------
    MmclustError
        When a hub id has no revision, or the weights are neither here nor to be had.
    """
    from transformers import AutoProcessor, BlipForImageTextRetrieval

    local = Path(model).is_dir()
    if not local and revision is None:
        raise MmclustError(
            f"The revision of {model} is not given",
            where="--revision",
            expected="the commit of the model's repository, so that the same weights "
            "are loaded next year",
            do="give --revision COMMIT, or the folder of a checkpoint as --model",
        )
    folder = checkpoint(model, revision or "")
    who = identity(model, revision or "")
    loaded = from_pretrained(BlipForImageTextRetrieval, folder)
    with loading(str(folder)):
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    origin = [who, file_digest(Path(__file__))]
    return Loaded(loaded.to(device).eval(), processor, device, who, digest_of(origin))


def match_scores(
    loaded: Loaded,
    manifest: Manifest,
    rows: Sequence[int] | Array,
    texts: Sequence[Sequence[str]],
    batch_size: int,
) -> Array:
    """Score each image with each of its texts; the picture is encoded once.

    Parameters
    ----------
    loaded
        The model.
    manifest, rows
        Where the images are.
    texts
        Captions for each of them.
    batch_size
        Captions at once.

    Returns
    -------
    numpy.ndarray
        float32: log-odds that picture and caption match, image by image.
    """
    import torch

    scores: list[Array] = []
    pictures = read_images(manifest, [int(row) for row in rows])
    with torch.inference_mode():
        for (_, rgb), captions in zip(pictures, texts, strict=True):
            pixels = loaded.processor(
                images=np.array(rgb), return_tensors="pt"
            ).pixel_values
            seen = loaded.model.vision_model(pixels.to(loaded.device))[0]
            # Equal captions are scored once, so that they tie whatever the batch.
            once = sorted(set(captions))
            batches = range(0, len(once), batch_size)
            odds = [_odds(loaded, seen, once[i : i + batch_size]) for i in batches]
            found = dict(zip(once, np.concatenate(odds), strict=True))
            scores.append(np.array([found[c] for c in captions], np.float32))
    return np.concatenate(scores) if scores else np.zeros(0, np.float32)


def captions_cut(loaded: Loaded, texts: Sequence[str]) -> int:
    """Count captions that are longer than the model reads."""
    tokenizer = loaded.processor.tokenizer
    found = tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
    return sum(len(ids) > loaded.longest for ids in found)


def _odds(loaded: Loaded, seen: Any, captions: list[str]) -> Array:
    tokens = loaded.processor(
        text=captions,
        padding=True,
        truncation=True,
        max_length=loaded.longest,
        return_tensors="pt",
    ).to(loaded.device)
    read = loaded.model.text_encoder(
        input_ids=tokens.input_ids,
        attention_mask=tokens.attention_mask,
        encoder_hidden_states=seen.expand(len(captions), -1, -1),
        return_dict=True,
    ).last_hidden_state
    logits = loaded.model.itm_head(read[:, 0])
    odds: Array = (logits[:, 1] - logits[:, 0]).float().cpu().numpy()
    return odds
