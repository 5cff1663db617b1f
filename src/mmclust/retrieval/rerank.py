"""Re-ranking: the best candidates of a dual encoder, scored again by a cross-encoder.

The dual encoder lists the best k of each query; the cross-encoder reads picture and
caption together and orders those k anew. What is not among them keeps its place
behind (Li et al. 2022, BLIP, section 4). k is part of the result.

Shapes: q queries; k listed candidates; p right candidates of a query at most.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.io import digest_of, file_digest, read_array, write_array
from mmclust.core.manifest import read_manifest
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.models.hub import checkpoint, from_pretrained, identity, loading
from mmclust.retrieval.metrics import (
    DEFINITION,
    direction,
    of_ranks,
    retrieval_figures,
)
from mmclust.retrieval.stage import read_embeddings
from mmclust.retrieval.task import MAIN, Scorer
from mmclust.scoring.intervals import adjusted, scores_of
from mmclust.scoring.record import Record, Score, path_of, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.manifest import Manifest
    from mmclust.retrieval.metrics import Direction
    from mmclust.retrieval.ranks import Ranks
    from mmclust.retrieval.task import Task

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Loaded:
    """A model of transformers, in evaluation mode on ``device``, with its processor.

    ``identity`` is :func:`mmclust.models.hub.identity`'s; ``digest`` is of it and of
    the code here, for the work folder.
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
    """Load a matching model."""
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
    """Score each image with each of its texts; the picture is encoded once."""
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


RERANKED = "reranked"
"""The method, in the record of scores."""
IMAGES = 64
"""Images per shard: a stopped run loses at most the work on these."""
_BEHIND = 1e6  # what is not listed scores this much less


def rerank_benchmark(
    root: Path,
    benchmark: str,
    encoder: str,
    model: str,
    *,
    revision: str | None,
    top_k: int,
    n_resamples: int,
    seed: int,
    device: str = "cpu",
    batch_size: int = 32,
) -> Record:
    """Re-rank one encoder's lists with an image-text matching model."""
    folder = root / "data/benchmarks" / benchmark
    manifest = read_manifest(folder / "manifest.parquet")
    embeddings = root / "data/embeddings" / benchmark / encoder
    task, images, texts = read_embeddings(embeddings, root, benchmark)
    scorer = Scorer(images, texts[MAIN], device=device, top_k=top_k)
    captions, n = task.captions[MAIN], task.n_queries
    i2t = scorer.captions_for(n, captions.of_image)
    every, pool = np.arange(len(captions.texts)), len(task.pool)
    t2i = scorer.images_for(every, captions.image[:, None], (pool,))
    listed = _pairs(i2t.top, t2i.top, len(every))
    pairs = np.unique(np.concatenate([each.ravel() for each in listed]))
    loaded = load_itm(model, revision, device)
    key = digest_of([task.manifest, loaded.digest, top_k, digest_of(pairs.tolist())])
    work = root / "data/rerank" / benchmark / f"{encoder}.work" / key[:16]
    scores = _score_pairs(loaded, manifest, task, pairs, work, batch_size)
    new = [scores[np.searchsorted(pairs, each)] for each in listed]
    before = of_ranks(i2t, np.arange(n)), of_ranks(t2i, captions.image)
    after = (
        reordered(i2t, captions.of_image, new[0], np.arange(n)),
        reordered(t2i, captions.image[:, None], new[1], captions.image),
    )
    first, second = (
        retrieval_figures([each], n_resamples=n_resamples,
                          rng=generator(seed, "retrieve", "bootstrap"))
        for each in (before, after)
    )  # fmt: skip
    facts: dict[str, Any] = {"n_pool": pool}
    facts["captions_cut"] = captions_cut(loaded, sorted(set(captions.texts)))
    if task.n_skipped:
        facts["n_skipped"] = task.n_skipped
    origin = f"{model}, revision {loaded.identity['revision']}, "
    origin += f"weights {loaded.identity['weights']}"
    record = _record(encoder, first, facts | second, top_k, origin)
    write(path_of(root, "retrieve", benchmark, f"{encoder}_{RERANKED}"), record)
    shutil.rmtree(work.parent, ignore_errors=True)
    return record


def _record(
    encoder: str, before: dict[str, Any], after: dict[str, Any], top_k: int, origin: str
) -> Record:
    """Return the rows of the new order, beside the dual encoder's."""
    mine = encoder, MAIN, RERANKED
    rows = [
        Score(*mine, "top_k", top_k, n_seeds=1, definition=DEFINITION, note=origin),
        *scores_of(
            after, mine, n_seeds=1, definition=DEFINITION,
            baseline=((encoder, MAIN, ""), before),
        ),
    ]  # fmt: skip
    return Record(adjusted(rows))


def reordered(ranks: Ranks, positives: Array, listed: Array, image: Array) -> Direction:
    """Return ranks after the listed candidates got new scores, float (q, k).

    A right candidate that is not listed stays behind all that are.
    """
    k = listed.shape[1]
    have = positives >= 0
    at = (ranks.top[:, None, :] == positives[:, :, None]) & have[:, :, None]
    inside = at.any(axis=2)
    place = at.argmax(axis=2)
    new = np.take_along_axis(listed, place, axis=1)
    more = (listed[:, None, :] > new[:, :, None]).sum(axis=2)
    same = (listed[:, None, :] == new[:, :, None]).sum(axis=2) - 1
    greater, equal = ranks.greater[-1], ranks.equal[-1]
    behind = np.maximum(greater, k)
    scores = np.where(inside, new, ranks.scores.astype(np.float64) - _BEHIND)
    return direction(
        np.where(inside, more, behind),
        np.where(inside, same, np.maximum(greater + equal - behind, 0)),
        np.where(have, scores, np.nan),
        image,
    )


def _pairs(i2t: Array, t2i: Array, n_captions: int) -> tuple[Array, Array]:
    """Return (image, caption) pairs of both directions' lists, a number each."""
    one = np.arange(len(i2t))[:, None] * n_captions + i2t
    return one, t2i * n_captions + np.arange(len(t2i))[:, None]


def _score_pairs(
    loaded: Any,
    manifest: Manifest,
    task: Task,
    pairs: Array,
    work: Path,
    batch_size: int,
) -> Array:
    """Score pairs image by image; finished shards are kept for the next run."""
    captions = task.captions[MAIN].texts
    image, caption = np.divmod(pairs, len(captions))
    used = np.unique(image)
    starts = range(0, len(used), IMAGES)
    parts = []
    for start in track(starts, "Re-ranking", len(starts), "shards"):
        path = work / f"{start:08d}.npy"
        shard = used[start : start + IMAGES]
        low, high = np.searchsorted(image, [shard[0], shard[-1] + 1])
        if not path.exists():
            texts = [
                [captions[c] for c in caption[low:high][image[low:high] == i]]
                for i in shard
            ]
            rows = task.rows[shard]
            write_array(path, match_scores(loaded, manifest, rows, texts, batch_size))
        part = read_array(path)
        if len(part) != high - low:
            raise MmclustError(
                "A shard of the re-ranking has the wrong length",
                where=path,
                expected=f"{high - low} scores",
                found=f"{len(part)}",
                do="delete the file and run the command again",
            )
        parts.append(np.asarray(part))
    return np.concatenate(parts)
