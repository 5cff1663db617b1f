"""Two sides of a change, number by number: what moved by more than its noise.

Each side is a run of the whole pipeline. Where both scored the same images (words,
queries), they are paired as two methods of one run are: the record keeps resamples of
headline scores for it (:mod:`mmclust.scoring.resamples`).

Other numbers count as independent. With each mean's 95 % interval as recorded (images
and seeds), the interval of the difference adds the squares of the arms that point at
each other (Newcombe 1998; Zou and Donner 2008):

    low  = diff - sqrt((after - after_low)^2 + (before_high - before)^2)
    high = diff + sqrt((after_high - after)^2 + (before - before_low)^2)

p is that of a normal whose 95 % arm towards zero has this length, so that it is below
.05 exactly where the interval leaves out zero. Sides on the same images vary together:
where resamples are missing, their difference is surer than this says.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.board.contents import RECORDS, changed_params, manifest_of, summarised
from mmclust.board.history import (
    WORKSPACE,
    Reader,
    lines,
    md5,
    require_repository,
    resolve,
    shown,
)
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.scoring.record import is_headline
from mmclust.scoring.resamples import FOLDER, between, parse_resamples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.scoring.record import Score
    from mmclust.scoring.resamples import Resamples

SMALLEST_P = 1e-4
Z = 1.959964
"""Of a normal: half of its 95 % interval in standard deviations."""
KINDS = ("moved", "unsure", "redefined", "undefined", "appeared", "vanished", "within",
         "equal")  # fmt: skip
LISTED = ("moved", "unsure", "redefined", "undefined")
"""Kinds whose rows are listed unless all are asked for."""
ALL = "all"

Place = tuple[str, str, str, str, str, str]
"""Stage, benchmark, encoder, view, method and metric."""


@dataclass(frozen=True)
class Change:
    """One number on both sides; None on a side that does not have it.

    It is ``equal``; ``within`` its noise; ``moved`` by more; ``unsure``: moved, and no
    interval says by how much it may; ``redefined``: computed in another way, and so not
    compared; ``undefined`` on one side; ``appeared`` or ``vanished``.
    """

    stage: str
    benchmark: str
    before: Score | None
    after: Score | None
    kind: str
    diff: float | None = None  # after less before
    low: float | None = None
    high: float | None = None
    p: float | None = None
    paired: bool = False  # over the same resampled images, words or queries

    @property
    def score(self) -> Score:
        """The number on one side that has it."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def k(self) -> str:
        """Clusters asked for; both where they differ."""
        found = dict.fromkeys(
            str(s.k) for s in (self.before, self.after) if s and s.k is not None
        )
        return " → ".join(found)


@dataclass(frozen=True)
class Side:
    """One of two states of the repository."""

    name: str
    commit: str

    def __str__(self) -> str:
        """Return how a reader calls it."""
        if self.commit == WORKSPACE:
            return "the workspace"
        short = shown(self.commit)
        return short if self.commit.startswith(self.name) else f"{self.name} ({short})"


@dataclass(frozen=True)
class Diff:
    """All that differs between two sides."""

    base: Side
    head: Side
    changes: list[Change]  # every number of the metrics that were asked for
    differs: list[str]  # sentences: code, data, params, numerics, packages
    remarks: list[str]  # sentences about records that no recorded run made

    def of(self, *kinds: str) -> list[Change]:
        """Return the changes of some kinds, the surest first in each benchmark."""
        found = [change for change in self.changes if change.kind in kinds]
        return sorted(found, key=_order)

    def counts(self) -> dict[str, int]:
        """Return how many numbers are of each kind."""
        counted = Counter(change.kind for change in self.changes)
        return {kind: counted[kind] for kind in KINDS}

    def methods(self, kind: str) -> list[tuple[str, str, str]]:
        """Return stage, benchmark and name of methods that appeared or vanished."""
        return list(
            dict.fromkeys(
                (each.stage, each.benchmark, each.score.name)
                for each in self.changes
                if each.kind == kind
            )
        )


def _order(change: Change) -> tuple[object, ...]:
    size = -abs(change.diff) if change.diff is not None else 0.0
    return change.benchmark, change.stage, change.score.metric, size


def compare(
    root: Path,
    base: str = "HEAD",
    head: str | None = None,
    metrics: Sequence[str] = (),
) -> Diff:
    """Compare two states of the repository."""
    require_repository(root)
    before = Side(base, resolve(root, base))
    after = Side(head, resolve(root, head)) if head is not None else Side("", WORKSPACE)
    sides = (before, after)
    with Reader(root) as reader:
        return _compare(root, reader, sides, metrics)


