"""The text-guided track: what was run, how it scored, what the scores show.

Everything comes from files that the stages wrote; nothing is computed from images or
labels here. ``report.md`` tells methods, experiments and observations in Markdown: each
sentence states what a number shows, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.features import read_features, view_of, views_of
from mmclust.core.io import read_json, write_bytes
from mmclust.core.manifest import read_manifest, read_summary
from mmclust.core.seeds import generator
from mmclust.report.budget import figure, models_of, read_budget
from mmclust.report.maps import FEWEST, lay_out_all
from mmclust.report.provenance import of_sample, revision, uncommitted
from mmclust.report.section import Section, environment, number, signed, span
from mmclust.scoring.published import compare, other_data, read_published
from mmclust.scoring.record import DEFINITIONS, Record, named, path_of, read, show_p

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.report.read import Run
    from mmclust.report.section import Given
    from mmclust.scoring.record import Key, Score

SHOWN = ("ari", "nmi", "acc")
"""Metrics, the one that decides first."""
PAIRS = (("text", "image"), ("concat", "image"), ("concat", "text"))
"""Views of one encoder that are compared: each, and the one it is held against."""
LEVEL = 0.05
"""A difference is called one where p is below this; its interval then leaves out 0."""
MOSTLY = 0.5
"""Share of images in no cluster from which it is worth a sentence."""
POINTS = 1000
"""Images in each map on the page, at most."""


@dataclass(frozen=True)
class Track:
    """One benchmark's run."""

    name: str
    params: Params
    summary: dict[str, Any]
    images: dict[str, int]  # in each role: fit, evaluate and hidden
    record: Record
    features: dict[str, dict[str, Any]]  # ``features.json`` of each encoder


@dataclass(frozen=True)
class Result:
    """One method's scores."""

    key: Key
    scores: dict[str, Score]

    @property
    def ari(self) -> Score:
        """The score that decides."""
        return self.scores[SHOWN[0]]

    def mean(self, metric: str) -> float:
        """Return a mean, 0 where there is none."""
        score = self.scores.get(metric)
        return score.mean or 0.0 if score else 0.0


def read_track(root: Path, name: str, params: Params) -> Track:
    """Read one benchmark's run."""
    data = root / "data"
    manifest = read_manifest(data / "benchmarks" / name / "manifest.parquet")
    summary = read_summary(data / "benchmarks" / name)
    hidden = (manifest.splits == hidden_split(summary)).sum()
    return Track(
        name,
        params,
        summary,
        {
            "fit": len(manifest.fit_rows),
            "evaluate": len(manifest.evaluate_rows),
            "hidden": int(hidden),
        },
        read(path_of(root, "score", name)),
        {
            encoder: read_json(data / "features" / name / encoder / "features.json")
            for encoder in params.encoders
        },
    )


def hidden_split(summary: Mapping[str, Any]) -> str:
    """Return the split whose classes are kept aside; empty for none."""
    return str((summary.get("notes") or {}).get("hidden_split", ""))


def results(record: Record) -> list[Result]:
    """Return the methods that have a score, the highest ARI first."""
    found = [Result(key, record.of(key)) for key in record.methods()]
    scored = [each for each in found if all(name in each.scores for name in SHOWN)]
    return sorted(scored, key=lambda each: -each.mean(SHOWN[0]))


def compared_views(record: Record) -> list[tuple[Score, str]]:
    """Return each ARI beside another view of the same encoder, and that view."""
    found = []
    for key in record.methods():
        encoder, view, method = key
        for other in (other for own, other in PAIRS if own == view):
            versus = named((encoder, other, method))
            pairs = [s for s in record.compared(key, SHOWN[0]) if s.versus == versus]
            first = record.get(key, SHOWN[0])
            # Beside the baseline it stands first, with p adjusted for other rows.
            if first is not None and first.versus == versus:
                pairs = pairs[1:]
            found += [(pair, other) for pair in pairs[:1]]
    return found


def against_baseline(record: Record) -> list[Score]:
    """Return each method's ARI beside the baseline's, in the order of the results."""
    return [each.ari for each in results(record) if each.ari.versus]


def shows(score: Score) -> int:
    """Return 1 where a difference is above 0, -1 below, 0 where neither is shown."""
    if score.p is None or score.p >= LEVEL or score.diff is None:
        return 0
    return 1 if score.diff > 0 else -1


