"""Sections of the page about benchmarks: scores, maps, clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.report import charts, facts, tables
from mmclust.report.charts import PANEL
from mmclust.report.data import pack
from mmclust.report.gallery import contact_sheet, make_gallery
from mmclust.report.given import Section
from mmclust.report.maps import make_maps, methods
from mmclust.report.noun_space import noun_space
from mmclust.report.published import published_rows

if TYPE_CHECKING:
    from mmclust.report.given import Given
    from mmclust.report.run import Run


def benchmark_sections(given: Given) -> list[Section]:
    """Return a section for each benchmark that was clustered."""
    maps = make_maps(given.runs, given.params, given.workers)
    sections = []
    for run, drawn in zip(given.runs, maps, strict=True):
        nouns = noun_space(given.root, run)
        read = [*run.files, *([nouns["path"]] if nouns else [])]
        sections.append(
            Section(
                run.name,
                run.name,
                "benchmark.html.j2",
                {
                    "b": {**_benchmark(run, given), **_shown(run, drawn, given),
                          "nouns": nouns},
                    "metrics": tables.METRICS,
                    "label_free": tables.LABEL_FREE,
                    "panel": PANEL,
                },
                tuple((run.name, path) for path in read),
            )
        )  # fmt: skip
    return sections


def _benchmark(run: Run, given: Given) -> dict[str, Any]:
    encoders = dict.fromkeys([run.encoder, *(row["encoder"] for row in run.over_k)])
    scores = tables.score_rows(run.metrics, run.encoder)
    return {
        "name": run.name,
        "images": len(run.manifest),
        "captioned": any(run.manifest.captions),
        "facts": facts.facts(run),
        "class_counts": facts.class_counts(run),
        "scores": scores,
        "baseline": tables.baseline_name(scores),
        "published": published_rows(given.root, run, given.params),
        "label_free": tables.label_free_rows(run.internal),
        "curves": {
            encoder: panels
            for encoder in encoders
            if (panels := charts.curves(run.over_k, encoder, PANEL))
        },
        "encoder": run.encoder,
        "clusterer": given.params.model.clusterers[0],
        "primary": run.scored.method,
        "confusion": tables.confusion(run.confusion),
    }


def _shown(run: Run, drawn: dict[str, Any] | None, given: Given) -> dict[str, Any]:
    """Write what is looked at; return where it is and what is told of it."""
    order, packed = pack(run, drawn, given.params, given.bundle, given.workers)
    map_facts = drawn and {
        "points": len(drawn["rows"]),
        "views": list(drawn["views"]),
        "methods": methods(),
    }
    return {
        "map": map_facts,
        "files": packed,
        "gallery": make_gallery(run, order),
        "sheet": contact_sheet(run, given.params, given.bundle)
        if packed["pictures"]
        else None,
    }
