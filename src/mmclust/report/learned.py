"""The section of the page about words that were learned from captioned images."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import UNKNOWN, read_words
from mmclust.core.io import read_array, read_json, read_table
from mmclust.report import curves
from mmclust.report.maps import GRID, lay_out
from mmclust.report.provenance import sample_sources
from mmclust.report.read import read_csv
from mmclust.report.scores import is_sure
from mmclust.report.section import Section, number
from mmclust.scoring import record
from mmclust.scoring.names import STOP_WORDS
from mmclust.scoring.record import LOWER_IS_BETTER

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.clusters import WordClusters
    from mmclust.core.params import Params
    from mmclust.report.section import Given
    from mmclust.scoring.record import Key, Record, Score

    Rows = list[dict[str, str]]

SHOWN = 40
"""Words of a cluster on the page, besides those that the norms have."""
DOTS = 1500
"""Words in a scatter, at most."""
PAIRS, NODES = 30, 18
"""Of a network, at most."""
SQUARE = (300, 240)
"""Inside of a network, in SVG units."""
ON_MAP, LEAST = 120, 10
"""Words on the map: the most frequent ones that have a cluster; and the fewest."""
MAP, MARGIN = (900, 520), 30
LETTER = (7.5, 14)
"""Width and height that a letter takes, in SVG units."""

MEASURES = {
    "v_measure_score": "V-measure", "fscore": "F-score (SemEval)", "purity": "purity",
    "collocation": "collocation", "pu_co_f1": "F1 of purity and collocation",
}  # fmt: skip
CHANCE = "random"
"""How evaluations of grounding begin that are by chance."""
GROUPS: dict[str, tuple[str, str, dict[str, str]]] = {
    "Categories, words with a cluster": ("categorization", "ignore_unknown", MEASURES),
    "Categories, unknown words in one more cluster": (
        "categorization", "include_unknown", MEASURES,
    ),
    "Concreteness": ("concreteness", "", {
        "prediction_correlation_over_0": "Pearson's r, all rated words",
        "prediction_correlation_over_10": "Pearson's r, words met over 10 times",
        "prediction_correlation_over_100": "Pearson's r, words met over 100 times",
        "spearman_over_0": "Spearman's rho, all rated words",
        "concreteness_prediction_mae": "mean absolute difference",
    }),
    "Association": ("association", "", {
        "mas": "mean association strength",
        "coverage": "share of pairs that the norms have",
        "found": "pairs that the norms have",
        "not_found": "pairs that they lack",
    }),
    "Clusters": ("clusters", "", {
        "active_cluster_num": "clusters in use",
        "active_token_count": "words in them",
    }),
}  # fmt: skip
"""Scores on the page: view and method in the record, metrics and their names here."""
MAE = "concreteness_prediction_mae"
COUNTS = ("found", "not_found", "active_cluster_num", "active_token_count")
"""Their means over seeds have one decimal."""
NO_FLOOR = (*COUNTS, "mas", "purity", "collocation")
"""Chance is no floor of these: counts, and what falls or grows with the clusters."""
SCORES = ("precision", "recall", "f1")
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
"""What an evaluation of grounding is, in a line."""
HELD_OUT = "_held_out"
BY_NORMS = "include_unknown_fscore"
"""The ``select`` that chooses an epoch by the norms it is judged by."""


@dataclass(frozen=True)
class Learner:
    """A word model, what it learned and what was written about it."""

    name: str
    words: WordClusters
    judged: list[dict[str, Any]]  # words of the norms
    pairs: list[dict[str, Any]]
    rated: Rows
    curve: Rows
    files: tuple[Path, ...]  # what was read, for the digests


def word_sections(given: Given) -> list[Section]:
    """Return one section where a word model has learned, else none."""
    root, params = given.root, given.params
    learners = read_learners(root, params)
    if not learners:
        return []
    path = record.path_of(root, "cognition", params.learning.benchmark)
    scores = record.read(path) if path.is_file() else record.Record()
    grounding, seen = _grounding(root, params)
    gallery, drawn = _gallery(given)
    read = [*([path] if scores else []), *seen, *drawn]
    read += [file for each in learners for file in each.files]
    floor = next((e.name for e in learners if params.is_floor("words", e.name)), None)
    return [
        Section(
            "word-learning",
            "Words",
            "words.html.j2",
            {
                "benchmark": params.learning.benchmark,
                "models": [_shown(each, given) for each in learners],
                "groups": score_groups(scores, [each.name for each in learners], floor),
                "by_rule": _by_rule(root, params),
                "counting": params.cognition.counting,
                "grounding": grounding,
                "grounded": params.grounding.model,
                "gallery": gallery,
                "square": SQUARE,
            },
            tuple((params.learning.benchmark, file) for file in read),
        )
    ]


def read_learners(root: Path, params: Params) -> list[Learner]:
    """Read the word models of ``params.words`` that have learned.

    Models that are not under ``words`` are left out, whatever lies there.
    """
    found = []
    for name in params.words:
        path = root / "data/words" / name / "words.parquet"
        if not path.is_file():
            continue
        folder = root / "data/cognition" / name
        judged, pairs = folder / "words.parquet", folder / "associations.parquet"
        rated = root / "plots/cognition/concreteness" / f"{name}.csv"
        curve = root / "plots/words" / f"{name}.csv"
        read = (path, judged, pairs, rated, curve)
        found.append(
            Learner(
                name,
                read_words(path),
                _rows(judged),
                _rows(pairs),
                read_csv(rated),
                read_csv(curve),
                tuple(each for each in read if each.is_file()),
            )
        )
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    return read_table(path)[0].to_pylist() if path.is_file() else []


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
    figures = [key for key in (learner.curve[0] if learner.curve else {})
               if key not in ("epoch", "seed")]  # fmt: skip
    return {
        "name": learner.name,
        "chance": given.params.is_floor("words", learner.name),
        "n_words": len(learned.words),
        "known": sum(cluster["n"] for cluster in clusters),
        "sure": learned.confidence is not None,
        "per_query": bool(learned.meta.get("per_query")),
        "selected": learned.meta.get("params", {}).get("select") == BY_NORMS,
        "clusters": clusters,
        "map": word_map(learner, given.root),
        "rated": len(learner.rated),
        "drawn": min(DOTS, len(learner.rated)),
        "scatter": _scatter(learner.rated),
        "network": network(learner.pairs, SQUARE),
        "curves": [
            (figure.replace("_", " "), svg)
            for figure in figures
            if (svg := curves.draw(
                given.root, "loss_curves",
                [row for row in learner.curve if row[figure] != ""], "epoch", figure,
                width=200, height=110,
            ))
        ],
    }  # fmt: skip


def score_groups(
    scores: Record, models: list[str], floor: str | None
) -> list[dict[str, Any]]:
    """Return the scores of all models, side by side; ``floor`` is the one by chance."""
    groups = []
    for title, (view, method, names) in GROUPS.items():
        rows: list[dict[str, Any]] = []
        for metric, name in names.items():
            lowest = (
                scores.mean((floor, view, method), metric)
                if floor and metric not in NO_FLOOR
                else None
            )
            cells: list[dict[str, Any]] = []
            for model in models:
                score = scores.get((model, view, method), metric)
                if score is None and view == "concreteness":
                    # A model without estimates gives one reason for all.
                    why = scores.get((model, view, method), MAE)
                    score = None if why is None or why.mean is not None else why
                words = scores.mean((model, view, method), f"{metric}_n")
                cells.append(
                    {
                        "score": score,
                        "n": words,
                        "below": lowest if _worse(score, lowest) else None,
                    }
                )
            if any(c["score"] and (c["score"].mean is not None or c["score"].note)
                   for c in cells):  # fmt: skip
                digits = 1 if metric in COUNTS else 3
                rows.append({"name": name, "metric": metric, "digits": digits,
                             "of": [view, method], "cells": cells})  # fmt: skip
        if rows:
            groups.append({"title": title, "rows": rows})
    return groups


def _worse(score: Score | None, floor: float | None) -> bool:
    if score is None or score.mean is None or floor is None:
        return False
    if score.metric.endswith(LOWER_IS_BETTER):
        return score.mean > floor
    return score.mean < floor


def cluster_rows(learner: Learner) -> list[dict[str, Any]]:
    """Return the clusters of a model's first seed, largest first."""
    learned = learner.words
    category = {
        row["word"]: row["category"]
        for row in learner.judged
        if row["listed"] and row["category"]
    }
    sure = [None] * len(learned.words) if learned.confidence is None else (
        learned.confidence[0].tolist()
    )  # fmt: skip
    members: dict[int, list[dict[str, Any]]] = {}
    for word, cluster, count, confidence in zip(
        learned.words, learned.clusters[0].tolist(), learned.counts.tolist(), sure,
        strict=True,
    ):  # fmt: skip
        if cluster != UNKNOWN:
            members.setdefault(cluster, []).append(
                {"text": word, "category": category.get(word, ""), "count": count,
                 "confidence": confidence}
            )  # fmt: skip
    order = sorted(members, key=lambda cluster: (-len(members[cluster]), cluster))
    return [_cluster(cluster, members[cluster]) for cluster in order]


