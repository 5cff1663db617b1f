"""Sections of the page about image-text retrieval: recalls, curves, captions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table
from mmclust.core.manifest import read_manifest
from mmclust.report.curves import draw
from mmclust.report.gallery import thumbnails
from mmclust.report.provenance import sample_benchmarks
from mmclust.report.read import Pool, Searched, check_manifest, read_csv
from mmclust.report.section import Section
from mmclust.scoring import record

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.report.section import Given
    from mmclust.scoring.record import Score

SIDES = {"i2t": "image to text", "t2i": "text to image"}
CUTOFFS = (1, 5, 10)
MAIN = "main"
EXAMPLES = 6
"""Best queries, and worst ones, that are shown."""
FIRST = 5
"""Candidates of each that are shown."""
CURVES = (
    ("recall", "recall_over_k", "k", "recall", "Recall over k"),
    ("ranks", "bars_by_direction", "rank", "queries", "Queries by rank"),
    ("settings", "bars_by_direction", "setting", "recall_at_1", "R@1 of each test set"),
)
"""Files under ``plots/retrieval``, their templates, columns and titles."""


def read_pool(root: Path, name: str, params: Params) -> Pool:
    """Read one benchmark's retrieval results."""
    manifest = read_manifest(root / "data/benchmarks" / name / "manifest.parquet")
    scores = record.path_of(root, "retrieve", name)
    found = record.read(scores)
    searched, files = [], [scores]
    for encoder in params.retrieval.encoders:
        lists = root / "data/retrieval" / name / encoder / "t2i_main.parquet"
        table, meta = read_table(lists)
        check_manifest(meta.get("manifest"), manifest, lists)
        keys = [key for key in found.methods() if key[0] == encoder]
        settings = {key[1]: found.of(key) for key in keys}
        if MAIN not in settings:
            raise MmclustError(
                f"There is no score of {encoder} on {name}",
                where=scores,
                expected=f"a line of {encoder}, {MAIN}",
                found=", ".join(sorted({s.encoder for s in found})) or "no line",
                do="score again: dvc repro",
            )
        searched.append(Searched(encoder, settings, table.to_pydict()))
        files.append(lists)
    return Pool(name, manifest, searched, files)


def pool_sections(given: Given) -> list[Section]:
    """Return a section for each retrieval benchmark."""
    return [
        Section(
            f"retrieval-{pool.name}",
            pool.name,
            "retrieval.html.j2",
            {
                "pool": _pool(given.root, pool),
                "sample": bool(sample_benchmarks(given.root, [pool.name])),
                "fitted_on": given.params.retrieval.fitted_on,
                "sides": SIDES,
                "labels": [
                    *(f"{side} R@{k}" for side in SIDES.values() for k in CUTOFFS),
                    "RSUM",
                ],
            },
            tuple((pool.name, path) for path in pool.files),
        )
        for pool in given.pools
    ]


def _pool(root: Path, pool: Pool) -> dict[str, Any]:
    main = _means(pool.searched[0].settings[MAIN]) if pool.searched else {}
    return {
        "name": pool.name,
        "queries": int(main.get("n_images", 0)),
        "captions": int(main.get("n_captions", 0)),
        "images": int(main.get("n_pool", 0)),
        "searched": [_searched(root, pool, searched) for searched in pool.searched],
    }


def _means(own: dict[str, Score]) -> dict[str, float]:
    return {name: score.mean for name, score in own.items() if score.mean is not None}


def _searched(root: Path, pool: Pool, searched: Searched) -> dict[str, Any]:
    names = setting_names(searched.settings)
    plots = root / "plots/retrieval" / pool.name
    curves = []
    for file, template, x, y, title in CURVES:
        rows = _rows(plots / file / f"{searched.encoder}.csv", names)
        if svg := draw(root, template, rows, x, y):
            curves.append((title, svg))
    return {
        "encoder": searched.encoder,
        "main": _means(searched.settings[MAIN]),
        "main_name": names[MAIN],
        "rows": setting_rows(searched),
        "curves": curves,
        "examples": example_queries(pool, searched),
    }


def _rows(path: Path, names: dict[str, str]) -> list[dict[str, str]]:
    """Return the rows of a curve, directions and settings in words."""
    rows = read_csv(path)
    if path.parent.name == "settings":
        if len(names) < 2:  # noqa: PLR2004 (nothing to hold against)
            return []
        known = {name: i for i, name in enumerate(names)}
        rows.sort(key=lambda row: known.get(row["setting"], len(known)))
    for row in rows:
        row["direction"] = SIDES.get(row["direction"], row["direction"])
        if "setting" in row:
            row["setting"] = names.get(row["setting"], row["setting"])
    return rows


