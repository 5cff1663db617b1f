"""The page: everything about a run, to be opened without a network."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from mmclust.core.io import write_bytes
from mmclust.report import scores
from mmclust.report.benchmark import BENCHMARK, benchmark_sections
from mmclust.report.learned import word_sections
from mmclust.report.provenance import (
    digests,
    is_checkout,
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
from mmclust.report.section import Bundle, Given, Section, environment, handed_over
from mmclust.report.track import track_sections

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.report.read import Pool, Run

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


def make_report(
    root: Path, params: Params, out: Path, *, workers: int = 1, kept: Path | None = None
) -> None:
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
        kept,
    )
    html = _html(given)
    # Beside the page and out of DVC's sight (.dvcignore): it differs between machines,
    # which equal runs must not.
    write_bytes(out.parent / MACHINE, handed_over(machine()))
    write_bytes(out, html.encode())
    given.bundle.sweep()


def _html(given: Given) -> str:
    root, params = given.root, given.params
    templates = environment()
    templates.filters |= {
        "view_name": scores.view_name,
        "metric_name": scores.metric_name,
    }
    templates.globals["is_sure"] = scores.is_sure
    read: list[Run | Pool] = [*given.runs, *given.pools]
    shown = [each.name for each in read]
    shown += [params.learning.benchmark] if params.words else []
    drawn = sample_benchmarks(root, dict.fromkeys(shown))
    sections = [section for make in SECTIONS for section in make(given)]
    runs = [each.values["b"] for each in sections if each.template == BENCHMARK]
    told = [(each["answer"], each["scores"]) for each in runs]
    return templates.get_template("page.html.j2").render(
        answers=[answer for answer, _ in told],
        chart=scores.chart(told),
        trained_once=any(each["trained_once"] for each in runs),
        encoder=params.model.encoder,
        drawn=drawn,
        all_drawn=set(drawn) == set(shown),
        drawn_sources=sample_sources(root, params.data.sources),
        sections=[
            {
                "id": each.id,
                "title": each.title,
                "html": templates.get_template(each.template).render(**each.values),
            }
            for each in sections
        ],
        checkout=is_checkout(root),
        revision=revision(root),
        uncommitted=uncommitted(root),
        params=params_yaml(params),
        digested=digests(root, read, sections),
        locked=locked(root),
        licences=licences(root, params),
        versions=versions(),
        style=_text("style.css"),
        script="\n".join(_text(name) for name in SCRIPTS),
    )


def _text(name: str) -> str:
    return (files("mmclust.report") / "templates" / name).read_text(encoding="utf-8")
