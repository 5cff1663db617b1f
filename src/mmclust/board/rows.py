"""One table of the numbers of the workspace, all commits and experiments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mmclust.board.choice import is_headline
from mmclust.board.history import (
    DATA,
    RECORDS,
    WORKSPACE,
    Commit,
    Reader,
    changed_params,
    experiments,
    flat_params,
    history,
    is_shallow,
    manifest_of,
    require_repository,
    shown,
    summaries_of,
    summarised,
)
from mmclust.core.errors import MmclustError
from mmclust.core.io import digest_of
from mmclust.core.yaml_file import maker, md5

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.scoring.record import Score

ID = 10  # hexadecimal digits

Key = tuple[str, str, str, str, str, str, str]
"""Stage, benchmark, encoder, view, method, k, metric."""


@dataclass(frozen=True)
class Held:
    """A number as a commit has it."""

    score: Score
    path: str  # of its record
    headline: bool  # whether it is shown unless other metrics are asked for
    data: str  # digest of the manifest; empty where that is not known
    notes: tuple[str, ...]  # what is odd about its record

    @property
    def number(self) -> tuple[object, ...]:
        """What makes it the same number: score, interval, definition and data."""
        s = self.score
        return s.mean, s.low, s.high, s.definition, self.data


@dataclass(frozen=True)
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


Snapshot = dict[Key, Held]


@dataclass
class Snapshots:
    """What commits say, each read once."""

    reader: Reader
    commits: list[str]  # the data of a number may be recorded by another of them
    skipped: list[str] = field(default_factory=list)  # fills with what was not read
    _seen: dict[str, Snapshot] = field(default_factory=dict)
    _params: dict[str, dict[str, Any]] = field(default_factory=dict)
    _summaries: dict[str, bytes] = field(default_factory=dict)

    def of(self, commit: str) -> Snapshot:
        """Return each number of a commit."""
        if commit not in self._seen:
            self._seen[commit] = self._read(commit)
        return self._seen[commit]

    def params(self, commit: str) -> dict[str, Any]:
        """Return the flat params of a commit: one object where the file is the same."""
        blob = self.reader.tree(commit).get("params.yaml", "")
        if blob not in self._params:
            self._params[blob] = flat_params(self.reader.file(commit, "params.yaml"))
        return self._params[blob]

    def _read(self, commit: str) -> Snapshot:
        held: Snapshot = {}
        for path, (stage, benchmark) in self.reader.records(commit).items():
            try:
                record = self.reader.record(commit, path)
            except MmclustError as error:
                found = error.parts["found"]
                self.skipped.append(
                    f"skipped {path} of {shown(commit)}: of another version ({found})"
                )
                continue
            data, notes = self._data(commit, path, benchmark)
            for key in record.methods():
                for metric, score in record.of(key).items():
                    if score.mean is None:  # undefined; the record says why
                        continue
                    k = "" if score.k is None else str(score.k)
                    shows = is_headline(stage, score, record)
                    held[stage, benchmark, *key, k, metric] = Held(
                        score, path, shows, data, notes
                    )
        return held

    def _data(
        self, commit: str, path: str, benchmark: str
    ) -> tuple[str, tuple[str, ...]]:
        """Return the digest of the data that a record is of, and remarks.

        A commit may hold data that were built after its scores were made; what the
        scores are of, dvc.lock says: by the summary that the stage read, or the one
        that was built together with the manifest that it read.
        """
        paths = summaries_of(benchmark)
        held = (self.reader.file(commit, path) for path in paths)
        here = manifest_of(next(filter(None, held), None))
        stages = self.reader.stages(commit)
        stage = maker(stages, path)
        if stage is None:
            return here, ("dvc.lock does not list its file",)
        if stage.outs[path] != md5(self.reader.file(commit, path) or b""):
            return here, ("dvc.lock has another version of its file",)
        read = next(filter(None, map(stage.deps.get, paths)), None)
        if read is None:  # the stage, of an earlier version, read the manifest alone
            build = maker(stages, paths[1])
            manifest = f"{DATA}{benchmark}/manifest.parquet"
            if build is None or stage.deps.get(manifest) != build.outs.get(manifest):
                return here, ()
            read = build.outs[paths[1]]
        known = self._known_summaries()
        if read not in known:
            return "", ("made from data that no commit here has",)
        return manifest_of(known[read]), ()

    def _known_summaries(self) -> dict[str, bytes]:
        """md5 → bytes of every summary of every commit."""
        if not self._summaries:
            blobs = {
                blob
                for commit in self.commits
                for path, blob in self.reader.tree(commit).items()
                if summarised(path)
            }
            self._summaries = {md5(d): d for d in map(self.reader.blob, sorted(blobs))}
        return self._summaries


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
    reader = Reader(root)
    bases = [base for each in tried for base in each.parents if _exists(reader, base)]
    every = list(dict.fromkeys([head, *bases, *(each.id for each in commits + tried)]))
    reader.load(every)
    if not any(reader.records(each) for each in (WORKSPACE, *every)):
        raise MmclustError(
            "No commit has a record of scores, nor has the workspace",
            where=root.absolute(),
            expected=f"tables under {RECORDS}",
            do="run `dvc repro`, and commit metrics, plots and dvc.lock",
        )
    snapshots = Snapshots(reader, [WORKSPACE, *every])
    rows = _runs(snapshots, commits, head, max_commits)
    rows = _tried(snapshots, tried, rows, set(bases))
    old = sum(reader.is_before_records(each.id) for each in commits + tried)
    remarks = list(dict.fromkeys(snapshots.skipped))
    if old:
        of = "1 commit" if old == 1 else f"{old} commits"
        remarks.append(
            f"{of} before the record of scores {'was' if old == 1 else 'were'} not read"
        )
    if is_shallow(root):
        remarks.append(
            "the clone is shallow: numbers may be older than the commit they stand "
            "beside (git fetch --unshallow)"
        )
    return Leaderboard(
        _with_before(_redefined(rows, snapshots.of(WORKSPACE)), commits),
        remarks,
        [each.id for each in commits + tried],
    )


def _exists(reader: Reader, commit: str) -> bool:
    try:
        reader.tree(commit)
    except MmclustError:
        return False  # an experiment from elsewhere, without the commit under it
    return True


def _row(snapshots: Snapshots, key: Key, commit: Commit) -> Row:
    """Return the row of a number that a commit is the first to have."""
    held = snapshots.of(commit.id)[key]
    differ = changed_params(
        snapshots.params(commit.id), snapshots.params(WORKSPACE), about=key
    )
    return Row(
        digest_of([list(key), list(held.number)])[:ID],
        *key,
        held=held,
        spells=((commit.id, commit.id),),
        now=False,
        date=commit.date,
        experiment=commit.experiment,
        params=tuple(
            f"{name} unset" if then is None else f"{name}={then}"
            for name, (then, _) in differ.items()
        ),
        notes=held.notes,
        made=commit.id,
    )


def _runs(
    snapshots: Snapshots, commits: Sequence[Commit], head: str, last: int | None
) -> list[Row]:
    """Return a row for each number, with the spells of commits that have it."""
    rows: dict[tuple[Key, tuple[object, ...]], Row] = {}
    spell_of: dict[tuple[str, Key], int] = {}
    before: dict[str, set[str]] = {}
    for commit in commits:
        before[commit.id] = {*commit.parents}.union(
            *(before.get(parent, set()) for parent in commit.parents)
        )
        for key, held in snapshots.of(commit.id).items():
            what = (key, held.number)
            going_on = [
                spell_of[parent, key]
                for parent in commit.parents
                if (parent, key) in spell_of
                and snapshots.of(parent)[key].number == held.number
            ]
            if what not in rows:
                rows[what] = _row(snapshots, key, commit)
                spell_of[commit.id, key] = 0
                continue
            row, spells = rows[what], list(rows[what].spells)
            if row.held.notes and not held.notes:  # now its run is committed, too
                rest = tuple(note for note in row.notes if note not in row.held.notes)
                row = replace(row, held=held, made=commit.id, notes=rest)
            if going_on:
                spells[going_on[0]] = (spells[going_on[0]][0], commit.id)
                notes = row.notes
            else:
                came_back = spells[-1][1] in before[commit.id]
                notes = (*row.notes, _again(came_back, spells[-1][1], commit.id))
                spells.append((commit.id, commit.id))
            spell_of[commit.id, key] = going_on[0] if going_on else len(spells) - 1
            rows[what] = replace(row, spells=tuple(spells), notes=notes)
    here = Commit(WORKSPACE, "", (head,))
    at_head = snapshots.of(head)
    for key, held in snapshots.of(WORKSPACE).items():
        what = (key, held.number)
        row = rows.get(what) or _row(snapshots, key, here)
        if what in rows and (key not in at_head or at_head[key].number != held.number):
            row = replace(
                row,
                spells=(*row.spells, (WORKSPACE, WORKSPACE)),
                notes=(*row.notes, _again(True, row.until, WORKSPACE)),
            )
        rows[what] = replace(row, now=True)
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
) -> list[Row]:
    """Add the numbers of experiments that the commits under them do not have."""
    known = {row.id: at for at, row in enumerate(rows)}
    found = list(rows)
    for commit in tried:
        base: Snapshot = {}
        for parent in commit.parents:
            base |= snapshots.of(parent) if parent in bases else {}
        for key, held in snapshots.of(commit.id).items():
            if key in base and base[key].number == held.number:
                continue
            row = _row(snapshots, key, commit)
            if row.id not in known:
                known[row.id] = len(found)
                found.append(row)
                continue
            at = known[row.id]
            told = f"the experiment {commit.experiment} has it, too"
            found[at] = replace(found[at], notes=(*found[at].notes, told))
    return found


def _redefined(rows: list[Row], now: Snapshot) -> list[Row]:
    """Note which numbers are of another definition than the workspace's."""
    defined = {(key[0], key[6]): held.score.definition for key, held in now.items()}
    marked = []
    for row in rows:
        own = row.score.definition
        current = defined.get((row.stage, row.metric), own)
        if current != own:
            told = f"defined as {own or '(no id)'}, now {current or '(no id)'}"
            row = replace(row, notes=(*row.notes, told))  # noqa: PLW2901
        marked.append(row)
    return marked


def _with_before(rows: list[Row], commits: Sequence[Commit]) -> list[Row]:
    """Tell each row of the history which number its method had before."""
    order = {commit.id: place for place, commit in enumerate(commits)}
    held = sorted(
        (order.get(first, len(order)), at, until)
        for at, row in enumerate(rows)
        if not row.experiment
        for first, until in row.spells
    )
    last: dict[tuple[str, ...], tuple[int, str]] = {}
    told = list(rows)
    for _, at, until in held:
        row = rows[at]
        earlier, ended = last.get(row.whose, (at, ""))
        if earlier != at:
            other = rows[earlier]
            k = f" at k {other.k}" if other.k != row.k else ""
            text = f"{other.score.mean:.4g}{k} until {shown(ended)}"
            told[at] = replace(row, before=text)
        last[row.whose] = (at, until)
    return told
