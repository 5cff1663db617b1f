"""Tables of the stage: what each image and cluster came to, and figures for plots."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import file_digest, write_bytes, write_table
from mmclust.core.manifest import read_manifest
from mmclust.core.objects import read_objects
from mmclust.core.seeds import generator
from mmclust.grounding.captions import matching_figures, nouns_of, tagged_tokens
from mmclust.grounding.classes import (
    MAPPINGS,
    by_names,
    class_counts,
    classes_of_names,
    clip_baseline,
    predicted_classes,
)
from mmclust.grounding.draw import write_gallery
from mmclust.grounding.look import LOCAL, by_chance, look, read_gold
from mmclust.grounding.micro import SCORES, micro_figures
from mmclust.grounding.model import check_manifest, read_model
from mmclust.scoring.intervals import adjusted, flat, scores_of
from mmclust.scoring.record import (
    Record,
    Score,
    path_of,
    rounded,
    write,
    write_means,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params
    from mmclust.grounding.look import Gold, Seen
    from mmclust.grounding.model import Model

Array = np.ndarray[Any, Any]

DEFINITION = "grounding-2"
"""See :data:`mmclust.scoring.record.DEFINITIONS`."""
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
    """Hold a word model's clusters against the objects in a benchmark's pictures."""
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
    from mmclust.grounding.captions import NOUN_TAGS

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


def write_plots(folder: Path, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Write ``scores.csv``: each evaluation's scores and their intervals."""
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    ends = ("", "_low", "_high")
    rows.writerow(["evaluation", *(f"{s}{end}" for s in SCORES for end in ends)])
    for name, each in figures.items():
        if "f1" in each:
            found = flat(each)
            cells = [found[f"{s}{end}"] for s in SCORES for end in ends]
            rows.writerow(
                [name, *("" if cell is None else rounded(cell) for cell in cells)]
            )
    write_bytes(folder / "scores.csv", buffer.getvalue().encode())


def write_tables(
    folder: Path,
    model: Model,
    manifest: Manifest,
    gold: Gold,
    rows: Array,
    seen: Sequence[Seen],
) -> None:
    """Write ``images.parquet`` and ``clusters.parquet``, of the first run.

    ``images.parquet`` has, by image, the active ``clusters`` with their ``boxes`` and
    ``points`` on the network's square input, the ``predicted`` classes (by names) and
    the ``gold`` ones. ``clusters.parquet`` has each cluster's top ``words``, the number
    of ``images`` it is active in, the classes named in it (``class_name``), and the
    class that each statistic of these images gives it.
    """
    import pyarrow as pa

    run = seen[0]
    active = np.stack(run.active)
    instances = gold.instances[rows]
    named = by_names(classes_of_names(model, 0, gold.classes), model.clusters)
    predicted = predicted_classes(active, named)

    def names(table: Array) -> list[list[str]]:
        return [[gold.classes[k] for k in np.flatnonzero(row)] for row in table]

    images = {
        "image_id": pa.array([manifest.image_ids[r] for r in rows.tolist()]),
        "clusters": pa.array(
            [np.flatnonzero(row).tolist() for row in active], pa.list_(pa.int32())
        ),
        "boxes": pa.array(
            [each.tolist() for each in run.boxes], pa.list_(pa.list_(pa.int32()))
        ),
        "points": pa.array(
            [each.tolist() for each in run.points], pa.list_(pa.list_(pa.int32()))
        ),
        "predicted": pa.array(names(predicted), pa.list_(pa.string())),
        "gold": pa.array(names(instances > 0), pa.list_(pa.string())),
    }
    meta = {
        "model": model.folder.name,
        "seed": 0,
        "manifest": manifest.digest,
        "side": model.size,
    }
    write_table(folder / "images.parquet", pa.table(images), meta)
    clusters = {
        "cluster": pa.array(range(model.clusters), pa.int32()),
        "words": pa.array(model.top_words(0, 10), pa.list_(pa.string())),
        "images": pa.array(active.sum(axis=0), pa.int32()),
        "class_name": pa.array(names(named), pa.list_(pa.string())),
        **{
            name: pa.array(
                [gold.classes[k] if k >= 0 else "" for k in mapping(active, instances)],
                pa.string(),
            )
            for name, mapping in MAPPINGS.items()
        },
    }
    write_table(folder / "clusters.parquet", pa.table(clusters), meta)
