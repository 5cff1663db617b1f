"""Re-ranking: the best candidates of a dual encoder, scored again by a cross-encoder.

The dual encoder lists the best k of each query; the cross-encoder reads picture and
caption together and orders those k anew. What is not among them keeps its place
behind (Li et al. 2022, BLIP, section 4). k is part of the result.

Shapes: q queries; k listed candidates; p right candidates of a query at most.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import digest_of, read_array, write_array
from mmclust.core.manifest import read_manifest
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.retrieval._itm import captions_cut, load_itm, match_scores
from mmclust.retrieval._scorer import Scorer
from mmclust.retrieval._stage import read_embeddings
from mmclust.retrieval._task import MAIN
from mmclust.scoring.record import Record, Score, adjusted, path_of, write
from mmclust.scoring.retrieval import DEFINITION, direction, retrieval_figures
from mmclust.scoring.sampled import scores_of

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.manifest import Manifest
    from mmclust.kernels.ranks import Ranks
    from mmclust.retrieval._task import Task
    from mmclust.scoring.retrieval import Direction

Array = np.ndarray[Any, Any]

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
    """Re-rank one encoder's lists with an image-text matching model.

    Parameters
    ----------
    root
        The root of the repository.
    benchmark, encoder
        Whose embeddings give the lists.
    model, revision
        A BLIP checkpoint with a matching head: hub id and revision, or a folder.
    top_k
        Candidates of each query that are scored again.
    n_resamples, seed
        Of the bootstrap over query images.
    device, batch_size
        Where, and how many captions at once.

    Returns
    -------
    Record
        As written to ``metrics/details/retrieve/<benchmark>/``
        ``<encoder>_reranked.csv``: compared with the encoder alone; the note of
        ``top_k`` names the model.

    Raises
    ------
    MmclustError
        When the benchmark has no images, or the model cannot be loaded.
    """
    folder = root / "data/benchmarks" / benchmark
    manifest = read_manifest(folder / "manifest.parquet")
    embeddings = root / "data/embeddings" / benchmark / encoder
    task, images, texts = read_embeddings(embeddings, root, benchmark)
    scorer = Scorer(images, texts[MAIN], device=device, top_k=top_k)
    captions, n = task.captions[MAIN], task.n_queries
    i2t = scorer.captions_for(n, captions.of_image)
    every, pool = np.arange(len(captions.texts)), len(task.pool)
    t2i = scorer.images_for(every, captions.image[:, None], (pool,))
    pairs = _pairs(i2t.top, t2i.top, len(every))
    loaded = load_itm(model, revision, device)
    key = digest_of([task.manifest, loaded.digest, top_k, digest_of(pairs.tolist())])
    work = root / "data/rerank" / benchmark / f"{encoder}.work" / key[:16]
    scores = _score_pairs(loaded, manifest, task, pairs, work, batch_size)
    listed = _of_pairs(pairs, scores, i2t.top, t2i.top, len(every))
    before = (
        direction(i2t.greater[0], i2t.equal[0], i2t.scores, np.arange(n)),
        direction(t2i.greater[0], t2i.equal[0], t2i.scores, captions.image),
    )
    after = (
        reordered(i2t, captions.of_image, listed[0], np.arange(n)),
        reordered(t2i, captions.image[:, None], listed[1], captions.image),
    )
    first, second = (
        retrieval_figures(
            [each],
            n_resamples=n_resamples,
            rng=generator(seed, "retrieve", "bootstrap"),
        )
        for each in (before, after)
    )
    facts = {
        "n_pool": pool,
        "captions_cut": captions_cut(loaded, sorted(set(captions.texts))),
        **({"n_skipped": task.n_skipped} if task.n_skipped else {}),
    }
    who = loaded.identity
    origin = f"{model}, revision {who['revision']}, weights {who['weights']}"
    mine = encoder, MAIN, RERANKED
    rows = [
        Score(*mine, "top_k", top_k, n_seeds=1, definition=DEFINITION,
              note=origin),
        *scores_of(
            facts | second, mine, n_seeds=1, definition=DEFINITION,
            baseline=((encoder, MAIN, ""), first),
        ),
    ]  # fmt: skip
    record = Record(adjusted(rows))
    part = f"{encoder}_{RERANKED}"
    write(path_of(root, "retrieve", benchmark, part), record)
    shutil.rmtree(work.parent, ignore_errors=True)
    return record


def reordered(ranks: Ranks, positives: Array, listed: Array, image: Array) -> Direction:
    """Return ranks after the listed candidates were scored again.

    Parameters
    ----------
    ranks
        Of the dual encoder, with lists of k.
    positives
        int (q, p): the right candidates; -1 fills up.
    listed
        float (q, k): new scores of ``ranks.top``.
    image
        int (q,): the query image of each query.

    Returns
    -------
    Direction
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


def _pairs(i2t: Array, t2i: Array, n_captions: int) -> Array:
    """Return all (image, caption) pairs as one number each, sorted by image."""
    one = np.arange(len(i2t))[:, None] * n_captions + i2t
    two = t2i * n_captions + np.arange(len(t2i))[:, None]
    return np.unique(np.concatenate([one.ravel(), two.ravel()]))


def _of_pairs(
    pairs: Array, scores: Array, i2t: Array, t2i: Array, n_captions: int
) -> tuple[Array, Array]:
    one = np.arange(len(i2t))[:, None] * n_captions + i2t
    two = t2i * n_captions + np.arange(len(t2i))[:, None]
    return scores[np.searchsorted(pairs, one)], scores[np.searchsorted(pairs, two)]


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
