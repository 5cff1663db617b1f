"""Image-text matching with a BLIP checkpoint, picture and caption read together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.io import digest_of, file_digest

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
    revision
        The commit that was loaded; empty for a folder.
    digest
        Of the model's identity, for the work folder.
    """

    model: Any
    processor: Any
    device: str
    revision: str
    digest: str


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
    pinned = {} if local else {"revision": revision}
    try:
        loaded = BlipForImageTextRetrieval.from_pretrained(model, **pinned)
        processor = AutoProcessor.from_pretrained(model, **pinned)
    except (OSError, ValueError) as error:
        raise MmclustError(
            f"The matching model {model} cannot be loaded",
            where=model,
            expected="a BLIP checkpoint with a matching head"
            + ("" if local else f", revision {revision}; about 900 MB"),
            found=str(error).splitlines()[0],
            do="hf download "
            f"{model} --revision {revision or 'COMMIT'}, on a machine with a network",
        ) from error
    files = sorted(Path(model).glob("*.safetensors")) if local else []
    commit = str(getattr(loaded.config, "_commit_hash", None) or "")
    identity = [model, commit or revision, [file_digest(f) for f in files]]
    return Loaded(
        loaded.to(device).eval(), processor, device, commit, digest_of(identity)
    )


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


def _odds(loaded: Loaded, seen: Any, captions: list[str]) -> Array:
    limit = loaded.model.config.text_config.max_position_embeddings
    tokens = loaded.processor(
        text=captions,
        padding=True,
        truncation=True,
        max_length=limit,
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