def feature_rows(track: Track) -> list[dict[str, str]]:
    """Return what each encoder is: ``encoder``, ``views`` with dims, ``models``."""
    return [
        {
            "encoder": encoder,
            "views": ", ".join(f"{v} {d}-d" for v, d in facts["dims"].items()),
            "models": "; ".join(_models(facts)) or "none",
        }
        for encoder, facts in track.features.items()
    ]


def _models(facts: dict[str, Any]) -> list[str]:
    found = models_of(facts.get("model") or {})
    names = [f"{each['model']} ({each['revision']})" for each in found]
    captions = facts.get("captions") or {}
    if "model" in captions:
        who = f"{captions['model']} ({captions['revision']})"
        names.append(f"captions by {who}")
    return names


def view_word(view: str) -> str:
    """Return a view's name for people."""
    return {"concat": "image + text", "both": "image and text"}.get(view, view)


def observations(track: Track) -> list[str]:
    """Return what the scores show, sentence by sentence."""
    return [
        *_best(track),
        *_views(track),
        *_against_baseline(track),
        *_degenerate(track),
    ]


def _method(track: Track, key: Key) -> str:
    """Return encoder, view and method as words."""
    encoder, view, method = key
    head = "the head " if method in track.params.model.heads else ""
    return f"{head}{method} on {encoder} ({view_word(view)})"


def _best(track: Track) -> list[str]:
    rows = results(track.record)
    top = rows[0].ari
    mean, low, high = (value or 0.0 for value in (top.mean, top.low, top.high))
    ties = [_method(track, row.key) for row in rows if row.ari.mean == top.mean]
    near = [_method(track, row.key) for row in rows if low <= row.mean("ari") < mean]
    verb = "has" if len(ties) == 1 else "have"
    text = (
        f"Of {len(rows)} methods, {some(ties, 3)} {verb} the highest ARI: "
        f"{number(mean)} (95 % interval {span(low, high)})."
    )
    if near:
        text += (
            f" Within that interval lies the ARI of {len(near)} more: {some(near, 3)}."
        )
    if len(rows) > 1:
        text += " It was picked by this number; the interval does not allow for that."
    return [text]


def _views(track: Track) -> list[str]:
    return [
        f"{score.method} on {score.encoder}: "
        + _verdict(score, view_word(score.view), view_word(other))
        for score, other in compared_views(track.record)
    ]


def _verdict(score: Score, mine: str, other: str) -> str:
    word = {1: "above", -1: "below"}.get(shows(score))
    diff, low, high = (v or 0.0 for v in (score.diff, score.diff_low, score.diff_high))
    figures = f"ARI {signed(diff)}, {span(low, high)}, p {show_p(score.p)}"
    if word:
        return f"{mine} is {word} {other} ({figures})."
    return f"no difference between {mine} and {other} is shown ({figures})."


def _against_baseline(track: Track) -> list[str]:
    rows = against_baseline(track.record)
    if not rows:
        return []
    verdicts = [shows(row) for row in rows]
    keys = {named(key): key for key in track.record.methods()}
    versus = rows[0].versus
    base = _method(track, keys[versus]) if versus in keys else versus
    text = (
        f"Against {base}, {verdicts.count(1)} of {len(rows)} methods are above, "
        f"{verdicts.count(-1)} below, and {verdicts.count(0)} not told apart "
        "(p < 0.05; not adjusted for their number)."
    )
    clusterer = keys[versus][2] if versus in keys else ""
    classical = [
        "Classical features: " + _verdict(row, _method(track, row.key), base)
        for row in rows
        if row.encoder in {"classical", "classical_resnet50"}
        and row.method == clusterer
    ]
    return [text, *classical]


def _degenerate(track: Track) -> list[str]:
    sentences = []
    for row in results(track.record):
        name, noise = _method(track, row.key), row.mean("noise")
        share = number(100 * noise, 1)
        if noise >= MOSTLY:
            sentences.append(f"{name} leaves {share} % of the images in no cluster.")
        elif row.mean("n_clusters") <= 1:
            rest = f", but for {share} % in none" if noise else ""
            sentences.append(f"{name} puts all images in one cluster{rest}.")
    return sentences


