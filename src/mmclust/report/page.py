"""The page: everything about a run in one file that opens without a network."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mmclust.core.io import write_bytes
from mmclust.report import tables
from mmclust.report.gallery import make_gallery
from mmclust.report.maps import make_maps
from mmclust.report.provenance import digests, params_yaml, revision
from mmclust.report.run import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment

    from mmclust.core.params import Params
    from mmclust.report.run import Run

PANEL = (230, 130)
"""Inside of one chart of scores over k, in SVG units."""


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
    maps = make_maps(runs, params, workers)
    page = _environment().get_template("page.html.j2")
    html = page.render(
        sample=params.data.mirror == "sample",
        benchmarks=[
            {**_benchmark(run, params), "map": drawn}
            for run, drawn in zip(runs, maps, strict=True)
        ],
        revision=revision(root),
        params=params_yaml(params),
        digests=digests(root, runs),
        metrics=tables.METRICS,
        panel=PANEL,
        style=_text("style.css"),
        script=_text("page.js"),
    )
    write_bytes(out, html.encode())


def _benchmark(run: Run, params: Params) -> dict[str, Any]:
    encoders = dict.fromkeys([run.encoder, *(row["encoder"] for row in run.over_k)])
    return {
        "name": run.name,
        "images": len(run.manifest),
        "facts": tables.facts(run),
        "class_counts": tables.class_counts(run),
        "scores": tables.score_rows(run.metrics),
        "curves": {
            encoder: panels
            for encoder in encoders
            if (panels := tables.curves(run.over_k, encoder, PANEL))
        },
        "encoder": run.encoder,
        "clusterer": params.model.clusterers[0],
        "primary": run.scored.method,
        "confusion": tables.confusion(run.confusion),
        "gallery": make_gallery(run, params),
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
    environment.filters["view_name"] = _view_name
    environment.filters["metric_name"] = _metric_name
    environment.filters["three"] = "{:z.3f}".format  # z: no minus before 0.000
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
    return metric if metric == "purity" else metric.upper()


def _text(name: str) -> str:
    return (files("mmclust.report") / "templates" / name).read_text(encoding="utf-8")