def _cluster(cluster: int, words: list[dict[str, Any]]) -> dict[str, Any]:
    words = sorted(
        words, key=lambda w: (-(w["confidence"] or 0), -w["count"], w["text"])
    )
    counts = Counter(word["category"] for word in words if word["category"])
    top = min(counts, key=lambda name: (-counts[name], name), default="")
    shown = [w for i, w in enumerate(words) if i < SHOWN or w["category"]]
    return {
        "id": cluster,
        "n": len(words),
        "rated": counts.total(),
        "category": top,
        "purity": counts[top] / counts.total() if top else None,
        "more": len(words) - len(shown),
        "words": [w | {"text": w["text"].strip() or "(blank)"} for w in shown],
    }


def _scatter(rows: Rows) -> str:
    """Draw estimates of concreteness over ratings, of the most frequent words."""
    often = sorted(rows, key=lambda r: (-int(r["count"]), r["word"]))[:DOTS]
    if not often:
        return ""
    return curves.scatter(
        [
            {
                "rating": float(r["rating"]),
                "estimate": float(r["estimate"]),
                "label": f"{r['word'].strip() or '(blank)'}: rating "
                f"{number(float(r['rating']), 2)}, estimate "
                f"{number(float(r['estimate']))}, {r['count']} times",
            }
            for r in often
        ],
        "rating", "estimate", ("rating", "estimate"),
    )  # fmt: skip