def track_sections(given: Given) -> list[Section]:
    """Return a section for each benchmark of the track: those that hide classes."""
    return [_section(given, run) for run in given.runs if hidden_split(run.summary)]


def _section(given: Given, run: Run) -> Section:
    found = read_track(given.root, run.name, given.params)
    sizes = given.root / "metrics/budget.json"
    classes = sorted(set(run.classes))
    hues = {name: round(360 * i / len(classes)) for i, name in enumerate(classes)}
    return Section(
        f"text-guided-{run.name}",
        f"{run.name}, text-guided",
        "track.html.j2",
        {
            "name": run.name,
            "images": found.images,
            "features": feature_rows(found),
            "results": results(run.scores),
            "views": [
                (row, other, shows(row)) for row, other in compared_views(run.scores)
            ],
            "sizes": read_json(sizes).get(run.name, {}),
            "hues": {name or "not known": hue for name, hue in hues.items()},
            "maps": _maps(given, run, hues),
        },
        tuple((run.name, path) for path in (*run.files, sizes)),
    )


def _maps(given: Given, run: Run, hues: dict[str, int]) -> list[dict[str, Any]]:
    """Return a t-SNE of each view of each encoder: classes, each a path of dots."""
    params, ids = given.params, run.manifest.image_ids
    built = given.root / "data/benchmarks" / run.name / "manifest.parquet"
    everything = read_manifest(built)
    row_of = {image_id: row for row, image_id in enumerate(everything.image_ids)}
    name_of = dict(zip(ids, run.classes, strict=True))
    if len(ids) > POINTS:
        rng = generator(params.seed, "report", "track", run.name)
        ids = sorted(rng.choice(ids, POINTS, replace=False).tolist())
    rows = np.array([row_of[image_id] for image_id in ids])
    told, tasks = [], []
    for encoder in params.encoders:
        folder = given.root / "data/features" / run.name / encoder
        features = read_features(folder, everything)
        kept = features.kept(rows)
        names = [name_of[everything.image_ids[row]] for row in kept]
        for view in views_of(features) if len(kept) >= FEWEST else ():
            tasks.append(view_of(features, view)[kept])
            told.append((encoder, view, names))
    return [
        {"encoder": encoder, "view": view, "classes": _dots(xy, names, hues)}
        for (encoder, view, names), xy in zip(
            told, lay_out_all(tasks, given.workers), strict=True
        )
    ]


def _dots(
    xy: np.ndarray[Any, Any], names: list[str], hues: dict[str, int]
) -> list[dict[str, Any]]:
    """Return each class with its colour and dots, as an SVG path."""
    return [
        {
            "name": name or "not known",
            "hue": hue,
            "d": "".join(
                f"M{x} {y}h0"
                for (x, y), own in zip(xy.tolist(), names, strict=True)
                if own == name
            ),
        }
        for name, hue in hues.items()
        if name in names
    ]


def write_track(
    root: Path, name: str, params: Params, out: Path, test: Path | None = None
) -> None:
    """Write the report of one benchmark."""
    run = read_track(root, name, params)
    if not run.record:
        raise MmclustError(
            f"{name} has no scores to report",
            where=path_of(root, "score", name),
            expected="a benchmark with classes that are not all hidden",
            found="no method",
            do="name another benchmark",
        )
    published = compare(
        read_published(root / "docs/published"), name, run.record, params, run.summary
    )
    spent = read_budget(root, params)
    templates = environment(html=False)
    templates.filters |= {
        "figure": figure,
        "view_word": view_word,
        "cell": lambda text: str(text).replace("|", "\\|"),
    }
    text = templates.get_template("track.md.j2").render(
        run=run,
        sample=of_sample(run.summary),
        definition=DEFINITIONS["clustering-2"],
        options={
            each: params.clusterers.get(each) or {} for each in params.model.clusterers
        },
        captions=_captions(run),
        features=feature_rows(run),
        results=results(run.record),
        views=compared_views(run.record),
        against=against_baseline(run.record),
        published=published,
        other_data=other_data(run.summary),
        observations=observations(run),
        budget=spent,
        totals=spent.totals,
        test=_test(test, name) if test else None,
        revision=revision(root),
        uncommitted=uncommitted(root),
    )  # fmt: skip
    write_bytes(out, text.encode())


def _captions(run: Track) -> dict[str, dict[str, Any]]:
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