def _compare(
    root: Path, reader: Reader, sides: tuple[Side, Side], metrics: Sequence[str]
) -> Diff:
    before, after = sides
    for side in sides:
        _require_results(reader, side)
    _require_common(reader, before, after)
    _require_metrics(reader, sides, metrics)
    old, new = (_numbers(reader, side.commit, metrics) for side in sides)
    drawn = [_resamples(reader, side.commit) for side in sides]
    changes = [
        _change(place, old.get(place), new.get(place), [d.get(place) for d in drawn])
        for place in dict.fromkeys([*old, *new])
    ]
    return Diff(
        before, after, changes, _differences(root, reader, before, after),
        [text for side in sides for text in _unrecorded(reader, side)],
    )  # fmt: skip


def _require_results(reader: Reader, side: Side) -> None:
    if reader.records(side.commit):
        return
    earlier = reader.is_before_records(side.commit)
    raise MmclustError(
        f"{str(side)[0].upper()}{str(side)[1:]} has no record of scores",
        where=RECORDS,
        expected=f"tables under {RECORDS}",
        found="metrics of a version before the record" if earlier else "none",
        do="score it with this version, or name another commit" if earlier
        else "run `dvc repro`, and commit metrics, plots and dvc.lock",
    )  # fmt: skip


def _places(reader: Reader, side: Side) -> set[tuple[str, str]]:
    return set(reader.records(side.commit).values())


def _require_common(reader: Reader, before: Side, after: Side) -> None:
    old, new = _places(reader, before), _places(reader, after)
    if old & new:
        return
    raise MmclustError(
        "The two sides have results of no benchmark in common",
        expected=f"one of {some(sorted({b for _, b in old}))}, as {before} has",
        found=f"{some(sorted({b for _, b in new}))} in {after}",
        do="compare commits that score the same benchmarks",
    )


def _require_metrics(
    reader: Reader, sides: Sequence[Side], metrics: Sequence[str]
) -> None:
    known = {
        score.metric
        for side in sides
        for path in reader.records(side.commit)
        for score in reader.record(side.commit, path)
    }
    for metric in metrics:
        if metric not in known | {ALL}:
            raise MmclustError(
                f"No number is of the metric {metric!r}",
                where="--metric",
                expected=nearest(metric, known | {ALL}),
                found=metric,
            )


def _numbers(reader: Reader, commit: str, metrics: Sequence[str]) -> dict[Place, Score]:
    """Return what is compared of one side, in the order of its records."""
    found: dict[Place, Score] = {}
    for path, (stage, benchmark) in reader.records(commit).items():
        record = reader.record(commit, path)
        for key in record.methods():
            for metric, score in record.of(key).items():
                asked = metric in metrics or ALL in metrics
                if asked or (not metrics and is_headline(stage, score, record)):
                    found[stage, benchmark, *key, metric] = score
    return found


def _resamples(reader: Reader, commit: str) -> dict[Place, Resamples]:
    """Return what is kept of each headline score's resamples on one side."""
    under = f"{RECORDS}{FOLDER}/"
    found: dict[Place, Resamples] = {}
    for path in reader.tree(commit):
        if path.startswith(under) and path.endswith(".csv"):
            stage, _, benchmark = path[len(under) : -len(".csv")].partition("/")
            where = f"{path} of {shown(commit)}"
            every = parse_resamples(reader.file(commit, path) or b"", where)
            for (key, metric), each in every.items():
                found[stage, benchmark, *key, metric] = each
    return found


def _change(
    place: Place,
    before: Score | None,
    after: Score | None,
    drawn: Sequence[Resamples | None],
) -> Change:
    stage, benchmark = place[:2]
    if before is None or after is None:
        kind = "appeared" if before is None else "vanished"
        return Change(stage, benchmark, before, after, kind)
    if before.definition != after.definition:
        return Change(stage, benchmark, before, after, "redefined")
    if before.mean is None or after.mean is None:
        kind = "equal" if before.mean == after.mean else "undefined"
        return Change(stage, benchmark, before, after, kind)
    diff = after.mean - before.mean
    ends = interval(before, after)
    if ends is None:
        kind = "equal" if diff == 0 else "unsure"
        return Change(stage, benchmark, before, after, kind, diff)
    paired = between(before, after, *drawn)
    (low, high), p = paired or (ends, p_of(diff, *ends))
    same = (before.mean, before.low, before.high) == (after.mean, after.low, after.high)
    kind = "equal" if same else "moved" if low > 0 or high < 0 else "within"
    return Change(
        stage, benchmark, before, after, kind, diff, low, high, p, paired is not None
    )