def network(
    pairs: list[dict[str, Any]], size: tuple[int, int]
) -> dict[str, Any] | None:
    """Return the cluster of most associated pairs as a circle of words."""
    sizes = Counter(pair["cluster"] for pair in pairs)
    if not sizes:
        return None
    cluster = min(sizes, key=lambda c: (-sizes[c], c))
    ranked = sorted(
        (p for p in pairs if p["cluster"] == cluster),
        key=lambda p: (-p["strength"], p["first"], p["second"]),
    )
    words: list[str] = []
    kept: list[dict[str, Any]] = []
    for pair in ranked:
        new = [w for w in (pair["first"], pair["second"]) if w not in words]
        if len(kept) < PAIRS and len(words) + len(new) <= NODES:
            words += new
            kept.append(pair)
    places = {word: _round(i, len(words), size) for i, word in enumerate(sorted(words))}
    strongest = max(kept[0]["strength"], 1e-9)
    return {
        "cluster": cluster,
        "pairs": sizes[cluster],
        "nodes": [(*place, word) for word, place in places.items()],
        "edges": [
            (*places[p["first"]][:2], *places[p["second"]][:2],
             round(0.6 + 4 * p["strength"] / strongest, 2),
             p["first"], p["second"], p["strength"])
            for p in kept
        ],
    }  # fmt: skip


