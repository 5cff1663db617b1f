"""What is best, by how much and how surely; and the tables under that."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from mmclust.scoring.published import compare, other_data, read_published
from mmclust.scoring.record import named
from mmclust.scoring.selection import SELECTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.report.read import Run
    from mmclust.scoring.published import Compared, Published
    from mmclust.scoring.record import Key, Record, Score

METRICS = ("acc", "nmi", "ami", "ari", "purity", "f1")
"""Columns of the table, from 0 to 1."""
USE = ("n_clusters", "largest", "smallest")
"""Further columns: clusters that hold an image; shares of the largest and smallest."""
CHOSEN = f".{SELECTED}"
"""How the name of what was chosen among settings ends."""
LABEL_FREE = (
    "silhouette", "davies_bouldin", "calinski_harabasz", "stability", "generalisation",
    "coding_length",
)  # fmt: skip
REFERENCES = {
    "zero_shot": "zero-shot by class names",
    "true_means": "nearest true class mean",
    "linear_probe": "linear probe",
}
HEADLINE = "acc"
LEVEL = 0.05
"""Two methods are told apart where Holm's p is below this."""
GROUPS = {"method": "Methods", "reference": "Other encoders", "floor": "Floor"}
NAMES = {
    "davies_bouldin": "Davies–Bouldin",
    "calinski_harabasz": "Calinski–Harabasz",
    "n_clusters": "clusters used",
    "coding_length": "coding length",
    "largest": "largest",
    **{short: short.upper() for short in ("acc", "nmi", "ami", "ari", "f1")},
}
VIEWS = {"concat": "image + text"}
STATUS = {
    "F": "read in a figure or table", "A": "abstract", "M": "model card",
    "L": "third party",
}  # fmt: skip
SAME = "the same set-up, as far as it is stated"


def metric_name(metric: str) -> str:
    """Return a metric as it is printed."""
    return NAMES.get(metric, metric)


def view_name(view: str) -> str:
    """Return a view as it is printed."""
    return VIEWS.get(view, view)


def method_name(key: Sequence[str], encoder: str) -> str:
    """Return a method as it is printed; the encoder only where it is not the main."""
    own, view, method = key
    of = "" if own == encoder else f" of {own}"
    return f"{method} on {view_name(view)}{of}"


def group_of(key: Key, run: Run) -> str:
    """Return which of :data:`GROUPS` a method belongs to."""
    if key in run.floors:
        return "floor"
    return "method" if key[0] == run.encoder else "reference"


def score_rows(run: Run) -> list[dict[str, Any]]:
    """Return a row for each method that was scored, best numbers marked."""
    heads = {one.key for one in run.methods if one.head}
    rows: list[dict[str, Any]] = []
    for key in run.scores.methods():
        own = run.scores.of(key)
        if HEADLINE not in own:
            continue
        images = own.get("n_samples")
        rows.append(
            {
                "key": key,
                "name": method_name(key, run.encoder),
                "group": group_of(key, run),
                "head": key in heads,
                "k": own[HEADLINE].k,
                "n_seeds": own[HEADLINE].n_seeds,
                "images": None if images is None else int(images.mean or 0),
                "cells": {metric: own.get(metric) for metric in (*METRICS, *USE)},
                "noise": own.get("noise"),
                "chosen": own[HEADLINE].note if key[2].endswith(CHOSEN) else "",
            }
        )
    usual = Counter(row["images"] for row in rows).most_common(1)
    for row in rows:
        row["other"] = row["images"] != usual[0][0]
        row["best"] = set()
    alike = [row for row in rows if not row["other"]]
    for metric in METRICS:
        means = [_mean(row["cells"][metric]) for row in alike]
        for row, mean in zip(alike, means, strict=True):
            if mean == max(means) > float("-inf"):
                row["best"].add(metric)
    order = list(GROUPS)
    rows.sort(
        key=lambda row: (order.index(row["group"]), -_mean(row["cells"][HEADLINE]))
    )
    return rows


def _mean(score: Score | None) -> float:
    return float("-inf") if score is None or score.mean is None else score.mean


