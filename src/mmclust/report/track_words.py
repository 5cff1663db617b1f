"""Sentences about a track's numbers: each states what a number shows, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import some
from mmclust.report.numbers import number, p_value, signed, span
from mmclust.report.track import SHOWN, baseline_rows, result_rows, shows, view_rows

if TYPE_CHECKING:
    from mmclust.report.track import Track

MOSTLY = 0.5
"""Share of images in no cluster from which it is worth a sentence."""


def observations(track: Track) -> list[str]:
    """Return what the metrics show, sentence by sentence."""
    return [
        *_best(track),
        *_views(track),
        *_against_baseline(track),
        *_degenerate(track),
    ]


def method(name: tuple[str, str, str]) -> str:
    """Return encoder, view and clusterer as words."""
    encoder, view, clusterer = name
    if encoder == "heads":
        return f"the head {clusterer} ({view_word(view)})"
    return f"{clusterer} on {encoder} ({view_word(view)})"


def view_word(view: str) -> str:
    """Return a view's name for people."""
    return {"concat": "image + text", "both": "image and text"}.get(view, view)


def _best(track: Track) -> list[str]:
    rows = result_rows(track)
    top, ari = rows[0], SHOWN[0]
    low, high = top[f"{ari}_low"], top[f"{ari}_high"]
    ties = [method(row["name"]) for row in rows if row[ari] == top[ari]]
    near = [method(row["name"]) for row in rows if low <= row[ari] < top[ari]]
    verb = "has" if len(ties) == 1 else "have"
    text = (
        f"Of {len(rows)} methods, {some(ties, 3)} {verb} the highest ARI: "
        f"{number(top[ari])} (95 % interval {span(low, high)})."
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
        f"{row['clusterer']} on {row['encoder']}: "
        + _verdict(row, *map(view_word, row["pair"]))
        for row in view_rows(track)
    ]


def _verdict(row: dict[str, Any], mine: str, other: str) -> str:
    word = {1: "above", -1: "below"}.get(shows(row))
    figures = f"ARI {signed(row['diff'])}, {span(row['low'], row['high'])}, "
    figures += f"p {p_value(row['p'])}"
    if word:
        return f"{mine} is {word} {other} ({figures})."
    return f"no difference between {mine} and {other} is shown ({figures})."


def _against_baseline(track: Track) -> list[str]:
    rows = baseline_rows(track)
    if not rows:
        return []
    verdicts = [shows(row) for row in rows]
    encoder, view, clusterer = rows[0]["baseline"].split(" ")
    base = method((encoder, view, clusterer))
    text = (
        f"Against {base}, {verdicts.count(1)} of {len(rows)} methods are above, "
        f"{verdicts.count(-1)} below, and {verdicts.count(0)} not told apart "
        "(p < 0.05; not adjusted for their number)."
    )
    sentences = [text]
    for row in rows:
        own, _, how = row["name"]
        if own in {"classical", "classical_resnet50"} and how == clusterer:
            sentences.append("Classical features: " + _verdict(
                row, method(row["name"]), base))  # fmt: skip
    return sentences


def _degenerate(track: Track) -> list[str]:
    sentences = []
    for row in result_rows(track):
        name = method(row["name"])
        if row["noise"] >= MOSTLY:
            share = number(100 * row["noise"], 1)
            sentences.append(f"{name} leaves {share} % of the images in no cluster.")
        elif row["n_clusters"] <= 1:
            rest = f", but for {number(100 * row['noise'], 1)} % in none"
            text = f"{name} puts all images in one cluster"
            sentences.append(f"{text}{rest if row['noise'] else ''}.")
    return sentences
