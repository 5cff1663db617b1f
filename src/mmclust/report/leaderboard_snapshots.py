"""All numbers of one commit, each with the data it was made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mmclust.core.text import json_value
from mmclust.report.leaderboard_git import DATA, METRICS
from mmclust.report.leaderboard_lock import Stage, maker, md5, parse_lock, summary_read
from mmclust.report.leaderboard_params import flat_params, value_at
from mmclust.report.leaderboard_records import HEADS, Key, Names, Number, parse_file

if TYPE_CHECKING:
    from mmclust.report.leaderboard_git import Reader


@dataclass(frozen=True)
class Skipped:
    """A part of a metrics file that could not be read."""

    commit: str
    path: str
    reason: str


@dataclass(frozen=True)
class Held:
    """A number as a commit has it.

    Parameters
    ----------
    number
        Score and interval.
    data
        Digest of the manifest it was made from; empty where that is not known.
    notes
        What is odd about its record.
    """

    number: Number
    data: str
    notes: tuple[str, ...]

    def same(self, other: Held) -> bool:
        """Whether the two are one number: score, interval, definition and data."""
        mine, its = self.number, other.number
        return (mine.mean, mine.low, mine.high, mine.definition, self.data) == (
            its.mean, its.low, its.high, its.definition, other.data,
        )  # fmt: skip


Snapshot = dict[Key, Held]


@dataclass
class Snapshots:
    """What commits say, each read once.

    Parameters
    ----------
    reader
        Of the repository, with the files of all commits in question loaded.
    commits
        Their ids: the data of a number may have been recorded by another commit.
    skipped
        Fills with what could not be read.
    """

    reader: Reader
    commits: list[str]
    skipped: list[Skipped] = field(default_factory=list)
    _seen: dict[str, Snapshot] = field(default_factory=dict)
    _params: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, commit: str) -> Snapshot:
        """Return each number of a commit."""
        if commit not in self._seen:
            self._seen[commit] = self._read(commit)
        return self._seen[commit]

    def params(self, commit: str) -> dict[str, Any]:
        """Return the flat params of a commit."""
        if commit not in self._params:
            data = self.reader.file(commit, "params.yaml")
            self._params[commit] = flat_params(data)
        return self._params[commit]

    def _read(self, commit: str) -> Snapshot:
        params = self.params(commit)
        names = Names(
            value_at(params, "learning.benchmark", ""),
            value_at(params, "model.encoder", HEADS),
        )
        stages = parse_lock(self.reader.file(commit, "dvc.lock"))
        held: Snapshot = {}
        for path in self.reader.tree(commit):
            if not path.startswith(METRICS) or not path.endswith(".json"):
                continue
            data = self.reader.file(commit, path) or b""
            numbers, reasons = parse_file(path, data, names)
            self.skipped += [Skipped(commit, path, why) for why in reasons]
            facts: dict[str, tuple[str, tuple[str, ...]]] = {}
            for key, number in numbers.items():
                benchmark = key[1]
                if benchmark not in facts:
                    facts[benchmark] = self._facts(commit, stages, path, benchmark)
                held[key] = Held(number, *facts[benchmark])
        return held

    def _facts(
        self, commit: str, stages: list[Stage], path: str, benchmark: str
    ) -> tuple[str, tuple[str, ...]]:
        """Return the digest of the data that a metrics file is of, and remarks.

        A commit may hold data that were built after its metrics were made; what the
        metrics are of, dvc.lock says.
        """
        summary = f"{DATA}/{benchmark}/summary.json"
        here = _manifest(self.reader.file(commit, summary) or b"")
        stage = maker(stages, path)
        if stage is None:
            return here, ("dvc.lock does not list its file",)
        if stage.outs[path] != md5(self.reader.file(commit, path) or b""):
            return here, ("dvc.lock has another version of its file",)
        read = summary_read(stages, stage, benchmark)
        if read is None:
            return here, ()
        if read not in self._summaries:
            return "", ("made from data that no commit here has",)
        return _manifest(self._summaries[read]), ()

    @cached_property
    def _summaries(self) -> dict[str, bytes]:
        """md5 → bytes of every summary of every commit."""
        blobs = {
            blob
            for commit in self.commits
            for path, blob in self.reader.tree(commit).items()
            if path.startswith(DATA) and path.endswith("/summary.json")
        }
        return {md5(data): data for data in map(self.reader.blob, blobs)}


def _manifest(summary: bytes) -> str:
    try:
        value = json_value(summary or b"{}")
    except ValueError:
        return ""
    digest = value.get("manifest", "") if isinstance(value, dict) else ""
    return digest if isinstance(digest, str) else ""
