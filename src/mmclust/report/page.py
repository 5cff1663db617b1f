"""The page: everything about a run in one file that opens without a network."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mmclust.core.io import write_bytes
from mmclust.report import charts, facts, retrieval_charts, tables, words
from mmclust.report.gallery import make_gallery
from mmclust.report.maps import make_maps
from mmclust.report.provenance import digests, params_yaml, revision
from mmclust.report.queries import example_queries
from mmclust.report.retrieval import (
    SIDES,
    read_pool,
    setting_names,
    setting_rows,
)
from mmclust.report.run import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment

    from mmclust.core.params import Params
    from mmclust.report.retrieval import Pool, Searched
    from mmclust.report.run import Run

PANEL = (230, 130)
"""Inside of one chart, in SVG units."""


def make_report(root: Path, params: Params, out: Path, *, workers: int = 1) -> None:
    """Write ``report/index.html``.

    Equal inputs give equal bytes: nothing on the page is a time, a host or a
    path.

    Parameters
    ----------
    root
        The root of the repository, where ``data/``, ``metrics/`` and ``plots/``
        are.
    params
        Which benchmarks to show, and how much of them.
    out
        The page; its folder is made.
    workers
        Processes that lay out the maps; the bytes are the same at any number.

    Raises
    ------
    MmclustError
        When a result is missing, damaged or of another manifest, or an image
        cannot be read.
    """
    runs = [read_run(root, name, params) for name in params.clustered]
    pools = [read_pool(root, name, params) for name in params.retrieval.benchmarks]
    maps = make_maps(runs, params, workers)
    page = _environment().get_template("page.html.j2")
    html = page.render(
        sample=params.data.mirror == "sample",
        benchmarks=[
            {**_benchmark(run, params), "map": drawn}
            for run, drawn in zip(runs, maps, strict=True)
        ],
        pools=[_pool(pool) for pool in pools],
        fitted_on=params.retrieval.fitted_on,
        sides=SIDES,
        revision=revision(root),
        params=params_yaml(params),
        digests=digests(root, [*runs, *pools]),
        metrics=tables.METRICS,
        label_free=tables.LABEL_FREE,
        panel=PANEL,
        style=_text("style.css"),
        script=_text("page.js"),
    )
    write_bytes(out, html.encode())


def _benchmark(run: Run, params: Params) -> dict[str, Any]:
    encoders = dict.fromkeys([run.encoder, *(row["encoder"] for row in run.over_k)])
    scores = tables.score_rows(run.metrics, run.encoder)
    return {
        "name": run.name,
        "images": len(run.manifest),
        "facts": facts.facts(run),
        "class_counts": facts.class_counts(run),
        "scores": scores,
        "baseline": tables.baseline_name(scores),
        "label_free": tables.label_free_rows(run.internal),
        "curves": {
            encoder: panels
            for encoder in encoders
            if (panels := charts.curves(run.over_k, encoder, PANEL))
        },
        "encoder": run.encoder,
        "clusterer": params.model.clusterers[0],
        "primary": run.scored.method,
        "confusion": tables.confusion(run.confusion),
        "gallery": make_gallery(run, params),
    }


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


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Templates end in .j2, so escaping is switched on for all, not by suffix.
    environment = Environment(
        loader=PackageLoader("mmclust.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "view_name": _view_name,
        "metric_name": _metric_name,
        "number": words.number,
        "signed": words.signed,
        "percent": words.percent,
        "p_value": words.p_value,
    }
    environment.globals["span"] = words.span
    # As compact as JSON can be; jinja2 escapes what could end the script element.
    environment.policies["json.dumps_kwargs"] = {
        "sort_keys": True,
        "separators": (",", ":"),
        "ensure_ascii": False,
    }
    return environment


def _view_name(view: str) -> str:
    return {"concat": "image + text"}.get(view, view)


def _metric_name(metric: str) -> str:
    known = {
        "davies_bouldin": "Davies–Bouldin",
        "calinski_harabasz": "Calinski–Harabasz",
        **{short: short.upper() for short in ("acc", "nmi", "ari", "f1")},
    }
    return known.get(metric, metric)


def _text(name: str) -> str:
    return (files("mmclust.report") / "templates" / name).read_text(encoding="utf-8")