def _round(i: int, n: int, size: tuple[int, int]) -> tuple[float, float, str]:
    """Return a place on the circle, and where its label is anchored."""
    angle = 2 * math.pi * i / n
    across, down = math.sin(angle), -math.cos(angle)
    x = round(size[0] / 2 + across * size[0] * 0.3, 1)
    y = round(size[1] / 2 + down * size[1] * 0.42, 1)
    if abs(across) < 0.05:  # noqa: PLR2004 (top and bottom)
        return x, y, "middle"
    return x, y, "start" if across > 0 else "end"


def word_map(learner: Learner, root: Path) -> dict[str, Any] | None:
    """Lay out the most frequent words of a model's first run by p(cluster | word).

    Function words, which say nothing of a cluster, are left out.
    """
    path = root / "data/words" / learner.name / "seed_0/counts.npy"
    clusters = learner.words.clusters[0]
    says = [
        word.strip().lower() not in STOP_WORDS and sum(map(str.isalnum, word)) > 1
        for word in learner.words.words
    ]
    known = np.flatnonzero((clusters != UNKNOWN) & np.array(says, bool))
    if not path.is_file() or len(known) < LEAST:
        return None
    counts = np.asarray(read_array(path), np.float64)
    given_cluster = counts / np.maximum(counts.sum(axis=0), 1)
    often = known[np.argsort(-learner.words.counts[known], kind="stable")][:ON_MAP]
    shares = given_cluster[often]
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    places = lay_out(np.sqrt(shares).astype(np.float32))
    scale = np.array([side - 2 * MARGIN for side in MAP]) / GRID
    spots = np.rint(places * scale + MARGIN).astype(int).tolist()
    named = [learner.words.words[row] for row in often.tolist()]
    return {
        "words": [
            (x, y, word, int(learner.words.counts[row]), int(clusters[row]),
             int(clusters[row]) * 137 % 360, clear)
            for (x, y), row, word, clear in zip(
                spots, often.tolist(), named, _clear(spots, named), strict=True
            )
        ],
        "n": len(known),
        "size": MAP,
    }  # fmt: skip


def _clear(spots: list[list[int]], words: list[str]) -> list[bool]:
    """Say which words overlap none of those written before them."""
    width, height = LETTER
    written: list[tuple[float, int, float]] = []  # middle, line, half the width
    clear = []
    for (x, y), word in zip(spots, words, strict=True):
        half = len(word) * width / 2
        free = all(
            abs(x - at) >= half + other or abs(y - line) >= height
            for at, line, other in written
        )
        if free:
            written.append((x, y, half))
        clear.append(free)
    return clear


def _grounding(root: Path, params: Params) -> tuple[list[dict[str, Any]], list[Path]]:
    """Return a row per evaluation, and the file they were read from, if any."""
    if not params.grounding.benchmarks:
        return [], []
    path = record.path_of(root, "grounding", params.grounding.benchmark)
    if not path.is_file():
        return [], []
    return grounding_rows(record.read(path), params.grounding.model), [path]


def grounding_rows(found: Record, model: str) -> list[dict[str, Any]]:
    """Return a row per evaluation: what it is, its scores, and what chance gives."""
    rows = []
    for key in found.methods():
        own, _, name = key
        if own not in (model, CHANCE) or found.get(key, SCORES[-1]) is None:
            continue
        chance = _against_chance(found, key)
        lower = chance is not None and chance.diff is not None and chance.diff < 0
        by = "" if chance is None else chance.versus.rpartition(" ")[2]
        rows.append(
            {
                "key": key,
                "name": name.replace("_", " "),
                "chance": name.startswith(CHANCE),
                "meaning": _meaning(name),
                "cells": [found.get(key, metric) for metric in SCORES],
                "against": chance,
                "sure": is_sure(chance),
                "below": found.mean((own, "", by), SCORES[-1]) if lower else None,
            }
        )
    return rows


def _against_chance(found: Record, key: Key) -> Score | None:
    """Return the comparison with an evaluation by chance, where there is one."""
    for score in found.compared(key, SCORES[-1]):
        if score.versus.rpartition(" ")[2].startswith(CHANCE):
            return score
    return None


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
