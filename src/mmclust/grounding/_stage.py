"""The stage ``grounding``: what the clusters of a word model see in pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import file_digest
from mmclust.core.manifest import read_manifest
from mmclust.core.objects import read_objects
from mmclust.core.seeds import generator
from mmclust.grounding._classes import MAPPINGS, class_counts, classes_of_names
from mmclust.grounding._clip import clip_baseline
from mmclust.grounding._gallery import write_gallery
from mmclust.grounding._gold import read_gold
from mmclust.grounding._look import LOCAL, by_chance, look
from mmclust.grounding._model import check_manifest, read_model
from mmclust.grounding._nouns import nouns_of, tagged_tokens
from mmclust.grounding._sentences import matching_figures
from mmclust.grounding._tables import write_plots, write_tables
from mmclust.scoring.micro import micro_figures
from mmclust.scoring.record import (
    Record,
    Score,
    adjusted,
    path_of,
    write,
    write_means,
)
from mmclust.scoring.sampled import scores_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params
    from mmclust.grounding._gold import Gold
    from mmclust.grounding._look import Seen
    from mmclust.grounding._model import Model

Array = np.ndarray[Any, Any]

DEFINITION = "grounding-2"
"""See :mod:`mmclust.scoring.definitions`."""
HEADLINE = "class_name"
"""The evaluation whose F1 DVC lists."""
BASELINES = {
    "box": "random_box",
    "heatmap": "random_heatmap",
    "heatmap_as_published": "random_heatmap",
    **dict.fromkeys(
        (
            "class_name",
            *(f"{name}{part}" for name in MAPPINGS for part in ("", "_held_out")),
        ),
        "clip",
    ),
}
"""What the F1 of an evaluation is held against: chance, or CLIP, of the same images."""
NO_MASKS = "the benchmark has no outlines of its scored objects"


def ground(
    root: Path, params: Params, *, device: str = "cpu", workers: int = 1
) -> Record:
    """Hold a word model's clusters against the objects in a benchmark's pictures.

    Parameters
    ----------
    root
        The repository. Written: ``metrics/details/grounding/<benchmark>.csv`` and its
        means, ``plots/grounding/`` and ``data/grounding/<benchmark>/``.
    params
        ``seed``, ``grounding`` and ``score.n_resamples``.
    device
        Where networks run.
    workers
        Threads that decode pictures.

    Returns
    -------
    Record
        Word model and evaluation in place of encoder and method; F1 compared with
        what :data:`BASELINES` names, paired over images.

    Raises
    ------
    MmclustError
        When something is missing or belongs to something else, or the benchmark does
        not say what is where.
    """
    benchmark = params.grounding.benchmark
    folder = root / "data/benchmarks" / benchmark
    manifest = read_manifest(folder / "manifest.parquet")
    gold = read_gold(read_objects(folder / "objects.parquet"), manifest)
    model = read_model(root / "data/words" / params.grounding.model)
    check_manifest(model, manifest)
    rows = manifest.evaluate_rows
    seen, boxes = look(model, manifest, rows, gold, device=device, workers=workers)
    counts, facts = _counts(root, params, model, manifest, gold, seen)
    counts |= by_chance(
        boxes, model.size, generator(params.seed, "grounding", "chance")
    )
    captions = manifest.captions
    figures = micro_figures(
        counts,
        n_resamples=params.score.n_resamples,
        rng=generator(params.seed, "grounding", "bootstrap"),
    )
    figures["sentence_matching"] = matching_figures(
        model,
        [captions[row] for row in rows.tolist()],
        [np.stack(run.active) for run in seen],
        n_resamples=params.score.n_resamples,
        rng=generator(params.seed, "grounding", "pairs"),
    )
    name = params.grounding.model
    record = Record(
        (
            *_rows(name, model.n_seeds, figures),
            *scores_of(
                _about(model, gold, rows, seen, boxes), (name, "", ""),
                n_seeds=model.n_seeds, definition=DEFINITION,
            ),
            *(replace(fact, encoder=name, definition=DEFINITION) for fact in facts),
        )
    )  # fmt: skip
    write(path_of(root, "grounding", benchmark), record)
    means = {"f1": record.mean((name, "", HEADLINE), "f1")}
    write_means(root / "metrics/grounding" / benchmark, {name: means})
    write_plots(root / "plots/grounding", figures)
    tables = root / "data/grounding" / benchmark
    write_tables(tables, model, manifest, gold, rows, seen)
    write_gallery(
        tables,
        model,
        manifest,
        gold,
        seen[0],
        rows=rows,
        count=params.grounding.gallery,
        rng=generator(params.seed, "grounding", "gallery"),
    )
    return record


def _rows(
    model: str, n_seeds: int, figures: Mapping[str, Mapping[str, Any]]
) -> list[Score]:
    """Return the rows of all evaluations, F1 beside chance or CLIP."""
    rows: list[Score] = []
    for name, each in figures.items():
        base = BASELINES.get(name, "")
        # Precision or recall alone can be had for nothing.
        f1 = {"f1": figures[base]["f1"]} if base in figures else {}
        rows += scores_of(
            each, (model, "", name), n_seeds=n_seeds, definition=DEFINITION,
            baseline=((model, "", base), f1) if f1 else None,
        )  # fmt: skip
    return adjusted(rows)


def _counts(
    root: Path,
    params: Params,
    model: Model,
    manifest: Manifest,
    gold: Gold,
    seen: list[Seen],
) -> tuple[dict[str, Array], list[Score]]:
    """Return every evaluation's counts, (s, n, 3), and facts about them."""
    rows, options = manifest.evaluate_rows, params.grounding
    drawn = generator(params.seed, "grounding", "halves").permutation(len(rows))
    half = drawn < len(rows) // 2
    runs: list[dict[str, Array]] = []
    for seed, run in enumerate(seen):
        named = classes_of_names(model, seed, gold.classes)
        by_class = class_counts(np.stack(run.active), gold.instances[rows], named, half)
        local = {name: np.array(run.counts[name], np.int64) for name in LOCAL}
        runs.append(by_class | local)
    facts: list[Score] = []
    if not any(gold.objects.masks[k] for r in rows for k in gold.rows[r]):
        for each in runs:
            del each["mask"]
        facts.append(Score("", "", "mask", "f1", None, note=NO_MASKS))
    if options.tags:
        tagged = tagged_tokens(_path(root, options.tags), manifest, rows)
        facts += _tag_facts(root, options.tags, tagged)
        for seed, each in enumerate(runs):
            each["noun"] = nouns_of(model, seed, tagged, len(rows))
    else:
        why = "grounding.tags names no gold tags"
        facts.append(Score("", "", "noun", "f1", None, note=why))
    counts = {name: np.stack([each[name] for each in runs]) for name in runs[0]}
    if options.clip_images and options.clip_classes:
        files = _path(root, options.clip_images), _path(root, options.clip_classes)
        clip, more = clip_baseline(*files, manifest, gold)
        return counts | clip, facts + more
    why = "grounding.clip_images and clip_classes name no embeddings"
    return counts, [*facts, Score("", "", "clip", "f1", None, note=why)]


