"""Sections of the page about benchmarks: scores, maps, clusters."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mmclust.report import scores
from mmclust.report.curves import draw
from mmclust.report.gallery import contact_sheet, noun_space, pack
from mmclust.report.maps import make_maps
from mmclust.report.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmclust.report.read import Run
    from mmclust.report.section import Given

    Pairs = list[tuple[str, str]]

BENCHMARK = "benchmark.html.j2"
"""The template of their sections."""
PANEL = {"width": 150, "height": 110}
"""Of the curves over k."""
SHORT = 48
"""Characters that a fact may have to be listed rather than folded away."""
ELSEWHERE = {
    "benchmark", "per_class", "manifest", "sources", "digests", "notes", "expected",
}  # fmt: skip
"""Keys of the summary that the page shows in places of their own."""
PUBLISHED = "against the published counts"


def facts(run: Run) -> dict[str, list[tuple[str, str]]]:
    """Return what `build` wrote down about a benchmark, as names and values.

    ``short`` is what the page lists, ``long`` what it folds away.
    """
    values = {k: v for k, v in run.summary.items() if k not in ELSEWHERE}
    notes = run.summary.get("notes")
    values |= notes if isinstance(notes, dict) else {}
    splits = run.summary.get("splits")
    for role in ("fit", "evaluate"):
        if isinstance(splits, dict) and splits.keys() <= set(values.get(role) or ()):
            values[role] = "all"
    pairs = [(_words(k), _plain(v)) for k, v in values.items() if v is not None]
    short, long = _as_published(run.summary.get("expected") or {})
    return {
        "short": [*(pair for pair in pairs if len(pair[1]) <= SHORT), *short],
        "long": [*long, *(pair for pair in pairs if len(pair[1]) > SHORT)],
    }


def _as_published(expected: Mapping[str, Any]) -> tuple[Pairs, Pairs]:
    """Say how the counts stand to the published ones, in short and at length.

    A published count is spelt out only where the two were compared and differ.
    """
    if "matches" not in expected:
        return [], []
    if expected["matches"] is None:
        return [
            (PUBLISHED, f"not compared: {expected.get('why') or 'not said why'}")
        ], []
    if expected["matches"]:
        return [(PUBLISHED, "as published")], []
    each = [
        f"{name or 'images'} {count['found']:,}, published {count['expected']:,}"
        for name, count in expected.get("different", {}).items()
    ]
    long = [("not as published", "; ".join(each))] if each else []
    return [(PUBLISHED, "not the published counts, allowed")], long


def class_counts(run: Run) -> list[tuple[str, int]]:
    """Return class names and numbers of images, largest first."""
    counts = run.summary.get("per_class")
    if not isinstance(counts, dict):
        counts = Counter(name for name in run.classes if name)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


NAMES = {
    "fit": "splits that are fitted on",
    "evaluate": "splits that are scored",
    "split": "split of the source",
    "annotations": "annotations in the source",
    "images_listed": "images in the source",
    "images_annotated": "of these with annotations",
    "images_single_category": "of these of one category",
    "min_images": "fewest images a class may have",
    "protocol": "version of the protocol",
}
"""Facts whose names in the summary do not say enough."""


def _words(key: object) -> str:
    if key in NAMES:
        return NAMES[str(key)]
    return str(key).removeprefix("n_").replace("_", " ")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_words(k)}: {_plain(v)}" for k, v in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value) or "–"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def benchmark_sections(given: Given) -> list[Section]:
    """Return a section for each benchmark that was clustered."""
    maps = make_maps(given.runs, given.params, given.workers, given.kept)
    sections = []
    for run, drawn in zip(given.runs, maps, strict=True):
        nouns = noun_space(given.root, run)
        read = [*run.files, *([nouns["path"]] if nouns else [])]
        sections.append(
            Section(
                run.name,
                run.name,
                BENCHMARK,
                {
                    "b": {**_benchmark(run, given), **_shown(run, drawn, given),
                          "nouns": nouns},
                    "metrics": scores.METRICS,
                    "use": scores.USE,
                    "groups": scores.GROUPS,
                    "label_free": scores.LABEL_FREE,
                },
                tuple((run.name, path) for path in read),
            )
        )  # fmt: skip
    return sections


def _benchmark(run: Run, given: Given) -> dict[str, Any]:
    rows = scores.score_rows(run)
    fitted = given.root / "data/features" / run.name / run.encoder
    return {
        "name": run.name,
        "images": len(run.manifest),
        "captioned": any(run.manifest.captions),
        "labelled": any(run.classes),
        "facts": facts(run),
        "class_counts": class_counts(run),
        "scores": rows,
        "answer": scores.answer(run, rows),
        "trained_once": (fitted / "fitted.safetensors").is_file(),
        "compared": scores.compared_tables(run),
        "published": scores.published_rows(given.root, run, given.params),
        "label_free": scores.label_free_rows(run),
        "ranks": scores.ranks(run),
        "references": scores.reference_rows(run),
        "fewer": scores.used_fewer(rows),
        "chosen_k": scores.chosen_k(run),
        "n_classes": run.summary.get("n_classes"),
        "curves": _curves(run, given),
        "encoder": run.encoder,
        "methods": [
            {
                "name": scores.method_name(one.key, run.encoder),
                "group": scores.group_of(one.key, run),
                "primary": one.key == run.primary.key,
            }
            for one in run.methods
        ],
    }


def _curves(run: Run, given: Given) -> list[tuple[str, str]]:
    """Return scores over k, a picture per encoder, the main one first."""
    encoders = dict.fromkeys([run.encoder, *(row["encoder"] for row in run.over_k)])
    order = {metric: i for i, metric in enumerate(scores.METRICS)}
    found = []
    for encoder in encoders:
        rows = [
            row | {"metric": scores.metric_name(row["metric"]),
                   "view": scores.view_name(row["view"])}
            for row in sorted(
                run.over_k, key=lambda r: order.get(r["metric"], len(order))
            )
            if row["encoder"] == encoder
        ]  # fmt: skip
        svg = draw(given.root, "scores_over_k", rows, "k", "score", **PANEL)
        found += [(encoder, svg)] if svg else []
    return found


def _shown(run: Run, drawn: dict[str, Any] | None, given: Given) -> dict[str, Any]:
    """Write what is looked at; return where it is and what is told of it."""
    packed = pack(run, drawn, given.params, given.bundle, given.workers)
    told = drawn and {"points": len(drawn["rows"]), "views": list(drawn["views"])}
    sheet = None
    if packed["pictures"]:
        sheet = contact_sheet(run, given.params, given.bundle)
    return {"map": told, "files": packed, "sheet": sheet}
