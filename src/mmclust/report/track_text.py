"""``report.md``: methods, experiments and observations of a track, in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json, write_bytes
from mmclust.report import budget, numbers, track, track_words
from mmclust.report.provenance import of_sample, revision, uncommitted
from mmclust.scoring.clustering import DEFINITION
from mmclust.scoring.published import compare, other_data, read_published

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params


def write_track(
    root: Path, name: str, params: Params, out: Path, test: Path | None = None
) -> None:
    """Write the report of one benchmark.

    Parameters
    ----------
    root
        The repository; metrics, features and ``docs/published`` are read.
    name
        The benchmark.
    params
        Those of the run.
    out
        The Markdown file.
    test
        What ``mmclust score submission --out`` wrote, to be shown; labels are not
        read here.

    Raises
    ------
    MmclustError
        When a stage has not run, no method has a score, or ``test`` is of another
        benchmark.
    """
    run = track.read_track(root, name, params)
    if not run.metrics:
        raise MmclustError(
            f"{name} has no scores to report",
            where=f"metrics/clustering/{name}.json",
            expected="a benchmark with classes that are not all hidden",
            found="no method",
            do="name another benchmark",
        )
    published = compare(
        read_published(root / "docs/published"), name, run.metrics, params, run.summary
    )
    spent = budget.read_budget(root, params)
    text = _environment().get_template("track.md.j2").render(
        run=run,
        sample=of_sample(run.summary),
        definition=DEFINITION,
        options={
            each: params.clusterers.get(each) or {} for each in params.model.clusterers
        },
        captions=_captions(run),
        features=track.feature_rows(run),
        results=track.result_rows(run),
        views=track.view_rows(run),
        against=track.baseline_rows(run),
        published=published,
        other_data=other_data(run.summary),
        observations=track_words.observations(run),
        budget=spent,
        totals=spent.totals,
        test=_test(test, name) if test else None,
        revision=revision(root),
        uncommitted=uncommitted(root),
    )  # fmt: skip
    write_bytes(out, text.encode())


def _captions(run: track.Track) -> dict[str, dict[str, Any]]:
    """Return captions that a model made, by captioner, as encoders recorded them."""
    found = [facts.get("captions") or {} for facts in run.features.values()]
    return {each["captioner"]: each for each in found if "captioner" in each}


def _test(path: Path, name: str) -> dict[str, Any]:
    record: dict[str, Any] = read_json(path)
    if record.get("benchmark") != name:
        raise MmclustError(
            "This is no score of a submission to that benchmark",
            where=path,
            expected=f"what `mmclust score submission {name} … --out` wrote",
            found=record.get("benchmark", "another kind of file"),
        )
    return record


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 (Markdown, not HTML)
        loader=PackageLoader("mmclust.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": numbers.number,
        "signed": numbers.signed,
        "p_value": numbers.p_value,
        "figure": budget.figure,
        "method": track_words.method,
        "view_word": track_words.view_word,
        "cell": lambda text: str(text).replace("|", "\\|"),
    }
    environment.globals["span"] = numbers.span
    return environment