def setting_names(settings: dict[str, Any]) -> dict[str, str]:
    """Return the settings in order, oldest first, each in words.

    Only what differs is named: a benchmark without other captions, or without added
    images, has nothing to tell apart. Folds are no test set of their own.
    """
    captions, pools = "old_captions" in settings, "old_pool" in settings
    order = {
        "old_captions_old_pool": ("original captions", "original pool"),
        "old_captions": ("original captions", "enlarged pool"),
        "old_pool": ("finer captions", "original pool"),
        MAIN: ("finer captions", "enlarged pool"),
    }
    told = (captions, pools)
    return {
        name: ", ".join(w for w, shown in zip(words, told, strict=True) if shown)
        or "as built"
        for name, words in order.items()
        if name in settings
    }


def setting_rows(searched: Searched) -> list[dict[str, Any]]:
    """Return a row per setting, and one of what random scores give on average."""
    keys = [f"{side}_r{k}" for side in SIDES for k in CUTOFFS]
    names = setting_names(searched.settings)
    if "fold_1k" in searched.settings:
        names["fold_1k"] = "mean of folds of 1,000 images"
    rows = []
    for setting, name in names.items():
        own = searched.settings[setting]
        cells = []
        for key in (*keys, "rsum"):
            score = own.get(key)
            values = (score.mean, score.half) if score else (None, None)
            mean, half = (v if v is None or key == "rsum" else 100 * v for v in values)
            cells.append({"metric": key, "mean": mean, "half": half})
        pool = int(_means(own).get("n_pool", 0))
        rows.append({"name": name, "setting": setting, "pool": pool, "chance": False,
                     "cells": cells})  # fmt: skip
    main = _means(searched.settings[MAIN])
    chance = {key: 100 * main[f"chance_{key}"] for key in keys
              if f"chance_{key}" in main}  # fmt: skip
    if len(chance) == len(keys):
        cells = [{"metric": "", "mean": mean, "half": None}
                 for mean in [*chance.values(), sum(chance.values())]]  # fmt: skip
        rows.append({"name": f"random scores ({names[MAIN]})", "setting": "",
                     "pool": int(main.get("n_pool", 0)), "chance": True,
                     "cells": cells})  # fmt: skip
    return rows


def shown_queries(
    queries: dict[str, list[Any]],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return rows of the best and of the worst queries, each image at most once."""
    names = np.array(queries["query"])
    rank, tied = np.array(queries["rank"]), np.array(queries["tied"])
    scores = np.array([row[:2] for row in queries["scores"]])
    lead = scores[:, 0] - scores[:, -1]
    images = np.unique([name.rpartition("#")[0] for name in names], return_inverse=True)
    owner = images[1]
    best = _one_each(np.lexsort((names, -lead, tied, rank)), owner)
    worst = np.lexsort((names, -tied, -rank))
    return best, _one_each(worst[~np.isin(owner[worst], owner[best])], owner)


def _one_each(
    rows: np.ndarray[Any, Any], owner: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    _, first = np.unique(owner[rows], return_index=True)
    kept: np.ndarray[Any, Any] = rows[np.sort(first)][:EXAMPLES]
    return kept


def example_queries(pool: Pool, searched: Searched) -> dict[str, list[dict[str, Any]]]:
    """Return the best and worst text-to-image queries with pictures."""
    row_of = {name: row for row, name in enumerate(pool.manifest.image_ids)}
    captions, queries = pool.manifest.captions, searched.queries
    best, worst = shown_queries(queries)
    owners, wanted = {}, set()
    for line in (*best.tolist(), *worst.tolist()):
        image, _, number = queries["query"][line].rpartition("#")
        owners[line] = image, captions[row_of[image]][int(number)]
        wanted |= {row_of[each] for each in queries["candidates"][line][:FIRST]}
        wanted.add(row_of[image])
    pictures = thumbnails(pool.manifest, wanted)

    def told(line: int) -> dict[str, Any]:
        image, caption = owners[line]
        found = zip(
            queries["candidates"][line][:FIRST], queries["scores"][line], strict=False
        )
        return {
            "caption": caption,
            "rank": queries["rank"][line],
            "tied": queries["tied"][line],
            "right": {"id": image, "src": pictures[row_of[image]]},
            "candidates": [
                {"id": each, "src": pictures[row_of[each]], "score": score,
                 "ok": each == image}
                for each, score in found
            ],
        }  # fmt: skip

    return {
        "worst": [told(line) for line in worst.tolist()],
        "best": [told(line) for line in best.tolist()],
    }
