"""What git and the workspace hold, read without checking anything out."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.numerics import as_given
from mmclust.core.text import json_value
from mmclust.core.yaml_file import Stage, parse_lock, parse_yaml
from mmclust.scoring.record import STAGES, Record, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

RECORDS = "metrics/details/"
"""Where the records of scores are."""
DATA = "data/benchmarks/"
"""Where the summaries are."""
READ = ("metrics", DATA, "params.yaml", "dvc.lock")
"""What is read of a commit."""
WORKSPACE = ""
"""Stands for the files as they are here, committed or not, where a commit's id does."""
SHORT = 7
"""Digits of a commit that people see."""

_SUMMARY = re.compile(rf"{DATA}([^/]+?)(/summary)?\.json")
_EXPERIMENTS = "refs/exps/"
_PARTS = 5  # refs/exps/<2 of the baseline>/<38 of it>/<name>
_SHA1 = 40
_COMMON = ("seed", "numerics", "data", "model", "score")


@dataclass(frozen=True)
class Commit:
    """A commit, or a DVC experiment."""

    id: str
    date: str  # ISO 8601
    parents: tuple[str, ...]
    """The nearest earlier commits that changed metrics or dvc.lock; of an experiment,
    the commit it started from."""
    experiment: str = ""  # its name


def environment() -> dict[str, str]:
    """Return the environment without git's own variables, which hooks set.

    And without this run's numerics: another commit's params have their own.
    """
    return {k: v for k, v in as_given().items() if not k.startswith("GIT_")}


