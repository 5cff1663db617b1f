"""The numbers of each commit, and of which data and params they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmclust.board.contents import changed_params, manifest_of, summaries_of, summarised
from mmclust.board.history import WORKSPACE, Reader, md5, shown
from mmclust.core.errors import MmclustError
from mmclust.scoring.record import is_headline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmclust.scoring.record import Record, Score

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


Place = tuple[str, str]
"""Stage and benchmark."""
Table = dict[Key, Held]


@dataclass
class Snapshots:
    """What commits say; what several say is one object."""

    reader: Reader
    commits: list[str]  # the data of a number may be recorded by another of them
    skipped: list[str] = field(default_factory=list)  # fills with what was not read
    _seen: dict[str, dict[Place, Table]] = field(default_factory=dict)
    _tables: dict[tuple[object, ...], Table] = field(default_factory=dict)
    _told: dict[tuple[object, ...], tuple[str, ...]] = field(default_factory=dict)
    _parts: dict[str, set[str]] = field(default_factory=dict)
    _summaries: dict[str, bytes] = field(default_factory=dict)  # by blob
    _known: dict[str, bytes] = field(default_factory=dict)  # by md5

    def of(self, commit: str) -> Table:
        """Return each number of a commit."""
        return {
            k: h for table in self.tables(commit).values() for k, h in table.items()
        }

    def tables(self, commit: str) -> dict[Place, Table]:
        """Return the numbers of each stage and benchmark of a commit."""
        if commit not in self._seen:
            self._seen[commit] = self._read(commit)
        return self._seen[commit]

    def differing(self, commit: str, about: Key) -> tuple[str, ...]:
        """Return how the params of a commit differ from the workspace's."""
        then, now = (
            self.reader.tree(c).get("params.yaml") for c in (commit, WORKSPACE)
        )
        if then == now:  # one file, as that of most commits
            return ()
        if commit not in self._parts:
            both = (self.reader.params(c) for c in (commit, WORKSPACE))
            self._parts[commit] = {
                p for flat in both for k in flat for p in k.split(".")
            }
        names = self._parts[commit].intersection(about)  # what can change the order
        asked = (then, *sorted(names))
        if asked not in self._told:
            changed = changed_params(
                self.reader.params(commit), self.reader.params(WORKSPACE), names
            )
            self._told[asked] = tuple(
                f"{name} unset" if was is None else f"{name}={was}"
                for name, (was, _) in changed.items()
            )
        return self._told[asked]

    def _read(self, commit: str) -> dict[Place, Table]:
        found: dict[Place, list[tuple[str, str, str, tuple[str, ...]]]] = {}
        for path, place in self.reader.records(commit).items():
            try:
                self.reader.record(commit, path)
            except MmclustError as error:
                self.skipped.append(
                    f"skipped {path} of {shown(commit)}: of another version "
                    f"({error.parts['found']})"
                )
                continue
            blob = self.reader.tree(commit)[path]
            facts = (path, blob, *self._data(commit, path, place[1]))
            found.setdefault(place, []).append(facts)
        tables = {}
        for place, files in found.items():
            made_of = (place, *files)
            if made_of not in self._tables:
                self._tables[made_of] = {
                    key: held
                    for path, _, data, notes in files
                    for key, held in _table(
                        self.reader.record(commit, path), place, path, data, notes
                    )
                }
            tables[place] = self._tables[made_of]
        return tables

    def _data(
        self, commit: str, path: str, benchmark: str
    ) -> tuple[str, tuple[str, ...]]:
        """Return the digest of the data that a record is of, and remarks.

        A commit may hold data that were built after its scores were made; what the
        scores are of, dvc.lock says: by the summary that the stage read, or the one
        that was built together with the manifest that it read.
        """
        tree = self.reader.tree(commit)
        blobs = filter(None, map(tree.get, summaries_of(benchmark)))
        here = manifest_of(next(filter(None, map(self._summary, blobs)), None))
        own, read = self.reader.origins(commit).get(path, ("", None))
        if not own:
            return here, ("dvc.lock does not list its file",)
        if own != self.reader.digest(commit, path):
            return here, ("dvc.lock has another version of its file",)
        if read is None:
            return here, ()
        if read not in self._known_summaries():
            return "", ("made from data that no commit here has",)
        return manifest_of(self._known_summaries()[read]), ()

    def _summary(self, blob: str) -> bytes:
        if blob not in self._summaries:
            self._summaries[blob] = self.reader.blob(blob)
        return self._summaries[blob]

    def _known_summaries(self) -> dict[str, bytes]:
        """md5 → bytes of every summary of every commit."""
        if not self._known:
            blobs = {
                blob
                for commit in self.commits
                for path, blob in self.reader.tree(commit).items()
                if summarised(path)
            }
            self._known = {md5(d): d for d in map(self._summary, sorted(blobs))}
        return self._known


def _table(
    record: Record, place: Place, path: str, data: str, notes: tuple[str, ...]
) -> Iterator[tuple[Key, Held]]:
    """Yield each number of a record, method by method."""
    methods: dict[tuple[str, str, str], list[Score]] = {}
    for score in record:
        methods.setdefault(score.key, []).append(score)
    for key, scores in methods.items():
        for score in scores:
            if score.mean is None or record.get(key, score.metric) is not score:
                continue  # undefined (the record says why), or compared once more
            k = "" if score.k is None else str(score.k)
            headline = is_headline(place[0], score, record)
            yield (
                (*place, *key, k, score.metric),
                Held(score, path, headline, data, notes),
            )