def answer(run: Run, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Say what is best on a benchmark, by how much, and how surely.

    The best method is that of the highest ACC, floors aside, of those scored on the
    same images, whatever the encoder.
    """
    alike = [row for row in rows if not row["other"]]
    rivals = [row for row in alike if row["group"] != "floor"]
    floors = [row for row in alike if row["group"] == "floor"]
    own = [row for row in floors if row["key"][0] == run.encoder]
    floor = _first(own or floors)
    # Of equals, the one that the record holds the others against.
    best = max(
        rivals,
        key=lambda row: (_acc(row), len(comparisons(run.scores, named(row["key"])))),
        default=None,
    )
    told: dict[str, Any] = {
        "name": run.name, "encoder": run.encoder, "images": len(run.manifest),
        "best": best, "floor": floor, "next": None, "lead": None, "sure": False,
        "own": None, "behind": None, "alike": [], "apart": 0,
        "reference": _first(row for row in alike if row["group"] == "reference"),
        "below": [row["name"] for row in rivals if floor and _acc(row) < _acc(floor)],
    }  # fmt: skip
    if best is None:
        return told
    compared = comparisons(run.scores, named(best["key"]))
    others = [row for row in rivals if row is not best]
    told["next"] = _first(others)
    if told["next"]:
        told["lead"] = compared.get(told["next"]["key"])
        told["sure"] = is_sure(told["lead"])
    if best["group"] != "method":
        told["own"] = _first(row for row in others if row["group"] == "method")
        told["behind"] = told["own"] and compared.get(told["own"]["key"])
    told["alike"] = [
        row["name"]
        for row in sorted(others, key=_acc, reverse=True)
        if row["key"] in compared and not is_sure(compared[row["key"]])
    ]
    told["apart"] = sum(
        row["key"] in compared and is_sure(compared[row["key"]]) for row in others
    )
    return told


def chart(
    told: Sequence[tuple[dict[str, Any], list[dict[str, Any]]]],
) -> dict[str, Any]:
    """Draw the headline metric: a lane a method, a column a benchmark."""
    shown = [
        {
            row["key"]: row
            for row in rows
            if not row["other"]
            and row["cells"][HEADLINE].mean is not None
            and (row["group"] != "floor" or row["key"][0] == answered["encoder"])
        }
        for answered, rows in told
    ]
    cells = [row["cells"][HEADLINE] for own in shown for row in own.values()]
    ends = [cell.mean if cell.high is None else cell.high for cell in cells]
    top = min(1.0, math.ceil(max(ends, default=1.0) * 10 + 1e-9) / 10)
    groups: dict[str, list[dict[str, Any]]] = {group: [] for group in GROUPS}
    for key in dict.fromkeys(key for own in shown for key in own):
        rows = [own.get(key) for own in shown]
        first = next(row for row in rows if row)
        means = [row["cells"][HEADLINE].mean for row in rows if row]
        lane = {
            "name": first["name"],
            "order": (-sum(means) / len(means), first["name"]),
            "cells": [
                row and _lane(row, answered["best"], top)
                for row, (answered, _) in zip(rows, told, strict=True)
            ],
        }
        groups[first["group"]].append(lane)
    for lanes in groups.values():
        lanes.sort(key=lambda lane: lane["order"])
    floors = [answered["floor"] and _acc(answered["floor"]) for answered, _ in told]
    columns = [
        (answered["name"], None if floor is None else _percent(floor, top))
        for (answered, _), floor in zip(told, floors, strict=True)
    ]
    named = {GROUPS[group]: lanes for group, lanes in groups.items() if lanes}
    return {"top": top, "columns": columns, "groups": named}


def _lane(
    row: dict[str, Any], best: dict[str, Any] | None, top: float
) -> dict[str, Any]:
    score = row["cells"][HEADLINE]
    low = score.mean if score.low is None else score.low
    high = score.mean if score.high is None else score.high
    return {
        "score": score,
        "best": row is best,
        "at": _percent(score.mean, top),
        "low": _percent(low, top),
        "high": _percent(high, top),
    }


def _percent(value: float, top: float) -> float:
    return round(100 * min(max(value, 0.0), top) / top, 1)


def _first(rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    return max(rows, key=_acc, default=None)


def _acc(row: dict[str, Any]) -> float:
    return _mean(row["cells"][HEADLINE])


def is_sure(score: Score | None) -> bool:
    """Whether a comparison tells two methods apart."""
    return score is not None and score.p_holm is not None and score.p_holm < LEVEL


def comparisons(scores: Record, versus: str) -> dict[Key, Score]:
    """Return how each method compares with one, by the headline metric."""
    found: dict[Key, Score] = {}
    for score in scores.against(versus, HEADLINE):
        found.setdefault(score.key, score)
    return found


def compared_tables(run: Run) -> list[dict[str, Any]]:
    """Return a table for each method that others are compared with."""
    versus = dict.fromkeys(score.versus for score in run.scores if score.versus)
    tables = []
    for other in versus:
        found: dict[Key, dict[str, Score]] = {}
        for score in run.scores:
            if score.versus == other:
                found.setdefault(score.key, {}).setdefault(score.metric, score)
        metrics = [m for m in METRICS if any(m in own for own in found.values())]
        tables.append(
            {
                "versus": method_name(_key(other, run), run.encoder),
                "metrics": metrics,
                "rows": [
                    {
                        "name": method_name(key, run.encoder),
                        "group": group_of(key, run),
                        "cells": [own.get(metric) for metric in metrics],
                    }
                    for key, own in found.items()
                ],
            }
        )
    return tables


def _key(name: str, run: Run) -> Sequence[str]:
    return next((k for k in run.scores.methods() if named(k) == name), ("", "", name))


def label_free_rows(run: Run) -> list[dict[str, Any]]:
    """Return a row for each method of its scores without labels."""
    return [
        {
            "key": key,
            "n_clusters": record.mean(key, "n_clusters"),
            "noise": record.mean(key, "noise"),
            "cells": [record.get(key, metric) for metric in LABEL_FREE],
        }
        for record in run.free.values()
        for key in record.methods()
        if key[2] and record.get(key, LABEL_FREE[0]) is not None
    ]


def used_fewer(rows: Iterable[dict[str, Any]]) -> list[tuple[str, float, int]]:
    """Return the methods that used fewer clusters than asked: name, used, asked."""
    return [
        (row["name"], used.mean, row["k"])
        for row in rows
        if row["k"] and (used := row["cells"]["n_clusters"]) and used.mean < row["k"]
    ]


def reference_rows(run: Run) -> list[dict[str, Any]]:
    """Return a row for each reference; they are in no table of methods."""
    known = run.references
    return [
        {
            "name": REFERENCES.get(key[2], key[2]),
            "note": known.of(key)[HEADLINE].note,
            "cells": [known.get(key, metric) for metric in ("acc", "nmi", "ari")],
        }
        for key in known.methods()
        if known.get(key, HEADLINE)
    ]


def ranks(run: Run) -> list[dict[str, Any]]:
    """Return how label-free scores rank methods against ACC; the main encoder first."""
    known = run.references
    rows = []
    for of in (run.encoder, ""):
        own = [known.get((of, "", ""), f"{m}_rank_correlation") for m in LABEL_FREE]
        if any(score is not None and score.mean is not None for score in own):
            whose = f"methods of {of}" if of else "methods of all encoders"
            rows.append({"name": whose, "cells": own})
    return rows


def chosen_k(run: Run) -> list[dict[str, Any]]:
    """Return which k each criterion would choose, and whether they agree."""
    found = []
    for encoder, free in run.free.items():
        own = free.of((encoder, "", ""))
        by = {
            NAMES.get(criterion, criterion): int(own[name].mean or 0)
            for criterion in LABEL_FREE
            if (name := f"chosen_k_by_{criterion}") in own
        }
        if by:
            agree = len({*by.values()}) == 1
            found.append({"encoder": encoder, "by": by, "agree": agree})
    return found


def published_rows(root: Path, run: Run, params: Params) -> dict[str, Any]:
    """Return published numbers of a benchmark where our data are the published ones."""
    folder = root / "docs/published"
    rows = read_published(folder) if folder.is_dir() else []
    everything = [row for row in rows if row.dataset == run.name]
    other = other_data(run.summary)
    told: dict[str, Any] = {"known": len(everything), "other_data": other}
    if other or not everything:
        return told | {"metrics": [], "beside": [], "alone": []}
    compared = {
        id(row.published): row
        for row in compare(everything, run.name, run.scores, params, run.summary)
    }
    known = dict.fromkeys([*METRICS, *(row.metric for row in everything)])
    beside = [row for row in everything if id(row) in compared]
    alone = [row for row in everything if id(row) not in compared]
    return told | {
        "metrics": [m for m in known if any(row.metric == m for row in everything)],
        "beside": _groups(beside, compared, run),
        "alone": _groups(alone, {}, run),
    }


def _groups(
    rows: list[Published], compared: dict[int, Compared], run: Run
) -> list[dict[str, Any]]:
    """Return one record per method, source and set-up, its metrics in ``cells``."""
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        ours = compared.get(id(row))
        name = method_name(_key(ours.name, run), run.encoder) if ours else ""
        # Our method has a place of its own.
        differs = (
            "; ".join(ours.differs).replace(f": ours is {ours.name}", "")
            if ours
            else ""
        )
        source = f"{row.source}, table {row.table}"
        key = (row.method, source, row.status, row.setup, name, differs)
        group = groups.setdefault(
            key,
            {
                "method": row.method,
                "source": source,
                "status": STATUS.get(row.status, row.status),
                "setup": row.setup,
                "name": name,
                "differs": differs or SAME,
                "cells": {},
            },
        )
        group["cells"][row.metric] = {
            "theirs": row.value,
            "spread": row.spread,
            "ours": ours.ours if ours else None,
            "difference": ours.difference if ours else None,
        }
    return list(groups.values())