def git(root: Path, *arguments: str, feed: bytes | None = None) -> bytes:
    """Return what git prints."""
    program = shutil.which("git")
    if program is None:
        raise MmclustError("git is not installed", do="install git")
    done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
        [program, "-C", str(root), *arguments],
        input=feed,
        env=environment(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise MmclustError(
            f"git {arguments[0]} failed",
            where=root.absolute(),
            found=done.stderr.decode(errors="replace").strip(),
        )
    return done.stdout


def lines(root: Path, *arguments: str) -> list[str]:
    """Return the lines that git prints."""
    return git(root, *arguments).decode(errors="replace").splitlines()


def require_repository(root: Path) -> str:
    """Return the commit of HEAD."""
    try:
        top = lines(root, "rev-parse", "--show-toplevel")[0]
        head = lines(root, "rev-parse", "--verify", "HEAD^{commit}")[0]
    except MmclustError as error:
        raise MmclustError(
            "There is no git history to read",
            where=root.absolute(),
            found=error.parts["found"],
            do="run the command in the root of a clone that has commits",
        ) from error
    if root.resolve() != type(root)(top).resolve():
        raise MmclustError(
            "This is not the root of the repository",
            where=root.absolute(),
            expected=top,
            do="run the command there",
        )
    return head


def resolve(root: Path, name: str) -> str:
    """Return the commit of a revision or of a DVC experiment."""
    try:
        asked = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        return lines(root, *asked, f"{name}^{{commit}}")[0]
    except MmclustError:
        pass
    tried = experiments(root)
    found = {each.id for each in tried if each.experiment == name}
    if len(found) == 1:
        return found.pop()
    if found:
        raise MmclustError(
            f"Several experiments are named {name}",
            expected="one commit",
            found=some(sorted(found)),
            do="give the digits of one of them",
        )
    names = lines(
        root, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags"
    )
    raise MmclustError(
        f"git knows no revision {name!r}",
        where=root.absolute(),
        expected=nearest(name, {*names, *(each.experiment for each in tried)})
        or "a commit, branch or tag of git, or an experiment of DVC",
        do="`git log` and `dvc exp list` name them",
    )


def is_shallow(root: Path) -> bool:
    """Whether the clone lacks the beginning of its history."""
    return lines(root, "rev-parse", "--is-shallow-repository") == ["true"]


def history(root: Path, *, branches: bool = False) -> list[Commit]:
    """Return the commits that changed metrics or dvc.lock, parents before children."""
    found = lines(
        root, "log", "--full-history", "--simplify-merges", "--parents",
        "--topo-order", "--reverse", "--format=%H%x09%cI%x09%P",
        "HEAD", *(["--branches"] if branches else []), "--", "metrics", "dvc.lock",
    )  # fmt: skip
    commits = []
    for line in found:
        commit, date, parents = line.split("\t")
        commits.append(Commit(commit, date, tuple(parents.split())))
    return commits


def experiments(root: Path) -> list[Commit]:
    """Return the DVC experiments that this clone holds, oldest first."""
    found = lines(
        root, "for-each-ref", "--sort=committerdate",
        "--format=%(objectname)%09%(committerdate:iso-strict)%09%(refname)",
        _EXPERIMENTS,
    )  # fmt: skip
    commits = []
    for line in found:
        commit, date, name = line.split("\t")
        parts = name.split("/", _PARTS - 1)
        if len(parts) == _PARTS and len(parts[2] + parts[3]) == _SHA1:
            commits.append(Commit(commit, date, (parts[2] + parts[3],), parts[4]))
    return commits


@dataclass
class Reader:
    """Files of commits and of the workspace; each content is read once."""

    root: Path
    _trees: dict[str, dict[str, str]] = field(default_factory=dict)
    _blobs: dict[str, bytes] = field(default_factory=dict)
    _records: dict[str, Record] = field(default_factory=dict)
    _locks: dict[str, list[Stage]] = field(default_factory=dict)

    def tree(self, commit: str) -> dict[str, str]:
        """Return the paths under :data:`READ`, each with its blob."""
        if commit not in self._trees:
            self._trees[commit] = (
                self._listed(commit) if commit != WORKSPACE else self._here()
            )
        return self._trees[commit]

    def _listed(self, commit: str) -> dict[str, str]:
        listed = git(self.root, "ls-tree", "-rz", commit, "--", *READ).decode()
        entries = [line.partition("\t") for line in listed.split("\0") if line]
        return {path: facts.split()[2] for facts, _, path in entries}

    def _here(self) -> dict[str, str]:
        found = {}
        files = [
            *(self.root / "metrics").rglob("*.*"),
            *(self.root / DATA).glob("*.json"),
            self.root / "params.yaml",
            self.root / "dvc.lock",
        ]
        for path in sorted(path for path in files if path.is_file()):
            data = path.read_bytes()
            # As git names content, so that what is committed is parsed once.
            blob = hashlib.sha1(
                b"blob %d\0%b" % (len(data), data), usedforsecurity=False
            ).hexdigest()
            self._blobs[blob] = data
            found[path.relative_to(self.root).as_posix()] = blob
        return found

    def load(self, commits: Iterable[str]) -> None:
        """Read the records, summaries, params and locks of commits in one go."""
        blobs = {
            blob
            for commit in commits
            for path, blob in self.tree(commit).items()
            if path.startswith(RECORDS)
            or path.endswith(("params.yaml", "dvc.lock"))
            or summarised(path)
        }
        self._load(blobs)

    def _load(self, blobs: Iterable[str]) -> None:
        wanted = sorted(set(blobs) - set(self._blobs))
        if not wanted:
            return
        feed = "".join(f"{blob}\n" for blob in wanted).encode()
        answer = git(self.root, "cat-file", "--batch", feed=feed)
        at = 0
        for blob in wanted:
            end = answer.index(b"\n", at)
            size = int(answer[at:end].split()[2])
            self._blobs[blob] = answer[end + 1 : end + 1 + size]
            at = end + size + 2

    def blob(self, blob: str) -> bytes:
        """Return the bytes of one blob."""
        self._load([blob])
        return self._blobs[blob]

    def file(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit, None where it has none of that name."""
        found = self.tree(commit).get(path)
        return None if found is None else self.blob(found)

    def records(self, commit: str) -> dict[str, tuple[str, str]]:
        """Return the path of each record, with its stage and benchmark."""
        return {
            path: place
            for path in self.tree(commit)
            if (place := place_of(path)) is not None
        }

    def record(self, commit: str, path: str) -> Record:
        """Return one record."""
        blob = self.tree(commit)[path]
        if blob not in self._records:
            where = f"{path} of {shown(commit)}"
            self._records[blob] = parse(self.blob(blob), where)
        return self._records[blob]

    def stages(self, commit: str) -> list[Stage]:
        """Return what dvc.lock says of each stage; of a damaged one, nothing."""
        blob = self.tree(commit).get("dvc.lock", "")
        if blob not in self._locks:
            try:
                self._locks[blob] = parse_lock(self.blob(blob) if blob else None)
            except MmclustError:
                self._locks[blob] = []
        return self._locks[blob]

    def is_before_records(self, commit: str) -> bool:
        """Whether a commit has scores, but in the files of earlier versions."""
        old = [
            path
            for path in self.tree(commit)
            if path.startswith("metrics/") and path != "metrics/budget.json"
            and path.endswith((".json", ".csv"))
        ]  # fmt: skip
        return bool(old) and not any(path.startswith(RECORDS) for path in old)


def place_of(path: str) -> tuple[str, str] | None:
    """Return stage and benchmark of a record's path, None where it is none."""
    if not path.startswith(RECORDS) or not path.endswith(".csv"):
        return None
    stage, *rest = PurePosixPath(path).with_suffix("").parts[2:]
    return (stage, rest[0]) if stage in STAGES and rest else None


def summaries_of(benchmark: str) -> tuple[str, str]:
    """Return where a benchmark's summary is, and where earlier versions had it."""
    return f"{DATA}{benchmark}.json", f"{DATA}{benchmark}/summary.json"


def summarised(path: str) -> str:
    """Return the benchmark whose summary a path is; empty where it is none."""
    found = _SUMMARY.fullmatch(path)
    return found[1] if found else ""


def shown(commit: str) -> str:
    """Return a commit as people see it."""
    return commit[:SHORT] if commit != WORKSPACE else "the workspace"


def manifest_of(summary: bytes | None) -> str:
    """Return the digest of the manifest that a summary names; empty for none."""
    try:
        value = json_value(summary or b"{}")
    except ValueError:
        return ""
    digest = value.get("manifest", "") if isinstance(value, dict) else ""
    return digest if isinstance(digest, str) else ""


def flat_params(data: bytes | None) -> dict[str, Any]:
    """Return ``{"model.k": 43}`` of a params.yaml; empty where it cannot be read.

    Lists are values, and so are empty mappings.
    """
    try:
        value = parse_yaml(data or b"", "params.yaml")
    except MmclustError:
        return {}
    flat: dict[str, Any] = {}
    if isinstance(value, dict):
        _flatten(value, "", flat)
    return flat


def _flatten(value: Mapping[Any, Any], under: str, flat: dict[str, Any]) -> None:
    for name, inner in value.items():
        key = f"{under}.{name}" if under else str(name)
        if isinstance(inner, dict) and inner:
            _flatten(inner, key, flat)
        else:
            flat[key] = inner


def changed_params(
    then: Mapping[str, Any], now: Mapping[str, Any], about: Sequence[str] = ()
) -> dict[str, tuple[str | None, str | None]]:
    """Return the params that differ: key → before and after; None: unset."""
    if then is now:  # one file, as that of most commits
        return {}
    names = {name for name in about if name}

    def far(key: str) -> tuple[bool, str]:
        parts = key.split(".")
        return not (parts[0] in _COMMON or names & set(parts)), key

    told = {
        key: tuple(_text(side[key]) if key in side else None for side in (then, now))
        for key in {*then, *now}
    }
    differ = {key for key, (old, new) in told.items() if old != new}
    # An empty block that the other side fills is told by its keys.
    differ -= {key for key in differ if any(k.startswith(f"{key}.") for k in differ)}
    return {key: (told[key][0], told[key][1]) for key in sorted(differ, key=far)}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