def interval(before: Score, after: Score) -> tuple[float, float] | None:
    """Return the 95 % interval of after less before; None where one has none."""
    numbers = (before.mean, before.low, before.high, after.mean, after.low, after.high)
    if any(number is None for number in numbers):
        return None
    mean, low, high, mean_2, low_2, high_2 = (float(n or 0.0) for n in numbers)
    diff = mean_2 - mean
    return (
        diff - math.hypot(mean_2 - low_2, high - mean),
        diff + math.hypot(high_2 - mean_2, mean - low),
    )


def p_of(diff: float, low: float, high: float) -> float | None:
    """Return two-sided p of a difference with its interval; None without spread.

    Three digits, and never below the record's own floor.
    """
    arm = diff - low if diff > 0 else high - diff
    if arm <= 0:
        return None
    p = math.erfc(Z * abs(diff) / arm / math.sqrt(2))
    return float(f"{max(p, SMALLEST_P):.3g}")


def _differences(root: Path, reader: Reader, before: Side, after: Side) -> list[str]:
    """Say how what made the two sides differs; first what is not on both."""
    found = []
    old, new = _places(reader, before), _places(reader, after)
    for side, only in ((before, old - new), (after, new - old)):
        if only:
            told = some(f"{benchmark} ({stage})" for stage, benchmark in sorted(only))
            found.append(f"only {side} has results of {told}")
    code = _changed_files(root, before, after, "src")
    if code:
        found.append(f"code differs: {_files(code)} under src")
    found += _data(reader, before, after)
    changed = changed_params(*(reader.params(s.commit) for s in (before, after)))
    numerics = changed.pop("numerics", None)
    if changed:
        told = "; ".join(
            f"{key}: {'unset' if old is None else old} → "
            f"{'unset' if new is None else new}"
            for key, (old, new) in changed.items()
        )
        found.append(f"params differ: {told}")
    if numerics:
        was, is_now = (value or "not told" for value in numerics)
        found.append(f"numerics differ: {was} → {is_now}")
    packages = _changed_files(root, before, after, ":(glob)requirements*.lock")
    if packages:
        found.append(f"packages differ: {', '.join(sorted(packages))}")
    return found


def _files(names: set[str]) -> str:
    return "1 file" if len(names) == 1 else f"{len(names)} files"


def _changed_files(root: Path, before: Side, after: Side, under: str) -> set[str]:
    """Return the files that differ; of the workspace, those git ignores left out."""
    revisions = [each.commit for each in (before, after) if each.commit != WORKSPACE]
    found = set(lines(root, "diff", "--name-only", *revisions, "--", under))
    if after.commit == WORKSPACE:
        asked = ("ls-files", "--others", "--exclude-standard", "--", under)
        found |= set(lines(root, *asked))
    return found


def _data(reader: Reader, before: Side, after: Side) -> list[str]:
    """Say which benchmarks and which sources are of other bytes."""
    found = []
    built = [_manifests(reader, side.commit) for side in (before, after)]
    other = sorted(
        name for name in built[0].keys() & built[1].keys()
        if built[0][name] != built[1][name]
    )  # fmt: skip
    if other:
        found.append(f"data differ: other images or captions in {some(other)}")
    outs = [_fetched(reader, side.commit) for side in (before, after)]
    both = outs[0].keys() & outs[1].keys()
    sources = sorted(path for path in both if outs[0][path] != outs[1][path])
    if sources:
        found.append(f"sources differ: {some(sources)}")
    return found


def _manifests(reader: Reader, commit: str) -> dict[str, str]:
    """Return the digest of each benchmark's manifest."""
    return {
        name: manifest_of(reader.file(commit, path))
        for path in reader.tree(commit)
        if (name := summarised(path))
    }


def _fetched(reader: Reader, commit: str) -> dict[str, str]:
    return {
        path: digest
        for stage in reader.stages(commit)
        for path, digest in stage.outs.items()
        if path.startswith("data/raw")
    }


def _unrecorded(reader: Reader, side: Side) -> list[str]:
    """Say which records are not those that dvc.lock of the side has."""
    stages = reader.stages(side.commit)
    other = []
    for path in reader.records(side.commit):
        made = [stage.outs[path] for stage in stages if path in stage.outs]
        data = reader.file(side.commit, path) or b""
        if made[:1] != [md5(data)]:
            other.append(path)
    if not other:
        return []
    told = f"no run that dvc.lock of {side} knows made {some(other, 3)}"
    why = "edited by hand, scored without `dvc repro`, or committed without dvc.lock"
    return [f"{told}: {why}"]
