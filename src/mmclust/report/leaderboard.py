"""One table of the numbers of all commits and experiments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import digest_of
from mmclust.report.leaderboard_git import (
    METRICS,
    Commit,
    Reader,
    experiments,
    history,
    load_metrics,
    remarks,
    require_repository,
)
from mmclust.report.leaderboard_params import differences
from mmclust.report.leaderboard_snapshots import Skipped, Snapshot, Snapshots
from mmclust.report.leaderboard_twins import twins

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.report.leaderboard_records import Key, Number

ID = 10  # hexadecimal digits


@dataclass(frozen=True)
class Row:
    """One number, and where it is from.

    Parameters
    ----------
    id
        Names the row; the same whatever is filtered, and as history grows.
    kind, benchmark, encoder, view, method, k, metric
        What was measured. ``k`` is empty where there are no clusters.
    number
        The score.
    commit
        The first commit that has the number, in full.
    until
        The last commit in the history of metrics that still has it, in full.
    now
        Whether HEAD has it.
    date
        Of ``commit``, ISO 8601.
    experiment
        The name of the DVC experiment that has it; empty: a commit of the history.
    data
        Digest of the manifest that the number was made from, or empty.
    params
        How params.yaml of ``commit`` differs from HEAD's, ``key=value``.
    notes
        What a reader must know before comparing it with others.
    """

    id: str
    kind: str
    benchmark: str
    encoder: str
    view: str
    method: str
    k: str
    metric: str
    number: Number
    commit: str
    until: str
    now: bool
    date: str
    experiment: str
    data: str
    params: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def command(self) -> str:
        """What makes the number again and compares."""
        return f"mmclust reproduce {self.id}"


@dataclass(frozen=True)
class Leaderboard:
    """All rows, in the order of history, and what stands beside them.

    Parameters
    ----------
    rows
        Every number of every metric.
    skipped
        What was not read, and why.
    remarks
        Sentences about the whole: uncommitted changes, a shallow clone.
    commits
        Full ids of the commits and experiments that were read, oldest first.
    """

    rows: list[Row]
    skipped: list[Skipped]
    remarks: list[str]
    commits: list[str]


def gather(
    root: Path,
    *,
    branches: bool = False,
    with_experiments: bool = True,
    max_commits: int | None = None,
) -> Leaderboard:
    """Gather the numbers of all commits that changed metrics.

    Parameters
    ----------
    root
        The repository.
    branches
        Of every local branch, rather than of the current one.
    with_experiments
        DVC experiments, too.
    max_commits
        Only numbers that one of the last so many of these commits has. History is
        read to its beginning all the same, so that first commits stay right.

    Raises
    ------
    MmclustError
        When there is no history, or none with metrics.
    """
    head = require_repository(root)
    commits = history(root, branches=branches)
    tried = experiments(root) if with_experiments else []
    reader = Reader(root)
    bases = [base for each in tried for base in each.parents if _exists(reader, base)]
    every = [head, *bases, *(each.id for each in (*commits, *tried))]
    load_metrics(reader, every)
    if not any(
        path.startswith(METRICS) for each in every for path in reader.tree(each)
    ):
        raise MmclustError(
            "No commit has metrics",
            where=root.absolute(),
            expected=f"files under {', '.join(METRICS)}",
            do="run `dvc repro`, and commit metrics, plots and dvc.lock",
        )
    snapshots = Snapshots(reader, every)
    rows = _runs(snapshots, commits, head, max_commits)
    rows += _tried(snapshots, tried, head, set(bases))
    return Leaderboard(
        twins(_marked(rows, snapshots.of(head))),
        list(dict.fromkeys(snapshots.skipped)),
        remarks(root),
        [each.id for each in (*commits, *tried)],
    )


def _exists(reader: Reader, commit: str) -> bool:
    try:
        reader.tree(commit)
    except MmclustError:
        return False  # an experiment from elsewhere, without the commit under it
    return True


def _row(snapshots: Snapshots, key: Key, commit: Commit, head: str) -> Row:
    """Return the row of a number that a commit is the first to have."""
    held = snapshots.of(commit.id)[key]
    return Row(
        digest_of([commit.id, list(key)])[:ID],
        *key,
        number=held.number,
        commit=commit.id,
        until=commit.id,
        now=False,
        date=commit.date,
        experiment=commit.experiment,
        data=held.data,
        params=differences(snapshots.params(commit.id), snapshots.params(head), key),
        notes=held.notes,
    )


def _runs(
    snapshots: Snapshots, commits: Sequence[Commit], head: str, last: int | None
) -> list[Row]:
    """Return a row for each number, from the first commit to the last that has it."""
    rows: list[Row] = []
    held: dict[str, dict[Key, int]] = {}
    for commit in commits:
        held[commit.id] = {}
        for key, value in snapshots.of(commit.id).items():
            earlier = [
                held[parent][key]
                for parent in commit.parents
                if key in held.get(parent, {}) and value.same(snapshots.of(parent)[key])
            ]
            if not earlier:
                earlier = [len(rows)]
                rows.append(_row(snapshots, key, commit, head))
            at = earlier[0]
            rows[at] = replace(rows[at], until=commit.id)
            held[commit.id][key] = at
    recent = commits if last is None else commits[-last:]
    shown = {at for commit in recent for at in held[commit.id].values()}
    return [row for at, row in enumerate(rows) if at in shown]


def _tried(
    snapshots: Snapshots, tried: Sequence[Commit], head: str, bases: set[str]
) -> list[Row]:
    """Return the numbers of experiments that the commits under them do not have."""
    rows = []
    for commit in tried:
        base: Snapshot = {}
        for parent in commit.parents:
            base |= snapshots.of(parent) if parent in bases else {}
        rows += [
            _row(snapshots, key, commit, head)
            for key, value in snapshots.of(commit.id).items()
            if key not in base or not value.same(base[key])
        ]
    return rows


def _marked(rows: list[Row], now: Snapshot) -> list[Row]:
    """Mark the rows that HEAD has, and those of another definition than its own."""
    defined = {(key[0], key[6]): held.number.definition for key, held in now.items()}
    marked = []
    for row in rows:
        key = (row.kind, row.benchmark, row.encoder, row.view, row.method, row.k,
               row.metric)  # fmt: skip
        mine = (row.number.mean, row.number.low, row.number.high, row.data)
        here = now.get(key)
        same = here is not None and mine == (
            here.number.mean, here.number.low, here.number.high, here.data,
        )  # fmt: skip
        notes = row.notes
        means = row.number.definition
        if defined.get((row.kind, row.metric), means) != means:
            notes, same = (*notes, "defined in another way than at HEAD"), False
        marked.append(replace(row, now=same and not row.experiment, notes=notes))
    return marked
