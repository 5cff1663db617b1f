"""The page: everything about a run, to be opened without a network."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from mmclust.core.io import write_bytes
from mmclust.report import words
from mmclust.report.bundle import Bundle, handed_over
from mmclust.report.environment import machine, versions
from mmclust.report.given import Given
from mmclust.report.licences import licences
from mmclust.report.lock import locked
from mmclust.report.origin import sample_benchmarks, sample_sources
from mmclust.report.provenance import digests, params_yaml, revision, uncommitted
from mmclust.report.retrieval import read_pool
from mmclust.report.run import read_run
from mmclust.report.sections import SECTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment

    from mmclust.core.params import Params

SCRIPTS = ("page.js", "files.js", "tables.js", "words.js", "map.js", "points.js",
           "gallery.js", "start.js")  # fmt: skip
"""Together one script, in this order."""
MACHINE = "machine.js"


def make_report(root: Path, params: Params, out: Path, *, workers: int = 1) -> None:
    """Write ``report/index.html`` and the files beside it.

    Equal inputs give equal bytes: nothing on the page is a time, a machine or a path;
    what the machine is goes to a file of its own. The page comes last, so that an old
    one stays whole until then.

    Parameters
    ----------
    root
        The root of the repository, where ``data/``, ``metrics/`` and ``plots/``
        are.
    params
        Which benchmarks to show, and how much of them.
    out
        The page; its folder is made, and in it ``files/``.
    workers
        Processes that read pictures and lay out the maps; the bytes are the same at
        any number.

    Raises
    ------
    MmclustError
        When a result is missing, damaged, of another manifest or of another
        version.
    """
    given = Given(
        root,
        params,
        [read_run(root, name, params) for name in params.clustered],
        [read_pool(root, name, params) for name in params.retrieval.benchmarks],
        Bundle(out),
        workers,
    )
    environment = _environment()
    shown = [run.name for run in given.runs] + [pool.name for pool in given.pools]
    shown += [params.learning.benchmark] if params.words else []
    drawn = sample_benchmarks(root, dict.fromkeys(shown))
    sections = [section for make in SECTIONS for section in make(given)]
    html = environment.get_template("page.html.j2").render(
        drawn=drawn,
        all_drawn=set(drawn) == set(shown),
        drawn_sources=sample_sources(root, params.data.sources),
        sections=[
            {
                "id": section.id,
                "title": section.title,
                "html": environment.get_template(section.template).render(
                    **section.values
                ),
            }
            for section in sections
        ],
        pools=given.pools,
        revision=revision(root),
        uncommitted=uncommitted(root),
        params=params_yaml(params),
        digests=digests(root, [*given.runs, *given.pools], sections),
        locked=locked(root),
        licences=licences(root, params),
        versions=versions(),
        style=_text("style.css"),
        script="\n".join(_text(name) for name in SCRIPTS),
    )
    # Beside the page and out of DVC's sight (.dvcignore): it differs between machines,
    # which equal runs must not.
    write_bytes(out.parent / MACHINE, handed_over(machine()))
    write_bytes(out, html.encode())
    given.bundle.sweep()


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
