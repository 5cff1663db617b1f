"""Retrieval on the page: what was read, and figures of each setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json, read_table
from mmclust.core.manifest import read_manifest
from mmclust.report.layout import records, refuse
from mmclust.report.run import read_csv

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params

    Rows = list[dict[str, str]]

SIDES = {"i2t": "image to text", "t2i": "text to image"}
CUTOFFS = (1, 5, 10)


@dataclass(frozen=True)
class Searched:
    """What one encoder found in a pool.

    Parameters
    ----------
    encoder
        Its name.
    settings
        Captions and pool → figures.
    recall, ranks, slope
        Rows of the CSV files under ``plots/retrieval``; empty without them.
    queries
        Each caption's rank and best candidates, as in ``t2i_main.parquet``.
    """

    encoder: str
    settings: dict[str, dict[str, Any]]
    recall: Rows
    ranks: Rows
    slope: Rows
    queries: dict[str, list[Any]]


@dataclass(frozen=True)
class Pool:
    """A retrieval benchmark and what each encoder found in it.

    Parameters
    ----------
    name, manifest
        The benchmark.
    searched
        One per encoder.
    files
        What was read, for the digests.
    """

    name: str
    manifest: Manifest
    searched: list[Searched]
    files: list[Path]


def read_pool(root: Path, name: str, params: Params) -> Pool:
    """Read one benchmark's retrieval results.

    Parameters
    ----------
    root
        The root of the repository.
    name
        The benchmark.
    params
        ``retrieval.encoders`` is used.

    Raises
    ------
    MmclustError
        When a file is missing or damaged, or belongs to another manifest.
    """
    manifest = read_manifest(root / "data/benchmarks" / name / "manifest.parquet")
    searched, files = [], []
    for encoder in params.retrieval.encoders:
        metrics = root / "metrics/retrieval" / name / f"{encoder}.json"
        lists = root / "data/retrieval" / name / encoder / "t2i_main.parquet"
        plots = root / "plots/retrieval" / name / encoder
        table, meta = read_table(lists)
        if meta.get("manifest") != manifest.digest:
            raise MmclustError(
                f"{lists.name} was made from another manifest",
                where=lists,
                expected=f"manifest {manifest.digest[:16]}…",
                found=f"manifest {str(meta.get('manifest'))[:16]}…",
                do="run `dvc repro`, which brings every file up to date",
            )
        searched.append(
            Searched(
                encoder,
                _settings(metrics),
                recall=read_csv(plots / "recall.csv"),
                ranks=read_csv(plots / "ranks.csv"),
                slope=read_csv(plots / "settings.csv"),
                queries=table.to_pydict(),
            )
        )
        files += [lists, metrics]
    return Pool(name, manifest, searched, files)


def _settings(path: Path) -> dict[str, Any]:
    settings = records(read_json(path), path, ("n_pool", "n_images", "n_captions"))
    if "main" not in settings:
        refuse(path, "a record named main", ", ".join(settings))
    return settings


def setting_names(settings: dict[str, Any]) -> dict[str, str]:
    """Return the settings in order, oldest first, each in words.

    Only what differs is named: a benchmark without other captions, or without added
    images, has nothing to tell apart.
    """
    captions, pools = "old_captions" in settings, "old_pool" in settings
    order = {
        "old_captions_old_pool": ("original captions", "original pool"),
        "old_captions": ("original captions", "enlarged pool"),
        "old_pool": ("finer captions", "original pool"),
        "main": ("finer captions", "enlarged pool"),
    }
    told = (captions, pools)
    return {
        name: ", ".join(w for w, shown in zip(words, told, strict=True) if shown)
        or "as built"
        for name, words in order.items()
        if name in settings
    }


def setting_rows(searched: Searched) -> list[dict[str, Any]]:
    """Return a row per setting, and one of what random scores give on average.

    Returns
    -------
    list of dict
        ``name``, ``pool`` (images), ``chance`` (bool) and ``cells``: R@1, 5 and 10
        of image to text, then of text to image, in percent, then RSUM; each with
        ``mean``, ``low`` and ``high`` (None for chance).
    """
    keys = [f"{side}_r{k}" for side in SIDES for k in CUTOFFS]
    names = setting_names(searched.settings)
    rows = []
    for setting, name in names.items():
        record = searched.settings[setting]
        cells = [
            {end: scale * record[key + suffix] for end, suffix in _ENDS}
            for key, scale in [*((key, 100) for key in keys), ("rsum", 1)]
        ]
        row = {"name": name, "pool": record["n_pool"], "chance": False}
        rows.append({**row, "cells": cells})
    main = searched.settings["main"]
    chance = [100 * main[f"chance_{key}"] for key in keys]
    rows.append(
        {
            "name": f"random scores ({names['main']})",
            "pool": main["n_pool"],
            "chance": True,
            "cells": [
                {"mean": value, "low": None, "high": None}
                for value in [*chance, sum(chance)]
            ],
        }
    )
    return rows


_ENDS = (("mean", ""), ("low", "_low"), ("high", "_high"))
