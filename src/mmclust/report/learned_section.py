"""The section of the page about words that were learned from captioned images."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.io import read_json
from mmclust.report import learned_charts
from mmclust.report.charts import PANEL
from mmclust.report.given import Section
from mmclust.report.layout import refuse
from mmclust.report.learned import cluster_rows, read_learners, score_groups
from mmclust.report.origin import sample_sources
from mmclust.report.run import read_csv
from mmclust.report.word_map import word_map

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.report.given import Given
    from mmclust.report.learned import Learner

_SCORES = ("precision", "recall", "f1")
SQUARE = (300, 240)
"""Inside of a network, in SVG units."""
CHANCE = "random_"
"""How the names of random baselines begin, in ``plots/grounding/scores.csv``."""

_SAME = "by statistics of these same images and their objects (as published)"
MEANING = {
    "class_name": "the class named like an active cluster; no threshold",
    "cluster_cooccurrence": f"the class of an active cluster, {_SAME}",
    "cluster_iou": f"the class of an active cluster, {_SAME}",
    "cluster_iou_images": "the same with each image counted once",
    "clip": "classes whose prompt is similar enough",
    "clip_published_threshold": "the same at the published threshold",
    "box": "a box for each active cluster; right from an IoU of 0.5 with an object",
    "mask": "the region itself in place of its box; right from a mask IoU of 0.5",
    "heatmap_as_published": "row and column of the small map's maximum taken for x and "
    "y (the published defect); right in an object's box",
    "heatmap": "the maximum of the enlarged map; right in an object's box",
    "random_box": "by chance: as many boxes as there are objects",
    "random_heatmap": "by chance: as many points as there are objects",
    "noun": "words whose best cluster passes the threshold, against nouns",
}
"""What an evaluation of ``plots/grounding/scores.csv`` is, in a line."""
HELD_OUT = "_held_out"

BY_NORMS = "include_unknown_fscore"
"""The ``select`` that chooses an epoch by the norms it is judged by."""


def word_sections(given: Given) -> list[Section]:
    """Return one section where a word model has learned, else none."""
    params = given.params
    learners = read_learners(given.root, params)
    if not learners:
        return []
    grounding, path = _grounding(given.root, params)
    gallery, drawn = _gallery(given)
    read = [path for each in learners for path in each.files]
    return [
        Section(
            "word-learning",
            "Words",
            "words.html.j2",
            {
                "benchmark": params.learning.benchmark,
                "models": [_shown(each, given) for each in learners],
                "groups": score_groups(learners),
                "by_rule": _by_rule(given.root, params),
                "counting": params.cognition.counting,
                "grounding": grounding,
                "grounded": params.grounding.model,
                "gallery": gallery,
                "panel": PANEL,
                "square": SQUARE,
            },
            tuple((params.learning.benchmark, p) for p in [*read, *path, *drawn]),
        )
    ]


def _by_rule(root: Path, params: Params) -> list[str]:
    """Name the norms that are the built-in sample's, which are nobody's ratings."""
    named = params.cognition
    norms = {
        "categories": named.categories,
        "concreteness": named.concreteness,
        "association": named.association,
    }
    raw = PurePosixPath("data/raw")
    source = {
        name: PurePosixPath(path).parts[2]
        for name, path in norms.items()
        if raw in PurePosixPath(path).parents
    }
    drawn = sample_sources(root, set(source.values()))
    return [name for name in source if source[name] in drawn]


def _shown(learner: Learner, given: Given) -> dict[str, Any]:
    learned = learner.words
    clusters = cluster_rows(learner)
    return {
        "name": learner.name,
        "chance": learner.name == "random",
        "n_seeds": len(learned.clusters),
        "n_words": len(learned.words),
        "known": sum(cluster["n"] for cluster in clusters),
        "sure": learned.confidence is not None,
        "per_query": bool(learned.meta.get("per_query")),
        "selected": learned.meta.get("params", {}).get("select") == BY_NORMS,
        "clusters": clusters,
        "source": learner.scores.get("concreteness_source", ""),
        "map": word_map(learner, given.root, given.params.seed),
        "scatter": learned_charts.scatter(learner.rated, PANEL),
        "network": learned_charts.network(learner.pairs, SQUARE),
        "curves": learned_charts.curves(learner.curve, PANEL),
    }


def _grounding(root: Path, params: Params) -> tuple[list[dict[str, Any]], list[Path]]:
    """Return a row per evaluation, and the file they were read from, if any."""
    path = root / "plots/grounding/scores.csv"
    if not params.grounding.benchmarks or not path.is_file():
        return [], []
    read = read_csv(path)
    columns = [s + end for s in _SCORES for end in ("", "_low", "_high")]
    for row in read:
        if lacking := [name for name in ("evaluation", *columns) if name not in row]:
            refuse(path, ", ".join(["evaluation", *columns]), f"no {lacking[0]}")
    rows = [
        {
            "name": row["evaluation"].replace("_", " "),
            "chance": row["evaluation"].startswith(CHANCE),
            "meaning": _meaning(row["evaluation"]),
            "cells": [
                {
                    end: float(text) if (text := row[f"{score}{suffix}"]) else None
                    for end, suffix in (
                        ("value", ""),
                        ("low", "_low"),
                        ("high", "_high"),
                    )
                }
                for score in _SCORES
            ],
        }
        for row in read
    ]
    return rows, [path]


def _meaning(evaluation: str) -> str:
    if evaluation.endswith(HELD_OUT):
        return "as above, but each half of the images by the statistics of the other"
    return MEANING.get(evaluation, "")


def _gallery(given: Given) -> tuple[list[dict[str, Any]], list[Path]]:
    """Return pictures with heat maps, put beside the page, and what was read."""
    for benchmark in given.params.grounding.benchmarks:
        folder = given.root / "data/grounding" / benchmark
        path = folder / "gallery.json"
        if path.is_file():
            shown = [
                {
                    **each,
                    "address": given.bundle.add(
                        (folder / each["file"]).read_bytes(), ".jpg"
                    ),
                }
                for each in read_json(path)
            ]
            return shown, [path]
    return [], []