def _path(root: Path, given: str) -> str:
    """Return a file below the repository; a name that is no file stays."""
    return str(root / given) if "/" in given or "." in given else given


def _tag_facts(
    root: Path, tags: str, tagged: tuple[list[str], list[str], Array]
) -> list[Score]:
    from mmclust.scoring.caption_clusters import NOUN_TAGS

    nouns = sum(tag in NOUN_TAGS for tag in tagged[1])
    path = root / tags
    share = nouns / len(tagged[1])
    name = f"tags: {file_digest(path) if path.is_file() else tags}"
    return [
        Score("", "", "noun", "n_tokens", len(tagged[1]), n_seeds=1, note=name),
        Score("", "", "noun", "majority_accuracy", max(share, 1 - share), n_seeds=1),
    ]


def _about(
    model: Model, gold: Gold, rows: Array, seen: list[Seen], boxes: list[Array]
) -> dict[str, Any]:
    """Return counts of what was scored; of several runs, means."""
    known = [
        int((classes_of_names(model, s, gold.classes) >= 0).sum())
        for s in range(model.n_seeds)
    ]
    active = [np.stack(run.active) for run in seen]

    def mean(values: list[Any]) -> float:
        return round(float(np.mean(values)), 6)

    return {
        "n_images": len(rows),
        "n_images_without_box": sum(not len(each) for each in boxes),
        "n_boxes": sum(map(len, boxes)),
        "n_classes": len(gold.classes),
        "n_classes_with_cluster": mean(known),
        "n_clusters_active": mean([int(a.any(axis=0).sum()) for a in active]),
        "n_images_without_cluster": mean([int((~a.any(1)).sum()) for a in active]),
        "active_per_image": mean([a.sum(axis=1).mean() for a in active]),
    }
