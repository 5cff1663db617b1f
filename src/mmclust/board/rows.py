"""One table of the numbers of the workspace, all commits and experiments."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmclust.board import cache
from mmclust.board.cache import Cache
from mmclust.board.contents import RECORDS
from mmclust.board.history import (
    WORKSPACE,
    Commit,
    Reader,
    experiments,
    git,
    history,
    is_shallow,
    require_repository,
    shown,
)
from mmclust.board.snapshots import Held, Key, Place, Snapshots, Table
from mmclust.core.errors import MmclustError
from mmclust.core.io import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mmclust.scoring.record import Score

ID = 10  # hexadecimal digits


@dataclass
class Row:
    """One number, and where it is from."""

    id: str
    """Made of what was measured, the number, its definition and its data, so that it
    stays whatever is filtered and as history grows."""
    stage: str
    benchmark: str
    encoder: str
    view: str
    method: str
    k: str  # empty where there are no clusters
    metric: str
    held: Held  # as its first commit has it
    spells: tuple[tuple[str, str], ...]
    """From which commit until which it held; several where it went and came back, or
    branches recorded it apart. An empty id: the workspace."""
    now: bool  # whether the workspace has it
    date: str  # of the first commit, ISO 8601; empty for what is not committed
    experiment: str  # the DVC experiment that has it; empty: the history
    params: tuple[str, ...]  # how its params differ from the workspace's, key=value
    notes: tuple[str, ...]  # what a reader must know before comparing it
    made: str  # the first commit that has it as a run left it; else as ``commit``
    before: str = ""  # what the method had before, and until when

    @property
    def score(self) -> Score:
        """The number with its interval."""
        return self.held.score

    @property
    def commit(self) -> str:
        """The first commit that has it; empty where it is not committed."""
        return self.spells[0][0]

    @property
    def until(self) -> str:
        """The last commit that has it."""
        return self.spells[-1][1]

    @property
    def whose(self) -> tuple[str, str, str, str, str, str]:
        """What was measured, at whatever k."""
        return (self.stage, self.benchmark, self.encoder, self.view, self.method,
                self.metric)  # fmt: skip

    @property
    def command(self) -> str:
        """What makes the number again and compares; empty for what no commit has."""
        return f"mmclust reproduce {self.id}" if self.commit else ""


@dataclass(frozen=True)
class Leaderboard:
    """All rows, in the order of history, and what stands beside them."""

    rows: list[Row]
    remarks: list[str]  # about the whole: commits and records that were not read
    commits: list[str]  # ids of those that were read, oldest first


def gather(
    root: Path,
    *,
    branches: bool = False,
    with_experiments: bool = True,
    max_commits: int | None = None,
) -> Leaderboard:
    """Gather the numbers of the workspace and of all commits that changed metrics."""
    head = require_repository(root)
    commits = history(root, branches=branches)
    tried = experiments(root) if with_experiments else []
    folder = os.fsdecode(git(root, "rev-parse", "--git-common-dir"))
    kept = Cache(root / folder.removesuffix("\n") / cache.NAME)
    with Reader(root, kept) as reader:
        board = _gather(reader, head, commits, tried, max_commits)
    kept.save()
    if is_shallow(root):
        board.remarks.append(
            "the clone is shallow: numbers may be older than the commit they stand "
            "beside (git fetch --unshallow)"
        )
    return board


def _gather(
    reader: Reader,
    head: str,
    commits: Sequence[Commit],
    tried: Sequence[Commit],
    max_commits: int | None,
) -> Leaderboard:
    bases = [base for each in tried for base in each.parents if _exists(reader, base)]
    every = list(
        dict.fromkeys([head, *bases, *(each.id for each in (*commits, *tried))])
    )
    if not any(reader.records(each) for each in (WORKSPACE, *every)):
        raise MmclustError(
            "No commit has a record of scores, nor has the workspace",
            where=reader.root.absolute(),
            expected=f"tables under {RECORDS}",
            do="run `dvc repro`, and commit metrics, plots and dvc.lock",
        )
    snapshots = Snapshots(reader, [WORKSPACE, *every])
    rows = _runs(snapshots, commits, head, max_commits)
    _tried(snapshots, tried, rows, set(bases))
    old = sum(reader.is_before_records(each.id) for each in (*commits, *tried))
    remarks = list(dict.fromkeys(snapshots.skipped))
    if old:
        of = "1 commit" if old == 1 else f"{old} commits"
        remarks.append(
            f"{of} before the record of scores {'was' if old == 1 else 'were'} not read"
        )
    _redefine(rows, snapshots.of(WORKSPACE))
    _tell_before(rows, commits)
    return Leaderboard(rows, remarks, [each.id for each in (*commits, *tried)])


def _exists(reader: Reader, commit: str) -> bool:
    try:
        reader.tree(commit)
    except MmclustError:
        return False  # an experiment from elsewhere, without the commit under it
    return True


def _row(snapshots: Snapshots, key: Key, held: Held, commit: Commit) -> Row:
    """Return the row of a number that a commit is the first to have."""
    return Row(
        digest_of([list(key), list(held.number)])[:ID],
        *key,
        held=held,
        spells=((commit.id, commit.id),),
        now=False,
        date=commit.date,
        experiment=commit.experiment,
        params=snapshots.differing(commit.id, key),
        notes=held.notes,
        made=commit.id,
    )


What = tuple[Key, tuple[object, ...]]
"""What was measured, and the number."""
Spell = list[str]
"""The first commit that has a number, and the last."""


@dataclass
class _History:
    """The rows so far, with the spells of commits that have them."""

    snapshots: Snapshots
    rows: dict[What, Row] = field(default_factory=dict)
    spells: dict[What, list[Spell]] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)  # of commits, in order
    _before: dict[str, int] = field(default_factory=dict)  # a bit for each earlier one
    _going: dict[str, dict[Place, tuple[Table, dict[Key, Spell]]]] = field(
        default_factory=dict
    )

    def add(self, commit: Commit) -> None:
        """Take up a commit, after all before it."""
        parents = [each for each in commit.parents if each in self._going]
        before = 0
        for each in parents:
            before |= self._before[each] | 1 << self._places[each]
        self._places[commit.id] = len(self._places)
        self._before[commit.id] = before
        going = [self._going[each] for each in parents]
        here = self._going[commit.id] = {}
        for place, table in self.snapshots.tables(commit.id).items():
            earlier = [each[place] for each in going if place in each]
            if earlier and place in going[0] and earlier[0][0] is table:
                here[place] = earlier[0]
                for spell in earlier[0][1].values():
                    spell[1] = commit.id
            else:
                spells = {key: self._number(commit, key, held, earlier)
                          for key, held in table.items()}  # fmt: skip
                here[place] = table, spells

    def _number(
        self,
        commit: Commit,
        key: Key,
        held: Held,
        earlier: Sequence[tuple[Table, dict[Key, Spell]]],
    ) -> Spell:
        """Take up a number, and return the spell that it is in."""
        what = (key, held.number)
        row = self.rows.get(what)
        if row is None:
            self.rows[what] = _row(self.snapshots, key, held, commit)
            spell = [commit.id, commit.id]
            self.spells[what] = [spell]
            return spell
        if row.held.notes and not held.notes:  # now its run is committed, too
            row.notes = tuple(n for n in row.notes if n not in row.held.notes)
            row.held, row.made = held, commit.id
        for table, spells in earlier:
            if key in table and table[key].number == held.number:
                spells[key][1] = commit.id
                return spells[key]
        until = self.spells[what][-1][1]
        came_back = bool(self._before[commit.id] >> self._places[until] & 1)
        row.notes += (_again(came_back, until, commit.id),)
        self.spells[what].append([commit.id, commit.id])
        return self.spells[what][-1]


def _runs(
    snapshots: Snapshots, commits: Sequence[Commit], head: str, last: int | None
) -> list[Row]:
    """Return a row for each number, with the spells of commits that have it."""
    found = _History(snapshots)
    for commit in commits:
        found.add(commit)
    rows = found.rows
    for what, spells in found.spells.items():
        rows[what].spells = tuple((first, until) for first, until in spells)
    here = Commit(WORKSPACE, "", (head,))
    at_head = snapshots.of(head)
    for key, held in snapshots.of(WORKSPACE).items():
        what = (key, held.number)
        if what not in rows:
            rows[what] = _row(snapshots, key, held, here)
        elif key not in at_head or at_head[key].number != held.number:
            row = rows[what]
            row.notes += (_again(True, row.until, WORKSPACE),)
            row.spells += ((WORKSPACE, WORKSPACE),)
        rows[what].now = True
    if last is None:
        return list(rows.values())
    recent = {
        (key, held.number)
        for commit in commits[-last:]
        for key, held in snapshots.of(commit.id).items()
    }
    return [row for what, row in rows.items() if row.now or what in recent]


def _again(came_back: bool, until: str, commit: str) -> str:
    if came_back:
        return f"went after {shown(until)}, came back with {shown(commit)}"
    return f"recorded apart by {shown(commit)}, too"


def _tried(
    snapshots: Snapshots, tried: Sequence[Commit], rows: list[Row], bases: set[str]
) -> None:
    """Add the numbers of experiments that the commits under them do not have."""
    known = {row.id: row for row in rows}
    for commit in tried:
        base: Table = {}
        for parent in commit.parents:
            base |= snapshots.of(parent) if parent in bases else {}
        for key, held in snapshots.of(commit.id).items():
            if key in base and base[key].number == held.number:
                continue
            row = _row(snapshots, key, held, commit)
            if row.id in known:
                told = f"the experiment {commit.experiment} has it, too"
                known[row.id].notes += (told,)
            else:
                known[row.id] = row
                rows.append(row)


def _redefine(rows: Iterable[Row], now: Table) -> None:
    """Note which numbers are of another definition than the workspace's."""
    defined = {(key[0], key[6]): held.score.definition for key, held in now.items()}
    for row in rows:
        own = row.score.definition
        current = defined.get((row.stage, row.metric), own)
        if current != own:
            told = f"defined as {own or '(no id)'}, now {current or '(no id)'}"
            row.notes += (told,)


def _tell_before(rows: Sequence[Row], commits: Sequence[Commit]) -> None:
    """Tell each row of the history which number its method had before."""
    order = {commit.id: place for place, commit in enumerate(commits)}
    held = sorted(
        (order.get(first, len(order)), at, until)
        for at, row in enumerate(rows)
        if not row.experiment
        for first, until in row.spells
    )
    last: dict[tuple[str, ...], tuple[int, str]] = {}
    for _, at, until in held:
        row = rows[at]
        earlier, ended = last.get(row.whose, (at, ""))
        if earlier != at:
            other = rows[earlier]
            k = f" at k {other.k}" if other.k != row.k else ""
            row.before = f"{other.score.mean:.4g}{k} until {shown(ended)}"
        last[row.whose] = (at, until)
