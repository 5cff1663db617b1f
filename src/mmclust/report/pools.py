"""Sections of the page about image-text retrieval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.report import retrieval_charts
from mmclust.report.charts import PANEL
from mmclust.report.given import Section
from mmclust.report.origin import sample_benchmarks
from mmclust.report.queries import example_queries
from mmclust.report.retrieval import SIDES, setting_names, setting_rows

if TYPE_CHECKING:
    from mmclust.report.given import Given
    from mmclust.report.retrieval import Pool, Searched


def pool_sections(given: Given) -> list[Section]:
    """Return a section for each retrieval benchmark."""
    return [
        Section(
            f"retrieval-{pool.name}",
            pool.name,
            "retrieval.html.j2",
            {
                "pool": _pool(pool),
                "sample": bool(sample_benchmarks(given.root, [pool.name])),
                "fitted_on": given.params.retrieval.fitted_on,
                "sides": SIDES,
                "panel": PANEL,
            },
            tuple((pool.name, path) for path in pool.files),
        )
        for pool in given.pools
    ]


def _pool(pool: Pool) -> dict[str, Any]:
    main = pool.searched[0].settings["main"] if pool.searched else {}
    return {
        "name": pool.name,
        "queries": main.get("n_images", 0),
        "captions": main.get("n_captions", 0),
        "images": main.get("n_pool", 0),
        "searched": [_searched(pool, searched) for searched in pool.searched],
    }


def _searched(pool: Pool, searched: Searched) -> dict[str, Any]:
    return {
        "encoder": searched.encoder,
        "main": searched.settings["main"],
        "main_name": setting_names(searched.settings)["main"],
        "rows": setting_rows(searched),
        "recall": retrieval_charts.recall_curves(searched.recall, PANEL),
        "bars": retrieval_charts.rank_bars(searched.ranks, PANEL),
        "slope": retrieval_charts.slope(searched.slope, PANEL),
        "examples": example_queries(pool, searched),
    }
