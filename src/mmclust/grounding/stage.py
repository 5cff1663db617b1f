"""The `grounding` stage: a word model's clusters against the objects in pictures.

Scores are micro-averages: TP, FP and FN are summed over images, then divided. A score
that is undefined (nothing predicted, nothing to find) is 0, as published, with the
reason beside it. Intervals are of the bootstrap over images, the same ones for every
score, so that scores can be compared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import file_digest, write_table
from mmclust.core.manifest import read_manifest
from mmclust.core.objects import read_objects
from mmclust.core.seeds import generator
from mmclust.grounding.captions import (
    NOUN_TAGS,
    matching_figures,
    nouns_of,
    tagged_tokens,
)
from mmclust.grounding.classes import (
    MAPPINGS,
    by_names,
    class_counts,
    classes_of_names,
    clip_baseline,
    predicted_classes,
)
from mmclust.grounding.draw import write_gallery
from mmclust.grounding.look import (
    LOCAL,
    by_chance,
    check_manifest,
    look,
    read_gold,
    read_model,
)
from mmclust.scoring.intervals import Sampled, adjusted, draws, flat, scores_of
from mmclust.scoring.record import (
    Record,
    Score,
    path_of,
    rounded,
    write,
    write_csv,
    write_means,
)
from mmclust.scoring.resamples import write_resamples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params
    from mmclust.grounding.look import Gold, Model, Seen

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
SCORES = ("precision", "recall", "f1")
_WHY = {
    "precision": "nothing was predicted",
    "recall": "there is nothing to find",
    "f1": "nothing was predicted and there is nothing to find",
}
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
    drawn = params.seed, [manifest.image_ids[row] for row in rows.tolist()]
    own = {(name, "", evaluation): each for evaluation, each in figures.items()}
    write_resamples(root, "grounding", benchmark, own, drawn)
    means = {"f1": record.mean((name, "", HEADLINE), "f1")}
    write_means(root / "metrics/grounding" / benchmark, {name: means})
    _write_plots(root / "plots/grounding/scores.csv", figures)
    tables = root / "data/grounding" / benchmark
    _write_tables(tables, model, manifest, gold, rows, seen)
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


def _write_plots(path: Path, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Write each evaluation's scores and their intervals."""
    columns = [f"{score}{end}" for score in SCORES for end in ("", "_low", "_high")]
    rows = [
        [name, *("" if found[c] is None else rounded(found[c]) for c in columns)]
        for name, each in figures.items()
        if "f1" in each
        for found in [flat(each)]
    ]
    write_csv(path, ["evaluation", *columns], rows)


def _write_tables(
    folder: Path,
    model: Model,
    manifest: Manifest,
    gold: Gold,
    rows: Array,
    seen: Sequence[Seen],
) -> None:
    """Write what each image and each cluster came to, of the first run.

    Boxes and points are on the network's square input; predicted classes are by names.
    """
    import pyarrow as pa

    run = seen[0]
    active = np.stack(run.active)
    instances = gold.instances[rows]
    named = by_names(classes_of_names(model, 0, gold.classes), model.clusters)
    predicted = predicted_classes(active, named)

    def names(table: Array) -> list[list[str]]:
        return [[gold.classes[k] for k in np.flatnonzero(row)] for row in table]

    ints, texts = pa.list_(pa.int32()), pa.list_(pa.string())
    images = {
        "image_id": pa.array([manifest.image_ids[r] for r in rows.tolist()]),
        "clusters": pa.array([np.flatnonzero(row).tolist() for row in active], ints),
        "boxes": pa.array([each.tolist() for each in run.boxes], pa.list_(ints)),
        "points": pa.array([each.tolist() for each in run.points], pa.list_(ints)),
        "predicted": pa.array(names(predicted), texts),
        "gold": pa.array(names(instances > 0), texts),
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
        "words": pa.array(model.top_words(0, 10), texts),
        "images": pa.array(active.sum(axis=0), pa.int32()),
        "class_name": pa.array(names(named), texts),
        **{
            name: pa.array(
                [gold.classes[k] if k >= 0 else "" for k in mapping(active, instances)],
                pa.string(),
            )
            for name, mapping in MAPPINGS.items()
        },
    }
    write_table(folder / "clusters.parquet", pa.table(clusters), meta)


def micro(sums: Array) -> dict[str, Array]:
    """Return TP / (TP + FP), TP / (TP + FN) and TP / (TP + (FP + FN) / 2).

    ``sums`` are (…, 3): TP, FP, FN; a score is float64 (…), 0 where its divisor is.
    """
    tp, fp, fn = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    divisors = (tp + fp, tp + fn, tp + (fp + fn) / 2)
    return {
        name: np.divide(tp, divisor, out=np.zeros_like(tp), where=divisor > 0)
        for name, divisor in zip(SCORES, divisors, strict=True)
    }


def micro_figures(
    counts: Mapping[str, Array], *, n_resamples: int, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Return the figures of several evaluations of the same images.

    Counts are by evaluation int (s, n, 3): TP, FP and FN of each image, for each of s
    runs. Figures are :data:`SCORES`, sampled over images, and ``tp``, ``fp`` and
    ``fn``, sums, means over runs. A score that is undefined in every run is 0 and has
    no interval.
    """
    stacked = {name: np.asarray(value, np.int64) for name, value in counts.items()}
    wide = np.concatenate(list(stacked.values())).swapaxes(0, 1)
    flattened = wide.reshape(len(wide), -1).astype(np.float64)
    drawn = [times @ flattened for times in draws(len(wide), n_resamples, rng)]
    sums = np.concatenate(drawn).reshape(n_resamples, *wide.shape[1:])
    found: dict[str, dict[str, Any]] = {}
    start = 0
    for name, value in stacked.items():
        stop = start + len(value)
        resampled, own = micro(sums[:, start:stop]), value.sum(axis=1)
        tp, fp, fn = own.sum(axis=0).tolist()
        defined = {"precision": tp + fp, "recall": tp + fn, "f1": tp + fp + fn}
        found[name] = {
            key: Sampled(
                runs, resampled[key], value.shape[1], limits=(0.0, 1.0),
                undefined="" if defined[key] else _WHY[key],
            )
            for key, runs in micro(own).items()
        } | {
            kind: float(runs.mean())
            for kind, runs in zip(("tp", "fp", "fn"), own.T, strict=True)
        }  # fmt: skip
        start = stop
    return found
