"""The page: everything about a run, to be opened without a network."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from mmclust.core.io import write_bytes
from mmclust.report import numbers, scores
from mmclust.report.benchmark import benchmark_sections
from mmclust.report.learned import word_sections
from mmclust.report.provenance import (
    digests,
    licences,
    locked,
    machine,
    params_yaml,
    revision,
    sample_benchmarks,
    sample_sources,
    uncommitted,
    versions,
)
from mmclust.report.read import read_run
from mmclust.report.retrieval import pool_sections, read_pool
from mmclust.report.section import Bundle, Given, Section, handed_over
from mmclust.report.track_section import track_sections
from mmclust.scoring.record import show_p

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jinja2 import Environment

    from mmclust.core.params import Params

SECTIONS: tuple[Callable[[Given], list[Section]], ...] = (
    benchmark_sections,
    track_sections,
    pool_sections,
    word_sections,
)
"""What the page shows, in order, before the provenance: the place to add a section.

A function of :class:`~mmclust.report.section.Given` that returns sections, none where
a run has nothing to show."""
SCRIPTS = ("files.js", "clusters.js", "map.js", "gallery.js", "tables.js")
"""Together one script, in this order."""
MACHINE = "machine.js"


def make_report(root: Path, params: Params, out: Path, *, workers: int = 1) -> None:
    """Write ``report/index.html`` and the files beside it.

    Equal inputs give equal bytes: nothing on the page is a time, a machine or a path;
    what the machine is goes to a file of its own. The page comes last, so that an old
    one stays whole until then.
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
    shown_runs = [
        section.values["b"]
        for section in sections
        if section.template == "benchmark.html.j2"
    ]
    told = [(each["answer"], each["scores"]) for each in shown_runs]
    html = environment.get_template("page.html.j2").render(
        answers=[answer for answer, _ in told],
        chart=scores.chart(told),
        trained_once=any(each["trained_once"] for each in shown_runs),
        encoder=params.model.encoder,
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
        "view_name": scores.view_name,
        "metric_name": scores.metric_name,
        "number": numbers.number,
        "signed": numbers.signed,
        "percent": numbers.percent,
        "show_p": show_p,
    }
    environment.globals["span"] = numbers.span
    environment.globals["is_sure"] = scores.is_sure
    return environment


def _text(name: str) -> str:
    return (files("mmclust.report") / "templates" / name).read_text(encoding="utf-8")
